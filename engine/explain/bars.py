"""Whole percents that sum to exactly 100."""

from __future__ import annotations

from collections.abc import Sequence


def whole_percents(parts: Sequence[int]) -> tuple[int, ...]:
    """Largest-remainder rounding of non-negative ``parts`` to whole percents of their sum.

    The result sums to exactly 100 and no entry is further than 1 from its exact value; equal remainders go to the earlier
    part. A part may be rounded to 0. All zeros where the sum is 0 (nothing to divide). Raises ValueError for a negative part.
    """
    if any(p < 0 for p in parts):
        raise ValueError("parts must not be negative")
    total = sum(parts)
    if not total:
        return (0,) * len(parts)
    floors = [100 * p // total for p in parts]
    remainders = [100 * p % total for p in parts]
    first = sorted(range(len(parts)), key=lambda i: (-remainders[i], i))[: 100 - sum(floors)]
    for i in first:
        floors[i] += 1
    return tuple(floors)
