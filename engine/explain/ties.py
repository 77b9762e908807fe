"""Ranking by latency, with ties where intervals overlap.

Overlap is not transitive (A may overlap B and B overlap C while A is surely faster than C), so a tie cannot be an
equivalence. A run's rank is 1 + the number of runs that are *surely* faster: whose whole interval lies below its own. Then

- a run that is surely faster than another always has the smaller rank;
- runs of one rank overlap pairwise: nothing separates them;
- a run may overlap one of the next rank as well: ``ties_with`` lists every overlap, across ranks too.

Ranks skip after a tie (1, 1, 3), as in sports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.records.run import RunRecord


@dataclass(frozen=True)
class Ranked:
    """A run with its latency interval and the ids of all runs it cannot be told from."""

    record: RunRecord
    low_ms: float
    high_ms: float
    ties_with: tuple[str, ...]


@dataclass(frozen=True)
class RankGroup:
    """Runs that share a rank, fastest point value first."""

    rank: int
    members: tuple[Ranked, ...]

    @property
    def tied(self) -> bool:
        """Whether the rank is shared."""
        return len(self.members) > 1


def interval_ms(record: RunRecord) -> tuple[float, float]:
    """The latency interval of a run, from its cycles interval and clock."""
    low, high = record.cycles_interval
    return low / record.clock_mhz / 1000.0, high / record.clock_mhz / 1000.0


def rank(records: Sequence[RunRecord]) -> tuple[RankGroup, ...]:
    """Runs of one model by latency, best first. The order of ``records`` does not matter.

    Raises UsageError if the runs are of different models: there is no order among those.
    """
    models = sorted({r.model for r in records})
    if len(models) > 1:
        raise UsageError(
            f"runs of different models cannot be ranked: {', '.join(models)}",
            hint="rank the runs of one model at a time",
        )
    spans = [(r, *interval_ms(r)) for r in records]
    groups: dict[int, list[Ranked]] = {}
    for i, (record, low, high) in enumerate(spans):
        place = 1 + sum(other_high < low for _, _, other_high in spans)
        ties = sorted(r.id for j, (r, lo, hi) in enumerate(spans) if j != i and lo <= high and low <= hi)
        groups.setdefault(place, []).append(Ranked(record, low, high, tuple(ties)))
    return tuple(
        RankGroup(place, tuple(sorted(members, key=lambda m: (m.record.latency_ms, m.record.id))))
        for place, members in sorted(groups.items())
    )
