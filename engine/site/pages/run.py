"""The page of one run."""

from __future__ import annotations

import shlex

from markupsafe import Markup

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import list_boards
from engine.explain.analysis import Analysis
from engine.explain.energy_card import energy_sentences
from engine.explain.explain import bound_by
from engine.explain.flame import folded_stacks, speedscope
from engine.explain.flame_svg import flamegraph_svg
from engine.explain.helium import helium_rows
from engine.explain.roofline import document_name, keys_in
from engine.explain.sentences import board_as_set
from engine.firmware.types import GLUE, Lowering
from engine.models.library import list_models
from engine.records.run import RunRecord, Stack
from engine.records.run_energy import RunEnergy
from engine.records.store import dump_record
from engine.site.analysis_view import view_of
from engine.site.chart import Chart
from engine.site.energy_view import energy_by_cause, sweep_of_run
from engine.site.exports import clocks_csv, gains_csv, layers_csv
from engine.site.gain_charts import by_gain, clock_chart, gains_chart, gap_chart
from engine.site.meaning import CAUSE_MEANING
from engine.site.memories import memories_csv, memory_rows
from engine.site.metrics import LEVELS, pyramid
from engine.site.render import Renderer
from engine.site.roofline_chart import roofline_chart
from engine.site.run_charts import layer_label, memory_chart, stack_chart, waterfall_chart
from engine.site.text import slug
from engine.site.world import Run, World
from engine.words import op_title

SECTIONS = (
    ("where-the-cycles-go", "causes"),
    ("what-would-it-bring", "what would it bring"),
    ("what-it-rests-on", "what it rests on"),
    ("cycle-stack-by-layer", "cycle stack"),
    ("waterfall", "waterfall"),
    ("layers", "layers"),
    ("why", "why"),
    ("hot-spots", "hot spots"),
    ("flame-graph", "flame graph"),
    ("energy", "energy"),
    ("clock", "clock"),
    ("roofline", "roofline"),
    ("counters", "counters"),
    ("memory-map", "memory map"),
    ("how-to-reproduce", "reproduce"),
    ("provenance", "provenance"),
)
"""Headings of the page, as anchors and names."""


MODEL_FILE = "path/to/MODEL.tflite"
BOARD_FILE = "path/to/BOARD.toml"
"""What stands for a file of the user's in the command."""


def in_catalogue(model: str, sha256: str) -> bool:
    """Whether a model's name alone leads everybody to this file."""
    return any((m.name, m.sha256) == (model, sha256) for m in list_models())


def needed_files(record: RunRecord, board: Board | None) -> list[tuple[str, str, str]]:
    """Files that only the user has, as (placeholder, what it is, SHA-256); ``board`` is the catalogue's one or None."""
    files = []
    if not in_catalogue(record.model, record.provenance.model_sha256):
        files.append((MODEL_FILE, f"the file of the model {record.model}", record.provenance.model_sha256))
    if board is None:
        what = f"the description of the board {record.board}; the hash is of its content as whycycles reads it"
        files.append((BOARD_FILE, what, record.provenance.board_sha256))
    return files


def command(record: RunRecord, board: Board | None) -> str:
    """The command line that makes this run again; ``board`` is the catalogue's one or None. What the catalogue lacks is a placeholder."""
    known = in_catalogue(record.model, record.provenance.model_sha256)
    words = ["whycycles", "run", record.model if known else MODEL_FILE]
    words += ["--board", record.board if board is not None else BOARD_FILE, "--kernels", record.kernels]
    words += ["--compiler", record.compiler, "--opt", record.opt, "--target", record.target]
    words += ["--clock", f"{record.clock_mhz:g}"]
    if record.lowering != Lowering.TFLM:
        words += ["--lowering", record.lowering]
    if board is not None:
        for part, memory in record.placement.model_dump().items():
            if memory != getattr(board.placement, part):
                words += ["--place", f"{part}={memory}"]
    for text in record.overrides:
        words += ["--set", text]
    return " ".join(shlex.quote(" ".join(w.split())) for w in words)


def whole_stack(record: RunRecord) -> Stack:
    """The cycle stack of the whole inference."""
    return Stack.added(x.stack for x in (*record.layers, record.glue))


def provenance(record: RunRecord) -> list[tuple[str, str]]:
    """Provenance as rows of text."""
    rows = [("evidence", record.evidence.value), ("target", f"{record.target} {record.provenance.target_version}")]
    for name, value in record.provenance.model_dump().items():
        if name != "target_version":
            text = " ".join(value) if isinstance(value, list | tuple) else str(value)
            rows.append((name.replace("_", " ").replace("sha256", "SHA-256"), text))
    return rows


def write_run(renderer: Renderer, world: World, run: Run) -> None:
    """One run: verdict, stacks, counters, memory, provenance, downloads."""
    r = run.record
    folder = f"runs/{slug(r.id)}"
    board = world.board_of(r)
    shared = board if board is not None and r.board in {b.name for b in list_boards()} else None
    core = world.cores.get(r.core)
    sizes = {m.name: m.bytes for m in board.memories} if board else {}
    charts: dict[str, Chart] = {
        "stack": stack_chart(r),
        "waterfall": waterfall_chart(r),
        "memory": memory_chart(r, sizes),
    }
    points = [
        (layer_label(x), op_title(x.op), e.roofline)
        for x, e in zip(r.layers, run.explanation.layers, strict=True)
        if e.roofline is not None
    ]
    if run.explanation.ceilings is not None and points:
        charts["roofline"] = roofline_chart(points, run.explanation.ceilings, f"{r.model} on {r.board}")
    title = f"{r.model} on {r.board}"
    labels = [*(layer_label(x) for x in r.layers), GLUE]
    analysis = run.analysis
    if analysis is not None:
        charts |= _analysed(renderer, folder, analysis, r)
    renderer.staging.write(f"{folder}/record.json", dump_record(r))
    renderer.staging.write(f"{folder}/layers.csv", layers_csv([r]))
    renderer.staging.write(f"{folder}/memories.csv", memories_csv(r))
    renderer.page(
        folder,
        "run.md.j2",
        charts,
        title=f"{r.model} on {', '.join((board_as_set(r), r.kernels, *run.place.setup))}",
        view=view_of(analysis, labels) if analysis else None,
        gains=by_gain(analysis) if analysis else (),
        flame=Markup(flamegraph_svg(analysis.samples, title)) if analysis else "",
        run=run,
        memories=memory_rows(r),
        helium=helium_rows(r),
        r=r,
        x=run.explanation,
        place=run.place,
        peers=sum(o.place.best is not None for o in world.of_model(r.model)),
        compared=len(world.of_model(r.model)) > 1,
        board=board,
        core=core,
        source_keys=_source_keys(core, analysis),
        whole_stack=whole_stack(r),
        meaning=CAUSE_MEANING,
        levels=LEVELS,
        metrics=pyramid(r, board),
        energy=r.energy,
        energy_text=energy_sentences(r, r.energy) if r.energy is not None else (),
        energy_causes=energy_by_cause(r.energy) if isinstance(r.energy, RunEnergy) else (),
        energy_clocks=sweep_of_run(r, board, analysis),
        sections=SECTIONS,
        bound_by=bound_by,
        command=command(r, shared),
        needed=needed_files(r, shared),
        provenance=provenance(r),
    )


def _source_keys(core: Core | None, analysis: Analysis | None) -> tuple[tuple[str, str], ...]:
    """What the short names of sources in the reasons of an analysis stand for."""
    if core is None or analysis is None:
        return ()
    return tuple((k, document_name(core.sources[k])) for k in keys_in(core, (a.reason for a in analysis.assumptions)))


def _analysed(renderer: Renderer, folder: str, analysis: Analysis, record: RunRecord) -> dict[str, Chart]:
    """Downloads and charts of an analysis."""
    what = f"{record.model} on {record.board}"
    for name, text in (
        ("analysis.json", analysis.model_dump_json(by_alias=True) + "\n"),
        ("gains.csv", gains_csv(analysis)),
        ("clocks.csv", clocks_csv(analysis)),
        ("stacks.folded", folded_stacks(analysis.samples)),
        ("speedscope.json", speedscope(analysis.samples, f"{what}, {record.kernels}").to_json()),
    ):
        renderer.staging.write(f"{folder}/{name}", text)
    return {
        "gains": gains_chart(analysis, what),
        "gap": gap_chart(analysis, what),
        "clock": clock_chart(analysis, record.clock_mhz, what),
    }
