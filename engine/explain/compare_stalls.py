"""The difference in stalls between two runs, split over mechanisms, memory by memory. B minus A, in exact fractions of cycles.

Fetches and data are split apart, and so are memories that hold different parts of the image. The stalls of each are

    accesses x misses per access x cost of a miss x part of it that is not hidden, and a rest that no miss explains.

- accesses (instructions, bytes) are the code's;
- misses per access are the caches' where caches differ, the wait states' where only the flash's width makes a line longer, else the code's. Where nothing is in front of a memory it has no misses to
  compare: the other run's stand for both;
- the cost of a miss follows from caches (the length of a line) and figures (wait states ...), and is charged to wait states where
  figures differ, to the caches for what their lines alone would change. What a prefetch hides goes with it. Where neither differs,
  the pipeline hides more or less;
- the rest (wait states of every access, unaligned accesses, a shared bus) is accesses x rest per access, which is the pipeline's
  unless what every access takes differs;
- where a part of the image lies in another memory of the same board, all but the number of accesses is the placement's.

So no cycle goes to wait states of a memory whose figures are the same in both runs, nor to caches that are the same. Mixtures of A
and B are estimates, cut at the sum of both runs (``effects``): in each part, and so in all, no mechanism is charged more cycles of
stalls than the two runs spend on them together. Where two mechanisms work against each other so strongly that a mixture would
stall longer than both runs, both are understated.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from engine.explain.compare_mechanism import Mechanism, Reasons
from engine.explain.compare_memories import Costs, MemoryPair, StorePair
from engine.explain.compare_shapley import Pick, effects
from engine.explain.compare_traffic import Path, Traffic, Use

ZERO, ONE = Fraction(0), Fraction(1)

Both = tuple[Fraction, Fraction]
"""Of A and of B."""

Side = tuple[Traffic, ...]
"""One run's traffic with one store on one path."""


def stall_effects(
    one: Use, two: Use, memories: MemoryPair, code: Reasons, pipeline: Reasons
) -> Iterator[tuple[Reasons, Fraction]]:
    """(mechanisms that share them, cycles) of one region: they sum to the difference of its stalls."""
    for pair in memories.stores:
        a, b = (
            tuple(t for t in use[pair.path] if t.memory in names)
            for use, names in zip((one, two), pair.store.names, strict=True)
        )
        yield from _split(a, b, pair, memories.costs, code, pipeline)


def _split(
    a: Side,
    b: Side,
    pair: StorePair,
    costs: tuple[tuple[Costs, Costs], tuple[Costs, Costs]],
    code: Reasons,
    pipeline: Reasons,
) -> Iterator[tuple[Reasons, Fraction]]:
    sides = a, b
    stalls = [sum(t.stalls for t in side) for side in sides]
    if not any(stalls):
        return
    more, slower, rest = _reasons(pair, code, pipeline)
    if code == more == slower == rest:
        yield code, Fraction(stalls[1] - stalls[0])
        return
    in_full = [sum((t.cost(costs[i][i]) for t in side), ZERO) for i, side in enumerate(sides)]
    missed = [min(Fraction(s), full) for s, full in zip(stalls, in_full, strict=True)]
    accesses = _accesses(a, b, stalls)
    each = [[_per_miss(side, pair, j, costs[i][j]) for j in (0, 1)] for i, side in enumerate(sides)]
    rates = _both(*(_rate(side, n, each[i][i]) for i, (side, n) in enumerate(zip(sides, accesses, strict=True))))
    shown = [_shown(m, side, each[i][i]) for i, (m, side) in enumerate(zip(missed, sides, strict=True))]

    def of_misses(run: Pick[Reasons]) -> Fraction:
        return accesses[run(code)] * rates[run(more)] * each[run(more)][run(slower)] * shown[run(slower)]

    others = _both(*((s - m) / n if n else None for s, m, n in zip(stalls, missed, accesses, strict=True)))
    if any(missed):
        yield from effects((code, more, slower), of_misses).items()
    if missed != stalls:
        yield from effects((code, rest), lambda run: accesses[run(code)] * others[run(rest)]).items()


def _reasons(pair: StorePair, code: Reasons, pipeline: Reasons) -> tuple[Reasons, Reasons, Reasons]:
    """What misses per access, the cost of a miss, and the rest per access are charged to."""
    caches = (Mechanism.CACHES,) if pair.caches else ()
    figures = (Mechanism.WAIT_STATES,) if pair.figures else ()
    if pair.store.moved:
        together = (Mechanism.PLACEMENT, *caches, *figures)
        return together, together, together
    slower = figures or caches or pipeline
    longer = (Mechanism.WAIT_STATES,) if pair.lines else ()
    return caches or longer or code, slower, slower if pair.each_access else pipeline


def _accesses(a: Side, b: Side, stalls: list[int]) -> Both:
    """Of both; 1 and 1 where one stalls without an access, so that none of it is charged to their number."""
    one, two = (sum(t.accesses for t in side) for side in (a, b))
    if any(s and not n for s, n in zip(stalls, (one, two), strict=True)):
        return ONE, ONE
    return Fraction(one), Fraction(two)


def _rate(side: Side, accesses: Fraction, per_miss: Fraction) -> Fraction | None:
    """Misses per access; None where nothing was asked of the memory, or nothing is in front of it that answers at once."""
    if not accesses or not (per_miss or any(t.lines for t in side)):
        return None
    return sum(t.misses for t in side) / accesses


def _per_miss(side: Side, pair: StorePair, of: int, costs: Costs) -> Fraction:
    """What the mean of a run's misses costs at the memories of run ``of``; a read's or fetch's cost if it has none."""
    misses = sum(t.misses for t in side)
    dearest = [max(kind) for kind in zip(*(costs[name] for name in pair.store.names[of] if name in costs), strict=True)]
    if not dearest or not misses:
        return dearest[0 if pair.path is Path.FETCH else 1] if dearest else ZERO
    events = [sum(kind) for kind in zip(*(t.events for t in side), strict=True)]
    return sum((n * cost for n, cost in zip(events, dearest, strict=True)), ZERO) / misses


def _shown(missed: Fraction, side: Side, per_miss: Fraction) -> Fraction:
    """The part of its misses' cost that a run really waits; 1 where it has none."""
    full = sum(t.misses for t in side) * per_miss
    return missed / full if full else ONE


def _both(one: Fraction | None, two: Fraction | None) -> Both:
    """Two values; one of them stands for both where there is but one."""
    return (one if one is not None else two or ZERO), (two if two is not None else one or ZERO)
