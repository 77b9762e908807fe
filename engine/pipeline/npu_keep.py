"""Estimates of NPUs kept on this machine and committed: made where something changed, found by id."""

from __future__ import annotations

from pathlib import Path

from engine.catalog.npu import SETTABLE, load_npu, npu_names
from engine.errors import RecordError, UsageError
from engine.models.library import list_models
from engine.paths import cache_dir
from engine.pipeline.fingerprint import npu_fingerprint
from engine.pipeline.npu import NpuSettings, ResolvedNpu, estimate, resolve_npu
from engine.pipeline.prepare import Progress
from engine.records.diff import Difference, diff_records
from engine.records.npu import NpuRecord
from engine.records.npu_store import committed_npus, npu_measurements_dir, npu_problems, read_npu, write_npu
from engine.records.store import write_atomically
from engine.scratch import unusable
from engine.targets.npu.vela import Vela, VelaTables, find_vela

RECORD, FINGERPRINT = "record.json", "fingerprint"


def npu_dir() -> Path:
    """Folder of the estimates made on this machine: record, Vela's tables and what it said."""
    return cache_dir() / "npu"


def make_npu(
    run: ResolvedNpu, progress: Progress = lambda _: None, *, vela: Vela | None = None, again: bool = False
) -> NpuRecord:
    """The estimate of a run: the kept one if nothing it depends on has changed, else made anew, and kept.

    Raises what ``find_vela`` and ``estimate`` raise, and ToolError where the cache cannot be written.
    """
    vela = vela or find_vela()
    folder = npu_dir() / run.id
    key = npu_fingerprint(run.model.sha256, run.npu, run.host_board, vela.version)
    found = None if again else _fresh(folder, key)
    if found is not None:
        return found
    record, tables = estimate(run, vela, progress)
    try:
        _save(folder, key, record, tables)
    except OSError as error:
        raise unusable(error) from error
    return record


def _save(folder: Path, key: str, record: NpuRecord, tables: VelaTables) -> None:
    # the fingerprint goes first and comes last, so half a save is no save
    (folder / FINGERPRINT).unlink(missing_ok=True)
    for name, text in (("per-layer.csv", tables.per_layer), ("summary.csv", tables.summary), ("vela.txt", tables.log)):
        write_atomically(folder / name, text.encode())
    write_npu(record, folder / RECORD)
    write_atomically(folder / FINGERPRINT, key.encode())


def known_npus() -> tuple[NpuRecord, ...]:
    """The committed records, and those of this machine that are not among them. Raises RecordError for a broken committed one."""
    found = {r.id: r for r in committed_npus()}
    for path in sorted(npu_dir().glob(f"*/{RECORD}")):
        try:
            record = read_npu(path)
        except RecordError:
            continue
        found.setdefault(record.id, record)
    return tuple(found.values())


def find_npu_record(name: str) -> NpuRecord | None:
    """A record of an NPU by path, or by id among the local and the committed ones; None if the name is of something else.

    Raises RecordError for a file that calls itself one and is not valid.
    """
    path = Path(name)
    if name.endswith(".json") or path.is_file():
        return read_npu(path) if npu_problems(path) is not None else None
    for candidate in (npu_dir() / name / RECORD, npu_measurements_dir() / f"{name}.json"):
        if candidate.is_file():
            return read_npu(candidate)
    return None


def _fresh(folder: Path, key: str) -> NpuRecord | None:
    try:
        return read_npu(folder / RECORD) if (folder / FINGERPRINT).read_text("utf-8") == key else None
    except (OSError, RecordError):
        return None


def verify_npu(record: NpuRecord) -> tuple[Difference, ...]:
    """Estimate again from a record's own choices; the differences, empty if it is reproduced exactly.

    Raises UsageError if its model or NPU is not one that everybody has, and what ``estimate`` raises.
    """
    return diff_records(record, estimate(resolve_npu(_settings_of(record)))[0])


def _settings_of(record: NpuRecord) -> NpuSettings:
    if record.model not in {m.name for m in list_models()} or record.npu not in npu_names():
        raise UsageError(
            f"{record.id} is of a model or an NPU that has no name here",
            hint="estimate it again from its files: `whycycles run MODEL --board NPU.toml`",
        )
    npu = load_npu(record.npu)
    sets = tuple((key, getattr(record, key)) for key in SETTABLE if getattr(record, key) != getattr(npu, key))
    host = record.host.board if record.host is not None and npu.host_board != record.host.board else None
    return NpuSettings(record.model, record.npu, sets, host)
