"""A comparison in the terminal: the paragraph, then tables by mechanism, by cause and by layer."""

from __future__ import annotations

from fractions import Fraction

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.explain.compare import Comparison
from engine.explain.compare_format import signed_time
from engine.explain.compare_mechanism import Mechanism
from engine.records.cause import Cause
from engine.words import name_title

WIDTH = 100
TOP_LAYERS = 8


def render_comparison(found: Comparison, console: Console) -> None:
    """Print a comparison."""
    width = min(console.width, WIDTH)
    for name, run in (("A", found.a), ("B", found.b)):
        console.print(Text.assemble((f"{name}  ", "dim"), (run, "bold")), width=width)
    console.print()
    console.print(Text(found.text), width=width)
    if found.energy is not None:
        console.print()
        console.print(Text(found.energy.text), width=width)
    if not found.comparable or found.delta_us is None or found.delta_cycles is None:
        return
    if not any(found.by_mechanism.values()) and not any(found.by_cause.values()):
        return  # nothing differs: three empty tables would say no more
    console.print()
    console.print(_mechanisms(found, found.delta_us), width=width)
    console.print()
    console.print(_causes(found, found.delta_cycles), width=width)
    console.print()
    console.print(_layers(found, found.delta_cycles), width=width)


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for i, title in enumerate(titles):
        numeric = i > 0 and title != "mostly"
        table.add_column(title, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    return table


def _mechanisms(found: Comparison, total: float) -> Table:
    table = _table("by mechanism (B minus A)", "time", "share")
    for mechanism in sorted(Mechanism, key=lambda m: -abs(found.by_mechanism[m])):
        value = found.by_mechanism[mechanism]
        if value:
            table.add_row(mechanism.label, _time(value), _share(value, total))
    table.add_row(Text("sum", style="bold"), Text(_time(total), style="bold"), _share(total, total))
    return table


def _causes(found: Comparison, total: int) -> Table:
    table = _table("by cause (B minus A)", "cycles", "share")
    for cause in sorted(Cause, key=lambda c: -abs(found.by_cause[c])):
        value = found.by_cause[cause]
        if value:
            table.add_row(cause.label, _cycles(value), _share(value, total))
    table.add_row(Text("sum", style="bold"), Text(_cycles(total), style="bold"), _share(total, total))
    return table


def _layers(found: Comparison, total: int) -> Table:
    table = _table("by layer (B minus A)", "cycles", "share", "mostly")
    ranked = sorted((x for x in found.by_layer if x.delta_cycles), key=lambda x: -abs(x.delta_cycles))
    for layer in ranked[:TOP_LAYERS]:
        cause = max(Cause, key=lambda c: abs(layer.by_cause[c]))
        mostly = f"{cause.label} {_cycles(layer.by_cause[cause])}"
        table.add_row(
            Text(name_title(layer.name)), _cycles(layer.delta_cycles), _share(layer.delta_cycles, total), mostly
        )
    rest = ranked[TOP_LAYERS:]
    if rest:
        value = sum(x.delta_cycles for x in rest)
        table.add_row(f"{len(rest)} more", _cycles(value), _share(value, total))
    table.add_row(Text("sum", style="bold"), Text(_cycles(total), style="bold"), _share(total, total))
    return table


def _time(microseconds: float) -> str:
    return signed_time(Fraction(str(microseconds))) if microseconds else "0 ms"


def _cycles(cycles: int) -> str:
    return f"{cycles:+,}".replace("-", "−") if cycles else "0"


def _share(value: float, total: float) -> str:
    """A part of the difference; parts that work against it are negative, and parts may exceed 100 %."""
    if not total:
        return "-"
    share = 100 * value / total
    return f"{share:.0f} %".replace("-", "−") if abs(share) >= 0.5 else "<1 %"
