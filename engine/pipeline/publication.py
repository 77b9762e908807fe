"""What the website is made of: the committed records, and the runs of this machine that are not among them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.load import list_boards, load_board, load_core
from engine.errors import WhycyclesError
from engine.models.cost import model_cost
from engine.models.library import list_models
from engine.models.reader import read_graph
from engine.pipeline.ceilings import known_ceilings
from engine.pipeline.fingerprint import fingerprint
from engine.pipeline.local import LocalRun, local_runs, runs_dir, simulated_dir
from engine.pipeline.rerun import settings_of
from engine.records.ceilings import MeasuredCeilings, committed
from engine.records.run import RunRecord
from engine.records.store import read_records
from engine.site.world import ModelInfo


@dataclass(frozen=True, eq=False)
class Publication:
    """Records with the boards and the user's own models that they speak of, and what is known of those boards' ceilings.

    ``left_out`` says what is not shown and why.
    """

    records: tuple[RunRecord, ...]
    boards: tuple[Board, ...]
    models: tuple[ModelInfo, ...]
    ceilings: tuple[MeasuredCeilings, ...]
    left_out: tuple[str, ...]


def gather() -> Publication:
    """Collect what can be published from this checkout. Raises RecordError for a broken committed record."""
    kept = read_records(simulated_dir())
    known = {r.id for r in kept}
    boards = {b.name: b for b in list_boards()}
    models: dict[str, ModelInfo] = {}
    records, left_out = list(kept), []
    for run in local_runs():
        if run.record.id in known:
            continue
        reason = _why_not(run)
        if reason:
            left_out.append(f"{run.record.id}: {reason}")
            continue
        records.append(run.record)
        if run.board is not None:
            board = load_board(run.board)
            boards[board.name] = board
        if run.model is not None:
            graph = read_graph(run.model)
            models[run.record.model] = ModelInfo(run.record.model, graph, model_cost(graph))
    ceilings = {c.id: c for c in committed()}
    clocks = {(b.name, float(b.default_clock_mhz)) for b in boards.values()} | {(r.board, r.clock_mhz) for r in records}
    for name, clock_mhz in sorted(clocks):
        described = boards.get(name)
        made = None if described is None else known_ceilings(described, load_core(described.core), clock_mhz)
        if made is not None:
            ceilings.setdefault(made.id, made)
    return Publication(
        tuple(records), tuple(boards.values()), tuple(models.values()), tuple(ceilings.values()), tuple(left_out)
    )


def _why_not(run: LocalRun) -> str:
    """Why a local run is not shown; empty if nothing has changed since it was made."""
    if any(m.name == run.record.model and not m.present for m in list_models()):
        # building a site fetches nothing
        return f"the model {run.record.model} is not on this machine"
    try:
        now = fingerprint(settings_of(run.record))
    except WhycyclesError as error:
        return error.message
    made = (runs_dir() / run.record.id / "fingerprint").read_text("utf-8")
    return "" if made == now else "made by another version of the engine, its model or its board; run it again"
