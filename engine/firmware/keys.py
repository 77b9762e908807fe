"""What a firmware is cached by: everything that decides its bytes, by content."""

from __future__ import annotations

import dataclasses
import hashlib
from enum import Enum
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.models.graph import Graph
from engine.paths import FIRMWARE_DIR


def firmware_key(graph: Graph, wanted: tuple[object, ...]) -> str:
    """Hex digest over the graph's content (not the hash it carries), the options, and this package's own sources."""
    return content_key(wanted, graph)


def content_key(*parts: object) -> str:
    """Hex digest over anything's content and this package's own sources."""
    digest = hashlib.sha256()
    for part in parts:
        _feed(digest, part)
    digest.update(_own_digest().encode())
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, value: object) -> None:
    """Add a value to a digest: dataclasses field by field, arrays by content."""
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        digest.update(f"({type(value).__name__}".encode())
        for field in dataclasses.fields(value):
            _feed(digest, getattr(value, field.name))
        digest.update(b")")
    elif isinstance(value, tuple | list):
        digest.update(f"[{len(value)}".encode())
        for item in value:
            _feed(digest, item)
        digest.update(b"]")
    else:
        text = str(value.value) if isinstance(value, Enum) else repr(value)
        digest.update(f"{type(value).__name__} {len(text)} {text}".encode())


@lru_cache(maxsize=1)
def _own_digest() -> str:
    """Digest of what turns a graph into an ELF: this package and the firmware's C."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for root in (package, FIRMWARE_DIR):
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".c", ".h", ".j2")):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
