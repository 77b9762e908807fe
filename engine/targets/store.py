"""Bulky results of an execution, content-addressed under ``cache_dir()/profiles/<key>.npz``; the caller makes the key."""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ToolError, UsageError
from engine.paths import cache_dir
from engine.targets.types import Execution, LaneProfile, MemoryEvents, MemoryProfile, Profile

_FORMAT = 5
_COLUMNS = len(fields(MemoryEvents)) - 1
_KEY = re.compile(r"^[0-9a-f]{16,64}$")


def profile_path(key: str) -> Path:
    """Where the execution of that key lies; raises UsageError for a key that is no lower-case hash."""
    if not _KEY.match(key):
        raise UsageError(f"'{key}' is not a profile key", hint="give a hexadecimal hash")
    return cache_dir() / "profiles" / f"{key}.npz"


def save_execution(key: str, execution: Execution) -> Path:
    """Store an execution; an interrupted write leaves nothing behind. Raises ToolError if the folder cannot be written."""
    path = profile_path(key)
    profile = execution.profile
    arrays: dict[str, np.typing.NDArray[np.generic]] = {
        "format": np.array(_FORMAT),
        "target": np.array([execution.target, execution.target_version]),
        "region": profile.region,
        "src": profile.src,
        "dst": profile.dst,
        "count": profile.count,
        "output_bytes": np.frombuffer(b"".join(execution.outputs), np.uint8),
        "output_sizes": np.array([len(o) for o in execution.outputs], np.int64),
        "stack": np.array([execution.stack_high_water_bytes, *execution.stack_by_region_bytes], np.int64),
    }
    if (lanes := execution.lanes) is not None:
        arrays |= {f"lanes_{f.name}": getattr(lanes, f.name) for f in fields(LaneProfile)}
    arrays["alternatives"] = np.array(len(execution.alternatives))
    others = ((f"alternative_{n}", memory) for n, memory in enumerate(execution.alternatives))
    for name, memory in (("cold", execution.cold), ("warm", execution.warm), *others):
        arrays[f"{name}_events"] = np.array([_numbers(e) for e in memory.events], np.int64).reshape(-1, _COLUMNS)
        arrays[f"{name}_memories"] = np.array([e.memory for e in memory.events], np.str_)
    if execution.trace is not None:
        arrays["trace"] = execution.trace
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)
        os.replace(stream.name, path)  # noqa: PTH105 - one step, over an older file
    except OSError as error:
        raise ToolError(
            f"cannot write {path}: {error.strerror or error}", hint="free some space, or set WHYCYCLES_CACHE"
        ) from error
    return path


def load_execution(key: str) -> Execution | None:
    """The stored execution, or None if there is none or it cannot be read (it is then simply made again)."""
    path = profile_path(key)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if int(stored["format"]) != _FORMAT:
                return None
            target, version = (str(v) for v in stored["target"])
            ends = np.cumsum(stored["output_sizes"]).tolist()
            data = stored["output_bytes"].tobytes()
            stack = [int(v) for v in stored["stack"]]
            return Execution(
                target=target,
                target_version=version,
                profile=Profile(stored["region"], stored["src"], stored["dst"], stored["count"]),
                cold=_memory(stored, "cold"),
                warm=_memory(stored, "warm"),
                outputs=tuple(data[a:b] for a, b in zip([0, *ends], ends, strict=False)),
                stack_high_water_bytes=stack[0],
                stack_by_region_bytes=tuple(stack[1:]),
                alternatives=tuple(_memory(stored, f"alternative_{n}") for n in range(int(stored["alternatives"]))),
                lanes=_lanes(stored),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def load_trace(key: str) -> NDArray[np.int64] | None:
    """The trace of the stored execution, or None if there is none."""
    try:
        with profile_path(key).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return np.asarray(stored["trace"], np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _numbers(events: MemoryEvents) -> list[int]:
    return [getattr(events, f.name) for f in fields(MemoryEvents) if f.name != "memory"]


def _lanes(stored: np.lib.npyio.NpzFile) -> LaneProfile | None:
    if "lanes_region" not in stored:
        return None
    return LaneProfile(*(stored[f"lanes_{f.name}"] for f in fields(LaneProfile)))


def _memory(stored: np.lib.npyio.NpzFile, name: str) -> MemoryProfile:
    rows, memories = stored[f"{name}_events"].tolist(), stored[f"{name}_memories"].tolist()
    return MemoryProfile(
        tuple(MemoryEvents(row[0], memory, *row[1:]) for row, memory in zip(rows, memories, strict=True))
    )
