"""Reading and writing the records of NPUs: one JSON file each, the committed ones in ``measurements/npu/``."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.records.npu import NpuRecord
from engine.records.store import listed, write_atomically


def npu_measurements_dir() -> Path:
    """Folder of the committed records."""
    return measurements_dir() / "npu"


def dump_npu(record: NpuRecord) -> str:
    """As JSON text: fixed key order, one value per line, newline at the end."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def write_npu(record: NpuRecord, path: Path) -> None:
    """Write one file, at once or not at all."""
    write_atomically(path, dump_npu(record).encode())


def npu_problems(path: Path) -> tuple[str, ...] | None:
    """Everything that is wrong with a record of an NPU; None if the file is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("kind") != "npu":
        return None
    try:
        NpuRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return listed(error)
    return ()


def read_npu(path: Path) -> NpuRecord:
    """Read and validate one file. Raises RecordError."""
    try:
        return NpuRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = listed(error)[0] if isinstance(error, ValidationError) else error
        raise RecordError(
            f"{path} holds no valid record of an NPU: {why}",
            hint="estimate it again: `whycycles run MODEL --board NPU`",
        ) from None


def committed_npus() -> tuple[NpuRecord, ...]:
    """All committed records, by file name. Raises RecordError."""
    return tuple(read_npu(p) for p in sorted(npu_measurements_dir().glob("*.json")))


def npu_json_schema() -> dict[str, object]:
    """JSON Schema (2020-12) of a record as written to disk."""
    schema = NpuRecord.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "whycycles-npu-1", **schema}
