"""The counters of a real chip beside ours, layer by layer: what differs, and so what may explain an error in cycles."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine import __version__
from engine.errors import CheckFailedError, RecordError
from engine.firmware.types import CompilerName
from engine.paths import measurements_dir
from engine.pipeline.keep import make
from engine.pipeline.local import fresh_record
from engine.pipeline.settings import RunSettings, resolve
from engine.records.counters import Counters
from engine.records.layer_validation import STALLS, Event, EventCounts, LayerPoint, LayerValidation
from engine.records.run import Layer, RunRecord

PLACED = (("weights", "dtcm"),)
"""The chip counted next to no accesses to the data cache and many to the DTCM: weights and activations lay in the latter."""

_MOST = 2**63 - 1
_MOST_BYTES = 16 << 20
_TEXT = ("board", "model", "framework", "kernels", "op", "source")
_NUMBERS = ("clock_mhz", "layer", "macs", *(e.value for e in Event if e not in STALLS))


@dataclass(frozen=True)
class PublishedLayer:
    """One published row: the chip's counters over one layer."""

    board: str
    model: str
    framework: str
    kernels: str
    clock_mhz: int
    layer: int
    op: str
    macs: int
    counts: EventCounts
    source: str


def published_layers(path: Path | None = None) -> tuple[PublishedLayer, ...]:
    """The project's rows, or those of a file of the same columns. Raises RecordError with file and line."""
    path = path or measurements_dir() / "published" / "layers.csv"
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise RecordError(f"{path} has more than {_MOST_BYTES} bytes", hint="give a CSV file of published layers")
        with io.StringIO(content.decode("utf-8-sig"), newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in (*_TEXT, *_NUMBERS) if c not in (reader.fieldnames or ())]
            if missing:
                raise RecordError(
                    f"{path} has no column {', '.join(missing)}", hint="see measurements/published/layers.csv"
                )
            numbers = (*_NUMBERS, *(e.value for e in STALLS if e.value in (reader.fieldnames or ())))
            rows = tuple(_row(path, line, row, numbers) for line, row in enumerate(reader, start=2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read: {error}", hint="give a CSV file with one layer per row") from None
    if not rows:
        raise RecordError(f"{path} has no row", hint="give a CSV file with one layer per row")
    return rows


def _row(path: Path, line: int, row: dict[str, str | None], columns: tuple[str, ...]) -> PublishedLayer:
    try:
        numbers = {name: int(row[name] or "") for name in columns}
    except (TypeError, ValueError):
        raise RecordError(
            f"{path} line {line}: not all counts are whole numbers", hint="one count per column"
        ) from None
    if min(numbers.values()) < 0:
        raise RecordError(f"{path} line {line}: a count is negative", hint="one count per column")
    if max(numbers.values()) > _MOST:
        raise RecordError(f"{path} line {line}: a count is larger than any counter", hint="one count per column")
    # the second is part of the first, see `Event`
    for part, whole in ((Event.STALLS, Event.CYCLES), (Event.MVE_STALLS, Event.STALLS)):
        if numbers.get(part, 0) > numbers.get(whole, _MOST):
            raise RecordError(
                f"{path} line {line}: {part} ({numbers[part]}) is more than {whole} ({numbers[whole]})",
                hint="it is part of it: is a column shifted?",
            )
    text = {name: (row[name] or "").strip() for name in _TEXT}
    return PublishedLayer(
        board=text["board"], model=text["model"], framework=text["framework"], kernels=text["kernels"],
        clock_mhz=numbers["clock_mhz"], layer=numbers["layer"], op=text["op"], macs=numbers["macs"],
        counts=EventCounts(**{e.value: numbers[e.value] for e in Event if e.value in numbers}), source=text["source"],
    )  # fmt: skip


def validate_layers(
    rows: tuple[PublishedLayer, ...],
    compiler: CompilerName = CompilerName.GCC,
    progress: Callable[[str], None] = lambda _: None,
) -> LayerValidation:
    """Run the model of the rows on their board (or take its run from before, if nothing changed) and compare every layer.

    Raises RecordError for rows of more than one run, CheckFailedError where our layers are others, and what a run raises.
    """
    runs = {(r.board, r.model, r.clock_mhz) for r in rows}
    if len(runs) != 1:
        raise RecordError(
            f"the rows are of {len(runs)} runs", hint="compare the layers of one board, model and clock at a time"
        )
    twice = sorted({r.layer for r in rows if sum(r.layer == other.layer for other in rows) > 1})
    if twice:
        raise RecordError(
            f"layer {', '.join(map(str, twice))} has more than one row", hint="one row per layer: they are added up"
        )
    first = rows[0]
    run = resolve(
        RunSettings(
            model=first.model, board=first.board, compiler=compiler, clock_mhz=float(first.clock_mhz), place=PLACED
        )
    )
    progress(f"{first.model} on {first.board}")
    record = fresh_record(run) or make(run)
    return compare_layers(rows, record)


def compare_layers(rows: tuple[PublishedLayer, ...], record: RunRecord) -> LayerValidation:
    """Published layers beside those of a record. Raises CheckFailedError unless operators and MACs correspond."""
    ours = {layer.index: layer for layer in record.layers}
    points = []
    for row in rows:
        layer = ours.get(row.layer)
        if layer is None or layer.op != row.op or layer.macs != row.macs:
            found = "no layer" if layer is None else f"{layer.op} of {layer.macs} MACs"
            raise CheckFailedError(
                f"layer {row.layer} is {row.op} of {row.macs} MACs in the published rows and {found} in {record.id}",
                hint="the rows are of another model",
            )
        points.append(
            LayerPoint(
                layer=row.layer,
                op=row.op,
                kernel=layer.kernel,
                macs=row.macs,
                published=row.counts,
                simulated=counts_of(layer),
                mve_waits=layer.idle.mve_waits if layer.idle else None,
            )
        )
    first, made = rows[0], record.provenance
    return LayerValidation(
        board=first.board, model=first.model, clock_mhz=first.clock_mhz, run_id=record.id, compiler=record.compiler,
        compiler_version=made.compiler_version, opt=record.opt, kernels_version=made.kernels_version, engine_version=__version__,
        published_framework=first.framework, published_kernels=first.kernels, source=first.source,
        cycles_interval=record.cycles_interval, points=tuple(points),
    )  # fmt: skip


def counts_of(layer: Layer) -> EventCounts:
    """A layer's counts as the chip's counters would hold them."""
    c: Counters = layer.counters
    return EventCounts(
        cycles=layer.cycles,
        instructions=c.retired_instructions,
        mve_instructions=c.mve_instructions,
        mve_macs=c.mve_mac_instructions,
        loads=c.load_instructions,
        stores=c.store_instructions,
        stall_cycles=layer.idle.cycles if layer.idle else None,
        mve_stall_cycles=layer.idle.mve_cycles if layer.idle else None,
    )
