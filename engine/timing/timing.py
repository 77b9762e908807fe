"""Exact counts to cycles with causes: the time of an execution on a board, per region, cold and warm, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.counters.types import Block
from engine.errors import UsageError
from engine.firmware.types import Firmware
from engine.records.cause import Cause
from engine.records.run import Stack
from engine.targets.types import Execution, MemoryProfile, Profile
from engine.timing.branches import BranchFacts, branch_facts, refill_ticks
from engine.timing.classes import Operation, prepare
from engine.timing.flash import fetch_ticks, flash_ticks, ram_ticks, read_ticks
from engine.timing.static_cost import operations_ticks
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks, End, core_ticks

Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class TimedRegion:
    """Cycle stacks of one region: ``stack`` in steady state, ``cold`` in the first inference after reset."""

    stack: Stack
    cold: Stack


@dataclass(frozen=True)
class TimedRun:
    """The time of one inference: ``regions`` are the layers in order, the glue last.

    ``interval`` bounds the warm cycles of the whole run: all figures of core and board at the low, and at the high, ends of
    their intervals at once. That is a bound under independent worst cases, not a confidence interval; figures with a single
    published value do not widen it. ``notes``: what the core table and the board say about the model's limits.
    """

    regions: tuple[TimedRegion, ...]
    interval: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def warm_cycles(self) -> int:
        """Cycles of the run in steady state: the sum over regions."""
        return sum(r.stack.cycles for r in self.regions)

    @property
    def cold_cycles(self) -> int:
        """Cycles of the first inference after reset."""
        return sum(r.cold.cycles for r in self.regions)


def time_execution(
    blocks: Mapping[int, Block],
    execution: Execution,
    firmware: Firmware,
    board: Board,
    core: Core,
    clock_mhz: float,
) -> TimedRun:
    """Time an execution of a firmware on a board with a core at a clock.

    ``blocks`` holds the decoded block of every start address in the profile. Raises UsageError for a clock that the board's
    flash ladder does not cover.
    """
    if not 0 < clock_mhz <= board.flash.ladder[-1].up_to_mhz:
        raise UsageError(
            f"{board.name} cannot run at {clock_mhz:g} MHz",
            hint=f"choose a clock up to {board.flash.ladder[-1].up_to_mhz:g} MHz",
        )
    work = _prepare(blocks, execution.profile, len(firmware.layers) + 1)
    table = core_ticks(core, End.VALUE)
    pipeline = _pipeline(work, table)
    warm, cold = (
        tuple(_stack(row) for row in pipeline + _memory(memory, pipeline, table, board, clock_mhz, End.VALUE))
        for memory in (execution.warm, execution.cold)  # both run the same control flow
    )
    low, high = (_total(work, execution.warm, board, core, clock_mhz, end) for end in (End.LOW, End.HIGH))
    cycles = sum(s.cycles for s in warm)
    # rounding per region may move the sum by less than a cycle per region
    interval = (min(cycles, low // CYCLE), max(cycles, -(-high // CYCLE)))
    return TimedRun(
        regions=tuple(TimedRegion(w, c) for w, c in zip(warm, cold, strict=True)),
        interval=interval,
        notes=core.notes + board.notes,
    )


@dataclass(frozen=True, eq=False)
class _Work:
    """A profile prepared once for all tables: ``block_at[i]`` is the index in ``operations`` of the block that edge i enters."""

    profile: Profile
    facts: BranchFacts
    operations: tuple[tuple[Operation, ...], ...]
    block_at: NDArray[np.intp]
    regions: int


def _prepare(blocks: Mapping[int, Block], profile: Profile, regions: int) -> _Work:
    starts, at = np.unique(profile.dst, return_inverse=True)
    operations = tuple(tuple(prepare(ins) for ins in blocks[int(s)].instructions) for s in starts)
    return _Work(profile, branch_facts(profile, blocks), operations, at, regions)


def _total(work: _Work, memory: MemoryProfile, board: Board, core: Core, clock_mhz: float, end: End) -> int:
    table = core_ticks(core, end)
    pipeline = _pipeline(work, table)
    return int((pipeline + _memory(memory, pipeline, table, board, clock_mhz, end)).sum())


def _pipeline(work: _Work, table: CoreTicks, cost: Ticks | None = None) -> Ticks:
    """Ticks by region and cause without memory stalls, shape (regions, causes); ``cost`` of one execution of each block, if known."""
    if cost is None:
        cost = np.array([operations_ticks(ops, table) for ops in work.operations], dtype=np.int64)
    spent = np.zeros((work.regions, len(CAUSES)), dtype=np.int64)
    np.add.at(spent, work.profile.region, cost.reshape(-1, len(CAUSES))[work.block_at] * work.profile.count[:, None])
    refill = refill_ticks(work.profile, work.facts, work.regions, table)
    spent[:, COLUMN[Cause.BRANCH_REFILL]] += refill
    return spent


def _memory(
    memory: MemoryProfile, pipeline: Ticks, table: CoreTicks, board: Board, clock_mhz: float, end: End
) -> Ticks:
    """Stall ticks by region and cause; shape (regions, causes)."""
    spent = np.zeros_like(pipeline)
    cost = flash_ticks(board, clock_mhz, end)
    for events in memory.flash:
        region = spent[events.region]
        region[COLUMN[Cause.INSTRUCTION_FETCH]] += fetch_ticks(events, int(pipeline[events.region].sum()), cost, end)
        region[COLUMN[Cause.DATA_READ]] += read_ticks(events, cost, table)
    for index, (reads, writes) in ram_ticks(memory, board, end).items():
        spent[index, COLUMN[Cause.DATA_READ]] += reads
        spent[index, COLUMN[Cause.DATA_WRITE]] += writes
    return spent


def _stack(row: Ticks) -> Stack:
    """Ticks to whole cycles: the total is rounded to nearest, the remainders go to the causes with the largest fractions."""
    ticks = [int(x) for x in row]
    total = (sum(ticks) + CYCLE // 2) // CYCLE
    cycles = [x // CYCLE for x in ticks]
    missing = total - sum(cycles)
    order = sorted(range(len(ticks)), key=lambda i: (-(ticks[i] % CYCLE), i))
    for i in order[:missing]:
        cycles[i] += 1
    return Stack(**{cause.value: n for cause, n in zip(CAUSES, cycles, strict=True)})
