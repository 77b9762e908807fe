"""What the website is made of: the committed records, and the runs of this machine that are not among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.load import list_boards, load_board, load_core
from engine.errors import WhycyclesError
from engine.explain.analysis import Analysis
from engine.models.cost import model_cost
from engine.models.library import list_models
from engine.models.reader import read_graph
from engine.pipeline.ceilings import known_ceilings
from engine.pipeline.fingerprint import fingerprint
from engine.pipeline.host import known_hosts
from engine.pipeline.keep import analysis_of
from engine.pipeline.local import (
    LocalRun,
    agreement_path,
    layer_validations_path,
    local_runs,
    other_kernels_path,
    runs_dir,
    simulated_dir,
    validations_path,
)
from engine.pipeline.npu_keep import known_npus
from engine.pipeline.prepare import Progress
from engine.pipeline.rerun import settings_of
from engine.records.agreement import read_agreement
from engine.records.ceilings import MeasuredCeilings, committed
from engine.records.layer_validation import LayerValidations, read_layer_validations
from engine.records.other_kernels import OtherKernels, read_other_kernels
from engine.records.run import RunRecord
from engine.records.store import read_records
from engine.records.validation import Validations, read_validations
from engine.site.other_targets import OtherTargets
from engine.site.world import ModelInfo


@dataclass(frozen=True, eq=False)
class Publication:
    """Records with the boards and the user's own models that they speak of, and what is known of those boards' ceilings.

    ``analyses`` are of the records whose run was made on this machine by this version of the engine. ``left_out`` says what is
    not shown and why.
    """

    records: tuple[RunRecord, ...]
    analyses: tuple[Analysis, ...]
    validations: Validations
    layer_validations: LayerValidations
    other_kernels: OtherKernels
    boards: tuple[Board, ...]
    models: tuple[ModelInfo, ...]
    ceilings: tuple[MeasuredCeilings, ...]
    others: OtherTargets
    left_out: tuple[str, ...]


def gather(progress: Progress = lambda _: None) -> Publication:
    """Collect what can be published from this checkout. Raises RecordError for a broken committed record.

    An analysis that is missing or out of date is made anew from the stored execution of its run.
    """
    by_id = {r.id: r for r in read_records(simulated_dir())}
    boards = {b.name: b for b in list_boards()}
    models: dict[str, ModelInfo] = {}
    records = list(by_id.values())
    analyses: list[Analysis] = []
    left_out: list[str] = []
    for run in local_runs():
        name = run.record.id
        reason = _why_not(run)
        if name in by_id:
            # the committed record is shown, so only an analysis of the same numbers may stand beside it
            if not reason and run.record == by_id[name]:
                analyses += _analysis(run, progress, left_out)
            continue
        if reason:
            left_out.append(f"{name}: {reason}")
            continue
        records.append(run.record)
        analyses += _analysis(run, progress, left_out)
        if run.board is not None:
            board = load_board(run.board)
            boards[board.name] = board
        if run.model is not None:
            graph = read_graph(run.model)
            models[run.record.model] = ModelInfo(run.record.model, graph, model_cost(graph))
    return Publication(
        records=tuple(records),
        analyses=tuple(analyses),
        validations=read_validations(validations_path()),
        layer_validations=read_layer_validations(layer_validations_path()),
        other_kernels=read_other_kernels(other_kernels_path()),
        boards=tuple(boards.values()),
        models=tuple(models.values()),
        ceilings=_ceilings(boards, records),
        others=OtherTargets(npus=known_npus(), hosts=known_hosts(), agreement=read_agreement(agreement_path())),
        left_out=tuple(left_out),
    )


def _ceilings(boards: Mapping[str, Board], records: Sequence[RunRecord]) -> tuple[MeasuredCeilings, ...]:
    """The committed ceilings, and what this machine knows of these boards at their own clocks and at those of the records."""
    found = {c.id: c for c in committed()}
    clocks = {(b.name, float(b.default_clock_mhz)) for b in boards.values()} | {(r.board, r.clock_mhz) for r in records}
    for name, clock_mhz in sorted(clocks):
        described = boards.get(name)
        made = None if described is None else known_ceilings(described, load_core(described.core), clock_mhz)
        if made is not None:
            found[made.id] = made
    return tuple(found.values())


def _analysis(run: LocalRun, progress: Progress, left_out: list[str]) -> tuple[Analysis, ...]:
    """The analysis of a run that is up to date; where it cannot be had, ``left_out`` says why."""
    try:
        return (analysis_of(settings_of(run.record), lambda step: progress(f"{run.record.id}: {step}")),)
    except WhycyclesError as error:
        left_out.append(f"the analysis of {run.record.id}: {error.message}")
        return ()


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
