"""The card of an NPU's estimate, and two of them side by side, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.explain.npu import explain_npu
from engine.records.npu import NpuLayer, NpuRecord, NpuResource, Where
from engine.records.npu_comparable import npu_comparable
from engine.words import change_text, op_title

WIDTH = 100
"""Widest card: longer lines are hard to read."""


def render_npu(record: NpuRecord, console: Console) -> None:
    """Print the card: verdict, layers with what bounds them, memories, advice, what kind of figure it is."""
    explanation = explain_npu(record)
    console.print(Text(record.id, style="bold"), soft_wrap=True)
    console.print()
    _say(console, explanation.sentence, "bold")
    _say(console, explanation.gain)
    console.print()
    used = [r for r in NpuResource if record.busy_cycles(r)]
    table = Table(
        "#",
        "operator",
        "where",
        "cycles",
        "%",
        *(r.label for r in used),
        "MAC use",
        "bound by",
        box=None,
        pad_edge=False,
    )
    for column in (*table.columns[3:-1],):
        column.justify = "right"
    for x in record.layers:
        table.add_row(*_row(x, record, used))
    console.print(table)
    console.print()
    for m in record.memories:
        _say(
            console, f"{m.memory.label}: {m.used_bytes / 1024:.1f} KB used, {m.total_bytes:,} bytes moved per inference"
        )
    _say(console, f"Weights: {record.weight_bytes:,} bytes, {record.encoded_weight_bytes:,} as encoded for the NPU")
    for line in explanation.advice:
        _say(console, f"- {line}")
    _say(console, explanation.fallback)
    _say(console, explanation.caveat, "dim")
    for note in record.notes:
        _say(console, f"Note: {note.rstrip(chr(46))}.", "dim")


def render_npu_comparison(a: NpuRecord, b: NpuRecord, console: Console) -> None:
    """Print whether two estimates may be compared, and where their cycles differ if so."""
    answer = npu_comparable(a, b)
    if not answer.comparable:
        _say(console, f"{a.id} and {b.id} may not be compared:", "bold")
    for reason in answer.reasons:
        _say(console, f"- {reason}")
    if not answer.comparable:
        return
    more = b.cycles - a.cycles
    _say(
        console,
        f"B is A {more:+,} cycles ({change_text(more / a.cycles)}), {a.npu_latency_ms:.3f} to {b.npu_latency_ms:.3f} ms (predicted)",
        "bold",
    )
    table = Table("#", "operator", "A", "bound by", "B", "bound by", "B - A", box=None, pad_edge=False)
    for n in (2, 4, 6):
        table.columns[n].justify = "right"
    for x, y in zip(a.layers, b.layers, strict=False):
        table.add_row(
            "" if x.index is None else str(x.index), op_title(x.op), f"{x.cycles:,}", _bound(x), f"{y.cycles:,}", _bound(y),
            f"{y.cycles - x.cycles:+,}",
        )  # fmt: skip
    console.print(table)


def _row(x: NpuLayer, record: NpuRecord, used: list[NpuResource]) -> tuple[str, ...]:
    index = "" if x.index is None else str(x.index)
    if x.where is not Where.NPU:
        return (index, op_title(x.op), x.where.value, *[""] * (3 + len(used)), "")
    use = "" if x.utilisation is None else f"{100 * x.utilisation:.1f} %"
    busy = (f"{x.busy.of(r):,}" for r in used)
    return (
        index,
        op_title(x.op),
        "npu",
        f"{x.cycles:,}",
        f"{100 * x.cycles / record.cycles:.1f}",
        *busy,
        use,
        _bound(x),
    )


def _bound(layer: NpuLayer) -> str:
    return layer.bottleneck.label if layer.bottleneck else layer.where.value


def _say(console: Console, text: str, style: str = "") -> None:
    # names are data, never markup
    console.print(Text(text, style=style), width=min(console.width, WIDTH))
