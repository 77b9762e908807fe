"""Measurements kept on this machine, and committed ones."""

from __future__ import annotations

from pathlib import Path

from engine.energy.trace import PowerTrace, write_trace
from engine.errors import RecordError, UsageError
from engine.paths import cache_dir
from engine.records.cause import Evidence
from engine.records.measured import MeasuredRecord, boards_dir, read_measured, write_measured


def measured_path(record_id: str) -> Path:
    """Where a measurement made on this machine is kept."""
    return cache_dir() / "boards" / f"{record_id}.json"


def trace_path(record_id: str) -> Path:
    """Where the power trace of a measurement made on this machine is kept."""
    return cache_dir() / "boards" / f"{record_id}.npz"


def keep_measured(record: MeasuredRecord, *, update: bool = False, trace: PowerTrace | None = None) -> Path:
    """Keep a measurement and its power trace here, and with ``update`` the record among the committed ones too.

    Raises UsageError for an emulated one there.
    """
    if update and record.evidence is not Evidence.MEASURED:
        raise UsageError(
            f"{record.id} was not measured on a board ({record.label})", hint="only measurements of silicon are committed: leave out --update"
        )  # fmt: skip
    path = measured_path(record.id)
    # an earlier trace would be taken for this one's
    trace_path(record.id).unlink(missing_ok=True)
    write_measured(record, path)
    if trace is not None:
        write_trace(trace, trace_path(record.id))
    if update:
        path = boards_dir() / path.name
        write_measured(record, path)
    return path


def measured_records() -> tuple[MeasuredRecord, ...]:
    """All measurements, each once: those of this machine, where one can be read, before committed ones.

    Raises RecordError for a broken committed one.
    """
    found = {record.id: record for record in map(read_measured, sorted(boards_dir().glob("*.json")))}
    for path in sorted((cache_dir() / "boards").glob("*.json")):
        try:
            record = read_measured(path)
        except RecordError:
            continue
        found[record.id] = record
    return tuple(found.values())


def find_measured(name: str) -> MeasuredRecord | None:
    """A measurement by file or id, here or among the committed ones; None if that is none."""
    for path in (Path(name), measured_path(name), boards_dir() / f"{name}.json"):
        if path.is_file():
            try:
                return read_measured(path)
            except RecordError:
                if path != Path(name):
                    raise
    return None
