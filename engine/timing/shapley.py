"""The gap between the real and the ideal machine, split over mechanisms that overlap: Shapley values in whole cycles.

The share of a mechanism is its gain averaged over all orders in which the mechanisms can be idealised one after another
(L. S. Shapley, "A value for n-person games", 1953): sum over S without m of |S|! (n - |S| - 1)! / n! * (v(S) - v(S + m)). The shares
add up to the gap; whole cycles are dealt out by largest remainder, so they still do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

from engine.errors import UsageError
from engine.timing.mechanism import IDEAL_MACHINE, Mechanism
from engine.timing.retime import REAL, Retiming
from engine.timing.table import End

MOST = 7
"""Mechanisms in one split at most: each one doubles the re-timings."""


@dataclass(frozen=True)
class Share:
    """What one mechanism is charged of a gap, in cycles; the interval holds its share at the values and at both ends of all figures."""

    mechanism: Mechanism
    cycles: int
    interval: tuple[int, int]


@dataclass(frozen=True)
class Gap:
    """A region, or the whole run: ``real_cycles - ideal_cycles`` is the sum of the shares, exactly."""

    real_cycles: int
    ideal_cycles: int
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class GapSplit:
    """The gap of the run and of its regions (layers in order, the glue last); a share of the run is the sum of the regions' shares."""

    run: Gap
    regions: tuple[Gap, ...]


def shapley_values(value: Sequence[int]) -> tuple[int, ...]:
    """Whole shares of ``value[0] - value[-1]``, one per player.

    ``value`` has 2**n entries: ``value[s]`` with the players of bit mask ``s`` present. Raises ValueError for any other length.
    """
    players = len(value).bit_length() - 1
    if players < 0 or len(value) != 1 << players:
        raise ValueError(f"{len(value)} values are not one per subset")
    orders = factorial(players)
    weights = [factorial(k) * factorial(players - k - 1) for k in range(players)]
    numerators = [0] * players
    for present, worth in enumerate(value):
        weight = weights[present.bit_count()] if present != len(value) - 1 else 0
        for player in range(players):
            if not present >> player & 1:
                numerators[player] += weight * (worth - value[present | 1 << player])
    whole = [n // orders for n in numerators]
    missing = value[0] - value[-1] - sum(whole)
    for player in sorted(range(players), key=lambda p: (-(numerators[p] % orders), p))[:missing]:
        whole[player] += 1
    return tuple(whole)


def split_gap(retiming: Retiming, mechanisms: Sequence[Mechanism] = IDEAL_MACHINE) -> GapSplit:
    """Split real minus ideal over the mechanisms, per region and in all.

    Raises UsageError for more than ``MOST`` mechanisms, for none, for one named twice, and for ``double_clock``, whose gain is time
    and not cycles.
    """
    if not 0 < len(mechanisms) <= MOST or len(set(mechanisms)) != len(mechanisms):
        raise UsageError(
            f"cannot split a gap over {len(mechanisms)} mechanisms", hint=f"name 1 to {MOST} different mechanisms"
        )
    if Mechanism.DOUBLE_CLOCK in mechanisms:
        raise UsageError("a doubled clock gains time, not cycles", hint="leave double_clock out of the split")
    subsets = [frozenset(m for i, m in enumerate(mechanisms) if s >> i & 1) for s in range(1 << len(mechanisms))]
    by_end = []
    for end in End:
        cycles = [retiming.cycles(s, end) for s in subsets]
        by_end.append([shapley_values(region) for region in zip(*cycles, strict=True)])
    real, ideal = retiming.cycles(REAL, End.VALUE), retiming.cycles(subsets[-1], End.VALUE)
    regions = tuple(_gap(real[i], ideal[i], mechanisms, [shares[i] for shares in by_end]) for i in range(len(real)))
    totals = [tuple(sum(x) for x in zip(*shares, strict=True)) for shares in by_end]
    return GapSplit(_gap(sum(real), sum(ideal), mechanisms, totals), regions)


def _gap(real: int, ideal: int, mechanisms: Sequence[Mechanism], by_end: Sequence[tuple[int, ...]]) -> Gap:
    shares = tuple(
        Share(m, at_ends[0], (min(at_ends), max(at_ends)))
        for m, at_ends in zip(mechanisms, zip(*by_end, strict=True), strict=True)
    )
    return Gap(real, ideal, shares)
