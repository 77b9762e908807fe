"""Reading and writing the records of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from engine.errors import RecordError
from engine.records.host import HostRecord
from engine.records.store import listed, write_atomically


def dump_host(record: HostRecord) -> str:
    """As JSON text: fixed key order, one value per line, newline at the end."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def write_host(record: HostRecord, path: Path) -> None:
    """Write one file, at once or not at all."""
    write_atomically(path, dump_host(record).encode())


def host_problems(path: Path) -> tuple[str, ...] | None:
    """Everything that is wrong with a record of this machine; None if the file is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("kind") != "host":
        return None
    try:
        HostRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return listed(error)
    return ()


def read_host(path: Path) -> HostRecord:
    """Read and validate one file. Raises RecordError."""
    try:
        return HostRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = listed(error)[0] if isinstance(error, ValidationError) else error
        raise RecordError(
            f"{path} holds no valid record of this machine: {why}",
            hint="measure it again: `whycycles run MODEL --board host`",
        ) from None
