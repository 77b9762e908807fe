"""Exact arithmetic of differences: Shapley values that stay within bounds, and shares that sum after rounding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

P = TypeVar("P", bound=Hashable)

Pick = Callable[[P], int]
"""Which run's figure stands for a player's: 0 for A's, 1 for B's."""


def effects(players: Iterable[P], value: Callable[[Pick[P]], Fraction]) -> dict[P, Fraction]:
    """What each player's change from A to B contributes to ``value``, which is not negative and is what both runs show when all are picked alike.

    The Shapley value: the effect of changing one player, averaged over all orders in which they can change. The effects sum exactly
    to B's value minus A's, and swapping the runs negates each. The value of a mixture, part A and part B, is an estimate: it is cut at
    the sum of both runs' values, so no player's effect exceeds that sum, however far apart the figures lie.
    """
    different = tuple(dict.fromkeys(players))
    values = {
        changed: value(lambda player, at=changed: int(player in at))  # type: ignore[misc]
        for n in range(len(different) + 1)
        for changed in map(frozenset, itertools.combinations(different, n))
    }
    most = values[frozenset()] + values[frozenset(different)]
    found = dict.fromkeys(different, Fraction(0))
    for changed, before in values.items():
        orders = math.factorial(len(changed)) * math.factorial(max(0, len(different) - len(changed) - 1))
        for player in different:
            if player not in changed and (step := min(values[changed | {player}], most) - min(before, most)):
                found[player] += orders * step
    return {player: effect / math.factorial(len(different)) for player, effect in found.items()}


def whole(parts: Sequence[Fraction]) -> tuple[int, ...]:
    """Integers that sum to the rounded sum of ``parts``, each less than 1 from its part (largest remainder).

    Negating the parts negates the result: halves round away from zero, parts are cut toward zero.
    """
    total = sum(parts, Fraction(0))
    target = int(abs(total) + Fraction(1, 2)) * (-1 if total < 0 else 1)
    cut = [int(p) for p in parts]
    missing = target - sum(cut)
    sign = -1 if missing < 0 else 1
    order = sorted(range(len(parts)), key=lambda i: (-sign * (parts[i] - cut[i]), i))
    for i in order[: abs(missing)]:
        cut[i] += sign
    return tuple(cut)
