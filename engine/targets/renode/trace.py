"""Renode's binary execution traces: one entry per executed instruction, in order.

An instruction that an IT block skips is listed like any other, so entries are issued instructions.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError

_MAGIC, _VERSION = b"ReTrace", 4
_GZIP = b"\x1f\x8b"
_HEADER = 10
_ACCESS_BYTES = 25  # kind, virtual address, value, physical address
_NO_MORE, _MEMORY_ACCESS = 0, 1
_PC_ENTRY = np.dtype([("pc", "<u4"), ("end", "u1")])


class AccessKind(IntEnum):
    """What a memory access of a trace was."""

    IO_READ = 0
    IO_WRITE = 1
    READ = 2
    WRITE = 3


@dataclass(frozen=True)
class Access:
    """One memory access; the trace does not say how many bytes."""

    kind: AccessKind
    address: int
    value: int


@dataclass(frozen=True)
class Entry:
    """One executed instruction; ``pc`` or ``opcode`` is None where the trace has none. ``opcode`` is a number of 2 or 4 bytes."""

    pc: int | None
    opcode: int | None
    opcode_bytes: int
    accesses: tuple[Access, ...]


class Trace:
    """A trace file, gzipped or not."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises BadInputError if it is no trace of a Cortex-M in the version known."""
        self.path = path
        try:
            data = path.read_bytes()
            self._data = gzip.decompress(data) if data.startswith(_GZIP) else data
        except (OSError, EOFError, zlib.error) as error:
            raise BadInputError(f"{path} cannot be read: {error}", hint="record the trace again") from error
        head = self._data
        if len(head) < _HEADER or head[:7] != _MAGIC or head[7] != _VERSION:
            raise BadInputError(
                f"{path} is no execution trace of version {_VERSION}", hint="record it with a supported Renode"
            )
        self._pc_bytes, self._opcodes, self._start = head[8], bool(head[9]), _HEADER
        if self._opcodes:
            if len(head) < _HEADER + 2 or head[10]:
                raise self._broken(_HEADER, "several instruction sets, which no Cortex-M has")
            self._start = _HEADER + 2 + head[11]
        if self._pc_bytes not in (0, 4) or not (self._pc_bytes or self._opcodes):
            raise self._broken(8, f"{self._pc_bytes} bytes per PC")

    def pcs(self) -> NDArray[np.uint32]:
        """The PC of every entry. Raises BadInputError for a trace without PCs, or one that ends inside an entry."""
        if not self._pc_bytes:
            raise BadInputError(f"{self.path} has no PCs", hint="record it in the format PC")
        body = memoryview(self._data)[self._start :]
        if not self._opcodes and len(body) % _PC_ENTRY.itemsize == 0:
            entries = np.frombuffer(body, _PC_ENTRY)
            if not entries["end"].any():
                return np.ascontiguousarray(entries["pc"])
        return np.array([e.pc for e in self.entries()], np.uint32)

    def entries(self) -> Iterator[Entry]:
        """Every entry. Raises BadInputError where one is broken, or the file ends inside it (the run was killed)."""
        data, at, end = self._data, self._start, len(self._data)
        while at < end:
            pc = opcode = None
            size = 0
            try:
                if self._pc_bytes:
                    pc = int.from_bytes(data[at : at + 4], "little")
                    at += 4
                if self._opcodes:
                    size = data[at]
                    opcode = int.from_bytes(data[at + 1 : at + 1 + size], "little")
                    at += 1 + size
                accesses: list[Access] = []
                while data[at] != _NO_MORE:
                    accesses.append(self._access(data, at))
                    at += 1 + _ACCESS_BYTES
                at += 1
            except IndexError:
                raise self._broken(end, "end of file inside an entry") from None
            yield Entry(pc, opcode, size, tuple(accesses))

    def _access(self, data: bytes, at: int) -> Access:
        if data[at] != _MEMORY_ACCESS:
            raise self._broken(at, f"additional data of type {data[at]}")
        kind = data[at + 1]
        if kind > AccessKind.WRITE:
            raise self._broken(at, f"a memory access of kind {kind}")
        address, value = (int.from_bytes(data[i : i + 8], "little") for i in (at + 2, at + 10))
        return Access(AccessKind(kind), address, value)

    def _broken(self, at: int, what: str) -> BadInputError:
        return BadInputError(
            f"{self.path} is broken at byte {at}: {what}", hint="record it again and let the run end by itself"
        )
