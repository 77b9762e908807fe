"""The card of a run on this machine, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.explain.host import HostMetric, classify, doubts, reference_metrics, runtime_metrics
from engine.records.host import HostLatency, HostRecord, HostSimulation
from engine.words import op_title

WIDTH = 100
"""Widest card: longer lines are hard to read."""


def render_host(record: HostRecord, console: Console) -> None:
    """Print the card: times, what bounds them, metrics with their formulas, counts per layer, doubts."""
    reference = record.reference
    console.print(Text(record.id, style="bold"), soft_wrap=True)
    _say(
        console,
        f"{record.machine.cpu}, pinned to CPU {reference.latency.cpu}, one thread: a desk reference, not an embedded target",
    )
    console.print()
    console.print(_times(record))
    if record.runtime is None:
        _say(console, f"LiteRT: absent: {record.runtime_note}")
    console.print()
    found = classify(record)
    _say(console, found.sentence if found else f"What bounds it: absent: {reference.simulation_note}", "bold")
    for s in found.shares if found else ():
        high = "" if s.high is None else f" to {100 * s.high:.1f} %"
        _say(
            console,
            f"  {s.name}: {'at least ' if s.high is None else ''}{100 * s.low:.1f} %{high} of the least time ({s.formula})",
        )
    console.print()
    console.print(_metrics(record))
    for line in _absent(record):
        _say(console, line)
    console.print()
    if reference.simulation is not None:
        console.print(_layers(reference.simulation))
        _say(console, f"Counted by {reference.simulation.tool}: {'; '.join(reference.simulation.caches)} (simulated)")
    matches = {True: "identical", False: "DIFFERENT", None: "not compared"}[reference.output_matches_oracle]
    _say(console, f"Output of our kernels against the oracle: {matches} ({reference.oracle_note})")
    for doubt in doubts(record):
        _say(console, f"Doubt: {doubt}.", "dim")
    for note in record.notes:
        _say(console, f"Note: {note}.", "dim")


def _times(record: HostRecord) -> Table:
    table = Table("program", "least ms", "p50", "p95", "p99", "most", "inferences", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    runtime = record.runtime
    if runtime is not None:
        _time_row(table, f"{runtime.name} {runtime.version} ({runtime.delegate})", runtime.latency)
    r = record.reference
    _time_row(table, f"our kernels, {r.compiler} {r.compiler_version.split()[0]}", r.latency)
    return table


def _time_row(table: Table, name: str, t: HostLatency) -> None:
    values = (f"{v:.4f}" for v in (t.least_ms, t.p50_ms, t.p95_ms, t.p99_ms, t.most_ms))
    table.add_row(name, *values, f"{t.repeats} after {t.warm_up}")


def _metrics(record: HostRecord) -> Table:
    table = Table("metric", "of", "value", "formula", "from", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for name, metrics in _metrics_of(record):
        for m in metrics:
            if m.value is not None:
                table.add_row(m.name, name, metric_text(m), m.formula, m.source)
    return table


def _absent(record: HostRecord) -> list[str]:
    """One line per reason that keeps metrics away."""
    lines = []
    for name, metrics in _metrics_of(record):
        for reason in dict.fromkeys(m.reason for m in metrics if m.value is None):
            which = ", ".join(m.name for m in metrics if m.reason == reason)
            lines.append(f"{name}: absent: {which}: {reason}.")
    return lines


def _metrics_of(record: HostRecord) -> tuple[tuple[str, tuple[HostMetric, ...]], ...]:
    return ("LiteRT", runtime_metrics(record)), ("our kernels", reference_metrics(record))


def metric_text(metric: HostMetric) -> str:
    """The value with its unit; "absent" where there is none."""
    return "absent" if metric.value is None else f"{metric.value:.4g} {metric.unit}".strip()


def _layers(simulation: HostSimulation) -> Table:
    table = Table(
        "#", "operator", "instructions", "%", "per MAC", "D1 misses", "LL misses", "branches", "mispredicted", box=None, pad_edge=False
    )  # fmt: skip
    for column in table.columns[2:]:
        column.justify = "right"
    whole = simulation.total.instructions or 1
    for x in simulation.layers:
        per_mac = f"{x.instructions / x.macs:.1f}" if x.macs else ""
        table.add_row(
            str(x.index), op_title(x.op), f"{x.instructions:,}", f"{100 * x.instructions / whole:.1f}", per_mac, f"{x.d1_misses:,}",
            f"{x.ll_misses:,}", f"{x.branches:,}", f"{x.mispredictions:,}",
        )  # fmt: skip
    return table


def _say(console: Console, text: str, style: str = "") -> None:
    # names are data, never markup
    console.print(Text(text, style=style), width=min(console.width, WIDTH))
