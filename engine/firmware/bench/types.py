"""What a benchmark firmware consists of: benchmarks, their buffers, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WORD_BYTES = 4
STEP = 0x9E3779B1
"""Word i of a buffer holds base + i * STEP (WC_BENCH_STEP of firmware/bench/wc_bench.h)."""


class Work(StrEnum):
    """What a benchmark does at most speed."""

    MAC = "mac"
    READ = "read"
    COPY = "copy"


@dataclass(frozen=True)
class Pattern:
    """How a memory benchmark walks its bytes (firmware/bench/wc_bench_memory.h).

    A block is ``turns`` times ``loads`` accesses of ``access_bytes``, which cycle through ``span_bytes``; a pass is ``blocks`` blocks,
    each ``step_bytes`` behind the one before (0: the same bytes again). ``sampled_word``: the word of a block that goes into the sum.
    """

    access_bytes: int
    turns: int
    loads: int
    blocks: int
    step_bytes: int
    sampled_word: int

    @property
    def span_bytes(self) -> int:
        """Bytes that one block touches."""
        return self.loads * self.access_bytes

    @property
    def pass_bytes(self) -> int:
        """Bytes that one pass reads (and writes as well, if it copies)."""
        return self.blocks * self.turns * self.span_bytes

    @property
    def touched_bytes(self) -> int:
        """Bytes of the buffer that a pass reads."""
        return self.span_bytes + (self.blocks - 1) * self.step_bytes


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: one layer of the firmware.

    ``name``: "mac-smlad", "read-flash-ldr-512". ``instructions``: what the work is done with ("SMLAD", "LDR"). ``memory`` is read,
    ``target`` written; both empty for MACs, ``target`` for reads. ``working_set_bytes`` in both together. ``resident``: a data cache
    of the board holds it (None: no cache that could be in front of the memory). ``macs`` and ``bytes`` (read and written) of all
    ``passes``.
    """

    name: str
    work: Work
    instructions: str
    function: str
    passes: int
    memory: str = ""
    target: str = ""
    working_set_bytes: int = 0
    resident: bool | None = None
    macs: int = 0
    pattern: Pattern | None = None

    @property
    def bytes(self) -> int:
        """Bytes read and written by all passes."""
        if self.pattern is None:
            return 0
        return self.pattern.pass_bytes * self.passes * (2 if self.work is Work.COPY else 1)


@dataclass(frozen=True)
class Skipped:
    """A benchmark that this board cannot run, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Buffer:
    """Bytes that the benchmarks of one memory work in; ``constant``: stored in the image (flash)."""

    memory: str
    bytes: int
    constant: bool


@dataclass(frozen=True)
class Plan:
    """Everything a board is asked: benchmarks in the order of execution, the buffers they need, and what was left out."""

    benchmarks: tuple[Benchmark, ...]
    buffers: tuple[Buffer, ...]
    skipped: tuple[Skipped, ...]

    @property
    def buffer_memories(self) -> tuple[str, ...]:
        """Memories that need a section of their own."""
        return tuple(b.memory for b in self.buffers)
