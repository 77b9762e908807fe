"""One stored execution, re-timed over and over: other clocks, other ends of the intervals, mechanisms idealised.

Nothing is subtracted from a stack: every variant is timed anew, because causes overlap (a prefetch hides less behind a faster
core, a shorter load leaves a multiply waiting). What does not change between variants is computed once: the prepared blocks, their
cost under each table, the branch refill.

An ideal part may be left unused. In-order pairing and whole-number hiding can make a region a little slower when a latency
falls; a set of mechanisms therefore costs, region by region, what the best of its subsets costs. So idealising never costs cycles.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from itertools import combinations

from engine.records.cause import Cause
from engine.records.run import Stack
from engine.timing.branches import refill_ticks
from engine.timing.classes import FLOATS, MULTIPLIERS, Operation, Unit
from engine.timing.geometry import Described, alternative_times, widened
from engine.timing.mechanism import (
    BLOCK_MECHANISMS,
    PIPELINE_MECHANISMS,
    Mechanism,
    double_clock_board,
    ideal_events,
    ideal_table,
)
from engine.timing.memory import EventTable
from engine.timing.pipeline import PassBlock, Ticks, straight_ticks
from engine.timing.static_cost import Entry, Passage, pass_through
from engine.timing.stored import StoredRun
from engine.timing.table import COLUMN, CYCLE, CoreTicks, End, core_ticks
from engine.timing.timing import by_cause, stalls_of, to_stack

Mechanisms = frozenset[Mechanism]

REAL: Mechanisms = frozenset()
"""Nothing idealised."""

_LOADS = frozenset({Unit.LOAD, Unit.LOAD_MULTIPLE, Unit.VECTOR_LOAD})
_TRANSFERS = _LOADS | {Unit.STORE, Unit.STORE_MULTIPLE, Unit.VECTOR_STORE}
_CONCERNED = {
    Mechanism.SINGLE_CYCLE_LOADS: _LOADS,
    Mechanism.SINGLE_CYCLE_TRANSFERS: _TRANSFERS,
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: MULTIPLIERS | FLOATS | {Unit.DIVIDE, Unit.VECTOR_MULTIPLY},
}
"""Units without which a mechanism changes nothing in a block."""


class _Pipeline:
    """The part of the time that no clock changes: ticks of the pipeline by region and cause, for any set of mechanisms."""

    def __init__(self, run: StoredRun) -> None:
        self._tables = {end: core_ticks(run.core, end) for end in End}
        self.work = run.work()
        self._concerns = [_concerns(ops) for ops in self.work.operations]
        self._passages: dict[tuple[int, Entry, Mechanisms, End], Passage] = {}
        self._straight: dict[tuple[Mechanisms, End], Ticks] = {}
        self._refill: dict[tuple[bool, End], Ticks] = {}

    def table(self, mechanisms: Mechanisms, end: End) -> CoreTicks:
        """The core table with mechanisms idealised."""
        return ideal_table(self._tables[end], mechanisms)

    def ticks(self, mechanisms: Mechanisms, end: End) -> Ticks:
        """Ticks by region and cause without memory stalls; shape (regions, causes)."""
        spent = self._straight_ticks(mechanisms & (BLOCK_MECHANISMS | {Mechanism.NO_BRANCH_REFILL}), end).copy()
        spent[:, COLUMN[Cause.BRANCH_REFILL]] += self._refill_ticks(Mechanism.NO_BRANCH_REFILL in mechanisms, end)
        return spent

    def _straight_ticks(self, mechanisms: Mechanisms, end: End) -> Ticks:
        known = self._straight.get((mechanisms, end))
        if known is None:
            table = self.table(mechanisms, end)
            known = straight_ticks(self.work, table, self._passes(mechanisms & BLOCK_MECHANISMS, end, table))
            self._straight[mechanisms, end] = known
        return known

    def _passes(self, mechanisms: Mechanisms, end: End, table: CoreTicks) -> PassBlock:
        """Passages that are shared with sets of mechanisms that change nothing in a block and its entry."""

        def passage(index: int, entry: Entry) -> Passage:
            concerns = self._concerns[index]
            if entry.producers:
                concerns = concerns | _concerns(tuple(p.op for _, p in entry.producers))
            key = index, entry, mechanisms & concerns, end
            found = self._passages.get(key)
            if found is None:
                found = self._passages[key] = pass_through(self.work.operations[index], table, entry)
            return found

        return passage

    def _refill_ticks(self, ideal: bool, end: End) -> Ticks:
        known = self._refill.get((ideal, end))
        if known is None:
            table = self.table(frozenset({Mechanism.NO_BRANCH_REFILL} if ideal else ()), end)
            known = refill_ticks(self.work.profile, self.work.facts, self.work.regions, table)
            self._refill[ideal, end] = known
        return known


def _concerns(ops: tuple[Operation, ...]) -> Mechanisms:
    units = {op.unit for op in ops}
    return frozenset(m for m, needed in _CONCERNED.items() if units & needed)


class Retiming:
    """A stored run, ready to be timed with any mechanisms idealised; warm.

    Regions are the layers in order, the glue last, as in ``TimedRun``. Results are kept, so asking twice costs nothing.
    """

    def __init__(self, run: StoredRun) -> None:
        self._set_up(run, _Pipeline(run), run.warm_events())

    def _set_up(self, run: StoredRun, pipeline: _Pipeline, events: EventTable) -> None:
        self.run = run
        self._pipeline = pipeline
        self._events = {REAL: events}
        self._best: dict[tuple[Mechanisms, End], Ticks] = {}

    def at(self, clock_mhz: float) -> Retiming:
        """The same execution at another clock of the board; what the clock does not change is shared. Raises UsageError."""
        return self._of(self.run.at(clock_mhz))

    def doubled(self) -> Retiming:
        """The same execution at twice the clock (see ``double_clock_board``)."""
        run = self.run
        board = double_clock_board(run.board, run.clock_mhz)
        return self._of(replace(run, board=board, clock_mhz=2 * run.clock_mhz))

    def _of(self, run: StoredRun) -> Retiming:
        other = object.__new__(Retiming)
        other._set_up(run, self._pipeline, self._events[REAL])
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
        events = self._events.get(mechanisms - PIPELINE_MECHANISMS)
        if events is None:
            events = ideal_events(self._events[REAL], mechanisms, self.run.board)
            self._events[mechanisms - PIPELINE_MECHANISMS] = events
        best = pipeline + by_cause(stalls_of(events, pipeline, table, self.run.board, self.run.clock_mhz, end))
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
        return tuple(to_stack(row) for row in self.ticks(mechanisms, End.VALUE))

    def interval(self) -> tuple[int, int]:
        """Bounds of the real run's cycles, as in ``TimedRun``."""
        low, high = (int(self.ticks(REAL, end).sum()) for end in (End.LOW, End.HIGH))
        cycles = sum(self.cycles(REAL, End.VALUE))
        pipeline, table = self._pipeline.ticks(REAL, End.VALUE), self._pipeline.table(REAL, End.VALUE)
        described = Described(self._events[REAL], self.run.board, pipeline, table, self.run.clock_mhz)
        times = alternative_times(described, self.run.execution.alternatives)
        return widened((min(cycles, low // CYCLE), max(cycles, -(-high // CYCLE))), times)
