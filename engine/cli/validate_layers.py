"""``whycycles validate --layers``: the counters of a real chip beside ours, layer by layer."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from engine.cli.shell import console, print_json, progress_console
from engine.firmware.types import CompilerName
from engine.records.layer_validation import STALLS, Event, EventCounts, LayerValidation, relative_error
from engine.words import change_text, layer_title

_HEADINGS = {
    Event.CYCLES: "error:\ncycles",
    Event.INSTRUCTIONS: "instr.",
    Event.MVE_INSTRUCTIONS: "Helium",
    Event.MVE_MACS: "Helium\nMACs",
    Event.LOADS: "loads",
    Event.STORES: "stores",
}

_WHAT_STALLS_ARE = (
    "STALL: cycles that issue nothing; MVE_STALL: those of them that wait for Helium. The chip's hold the framework's and interrupts', ours are the "
    "model's. What the chip counts of two waits at a time, and of Helium waiting for others, is not published."
)


def validate_layers(against: Path | None, compiler: CompilerName, update: bool, note: str, as_json: bool) -> None:
    """Run, compare, print, and keep if asked."""
    from engine.pipeline.local import layer_validations_path
    from engine.records.layer_validation import read_layer_validations, write_layer_validations
    from engine.validate.layers import published_layers
    from engine.validate.layers import validate_layers as compare

    rows = published_layers(against)
    with progress_console().status("validating") as status:
        found = compare(rows, compiler, lambda t: status.update(f"validating {t}"))
    if update:
        found = found.model_copy(update={"note": note})
        path = layer_validations_path()
        write_layer_validations(read_layer_validations(path).with_result(found), path)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: LayerValidation) -> None:
    out = console()
    out.print(
        f"{found.model} on {found.board} at {found.clock_mhz:g} MHz: {found.published_kernels} on silicon, "
        f"CMSIS-NN {found.kernels_version} with {found.compiler} {found.compiler_version} here",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("layer", no_wrap=True)
    for heading in ("cycles\non chip", "cycles\nhere", *_HEADINGS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for p in found.points:
        table.add_row(layer_title(p.op, p.layer), *_cells(p.published, p.simulated))
    table.add_row("all", *_cells(*found.total()), style="bold")
    out.print(table)
    low, high = found.cycles_interval
    out.print(f"Interval of the whole inference: {low} to {high} cycles (timing rules alone, not other instructions).")
    if found.has_stalls:
        out.print()
        out.print(_stalls(found))
        out.print(_WHAT_STALLS_ARE)
    out.print("Why they differ is on the site's page of this validation.")


def _stalls(found: LayerValidation) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("layer", no_wrap=True)
    for pmu in (Event.STALLS.pmu, Event.MVE_STALLS.pmu):
        for heading in (f"{pmu}\non chip", "\nhere", "\nerror"):
            table.add_column(heading, justify="right", no_wrap=True)
    rows = [(layer_title(p.op, p.layer), p.published, p.simulated, "") for p in found.points]
    for title, published, simulated, style in (*rows, ("all", *found.total(), "bold")):
        cells: list[str] = []
        for event in STALLS:
            cells += [
                str(published.of(event)),
                str(simulated.of(event)),
                _error(relative_error(published, simulated, event)),
            ]
        table.add_row(title, *cells, style=style)
    return table


def _cells(published: EventCounts, simulated: EventCounts) -> tuple[str, ...]:
    errors = (relative_error(published, simulated, event) for event in _HEADINGS)
    return str(published.cycles), str(simulated.cycles), *map(_error, errors)


def _error(error: float | None) -> str:
    return "-" if error is None else change_text(error, 1 if abs(error) < 0.0995 else 0)
