"""The card in the terminal. Everything is said in letters and numbers too: colour only helps where there is some."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.explain.types import BarPart, Explanation, FiredRule, LayerExplanation
from engine.records.cause import Cause
from engine.records.run import RunRecord

WIDTH = 100
"""Widest card: longer lines are hard to read."""

_LOOKS = {
    Cause.MAC: ("M", "green"),
    Cause.OTHER_ALU: ("A", "yellow"),
    Cause.LOAD_STORE_ISSUE: ("L", "blue"),
    Cause.MULTIPLY_DIVIDE_LATENCY: ("D", "magenta"),
    Cause.LOAD_USE: ("U", "cyan"),
    Cause.BRANCH_REFILL: ("B", "bright_black"),
    Cause.INSTRUCTION_FETCH: ("F", "red"),
    Cause.DATA_READ: ("R", "bright_red"),
    Cause.DATA_WRITE: ("W", "bright_magenta"),
}


def render(explanation: Explanation, record: RunRecord, console: Console) -> None:
    """Print the card of a run: verdict, bar, layers, advice, how sure. ``record`` must be the one explained."""
    width = _width(console)
    console.print(
        _title(record.id, f"{record.core}, {record.compiler} -{record.opt.lstrip('-')}, {record.target}"), width=width
    )
    console.print()
    _say(console, explanation.sentence, width, style="bold")
    console.print()
    _bar(console, explanation.bar, width)
    for line in (explanation.where, explanation.certainty, explanation.caveat):
        _say(console, line, width)
    console.print()
    if explanation.layers:
        console.print(_layer_table(explanation, width), width=width)
        console.print()
    _advice(console, explanation.advice, width)
    for line in explanation.energy_text:
        _say(console, line, width)
    if explanation.energy_text:
        console.print()
    for line in (explanation.glue, explanation.cold, explanation.correctness):
        _say(console, line, width)
    for note in explanation.notes:
        _say(console, f"Note: {note.rstrip(chr(46))}.", width, style="dim")


def render_layer(explanation: LayerExplanation, record: RunRecord, console: Console) -> None:
    """Print the card of one layer: verdict, bar, the path of rules with their evidence, roofline, advice."""
    width = _width(console)
    console.print(_title(f"{record.id}  layer {explanation.index}", f"{explanation.op}, {explanation.kernel} ({explanation.library})"), width=width)  # fmt: skip
    console.print()
    _say(console, explanation.sentence, width, style="bold")
    console.print()
    _bar(console, explanation.bar, width)
    for depth, rule in enumerate(explanation.rules):
        _rule(console, rule, depth, width)
    if explanation.rules:
        _say(console, f"Look next at: {explanation.rules[-1].next_look}.", width)
        console.print()
    _say(console, explanation.helium, width)
    _roofline(console, explanation, width)
    _advice(console, explanation.advice, width)
    _say(console, f"No interval: {explanation.interval_note}.", width, style="dim")


def _width(console: Console) -> int:
    return min(console.width, WIDTH)


def _say(console: Console, text: str, width: int, style: str = "") -> None:
    # names of models and kernels are data, never markup
    if text:
        console.print(Text(text, style=style), width=width)


def _title(name: str, rest: str) -> Text:
    return Text.assemble((name, "bold"), "  ", (rest, "dim"))


def _bar(console: Console, bar: Sequence[BarPart], width: int) -> None:
    """One strip of letters, a letter per cause, then the legend with percents."""
    if not bar:
        return
    cells = max(10, width - 2)
    # whole cells by the same rounding as the percents, so that the strip is always full
    strip = Text()
    for part, length in zip(bar, _cells([p.cycles for p in bar], cells), strict=True):
        letter, colour = _LOOKS[part.cause]
        strip.append(letter * length, style=f"black on {colour}" if console.is_terminal else "")
    console.print(strip, width=width)
    legend = Table.grid(padding=(0, 2))
    columns = 3 if width >= 78 else 1
    entries = [_legend(p) for p in bar]
    for _ in range(columns):
        legend.add_column(no_wrap=True)
    for i in range(0, len(entries), columns):
        legend.add_row(*entries[i : i + columns])
    console.print(legend, width=width)
    console.print()


def _legend(part: BarPart) -> Text:
    letter, colour = _LOOKS[part.cause]
    share = f"{part.percent:>3} %" if part.percent else " <1 %"
    return Text.assemble((letter, colour), f" {share} {part.label}")


def _cells(cycles: Sequence[int], cells: int) -> list[int]:
    """Lengths that sum to ``cells``, in proportion to the cycles."""
    edges = [0]
    total, seen = sum(cycles), 0
    for c in cycles:
        seen += c
        edges.append(seen * cells // total)
    return [b - a for a, b in itertools.pairwise(edges)]


def _layer_table(explanation: Explanation, width: int) -> Table:
    """Two lines per layer: operator over kernel, class over rule; so that 80 columns suffice."""
    gap = 1 if width < 90 else 2
    table = Table(box=None, padding=(0, gap, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("operator, kernel", overflow="fold", max_width=26 if width < 90 else 34)
    for title in ("cycles", "share", "IPC", "CPI", "MAC/c") if width >= 90 else ("cycles", "share", "IPC", "MAC/c"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("bound by", overflow="fold")
    for layer in explanation.layers:
        numbers = [f"{layer.cycles:,}", _share(layer.share_of_run), _ratio(layer.ipc)]
        numbers += [_ratio(layer.cpi)] if width >= 90 else []
        bound = Text(layer.verdict.short if layer.cycles else "-")
        if len(layer.rules) > 2:
            bound.append(f"\n{layer.rules[-1].title.lower()}", style="dim")
        table.add_row(
            str(layer.index),
            Text.assemble(layer.title.rsplit(" #", 1)[0], "\n", (layer.kernel, "dim")),
            *numbers,
            _ratio(layer.macs_per_cycle if layer.macs else None),
            bound,
        )
    table.add_row("", "between layers", f"{explanation.glue_cycles:,}", _share(explanation.glue_share))
    return table


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(share: float | None) -> str:
    if share is None:
        return "-"
    return "<0.1 %" if 0 < share < 0.001 else f"{share * 100:.1f} %"


def _advice(console: Console, advice: Sequence[str], width: int) -> None:
    if not advice:
        return
    console.print(Text("What would help", style="bold"), width=width)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for item in advice:
        grid.add_row("-", Text(item))
    console.print(grid, width=width)
    console.print()


def _rule(console: Console, rule: FiredRule, depth: int, width: int) -> None:
    """One step of the path: value against threshold, formula, evidence."""
    indent = "  " * depth
    if depth == 0:
        # the root only says that there are cycles
        return
    value = f"{rule.value:.2f} ≥ {rule.threshold:.2f}"
    lines = [
        Text.assemble((f"{rule.title}", "bold"), f": {value}"),
        Text(rule.formula, style="dim"),
        Text(", ".join(f"{e.name} {e.value:,}" for e in rule.evidence), style="dim"),
    ]
    grid = Table.grid()
    grid.add_column(width=len(indent))
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row("", line)
    console.print(grid, width=width)


def _roofline(console: Console, layer: LayerExplanation, width: int) -> None:
    point = layer.roofline
    if point is None:
        _say(console, f"Roofline: no point ({layer.roofline_note}).", width)
        return
    basis = " (an inferred ceiling)" if point.inferred else ""
    over = " More than the ceiling allows: the ceiling or the counts are wrong." if point.of_roof > 1 else ""
    _say(
        console,
        f"Roofline: {point.ops_per_cycle:.2f} ops/cycle ({point.gops:.3f} GOPS) at {point.counted_intensity:.2f} ops per byte "
        f"moved: {point.of_roof * 100:.0f} % of what the {point.roof} ceiling allows there{basis}.{over} "
        f"The ceiling: {point.basis}. "
        f"Each tensor byte counted once, its intensity is {layer.arithmetic_intensity:.1f} ops/byte.",
        width,
    )
    console.print()
