"""Runs made on this machine, in the cache: a folder each with record, analysis, and the board and model if they are the user's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.catalog.problems import alike
from engine.energy.trace import PowerTrace, write_trace
from engine.errors import RecordError, UsageError
from engine.explain.analysis import Analysis
from engine.paths import cache_dir, measurements_dir
from engine.pipeline.fingerprint import analysis_key, fingerprint
from engine.pipeline.settings import ResolvedRun
from engine.records.energy import MeasuredEnergy
from engine.records.run import RunRecord
from engine.records.store import read_record, write_atomically, write_record

RECORD, FINGERPRINT, BOARD, MODEL = "record.json", "fingerprint", "board.toml", "model.tflite"
ANALYSIS, ENERGY, TRACE = "analysis.json", "energy.json", "trace.npz"


def runs_dir() -> Path:
    """Folder of the local runs."""
    return cache_dir() / "runs"


def simulated_dir() -> Path:
    """Folder of the committed records of simulated runs."""
    return measurements_dir() / "simulated"


def validations_path() -> Path:
    """File of the committed results of ``whycycles validate``."""
    return measurements_dir() / "validation.json"


def layer_validations_path() -> Path:
    """File of the committed results of ``whycycles validate --layers``."""
    return measurements_dir() / "layer_validation.json"


def other_kernels_path() -> Path:
    """File of the committed results of ``whycycles validate`` with other versions of the kernels."""
    return measurements_dir() / "other_kernels.json"


def agreement_path() -> Path:
    """File of the committed results of ``whycycles agree``."""
    return measurements_dir() / "agreement.json"


def fresh_record(run: ResolvedRun) -> RunRecord | None:
    """The record of this run if nothing it depends on has changed since it was made, else None."""
    folder = runs_dir() / run.id
    try:
        if (folder / FINGERPRINT).read_text("utf-8") != fingerprint(run):
            return None
        return read_record(folder / RECORD)
    except (OSError, RecordError):
        return None


def save(run: ResolvedRun, record: RunRecord) -> Path:
    """Keep a finished run; returns the record's path. The fingerprint is written last, so half a save is no save."""
    folder = runs_dir() / run.id
    (folder / FINGERPRINT).unlink(missing_ok=True)
    write_record(record, folder / RECORD)
    if Path(run.settings.board).is_file():
        write_atomically(folder / BOARD, Path(run.settings.board).read_bytes())
    if run.model.origin == "file":
        write_atomically(folder / MODEL, run.model.path.read_bytes())
    write_atomically(folder / FINGERPRINT, fingerprint(run).encode())
    return folder / RECORD


def fresh_analysis(run: ResolvedRun) -> Analysis | None:
    """The analysis of this run if it was made from what the run is now, else None."""
    try:
        found = Analysis.model_validate_json((runs_dir() / run.id / ANALYSIS).read_bytes())
    except (OSError, ValueError):
        return None
    return found if found.key == analysis_key(run) else None


def save_analysis(run: ResolvedRun, analysis: Analysis) -> Path:
    """Keep an analysis beside its run; returns its path."""
    path = runs_dir() / run.id / ANALYSIS
    write_atomically(path, analysis.model_dump_json(by_alias=True, indent=None).encode() + b"\n")
    return path


def save_energy(record: RunRecord, energy: MeasuredEnergy, trace: PowerTrace) -> Path:
    """Keep a measured energy and its trace beside the run it is of; returns the energy's path."""
    folder = runs_dir() / record.id
    write_trace(trace, folder / TRACE)
    write_atomically(folder / ENERGY, energy.model_dump_json(by_alias=True, indent=1).encode() + b"\n")
    return folder / ENERGY


@dataclass(frozen=True)
class LocalRun:
    """A local run; ``board`` and ``model`` are the user's own files, if they are not from the catalogue."""

    record: RunRecord
    board: Path | None
    model: Path | None


def local_runs() -> tuple[LocalRun, ...]:
    """All local runs that can be read."""
    found = []
    for path in sorted(runs_dir().glob(f"*/{RECORD}")):
        try:
            record = read_record(path)
        except RecordError:
            continue
        board, model = path.with_name(BOARD), path.with_name(MODEL)
        found.append(LocalRun(record, board if board.is_file() else None, model if model.is_file() else None))
    return tuple(found)


def find_record(name: str) -> RunRecord:
    """A record by path, or by run id among the local and the committed runs. Raises UsageError or RecordError."""
    return read_record(find_file(name))


def find_file(name: str) -> Path:
    """The file of a record, by path or by run id; a path is not looked at. Raises UsageError for an unknown id."""
    if name.endswith(".json") or os.path.isfile(name):  # noqa: PTH113 - Path would raise for a name that is too long
        return Path(name)
    for candidate in (runs_dir() / name / RECORD, simulated_dir() / f"{name}.json"):
        if os.path.isfile(candidate):  # noqa: PTH113
            return candidate
    known = sorted({x.record.id for x in local_runs()} | {p.stem for p in simulated_dir().glob("*.json")})
    near = [k for k in known if name.lower() in k][:5] or alike(name, tuple(known)) or known[:5]
    raise UsageError(
        f"no run is called '{name}'",
        hint=f"give a record file or a run id, such as {', '.join(near)}" if near else "make one with `whycycles run`",
    )
