"""Quantities with their units, so that a formula of energy that mixes them fails instead of giving a number.

Units are decimal: a quantity keeps its power of ten apart, so milliwatts times milliseconds are microjoules to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import add, sub
from typing import NamedTuple


class UnitError(TypeError):
    """Quantities of different kinds were mixed: a mistake in a formula, not in an input."""


class Kind(NamedTuple):
    """What is measured, as exponents of the base units."""

    volt: int = 0
    ampere: int = 0
    second: int = 0
    cycle: int = 0
    byte: int = 0

    def _with(self, other: Kind, how: Callable[[int, int], int]) -> Kind:
        return Kind(*map(how, self, other))


@dataclass(frozen=True)
class Unit:
    """A unit: 10 to the power of ``exponent`` base units of a kind."""

    name: str
    exponent: int
    kind: Kind

    def __rmul__(self, value: float) -> Quantity:
        """``40.0 * MW``."""
        return Quantity(value, self.exponent, self.kind)


@dataclass(frozen=True)
class Quantity:
    """``value`` times 10 to the power of ``exponent`` base units of a kind."""

    value: float
    exponent: int
    kind: Kind

    def to(self, unit: Unit) -> float:
        """The number before a unit. Raises UnitError for a unit of another kind."""
        self._same(unit.kind)
        return _shifted(self.value, self.exponent - unit.exponent)

    def __add__(self, other: Quantity) -> Quantity:
        """Raises UnitError for another kind."""
        return self._joined(other, add)

    def __sub__(self, other: Quantity) -> Quantity:
        """Raises UnitError for another kind."""
        return self._joined(other, sub)

    def __mul__(self, other: Quantity) -> Quantity:
        """A quantity of the product's kind."""
        return Quantity(self.value * other.value, self.exponent + other.exponent, self.kind._with(other.kind, add))

    def __truediv__(self, other: Quantity) -> Quantity:
        """A quantity of the quotient's kind."""
        return Quantity(self.value / other.value, self.exponent - other.exponent, self.kind._with(other.kind, sub))

    def _joined(self, other: Quantity, how: Callable[[float, float], float]) -> Quantity:
        self._same(other.kind)
        fine = min(self.exponent, other.exponent)
        ours, theirs = (_shifted(q.value, q.exponent - fine) for q in (self, other))
        return Quantity(how(ours, theirs), fine, self.kind)

    def _same(self, kind: Kind) -> None:
        if self.kind != kind:
            raise UnitError(f"{self.kind} is no {kind}")


def _shifted(value: float, exponent: int) -> float:
    # one rounding: powers of ten are exact as integers, their inverses are not as floats
    scale: int = 10 ** abs(exponent)
    return value * scale if exponent >= 0 else value / scale


_POWER = Kind(volt=1, ampere=1)
_CHARGE = Kind(ampere=1, second=1)
_ENERGY = Kind(volt=1, ampere=1, second=1)

NUMBER = Unit("", 0, Kind())
V = Unit("V", 0, Kind(volt=1))
UA = Unit("uA", -6, Kind(ampere=1))
MW = Unit("mW", -3, _POWER)
S, MS = (Unit(name, exponent, Kind(second=1)) for name, exponent in (("s", 0), ("ms", -3)))
UC = Unit("uC", -6, _CHARGE)
UJ, NJ = (Unit(name, exponent, _ENERGY) for name, exponent in (("uJ", -6), ("nJ", -9)))
MHZ = Unit("MHz", 6, Kind(cycle=1, second=-1))
CYCLES = Unit("cycles", 0, Kind(cycle=1))
BYTES = Unit("bytes", 0, Kind(byte=1))
UA_PER_MHZ = Unit("uA/MHz", -12, Kind(ampere=1, second=1, cycle=-1))
NJ_PER_CYCLE = Unit("nJ/cycle", -9, _ENERGY._replace(cycle=-1))
NJ_PER_BYTE = Unit("nJ/byte", -9, _ENERGY._replace(byte=-1))
NJ_PER_MHZ = Unit("nJ/MHz", -15, _ENERGY._replace(second=2, cycle=-1))


def energy_uj(power_mw: float, latency_ms: float) -> float:
    """Energy of a power over a time."""
    return ((power_mw * MW) * (latency_ms * MS)).to(UJ)
