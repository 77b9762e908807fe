"""How much longer or shorter one build of a model takes than another on the same board.

Where a published result is of a build that is not run here (older kernels, other kernels, an unknown compiler), our cycles stand for
cycles that may be quite others, and an energy made of them is only as good as one build predicts another.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np

from engine.energy.published import PublishedPower
from engine.energy.spread import INSIDE, Band
from engine.records.validation import BoundSide


@lru_cache(maxsize=64)
def build_band(rows: tuple[PublishedPower, ...], without: str = "") -> Band:
    """Interval of a factor of 1 on the time of a build that another one stands for: the middle 90 % of all ratios of published latencies.

    A ratio is of two builds (they differ in framework, kernels or operating system) of one model on one board at one clock, either way
    round. ``without``: a firmware that is being judged, whose latencies do not count. Raises ValueError where no two builds can be compared.
    """
    used = [r for r in rows if not without or r.firmware != without]
    ratios = [a.latency_ms / b.latency_ms for a, b in permutations(used, 2) if _comparable(a, b)]
    if not ratios:
        raise ValueError("no two builds of a model were published for one board at one clock")
    low, high = (float(x) for x in np.quantile(ratios, INSIDE))
    return Band(1.0, min(low, 1.0), max(high, 1.0))


def towards(band: Band, side: BoundSide | None) -> Band:
    """The same factor where it is known on which side of it the other build lies: a bound ends at 1 on the other side."""
    match side:
        case BoundSide.SIMULATED_AT_MOST:
            return Band(band.value, band.value, band.high)
        case BoundSide.SIMULATED_AT_LEAST:
            return Band(band.value, band.low, band.value)
        case None:
            return band


def _comparable(a: PublishedPower, b: PublishedPower) -> bool:
    if (a.board, a.clock_mhz, a.model) != (b.board, b.clock_mhz, b.model):
        return False
    return (a.framework, a.kernels, a.platform) != (b.framework, b.kernels, b.platform)
