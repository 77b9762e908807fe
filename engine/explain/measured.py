"""A measurement beside the simulation of the same ELF: what is unexplained, layer by layer. The simulated stack stays as it is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.explain.measured_energy import render_measured_energy
from engine.explain.sentences import milliseconds
from engine.records.cause import Evidence
from engine.records.energy import MeasuredEnergy
from engine.records.measured import MeasuredRecord
from engine.records.run_energy import NoEnergy
from engine.words import counter_unit, name_title

WIDTH = 100


class LayerGap(BaseModel):
    """One layer, warm, in cycles: measured (p50) = marker + simulated + unexplained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    name: str
    measured: int
    marker: int
    simulated: int
    unexplained: int


class MeasuredExplanation(BaseModel):
    """What a measurement says, warm: measured (p50) = markers + simulated + unexplained. ``layers`` is empty, and ``unexplained`` null, where cycles were not measured: ``why_not`` says why. ``energy`` is null where no power was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    sentence: str
    layers: tuple[LayerGap, ...]
    measured: int | None
    markers: int | None
    simulated: int | None
    simulated_interval: tuple[int, int] | None
    unexplained: int | None
    why_not: str
    checks: tuple[str, ...]
    notes: tuple[str, ...]
    energy: MeasuredEnergy | NoEnergy | None


def explain_measured(record: MeasuredRecord) -> MeasuredExplanation:
    """Compare a measurement with the simulation it carries."""
    why_not = _why_not(record)
    gaps = _gaps(record) if not why_not else ()
    whole = record.by_layer.warm.p50 if record.by_layer and not why_not else None
    markers = sum(g.marker for g in gaps) if not why_not else None
    sim = record.simulation if not why_not else None
    return MeasuredExplanation(
        id=record.id,
        label=record.label,
        sentence=_sentence(record),
        layers=gaps,
        measured=whole,
        markers=markers,
        simulated=sim.cycles.warm if sim else None,
        simulated_interval=sim.cycles_interval if sim else None,
        unexplained=whole - markers - sim.cycles.warm if sim and whole is not None and markers is not None else None,
        why_not=why_not,
        checks=_checks(record),
        notes=record.notes,
        energy=record.energy,
    )


def _why_not(record: MeasuredRecord) -> str:
    if record.simulation is None or record.by_layer is None:
        return "the firmware on the device is not ours, so there are neither layers nor a simulation of it"
    if record.evidence is not Evidence.MEASURED:
        return "an emulated device measures nothing of silicon, so nothing can be unexplained"
    if record.by_layer.counter != "cycles":
        return "the device counts no cycles"
    return ""


def _gaps(record: MeasuredRecord) -> tuple[LayerGap, ...]:
    assert record.by_layer is not None
    assert record.simulation is not None
    marker = record.by_layer.marker
    return tuple(
        LayerGap(
            index=m.index,
            name=m.name,
            measured=m.warm.p50,
            marker=marker,
            simulated=s.cycles,
            unexplained=m.warm.p50 - marker - s.cycles,
        )
        for m, s in zip(record.by_layer.layers, record.simulation.layers, strict=True)
    )


def _sentence(record: MeasuredRecord) -> str:
    t = record.latency_us
    kernels = f" with {record.kernels} kernels" if record.kernels else ""
    unit = "of QEMU's time " if record.provenance.emulator else ""
    return (
        f"{record.model}{kernels} on {record.board} at {record.clock_mhz:g} MHz takes {milliseconds(t.p50 / 1000)} {unit}({record.label}; "
        f"p95 {milliseconds(t.p95 / 1000)}, p99 {milliseconds(t.p99 / 1000)}, {t.count} inferences after {record.warmups} to warm up)."
    )


def _checks(record: MeasuredRecord) -> tuple[str, ...]:
    found = []
    note = record.oracle_note.rstrip(". ")
    found.append(f"output: {'right' if record.output_matches_oracle else 'not checked'}: {note}")
    found.append(
        "firmware: code, constants and weights on the device have the ELF's checksums"
        if record.firmware_verified
        else "firmware: not verified"
    )
    c = record.clock
    trouble = f"; {c.problem}" if c.problem else ""
    found.append(
        f"clock: {c.source}{trouble}; a second of the device lasts {1 / c.device_per_host:.4f} s of the host's, over {c.seconds:g} s"
        if c.device_per_host
        else f"clock: {c.source}{trouble}; it did not advance"
    )
    if record.spread is not None:
        found.append(
            f"spread: p95 is {100 * (record.spread.p95_over_p50 - 1):.0f} % above p50: {record.spread.explanation}"
        )
    return tuple(found)


def render_measured(explanation: MeasuredExplanation, record: MeasuredRecord, console: Console) -> None:
    """Print a measurement: sentence, layers, what was verified."""
    width = min(console.width, WIDTH)

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), width=width)

    say(explanation.id, "bold")
    console.print()
    say(explanation.sentence, "bold")
    console.print()
    if record.by_layer is not None:
        console.print(_table(explanation, record), width=width)
        console.print()
    if explanation.unexplained is not None and explanation.simulated and explanation.simulated_interval:
        low, high = explanation.simulated_interval
        share = explanation.unexplained / explanation.simulated
        say(
            f"Simulated from the same ELF: {explanation.simulated:,} cycles ({low:,} to {high:,}); unexplained: {explanation.unexplained:+,} "
            f"({100 * share:+.1f} %)."
        )
    else:
        say(f"Nothing is set against the simulation: {explanation.why_not}.")
    for line in explanation.checks:
        say(line)
    for note in explanation.notes:
        say(f"Note: {note}.", "dim")
    if isinstance(record.energy, MeasuredEnergy):
        console.print()
        render_measured_energy(record.energy, console)
    elif record.energy is not None:
        say(f"No energy: {record.energy.reason}.")


def _table(explanation: MeasuredExplanation, record: MeasuredRecord) -> Table:
    assert record.by_layer is not None
    unit = counter_unit(record.by_layer.counter)
    gaps = {g.index: g for g in explanation.layers}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("layer")
    for title in (f"cold, {unit}", f"warm p50, {unit}", "p95", *(("simulated", "unexplained") if gaps else ())):
        table.add_column(title, justify="right", no_wrap=True)
    for x in record.by_layer.layers:
        gap = gaps.get(x.index)
        rest = (f"{gap.simulated:,}", f"{gap.unexplained:+,}") if gap else ()
        table.add_row(Text(name_title(x.name)), f"{x.cold.p50:,}", f"{x.warm.p50:,}", f"{x.warm.p95:,}", *rest)
    whole = record.by_layer
    table.add_row("inference", f"{whole.cold.p50:,}", f"{whole.warm.p50:,}", f"{whole.warm.p95:,}")
    return table
