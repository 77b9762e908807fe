"""A board: clock ladder, memories, flash interface, placement. One TOML file each in ``boards/``."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen


class MemoryKind(StrEnum):
    """What a memory is made of, as far as timing cares."""

    FLASH = "flash"
    SRAM = "sram"
    ITCM = "itcm"
    DTCM = "dtcm"


class Memory(Frozen):
    """One memory of the board. ``origin`` is the address the core uses, ``bytes`` its size.

    ``wait_states``: core cycles that every data access to it stalls beyond the pipeline's own (RAM only; absent: none).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: MemoryKind
    origin: int = Field(ge=0, lt=2**32)
    bytes: int = Field(gt=0, le=2**30)
    source: str
    wait_states: Figure | None = None

    @model_validator(mode="after")
    def _ram_only(self) -> Self:
        if self.wait_states is not None and self.kind is MemoryKind.FLASH:
            raise ValueError("'wait_states' of a flash memory belong in [flash] ladder")
        return self

    @property
    def end(self) -> int:
        """First address behind the memory."""
        return self.origin + self.bytes


class Placement(Frozen):
    """Names of the memories that hold each part by default."""

    code: str
    weights: str
    activations: str
    stack: str


class ClockStep(Frozen):
    """Flash wait states that hold up to (and including) a core clock.

    ``wait_states`` are cycles of the bus the flash is on; one of them lasts ``bus_ratio`` core cycles.
    """

    up_to_mhz: float | int = Field(gt=0)
    wait_states: int = Field(ge=0, le=64)
    bus_ratio: int = Field(default=1, ge=1, le=16)


class Cache(Frozen):
    """A cache: ``bytes`` in all, ``line_bytes`` per line, ``ways`` (1: direct mapped; equal to the line count: fully associative)."""

    bytes: int = Field(gt=0)
    line_bytes: int = Field(gt=0)
    ways: int = Field(gt=0)
    source: str | None = None
    inferred: str | None = None

    @model_validator(mode="after")
    def _geometry(self) -> Self:
        if self.line_bytes & (self.line_bytes - 1):
            raise ValueError("'line_bytes' must be a power of two")
        if self.bytes % (self.line_bytes * self.ways):
            raise ValueError("'bytes' must be a multiple of line_bytes * ways")
        if (self.source is None) == (self.inferred is None):
            raise ValueError("a cache needs exactly one of 'source' and 'inferred'")
        return self


class FlashInterface(Frozen):
    """How the core reaches its flash: wait states over the clock, width of one read, prefetch, instruction and data caches.

    ``unified`` means that ``icache`` also serves constants. A board without a cache leaves it out. ``miss_extra_cycles`` are
    core cycles that a miss (or a read, where there is no cache) costs beyond the wait states: bus crossing, moving a line.
    ``ladder_source`` and ``prefetch_source`` start with "inferred: " where nothing that was opened gives them.
    """

    width_bytes: Figure
    ladder: tuple[ClockStep, ...] = Field(min_length=1)
    ladder_source: str
    prefetch: bool
    prefetch_source: str
    icache: Cache | None = None
    dcache: Cache | None = None
    unified: bool = False
    miss_extra_cycles: Figure | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        steps = [s.up_to_mhz for s in self.ladder]
        if any(b <= a for a, b in itertools.pairwise(steps)):
            raise ValueError("'ladder' must rise in up_to_mhz")
        if self.unified and self.icache is None:
            raise ValueError("'unified' needs an icache")
        if self.unified and self.dcache is not None:
            raise ValueError("'unified' and a dcache exclude each other")
        if self.width_bytes.value not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError("'width_bytes' must be a power of two up to 64")
        return self

    def step(self, clock_mhz: float) -> ClockStep:
        """The step of the ladder that holds at a clock; raises ValueError above the ladder."""
        for step in self.ladder:
            if clock_mhz <= step.up_to_mhz:
                return step
        raise ValueError(f"{clock_mhz:g} MHz is above the flash ladder ({self.ladder[-1].up_to_mhz:g} MHz)")

    def wait_states(self, clock_mhz: float) -> int:
        """Wait states at a clock, in flash bus cycles; raises ValueError above the ladder."""
        return self.step(clock_mhz).wait_states


class Current(Figure):
    """Supply current of the microcontroller per MHz of core clock, in µA/MHz, and the conditions it holds under.

    ``clock_mhz``: the clock it was measured at, where the source gives one. Currents of different conditions are not comparable.
    """

    conditions: str = Field(min_length=1)
    clock_mhz: float | int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.lowest <= 0:
            raise ValueError("a current must be greater than 0")
        return self


class Board(Frozen):
    """A board as the engine needs it.

    ``current_ua_per_mhz`` and ``price_usd`` (of the microcontroller alone, as its source dates it) are for energy and advice; they
    take no part in a run, nor in its hash. Absent: no source was found.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    vendor: str
    mcu: str
    core: str
    default_clock_mhz: float | int = Field(gt=0)
    max_clock_mhz: Figure
    memories: tuple[Memory, ...] = Field(min_length=1)
    placement: Placement
    flash: FlashInterface
    silicon: Literal["untested", "tested"] = "untested"
    notes: tuple[str, ...] = ()
    current_ua_per_mhz: tuple[Current, ...] = ()
    price_usd: Figure | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [m.name for m in self.memories]
        if len(set(names)) != len(names):
            raise ValueError("two memories have the same name")
        for part in ("code", "weights", "activations", "stack"):
            if getattr(self.placement, part) not in names:
                raise ValueError(
                    f"placement.{part} names '{getattr(self.placement, part)}', but the memories are {', '.join(names)}"
                )
        ordered = sorted(self.memories, key=lambda m: m.origin)
        for a, b in itertools.pairwise(ordered):
            if a.end > b.origin:
                raise ValueError(
                    f"memories '{a.name}' (up to 0x{a.end - 1:08x}) and '{b.name}' (from 0x{b.origin:08x}) overlap"
                )
        if ordered[-1].end > 2**32:
            raise ValueError(f"memory '{ordered[-1].name}' ends beyond the 32-bit address space")
        if self.default_clock_mhz > self.flash.ladder[-1].up_to_mhz:
            raise ValueError("default_clock_mhz is above the last step of flash.ladder")
        if self.default_clock_mhz > self.max_clock_mhz.highest:
            raise ValueError("default_clock_mhz is above max_clock_mhz")
        if self.price_usd is not None and self.price_usd.lowest <= 0:
            raise ValueError("price_usd must be greater than 0")
        return self

    def memory(self, name: str) -> Memory:
        """The memory of that name; raises KeyError."""
        for m in self.memories:
            if m.name == name:
                return m
        raise KeyError(name)
