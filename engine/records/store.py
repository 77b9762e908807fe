"""Reading and writing run records: one JSON file each, written atomically, formatted for diffs."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

from pydantic import ValidationError

from engine.errors import RecordError
from engine.records.run import RunRecord

MAX_BYTES = 100_000
"""A record larger than this does not belong in a repository; bulky data is content-addressed elsewhere."""

_MOST_BYTES = 1 << 24  # what is larger is no record at all
_OTHER_SHAPE = ("missing", "extra_forbidden")  # errors that say that another kind of record is meant
_RECORD_NAME = re.compile(r"^(?:function-\w+\[.*?)?([A-Z]\w*)\]?$")
_HINT = "`whycycles record check FILE` lists everything that is wrong; or measure it again with `whycycles run`"


def dump_record(record: RunRecord) -> str:
    """The record as JSON text: fixed key order, one value per line, newline at the end."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def record_problems(text: str) -> tuple[str, ...]:
    """Everything that is wrong with a record's JSON text; empty if it is valid."""
    try:
        RunRecord.model_validate_json(text, strict=True)
    except ValidationError as error:
        return listed(error)
    return ()


def listed(error: ValidationError) -> tuple[str, ...]:
    """Everything that a validation refused, as lines of text."""
    found = error.errors(include_url=False, include_context=False)
    misfits: dict[tuple[int | str, ...], Counter[str]] = {}
    for e in found:
        if member := _member(e["loc"]):
            beside, name, depth = member
            misfits.setdefault(beside, Counter())[name] += e["type"] in _OTHER_SHAPE and len(e["loc"]) == depth + 2
    meant = {beside: min(names, key=lambda n: names[n]) for beside, names in misfits.items()}
    lines = []
    for e in found:
        loc, member = e["loc"], _member(e["loc"])
        if member:
            beside, name, depth = member
            if name != meant[beside]:
                continue
            loc = (*loc[:depth], *loc[depth + 1 :])
        lines.append(f"{'.'.join(map(str, loc)) or 'record'}: {e['msg'].removeprefix('Value error, ')}")
    return tuple(lines)


def _member(loc: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], str, int] | None:
    """Where a value could be one of two records, the place, the one that was tried and its depth; keys begin with small letters."""
    for depth, step in enumerate(loc):
        if isinstance(step, str) and (named := _RECORD_NAME.search(step)):
            return loc[:depth], named[1], depth
    return None


def read_record(path: Path) -> RunRecord:
    """Read and validate one record. Raises RecordError."""
    text = record_text(path)
    problems = record_problems(text)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise RecordError(f"{path} is not a valid run record: {problems[0]}{more}", hint=_HINT)
    return RunRecord.model_validate_json(text, strict=True)


def record_text(path: Path) -> str:
    """The text of a record file. Raises RecordError if it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise RecordError(f"{path} has more than {_MOST_BYTES} bytes", hint="name a record file (JSON)")
        return content.decode("utf-8")
    except FileNotFoundError:
        raise RecordError(
            f"no record at {path}", hint="name a record file, or a run id shown by `whycycles run`"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RecordError(f"{path} cannot be read: {why}", hint="name a record file (JSON)") from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes files private; a record is as public as its folder
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_record(record: RunRecord, path: Path) -> None:
    """Write one record. Raises RecordError if it is too large to be kept."""
    data = dump_record(record).encode()
    if len(data) > MAX_BYTES:
        raise RecordError(
            f"record {record.id} has {len(data)} bytes, the limit is {MAX_BYTES}",
            hint="a model of hundreds of layers is too large to be recorded",
        )
    write_atomically(path, data)


def read_records(folder: Path) -> tuple[RunRecord, ...]:
    """All records of a folder, sorted by file name; an absent folder has none. Raises RecordError."""
    return tuple(read_record(p) for p in sorted(folder.glob("*.json")))
