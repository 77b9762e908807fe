"""The normal form of an execution, the same from every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.firmware.types import Firmware


@dataclass(frozen=True, eq=False)
class Profile:
    """Exact control flow of one inference, as counted edges between basic blocks.

    Arrays of one length: in region ``region[i]`` (layer index; ``len(layers)`` is the glue) control went from the block that
    starts at ``src[i]`` to the block that starts at ``dst[i]``, ``count[i]`` times. ``src`` is 0 for the entry. A block's
    count is the sum over edges into it. Addresses have no Thumb bit. Sorted by (region, src, dst), so equal profiles are
    equal arrays. Block ends come from the ELF, not from the emulator.
    """

    region: NDArray[np.int32]
    src: NDArray[np.uint32]
    dst: NDArray[np.uint32]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LaneProfile:
    """Bytes that vector loads and stores moved where a predicate may leave lanes out, in one inference.

    Arrays of one length: in region ``region[i]`` the instruction at ``address[i]`` moved ``moved[i]`` bytes in ``count[i]`` of its
    executions. Sorted by (region, address, moved); instructions that were not executed are left out.
    """

    region: NDArray[np.int32]
    address: NDArray[np.uint32]
    moved: NDArray[np.int8]
    count: NDArray[np.int64]


@dataclass(frozen=True)
class MemoryEvents:
    """What one region asked of one board memory in one inference.

    Accesses and bytes are the program's. ``extra_*``: further bus accesses that unaligned ones are split into. ``fetch_*`` concern
    instructions, ``read_*`` and ``write_*`` data, in lines of the cache or buffer in front of the memory (requests and misses; no lines where
    nothing is in front). A miss is ``sequential`` when the line before it was the last one asked for (what a prefetcher can hide),
    else a ``jump``. ``write_backs``: dirty lines of this memory driven out.
    """

    region: int
    memory: str
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    write_bytes: int = 0
    extra_reads: int = 0
    extra_writes: int = 0
    fetch_lines: int = 0
    fetch_misses_sequential: int = 0
    fetch_misses_jump: int = 0
    read_lines: int = 0
    read_misses_sequential: int = 0
    read_misses_jump: int = 0
    write_lines: int = 0
    write_misses: int = 0
    write_backs: int = 0

    @property
    def fetch_misses(self) -> int:
        """Lines of instructions that were not there."""
        return self.fetch_misses_sequential + self.fetch_misses_jump

    @property
    def read_misses(self) -> int:
        """Lines of data that were not there when read."""
        return self.read_misses_sequential + self.read_misses_jump


@dataclass(frozen=True)
class MemoryProfile:
    """Memory events of one inference; (region, memory) pairs without any are left out, the others are in that order."""

    events: tuple[MemoryEvents, ...]


@dataclass(frozen=True)
class Execution:
    """One firmware executed on one target.

    ``profile`` is of the warm inference (control flow is the same in the cold one: checked); ``outputs`` the raw output
    bytes for each input given; ``stack_high_water_bytes`` per region and in all. ``trace``: every block entered and every access of
    one inference, in the words of ``trace_code``; None where it was too long to keep, and where it was not read (``load_trace``). ``lanes``: of the warm
    inference, where the target can tell. ``alternatives``: the warm inference on each of the board's simulated alternatives (``catalog.alternatives``), in their
    order; empty: not simulated.
    """

    target: str
    target_version: str
    profile: Profile
    cold: MemoryProfile
    warm: MemoryProfile
    outputs: tuple[bytes, ...]
    stack_high_water_bytes: int
    stack_by_region_bytes: tuple[int, ...]
    lanes: LaneProfile | None = None
    trace: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    alternatives: tuple[MemoryProfile, ...] = ()


@dataclass(frozen=True)
class Watching:
    """The memory run begins its inference of that number, from 1: it repeats until the memory system does."""

    inference: int


@dataclass(frozen=True)
class Moved:
    """The first inference of the memory run left a region behind: bytes of data it read and wrote, the same in every inference."""

    region: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True)
class Settled:
    """The memory run is over; the fields are those of the ``Execution``."""

    cold: MemoryProfile
    warm: MemoryProfile
    stack_by_region_bytes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Counted:
    """The counting run left a region behind: all edges of that region alone."""

    region: int
    profile: Profile


Event = Watching | Moved | Settled | Counted
Follow = Callable[[Event], None]
"""Told of an execution while it runs, perhaps from another thread: every ``Moved`` before ``Settled``, every ``Counted`` after it.

A target that begins again (its table of edges was too small) tells the same again. Nothing told changes later, but the execution may fail.
"""

Relink = Callable[[Board], Firmware]
"""Links the objects of the firmware that is to run for another board's memories: for targets that have their own."""


@dataclass(frozen=True)
class RegionCounts:
    """What a target counted in one warm inference, per region: the layers in the order of execution, then the glue.

    The common coin of an agreement between targets; None where a target cannot count that. Instructions are issued ones; loads and
    stores are accesses as the decoder counts them (a pair or a multiple one is one per word). ``machine``: what ran it, where that is not
    the core the firmware was built for (QEMU and Renode run an M0+ firmware on an M3), else the core's name.
    """

    target: str
    target_version: str
    machine: str
    instructions: tuple[int, ...]
    outputs: tuple[bytes, ...]
    loads: tuple[int, ...] | None = None
    stores: tuple[int, ...] | None = None
    read_bytes: tuple[int, ...] | None = None
    write_bytes: tuple[int, ...] | None = None


class Target(Protocol):
    """Anything that can execute a firmware."""

    name: str
    version: str

    def run(self, firmware: Firmware, inputs: Sequence[bytes], follow: Follow | None = None) -> Execution:
        """Execute one inference per entry of ``inputs``; the first entry is also the one profiled, cold then warm.

        An entry holds the bytes of all model inputs, concatenated in the order of ``firmware.inputs``; outputs likewise. ``follow`` hears of it meanwhile.

        Raises ExecutionError on a fault, an unmapped access or a run-away.
        """
