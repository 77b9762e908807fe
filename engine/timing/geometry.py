"""The run on each other design that its board may have, one at a time: what an unsourced geometry, prefetcher or ladder does to its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.alternatives import Alternative, alternatives
from engine.catalog.board import Board
from engine.targets.types import MemoryProfile
from engine.timing.memory import EventTable, Numbers, event_table, memory_cost, stall_ticks
from engine.timing.table import CYCLE, CoreTicks, End


@dataclass(frozen=True)
class AlternativeTime:
    """Warm cycles of the run with one alternative of the board in place, all figures at their values; ``effect_cycles``: more than as described."""

    alternative: Alternative
    cycles: int
    effect_cycles: int


def alternative_times(
    described: EventTable,
    simulated: Sequence[MemoryProfile],
    board: Board,
    pipeline: Numbers,
    table: CoreTicks,
    clock_mhz: float,
) -> tuple[AlternativeTime, ...]:
    """The run's cycles on every alternative of its board, in the order of ``catalog.alternatives``.

    ``described`` and ``pipeline`` (ticks by region and cause) are the run's own at the values, ``table`` the core's; ``simulated`` is
    ``Execution.alternatives``. Where that is empty, alternatives that miss otherwise are left out.
    """
    profiles = iter(simulated)
    spent = pipeline.sum(axis=1)

    def cycles(events: EventTable, made: Board) -> int:
        """Whole cycles, each region rounded to nearest as in a record."""
        stalls = stall_ticks(events, spent, memory_cost(made, clock_mhz, End.VALUE, events.counted), table, End.VALUE)
        regions = spent + (stalls.fetch + stalls.read + stalls.write).sum(axis=1)
        return sum((int(x) + CYCLE // 2) // CYCLE for x in regions)

    usual, found = cycles(described, board), []
    for a in alternatives(board):
        events = described
        if a.misses:
            profile = next(profiles, None)
            if profile is None:
                continue
            events = event_table(profile, a.board, len(spent))
        made = cycles(events, a.board)
        found.append(AlternativeTime(a, made, made - usual))
    return tuple(found)


def widened(interval: tuple[int, int], times: Sequence[AlternativeTime]) -> tuple[int, int]:
    """An interval of cycles with the most that a single alternative saves and costs added to its ends."""
    effects = [0, *(t.effect_cycles for t in times)]
    return max(0, interval[0] + min(effects)), interval[1] + max(effects)


def span(cycles: int, times: Sequence[AlternativeTime]) -> tuple[int, int] | None:
    """Fewest and most cycles over the board as described and its alternatives; None where it has none."""
    return (min(cycles, *(t.cycles for t in times)), max(cycles, *(t.cycles for t in times))) if times else None
