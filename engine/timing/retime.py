"""One stored execution, re-timed over and over: other clocks, other ends of the intervals, mechanisms idealised.

Nothing is subtracted from a stack: every variant is timed anew, because causes overlap (a prefetch hides less behind a faster
core, a shorter load leaves a multiply waiting). What does not change between variants is computed once: the prepared blocks, their
cost under each table, the branch refill.

An ideal part may be left unused. In-order pairing and whole-number hiding can make a region a little slower when a latency
falls; a set of mechanisms therefore costs, region by region, what the best of its subsets costs. So idealising never costs cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import combinations

import numpy as np

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.counters.types import Block
from engine.errors import UsageError
from engine.firmware.types import Firmware
from engine.records.cause import Cause
from engine.records.run import Stack
from engine.targets.types import Execution, MemoryProfile
from engine.timing.branches import refill_ticks
from engine.timing.classes import MULTIPLIERS, Operation, Unit
from engine.timing.mechanism import (
    BLOCK_MECHANISMS,
    PIPELINE_MECHANISMS,
    Mechanism,
    double_clock_board,
    ideal_memory,
    ideal_table,
)
from engine.timing.static_cost import operations_ticks
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks, End, core_ticks
from engine.timing.timing import Ticks, _memory, _prepare, _stack

Mechanisms = frozenset[Mechanism]

REAL: Mechanisms = frozenset()
"""Nothing idealised."""

_TRANSFERS = frozenset({Unit.LOAD, Unit.LOAD_MULTIPLE, Unit.STORE, Unit.STORE_MULTIPLE})
_CONCERNED = {
    Mechanism.SINGLE_CYCLE_LOADS: frozenset({Unit.LOAD, Unit.LOAD_MULTIPLE}),
    Mechanism.SINGLE_CYCLE_TRANSFERS: _TRANSFERS,
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: MULTIPLIERS | {Unit.DIVIDE, Unit.FP, Unit.FP_MAC, Unit.FP_DIVIDE},
}
"""Units without which a mechanism changes nothing in a block."""


class _Pipeline:
    """The part of the time that no clock changes: ticks of the pipeline by region and cause, for any set of mechanisms."""

    def __init__(self, blocks: Mapping[int, Block], execution: Execution, regions: int, core: Core) -> None:
        self._tables = {end: core_ticks(core, end) for end in End}
        self._work = _prepare(blocks, execution.profile, regions)
        self._concerns = [_concerns(ops) for ops in self._work.operations]
        self._blocks: dict[tuple[Mechanisms, End], Ticks] = {}
        self._by_table: dict[CoreTicks, Ticks] = {}
        self._straight: dict[tuple[Mechanisms, End], Ticks] = {}
        self._refill: dict[tuple[bool, End], Ticks] = {}

    def table(self, mechanisms: Mechanisms, end: End) -> CoreTicks:
        """The core table with mechanisms idealised."""
        return ideal_table(self._tables[end], mechanisms)

    def ticks(self, mechanisms: Mechanisms, end: End) -> Ticks:
        """Ticks by region and cause without memory stalls; shape (regions, causes)."""
        spent = self._straight_ticks(mechanisms.intersection(BLOCK_MECHANISMS), end).copy()
        spent[:, COLUMN[Cause.BRANCH_REFILL]] += self._refill_ticks(Mechanism.NO_BRANCH_REFILL in mechanisms, end)
        return spent

    def _block_ticks(self, mechanisms: Mechanisms, end: End) -> Ticks:
        """Ticks of one execution of every block; shape (blocks, causes)."""
        known = self._blocks.get((mechanisms, end))
        if known is None:
            table = self.table(mechanisms, end)
            known = self._by_table.get(table)
            if known is None:
                known = self._by_table[table] = np.array(
                    [self._one_block(i, ops, mechanisms, end, table) for i, ops in enumerate(self._work.operations)],
                    dtype=np.int64,
                ).reshape(-1, len(CAUSES))
            self._blocks[mechanisms, end] = known
        return known

    def _one_block(
        self, index: int, ops: tuple[Operation, ...], mechanisms: Mechanisms, end: End, table: CoreTicks
    ) -> Sequence[int]:
        concerns = self._concerns[index]
        if mechanisms <= concerns:
            return operations_ticks(ops, table)
        without = self._block_ticks(mechanisms & concerns, end)[index]  # the others change nothing here
        return [int(x) for x in without]

    def _straight_ticks(self, mechanisms: Mechanisms, end: End) -> Ticks:
        known = self._straight.get((mechanisms, end))
        if known is None:
            work = self._work
            known = np.zeros((work.regions, len(CAUSES)), dtype=np.int64)
            each = self._block_ticks(mechanisms, end)[work.block_at]
            np.add.at(known, work.profile.region, each * work.profile.count[:, None])
            self._straight[mechanisms, end] = known
        return known

    def _refill_ticks(self, ideal: bool, end: End) -> Ticks:
        known = self._refill.get((ideal, end))
        if known is None:
            table = self.table(frozenset({Mechanism.NO_BRANCH_REFILL} if ideal else ()), end)
            known = refill_ticks(self._work.profile, self._work.facts, self._work.regions, table)
            self._refill[ideal, end] = known
        return known


def _concerns(ops: tuple[Operation, ...]) -> Mechanisms:
    units = {op.unit for op in ops}
    return frozenset(m for m, needed in _CONCERNED.items() if units & needed)


class Retiming:
    """A stored execution on a board at a clock, ready to be timed with any mechanisms idealised; warm.

    Regions are the layers in order, the glue last, as in ``TimedRun``. Results are kept, so asking twice costs nothing.
    """

    def __init__(
        self,
        blocks: Mapping[int, Block],
        execution: Execution,
        firmware: Firmware,
        board: Board,
        core: Core,
        clock_mhz: float,
    ) -> None:
        """``blocks`` as for ``time_execution``. Raises UsageError for a clock that the board's flash ladder does not cover."""
        pipeline = _Pipeline(blocks, execution, len(firmware.layers) + 1, core)
        self._set_up(pipeline, execution.warm, board, clock_mhz)

    def _set_up(self, pipeline: _Pipeline, memory: MemoryProfile, board: Board, clock_mhz: float) -> None:
        top = board.flash.ladder[-1].up_to_mhz
        if not 0 < clock_mhz <= top:
            raise UsageError(f"{board.name} cannot run at {clock_mhz:g} MHz", hint=f"choose a clock up to {top:g} MHz")
        self.board = board
        self.clock_mhz = clock_mhz
        self._pipeline = pipeline
        self._events = {REAL: memory}
        self._best: dict[tuple[Mechanisms, End], Ticks] = {}

    def at(self, clock_mhz: float) -> Retiming:
        """The same execution at another clock of the board; what the clock does not change is shared. Raises UsageError."""
        return self._on(self.board, clock_mhz)

    def doubled(self) -> Retiming:
        """The same execution at twice the clock (see ``double_clock_board``)."""
        return self._on(double_clock_board(self.board, self.clock_mhz), 2 * self.clock_mhz)

    def _on(self, board: Board, clock_mhz: float) -> Retiming:
        other = object.__new__(Retiming)
        other._set_up(self._pipeline, self._events[REAL], board, clock_mhz)
        return other

    def ticks(self, mechanisms: Set[Mechanism], end: End) -> Ticks:
        """Ticks by region and cause with mechanisms idealised; shape (regions, causes), not to be written to.

        Raises ValueError for ``double_clock``, which is not a matter of cycles: ask ``doubled``.
        """
        if Mechanism.DOUBLE_CLOCK in mechanisms:
            raise ValueError("double_clock changes the clock: use doubled()")
        chosen = tuple(m for m in Mechanism if m in mechanisms)
        for size in range(len(chosen) + 1):
            for some in combinations(chosen, size):
                self._keep_best(frozenset(some), end)
        return self._best[frozenset(chosen), end]

    def _keep_best(self, mechanisms: Mechanisms, end: End) -> None:
        """Time one set; its subsets are known already."""
        if (mechanisms, end) in self._best:
            return
        pipeline = self._pipeline.ticks(mechanisms, end)
        table = self._pipeline.table(mechanisms, end)
        memory = self._events.get(mechanisms - PIPELINE_MECHANISMS)
        if memory is None:
            memory = ideal_memory(self._events[REAL], mechanisms)
            self._events[mechanisms - PIPELINE_MECHANISMS] = memory
        best = pipeline + _memory(memory, pipeline, table, self.board, self.clock_mhz, end)
        total = best.sum(axis=1)
        for mechanism in mechanisms:
            without = self._best[mechanisms - {mechanism}, end]
            less = without.sum(axis=1)
            better = less < total
            if better.any():
                best[better], total[better] = without[better], less[better]
        self._best[mechanisms, end] = best

    def cycles(self, mechanisms: Set[Mechanism], end: End) -> tuple[int, ...]:
        """Whole cycles per region, rounded to nearest as in a record."""
        return tuple((int(x) + CYCLE // 2) // CYCLE for x in self.ticks(mechanisms, end).sum(axis=1))

    def stacks(self, mechanisms: Set[Mechanism]) -> tuple[Stack, ...]:
        """Cycle stacks per region; their sums are ``cycles`` at the figures' values."""
        return tuple(_stack(row) for row in self.ticks(mechanisms, End.VALUE))

    def interval(self) -> tuple[int, int]:
        """Bounds of the real run's cycles, as in ``TimedRun``."""
        low, high = (int(self.ticks(REAL, end).sum()) for end in (End.LOW, End.HIGH))
        cycles = sum(self.cycles(REAL, End.VALUE))
        return min(cycles, low // CYCLE), max(cycles, -(-high // CYCLE))
