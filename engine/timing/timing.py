"""Exact counts to cycles with causes: the time of an execution on a board, per region, cold and warm, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.records.cause import Cause
from engine.records.run import Stack
from engine.timing.branches import loop_end_issue_ticks, refill_ticks
from engine.timing.geometry import AlternativeTime, Described, alternative_times, span, widened
from engine.timing.memory import EventTable, StallTicks, event_table, memory_cost, stall_ticks
from engine.timing.pipeline import PassBlock, Ticks, Work, idle_ticks, passes_of, straight_ticks
from engine.timing.stored import StoredRun
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks, End, core_ticks


@dataclass(frozen=True)
class MemoryStall:
    """Cycles that one region waits for one memory: for instructions, data reads and data writes."""

    memory: str
    fetch: int
    read: int
    write: int

    @property
    def cycles(self) -> int:
        """All of them."""
        return self.fetch + self.read + self.write


@dataclass(frozen=True)
class Idle:
    """Cycles of a region in which nothing was issued, in steady state, for whatever reason.

    ``vector_cycles``: of these, those that waited for a Helium instruction, its result or its pipe; ``vector_waits``: those in which a
    Helium instruction waited for the result of another kind.
    """

    cycles: int
    vector_cycles: int
    vector_waits: int


@dataclass(frozen=True)
class TimedRegion:
    """Cycle stacks of one region: ``stack`` in steady state, ``cold`` in the first inference after reset.

    ``stalls`` and ``cold_stalls``: their memory stalls by memory of the board; they add up to the three causes of the stack.
    ``idle``: only of cores with Helium, whose chips count the like.
    """

    stack: Stack
    cold: Stack
    stalls: tuple[MemoryStall, ...]
    cold_stalls: tuple[MemoryStall, ...]
    idle: Idle | None = None


@dataclass(frozen=True)
class TimedRun:
    """The time of one inference: ``regions`` are the layers in order, the glue last.

    ``interval`` bounds the warm cycles of the whole run: all figures of core and board at the low, and at the high, ends of
    their intervals at once, and added to that the most that one of ``alternatives``, the other designs that the board may have, saves
    and costs. That is a bound under independent worst cases, not a confidence interval; figures with a single
    published value do not widen it. ``notes``: what the core table and the board say about the model's limits.
    """

    regions: tuple[TimedRegion, ...]
    interval: tuple[int, int]
    notes: tuple[str, ...]
    alternatives: tuple[AlternativeTime, ...] = ()

    @property
    def warm_cycles(self) -> int:
        """Cycles of the run in steady state: the sum over regions."""
        return sum(r.stack.cycles for r in self.regions)

    @property
    def cold_cycles(self) -> int:
        """Cycles of the first inference after reset."""
        return sum(r.cold.cycles for r in self.regions)

    @property
    def alternatives_interval(self) -> tuple[int, int] | None:
        """Fewest and most warm cycles over the board as described and each of its alternatives; None where it has none."""
        return span(self.warm_cycles, self.alternatives)


def time_execution(run: StoredRun) -> TimedRun:
    """Time a run: cold, warm, and at the ends of every figure's interval."""
    work, table = run.work(), core_ticks(run.core, End.VALUE)
    timed, pipeline = _regions(run, work, table)
    low, high = (_total(run, work, end) for end in (End.LOW, End.HIGH))
    cycles = sum(r.stack.cycles for r in timed)
    # rounding per region may move the sum by less than a cycle per region
    interval = (min(cycles, low // CYCLE), max(cycles, -(-high // CYCLE)))
    described = Described(run.warm_events(), run.board, pipeline, table, run.clock_mhz)
    times = alternative_times(described, run.execution.alternatives)
    return TimedRun(
        regions=timed,
        interval=widened(interval, times),
        notes=run.core.notes + run.board.notes,
        alternatives=times,
    )


def times_apart(core: Core) -> bool:
    """Whether the time of a region rests on its own counts alone.

    Where two instructions issue together, how often a block leaves its last one without a partner is a mean over all regions.
    """
    table = core_ticks(core, End.VALUE)
    return not (table.dual or table.pairs_16)


def time_regions(run: StoredRun) -> tuple[TimedRegion, ...]:
    """The regions of ``time_execution`` alone; a part of an execution will do for its regions."""
    return _regions(run, run.work(), core_ticks(run.core, End.VALUE))[0]


def _regions(run: StoredRun, work: Work, table: CoreTicks) -> tuple[tuple[TimedRegion, ...], Ticks]:
    """Every region, and the pipeline's ticks as from ``pipeline_ticks``."""
    board, passage = run.board, passes_of(work, table)
    pipeline = pipeline_ticks(work, table, passage)
    timed = []
    waited = []
    for memory in (run.execution.warm, run.execution.cold):  # both run the same control flow
        stalls = stalls_of(event_table(memory, board, work.regions), pipeline, table, board, run.clock_mhz, End.VALUE)
        stacks = tuple(to_stack(row) for row in pipeline + by_cause(stalls))
        timed.append((stacks, _by_memory(stalls, stacks, board)))
        waited.append(by_cause(stalls).sum(axis=1))
    (warm, warm_stalls), (cold, cold_stalls) = timed
    idle = _idle(work, table, passage, waited[0]) if run.core.mve else (None,) * len(warm)
    regions = zip(warm, cold, warm_stalls, cold_stalls, idle, strict=True)
    return tuple(TimedRegion(*parts) for parts in regions), pipeline


def _idle(work: Work, table: CoreTicks, passage: PassBlock, waited: Ticks) -> tuple[Idle, ...]:
    """Cycles without issue of every region; ``waited``: ticks for memories, shape (regions,)."""
    pipeline = idle_ticks(work, table, passage)
    refill = refill_ticks(work.profile, work.facts, work.regions, table)
    refill -= loop_end_issue_ticks(work.profile, work.facts, work.regions, table)
    pipeline[:, 0] += refill + waited
    return tuple(Idle(*row) for row in ((pipeline + CYCLE // 2) // CYCLE).tolist())


def _total(run: StoredRun, work: Work, end: End) -> int:
    table = core_ticks(run.core, end)
    pipeline = pipeline_ticks(work, table, passes_of(work, table))
    stalls = stalls_of(run.warm_events(), pipeline, table, run.board, run.clock_mhz, end)
    return int((pipeline + by_cause(stalls)).sum())


def pipeline_ticks(work: Work, table: CoreTicks, passage: PassBlock) -> Ticks:
    """Ticks by region and cause without memory stalls; shape (regions, causes)."""
    spent = straight_ticks(work, table, passage)
    spent[:, COLUMN[Cause.BRANCH_REFILL]] += refill_ticks(work.profile, work.facts, work.regions, table)
    return spent


def stalls_of(
    events: EventTable, pipeline: Ticks, table: CoreTicks, board: Board, clock_mhz: float, end: End
) -> StallTicks:
    """Stall ticks by region and memory; ``pipeline`` as from ``pipeline_ticks``."""
    cost = memory_cost(board, clock_mhz, end, events.counted)
    return stall_ticks(events, pipeline.sum(axis=1), cost, table, end)


def by_cause(stalls: StallTicks) -> Ticks:
    """Stall ticks by region and cause, over all memories; shape (regions, causes)."""
    spent = np.zeros((len(stalls.fetch), len(CAUSES)), np.int64)
    for cause, ticks in _stalls_by_cause(stalls):
        spent[:, COLUMN[cause]] = ticks.sum(axis=1)
    return spent


def _stalls_by_cause(stalls: StallTicks) -> tuple[tuple[Cause, Ticks], ...]:
    return (
        (Cause.INSTRUCTION_FETCH, stalls.fetch),
        (Cause.DATA_READ, stalls.read),
        (Cause.DATA_WRITE, stalls.write),
    )


def _by_memory(stalls: StallTicks, stacks: Sequence[Stack], board: Board) -> tuple[tuple[MemoryStall, ...], ...]:
    """Stall cycles of every region by memory: they add up to the causes of its stack."""
    found = []
    for region, stack in enumerate(stacks):
        cycles = [_deal([int(x) for x in ticks[region]], stack.of(cause)) for cause, ticks in _stalls_by_cause(stalls)]
        found.append(tuple(MemoryStall(m.name, *numbers) for m, *numbers in zip(board.memories, *cycles, strict=True)))
    return tuple(found)


def to_stack(row: Ticks) -> Stack:
    """Ticks to whole cycles: the total is rounded to nearest, the remainders go to the causes with the largest fractions."""
    ticks = [int(x) for x in row]
    cycles = _deal(ticks, (sum(ticks) + CYCLE // 2) // CYCLE)
    return Stack(**{cause.value: n for cause, n in zip(CAUSES, cycles, strict=True)})


def _deal(ticks: Sequence[int], total: int) -> list[int]:
    """Whole cycles that sum to ``total``, each within a cycle of its ticks where the total allows it (largest remainder)."""
    cycles = [x // CYCLE for x in ticks]
    order = sorted(range(len(ticks)), key=lambda i: (-(ticks[i] % CYCLE), i))
    for i in order[: total - sum(cycles)]:
        cycles[i] += 1
    return cycles
