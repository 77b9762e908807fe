"""Exact arithmetic of differences: Shapley values of a product's factors, and shares that sum after rounding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction


def factor_effects(before: Sequence[Fraction], after: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """What each factor's change contributes to the change of the product, in the product's unit.

    The Shapley value: the effect of changing one factor, averaged over all orders in which the factors can change. The effects
    sum exactly to ``prod(after) - prod(before)``, and swapping the arguments negates each. For two factors it is the change of
    one times the mean of the other.
    """
    n = len(before)
    effects = [Fraction(0)] * n
    for order in itertools.permutations(range(n)):
        now = list(before)
        value = math.prod(now, start=Fraction(1))
        for i in order:
            now[i] = after[i]
            changed = math.prod(now, start=Fraction(1))
            effects[i] += changed - value
            value = changed
    return tuple(e / math.factorial(n) for e in effects)


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
