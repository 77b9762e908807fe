"""From a record back to its run: the same choices must give the same record, on any machine."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from engine.catalog.board import Board
from engine.catalog.load import board_sha256, core_sha256, load_board
from engine.errors import UsageError, WhycyclesError
from engine.explain.analysis import Analysis
from engine.explain.hardware import Hardware, hardware_of
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.models.library import list_models
from engine.pipeline.ceilings import known_ceilings
from engine.pipeline.local import BOARD, MODEL, fresh_analysis, runs_dir
from engine.pipeline.measure import measure
from engine.pipeline.settings import PARTS, ResolvedRun, RunSettings, parse_set, resolve
from engine.records.cause import Evidence
from engine.records.diff import Difference, diff_results
from engine.records.run import RunRecord
from engine.targets.choose import AUTO, NAMES

_Name = TypeVar("_Name", bound=StrEnum)


def verify_record(record: RunRecord) -> tuple[Difference, ...]:
    """Measure a record's run again from its own choices; the differences, empty if it is reproduced exactly.

    Raises UsageError if the record names a model or board that this machine does not have.
    """
    return diff_results(record, measure(settings_of(record), again=True))


def hardware_for(record: RunRecord) -> Hardware:
    """Board and core of a record, from the catalogue or from the run kept on this machine; what is missing is noted."""
    try:
        run = settings_of(record)
    except WhycyclesError:
        return hardware_of(record)
    made_with = record.provenance
    if (board_sha256(run.described), core_sha256(run.core)) == (made_with.board_sha256, made_with.core_sha256):
        return Hardware(run.board, run.core, measured=known_ceilings(run.described, run.core, run.clock_mhz))
    return hardware_of(record)


def analysis_for(record: RunRecord) -> Analysis | None:
    """The analysis kept on this machine of these very cycles; None where there is none that is up to date."""
    try:
        found = fresh_analysis(settings_of(record))
    except WhycyclesError:
        return None
    return found if found is not None and found.run.cycles == record.cycles.warm else None


def settings_of(
    record: RunRecord,
    also: tuple[tuple[str, str], ...] = (),
    place: tuple[tuple[str, str], ...] = (),
    clock_mhz: float | None = None,
) -> ResolvedRun:
    """The run behind a record; ``also`` are further figures to set (see ``parse_set``), before the record's own.

    ``place`` (see ``parse_place``) and ``clock_mhz`` take the place of the record's. Raises UsageError.
    """
    if record.evidence is not Evidence.SIMULATED:
        raise UsageError(
            f"{record.id} is {record.evidence}, not simulated", hint="only simulated runs can be re-simulated"
        )
    kept = runs_dir() / record.id
    known = record.model in {m.name for m in list_models()}
    settings = choices_of(
        record, record.model if known else str(kept / MODEL), str(own_board(record) or record.board), also
    )
    asked = tuple(part for part, _ in place)
    run = resolve(
        dataclasses.replace(
            settings,
            place=(*place, *(pair for pair in settings.place if pair[0] not in asked)),
            clock_mhz=settings.clock_mhz if clock_mhz is None else clock_mhz,
        )
    )
    return run if known else dataclasses.replace(run, model=dataclasses.replace(run.model, name=record.model))


def own_board(record: RunRecord) -> Path | None:
    """The user's own board file, kept with the run on this machine; None for a board of the catalogue."""
    kept = runs_dir() / record.id / BOARD
    return kept if kept.is_file() else None


def choices_of(record: RunRecord, model: str, board: str, also: tuple[tuple[str, str], ...] = ()) -> RunSettings:
    """What was chosen for a record's run, on that model and board (names or paths). Raises UsageError or CatalogError."""
    return RunSettings(
        model=model,
        board=board,
        kernels=_member(record, "kernels", KernelLibrary),
        compiler=_member(record, "compiler", CompilerName),
        opt=record.opt,
        clock_mhz=record.clock_mhz,
        place=_overrides(record, load_board(board)),
        lowering=_member(record, "lowering", Lowering),
        set=(*also, *(pair for pair in map(parse_set, record.overrides) if pair[0] not in dict(also))),
        target=record.target if record.target in NAMES else AUTO,
    )


def _member(record: RunRecord, field: str, kind: type[_Name]) -> _Name:
    try:
        return kind(getattr(record, field))
    except ValueError:
        raise UsageError(
            f"{record.id}: {field} is '{getattr(record, field)}', which is not known here",
            hint=f"one of {', '.join(kind)}",
        ) from None


def _overrides(record: RunRecord, board: Board) -> tuple[tuple[str, str], ...]:
    """Where the record's placement differs from the board's own, as (part, memory)."""
    used = record.placement.model_dump()
    return tuple((part, used[part]) for part in PARTS if used[part] != getattr(board.placement, part))
