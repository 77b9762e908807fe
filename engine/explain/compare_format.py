"""Differences in text: times and cycles with their signs, ratios, percentages."""

from __future__ import annotations

from fractions import Fraction

from engine.explain.sentences import milliseconds


def signed_time(microseconds: Fraction) -> str:
    """A difference in time with its sign: "+297 ms", "−12.3 µs"."""
    return f"{sign(microseconds)}{milliseconds(float(abs(microseconds)) / 1000)}"


def signed_cycles(cycles: int) -> str:
    """A difference in cycles with its sign and three digits: "+5.14 M", "−812"."""
    return f"{sign(cycles)}{count(abs(cycles))}"


def count(value: int) -> str:
    """A large count with three significant digits: "8.63 M"."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if value * 1000 >= unit * 999.5:
            scaled = value / unit
            return (
                f"{scaled:.{max(0, 2 - len(str(int(scaled))) + 1)}f}{name}"
                if scaled < 999.5
                else f"{scaled:,.0f}{name}"
            )
    return f"{value:,}"


def percent_of(part: float, whole: float) -> str:
    """A relative change with one decimal: "19.3 %"."""
    return f"{100 * part / whole:.1f} %" if part >= 0.0005 * whole else "<0.1 %"


def times(ratio: float) -> str:
    """A ratio: "2.8"."""
    return f"{ratio:.1f}" if ratio < 20 else f"{ratio:,.0f}"


def sign(value: Fraction | int) -> str:
    """A number's sign, none for 0."""
    return "+" if value > 0 else "−" if value < 0 else ""
