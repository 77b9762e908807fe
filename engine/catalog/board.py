"""A board: clock ladder, memories, flash interface, placement. One TOML file each in ``boards/``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen, Origin, RefusalError, check_origin

_ALIGNED = 8  # bytes: start-up copies words, the stack must be aligned to 8
_WRITTEN = {"activations": "they are written, so they need RAM", "stack": "it is written, so it needs RAM"}
_MOST_MHZ = 10_000  # a clock above it was written in Hz or kHz


class MemoryKind(StrEnum):
    """What a memory is made of, as far as timing cares."""

    FLASH = "flash"
    SRAM = "sram"
    ITCM = "itcm"
    DTCM = "dtcm"


class Memory(Frozen):
    """One memory of the board. ``origin`` is the address the core uses, ``bytes`` its size.

    The rest is of RAM only, in core cycles, and 0 where absent. Without a cache in front: ``wait_states`` of every data access and
    ``fetch_wait_states`` of every word of code, beyond the pipeline's own. Behind a cache (``Cache.also_serves``):
    ``line_fill_cycles`` of a read or fetch miss, ``write_miss_cycles`` of a write miss that takes a line in, ``write_back_cycles`` of a
    dirty line driven out; a write buffer may hide the latter two.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: MemoryKind
    origin: int = Field(ge=0, lt=2**32)
    bytes: int = Field(gt=0, le=2**30)
    source: Origin
    wait_states: Figure | None = None
    fetch_wait_states: Figure | None = None
    line_fill_cycles: Figure | None = None
    write_miss_cycles: Figure | None = None
    write_back_cycles: Figure | None = None

    @model_validator(mode="after")
    def _ram_only(self) -> Self:
        if self.kind is MemoryKind.FLASH:
            for key, _ in self.figures():
                raise RefusalError(
                    f"'{key}' of a flash memory belongs in [flash]: ladder, miss_extra_cycles", "remove it here"
                )
        return self

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """The timing figures that are given, with their names."""
        for key in ("wait_states", "fetch_wait_states", "line_fill_cycles", "write_miss_cycles", "write_back_cycles"):
            figure = getattr(self, key)
            if figure is not None:
                yield key, figure

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
    """A cache: ``bytes`` in all, ``line_bytes`` per line, ``ways`` (1: direct mapped; equal to the line count: fully associative).

    ``also_serves``: RAMs it is in front of, beside the flash. ``policy`` matters for RAM: a write-back cache takes a line in on a
    write miss and writes it out when it is driven out; a write-through cache passes every write on.
    """

    bytes: int = Field(gt=0, le=2**24)
    line_bytes: int = Field(gt=0)
    ways: int = Field(gt=0)
    replacement: Literal["lru", "round_robin", "random"] = "lru"
    policy: Literal["write_back", "write_through"] = "write_back"
    also_serves: tuple[str, ...] = ()
    source: Origin | None = None
    inferred: Origin | None = None

    @model_validator(mode="after")
    def _geometry(self) -> Self:
        if self.line_bytes & (self.line_bytes - 1):
            raise RefusalError("'line_bytes' must be a power of two", "write 8, 16, 32 or 64")
        way = self.line_bytes * self.ways
        if self.bytes % way:
            raise RefusalError(
                "'bytes' must be a multiple of line_bytes * ways",
                f"{self.line_bytes} * {self.ways} = {way}: write {-(-self.bytes // way) * way}, or change the ways",
            )
        check_origin(self.source, self.inferred, "a cache")
        return self


class FlashInterface(Frozen):
    """How the core reaches its flash: wait states over the clock, width of one read, prefetch, instruction and data caches.

    ``unified`` means that ``icache`` also serves constants. A board without a cache leaves it out. ``miss_extra_cycles`` are
    core cycles that a miss (or a read, where there is no cache) costs beyond the wait states: bus crossing, moving a line.
    ``ladder_source`` and ``prefetch_source`` start with "inferred: " where nothing that was opened gives them.
    """

    width_bytes: Figure
    ladder: tuple[ClockStep, ...] = Field(min_length=1)
    ladder_source: Origin
    prefetch: bool
    prefetch_source: Origin
    icache: Cache | None = None
    dcache: Cache | None = None
    unified: bool = False
    miss_extra_cycles: Figure | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for a, b in itertools.pairwise(self.ladder):
            if b.up_to_mhz <= a.up_to_mhz:
                raise RefusalError(
                    "'ladder' must rise in up_to_mhz",
                    f"order its steps by clock: {a.up_to_mhz} MHz stands before {b.up_to_mhz} MHz",
                )
            # only a slower bus, which makes each wait longer, lets their number fall
            if b.bus_ratio <= a.bus_ratio and b.wait_states * b.bus_ratio < a.wait_states * a.bus_ratio:
                raise RefusalError(
                    f"'ladder' falls: fewer wait states up to {b.up_to_mhz} MHz ({b.wait_states}) than up to "
                    f"{a.up_to_mhz} MHz ({a.wait_states})",
                    "a faster clock waits at least as long: check both steps",
                )
        if self.unified and self.icache is None:
            raise RefusalError("'unified' needs an icache", "add [flash.icache], or remove 'unified'")
        if self.unified and self.dcache is not None:
            raise RefusalError("'unified' and a dcache exclude each other", "remove [flash.dcache], or 'unified'")
        if self.width_bytes.value not in (1, 2, 4, 8, 16, 32, 64):
            raise RefusalError("'width_bytes' must be a power of two up to 64", "write 4, 8, 16 or 32: bytes, not bits")
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

    ``clock_mhz``: the clock it was measured at, where the source gives one; a current without one is a data sheet's headline.
    ``voltage_v``: the supply. ``code`` and ``caches``: the memory that code ran from, and whether caches were on. Currents of
    different conditions are not comparable; of those that fit a run, the first counts.
    """

    conditions: str = Field(min_length=1)
    clock_mhz: float | int | None = Field(default=None, gt=0)
    voltage_v: float | int | None = Field(default=None, gt=0, le=60)
    code: MemoryKind | None = Field(default=None, strict=False)
    caches: bool | None = None

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.lowest <= 0:
            raise RefusalError("a current must be greater than 0", "write µA per MHz")
        return self


class SleepCurrent(Figure):
    """Supply current of the microcontroller in µA while nothing runs. ``keeps_ram``: whether RAM survives, or waking is a reset."""

    mode: str = Field(min_length=1)
    keeps_ram: bool

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.lowest <= 0:
            raise RefusalError("a current must be greater than 0", "write µA")
        return self


class Board(Frozen):
    """A board as the engine needs it.

    ``current_ua_per_mhz``, ``sleep_current_ua`` and ``price_usd`` (of the microcontroller alone, as its source dates it) are for energy and advice; they
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
    sleep_current_ua: tuple[SleepCurrent, ...] = ()
    price_usd: Figure | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_memories(self.memories)
        problem = placement_problem(self.placement, self.memories)
        if problem is not None:
            raise problem
        last = self.flash.ladder[-1].up_to_mhz
        for name, mhz in (
            ("default_clock_mhz", self.default_clock_mhz),
            ("max_clock_mhz", self.max_clock_mhz.value),
            ("flash.ladder's last up_to_mhz", last),
        ):
            if mhz > _MOST_MHZ:
                shown = mhz / (1_000_000 if mhz >= 1_000_000 else 1000)
                raise RefusalError(f"{name} is {mhz} MHz", f"clocks are in MHz: write {shown:g}")
        if self.default_clock_mhz > last:
            raise RefusalError(
                "default_clock_mhz is above the last step of flash.ladder",
                f"{self.default_clock_mhz} against {last} MHz: clocks are in MHz; lower it, or add a step to the ladder",
            )
        if self.default_clock_mhz > self.max_clock_mhz.highest:
            raise RefusalError(
                "default_clock_mhz is above max_clock_mhz",
                f"{self.default_clock_mhz} against {self.max_clock_mhz.highest} MHz: lower it",
            )
        if self.max_clock_mhz.value > last:
            raise RefusalError(
                "max_clock_mhz is above the last step of flash.ladder",
                f"add a step with up_to_mhz = {self.max_clock_mhz.value} and its wait states",
            )
        _check_cached(self.flash, self.memories)
        if self.price_usd is not None and self.price_usd.lowest <= 0:
            raise RefusalError("price_usd must be greater than 0", "remove it where the price is not known")
        return self

    def memory(self, name: str) -> Memory:
        """The memory of that name; raises KeyError."""
        for m in self.memories:
            if m.name == name:
                return m
        raise KeyError(name)


def placement_problem(placement: Placement, memories: tuple[Memory, ...]) -> RefusalError | None:
    """Why parts cannot lie where a placement puts them, or None: the memory must exist, and what is written must be RAM."""
    names = ", ".join(m.name for m in memories)
    ram = ", ".join(m.name for m in memories if m.kind is not MemoryKind.FLASH)
    kinds = {m.name: m.kind for m in memories}
    for part in Placement.model_fields:
        name = getattr(placement, part)
        if name not in kinds:
            return RefusalError(
                f"placement.{part} names '{name}', but the memories are {names}", f"write one of {names}"
            )
        if part in _WRITTEN and kinds[name] is MemoryKind.FLASH:
            return RefusalError(
                f"placement.{part} names '{name}', which is flash: {_WRITTEN[part]}",
                f"place {part} in one of {ram}" if ram else "describe a RAM in [[memories]]",
            )
    return None


def _check_cached(flash: FlashInterface, memories: tuple[Memory, ...]) -> None:
    ram = {m.name: m for m in memories if m.kind is not MemoryKind.FLASH}
    for key, cache in (("icache", flash.icache), ("dcache", flash.dcache)):
        for name in cache.also_serves if cache is not None else ():
            if name not in ram:
                raise RefusalError(
                    f"flash.{key}.also_serves names '{name}', which is no RAM of this board",
                    f"one of {', '.join(ram)}" if ram else "remove it",
                )
            if ram[name].line_fill_cycles is None:
                raise RefusalError(
                    f"memory '{name}' is behind flash.{key}, so it needs 'line_fill_cycles'",
                    "add the core cycles that a missed line stalls, with source, or inferred with low and high",
                )


def _check_memories(memories: tuple[Memory, ...]) -> None:
    names = [m.name for m in memories]
    for name in names:
        if names.count(name) > 1:
            raise RefusalError(f"two memories have the same name '{name}'", "give one of them another name")
    for m in memories:
        for key, value in (("origin", m.origin), ("bytes", m.bytes)):
            if value % _ALIGNED:
                raise RefusalError(
                    f"memory '{m.name}': {key} 0x{value:x} must be a multiple of {_ALIGNED}",
                    f"write 0x{value - value % _ALIGNED:x}, or look the number up again",
                )
    ordered = sorted(memories, key=lambda m: m.origin)
    for a, b in itertools.pairwise(ordered):
        if a.end > b.origin:
            room = b.origin - a.origin
            raise RefusalError(
                f"memories '{a.name}' (up to 0x{a.end - 1:08x}) and '{b.name}' (from 0x{b.origin:08x}) overlap",
                f"from origin to origin there are 0x{room:x} bytes: make '{a.name}' that small, or move one of them"
                if room
                else "both have the same origin: move one of them, or remove it",
            )
    if ordered[-1].end > 2**32:
        last = ordered[-1]
        raise RefusalError(
            f"memory '{last.name}' ends beyond the 32-bit address space", f"at most 0x{2**32 - last.origin:x} bytes fit"
        )
