"""The run on each other design that its board may have, one at a time: what an unsourced geometry, prefetcher or ladder does to its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.alternatives import Alternative, alternatives
from engine.catalog.board import Board
from engine.catalog.left_out import TakenAsZero, taken_as_zero
from engine.targets.types import MemoryProfile
from engine.timing.memory import EventTable, Numbers, event_table, memory_cost, stall_ticks
from engine.timing.table import CYCLE, CoreTicks, End


@dataclass(frozen=True)
class AlternativeTime:
    """Warm cycles of the run with one alternative of the board in place, all figures at their values; ``effect_cycles``: more than as described."""

    alternative: Alternative
    cycles: int
    effect_cycles: int


@dataclass(frozen=True)
class OneCycle:
    """What one cycle of a figure that the board leaves out, and that is taken as none, would add to the run's warm cycles."""

    left_out: TakenAsZero
    effect_cycles: int


@dataclass(frozen=True, eq=False)
class Described:
    """A run on its board as described, at the values of all figures: ``pipeline`` ticks by region and cause, ``table`` the core's."""

    events: EventTable
    board: Board
    pipeline: Numbers
    table: CoreTicks
    clock_mhz: float

    def cycles(self, events: EventTable, board: Board) -> int:
        """Whole cycles with other events or on another board; each region rounded to nearest as in a record."""
        spent = self.pipeline.sum(axis=1)
        cost = memory_cost(board, self.clock_mhz, End.VALUE, events.counted)
        stalls = stall_ticks(events, spent, cost, self.table, End.VALUE)
        regions = spent + (stalls.fetch + stalls.read + stalls.write).sum(axis=1)
        return sum((int(x) + CYCLE // 2) // CYCLE for x in regions)


def alternative_times(run: Described, simulated: Sequence[MemoryProfile]) -> tuple[AlternativeTime, ...]:
    """The run's cycles on every alternative of its board, in the order of ``catalog.alternatives``.

    ``simulated`` is ``Execution.alternatives``; where that is empty, alternatives that miss otherwise are left out.
    """
    profiles = iter(simulated)
    usual, found = run.cycles(run.events, run.board), []
    for a in alternatives(run.board):
        events = run.events
        if a.misses:
            profile = next(profiles, None)
            if profile is None:
                continue
            events = event_table(profile, a.board, len(run.pipeline))
        made = run.cycles(events, a.board)
        found.append(AlternativeTime(a, made, made - usual))
    return tuple(found)


def one_cycle_each(run: Described) -> tuple[OneCycle, ...]:
    """What one cycle of every figure that the board leaves out would add."""
    usual = run.cycles(run.events, run.board)
    return tuple(OneCycle(x, run.cycles(run.events, x.board) - usual) for x in taken_as_zero(run.board))


def widened(interval: tuple[int, int], times: Sequence[AlternativeTime]) -> tuple[int, int]:
    """An interval of cycles with the most that a single alternative saves and costs added to its ends."""
    effects = [0, *(t.effect_cycles for t in times)]
    return max(0, interval[0] + min(effects)), interval[1] + max(effects)


def span(cycles: int, times: Sequence[AlternativeTime]) -> tuple[int, int] | None:
    """Fewest and most cycles over the board as described and its alternatives; None where it has none."""
    return (min(cycles, *(t.cycles for t in times)), max(cycles, *(t.cycles for t in times))) if times else None
