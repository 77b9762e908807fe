"""A board: clock ladder, memories, flash interface, placement. One TOML file each in ``boards/``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen, Origin, RefusalError
from engine.catalog.flash import FlashInterface

_ALIGNED = 8  # bytes: start-up copies words, the stack must be aligned to 8
_WRITTEN = {"activations": "they are written, so they need RAM", "stack": "it is written, so it needs RAM"}
_LEAST_CURRENT, _MOST_CURRENT = 0.001, 10_000_000  # 1 nA and 10 A: beyond them a current was written in another unit
_MOST_MHZ = 10_000  # a clock above it was written in Hz or kHz


class MemoryKind(StrEnum):
    """What a memory is made of, as far as timing cares."""

    FLASH = "flash"
    SRAM = "sram"
    ITCM = "itcm"
    DTCM = "dtcm"


class Memory(Frozen):
    """One memory of the board. ``origin`` is the address the core uses, ``bytes`` its size.

    The rest is of RAM only, in core cycles beyond the pipeline's own. Without a cache in front: ``wait_states`` of every data access
    (of reads alone where ``write_wait_states`` is given), ``fetch_wait_states`` of every word of code; a write-through cache passes
    writes on, so they wait too. Behind a cache (``Cache.also_serves``): ``line_fill_cycles`` of a read or fetch miss,
    ``write_miss_cycles`` of a write miss that takes a line in, ``write_back_cycles`` of a dirty line driven out; a write buffer may
    hide the latter two. What is left out: see ``access_waits``.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: MemoryKind
    origin: int = Field(ge=0, lt=2**32)
    bytes: int = Field(gt=0, le=2**30)
    source: Origin
    wait_states: Figure | None = None
    write_wait_states: Figure | None = None
    fetch_wait_states: Figure | None = None
    line_fill_cycles: Figure | None = None
    write_miss_cycles: Figure | None = None
    write_back_cycles: Figure | None = None

    @model_validator(mode="after")
    def _ram_only(self) -> Self:
        for key, _ in self.figures():
            if key in self.closed_keys():
                raise RefusalError(
                    f"'{key}' of a flash memory belongs in [flash]: ladder, miss_extra_cycles", "remove it here"
                )
        return self

    def closed_keys(self) -> frozenset[str]:
        """Keys that a memory of this kind does not have."""
        if self.kind is not MemoryKind.FLASH:
            return frozenset()
        return frozenset(key for key, field in type(self).model_fields.items() if field.annotation == Figure | None)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """The timing figures that are given, with their names."""
        for key in type(self).model_fields:
            figure = getattr(self, key)
            if isinstance(figure, Figure):
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


def _check_current(current: Figure, unit: str) -> None:
    if current.lowest <= 0:
        raise RefusalError("a current must be greater than 0", f"write {unit}")
    if current.lowest < _LEAST_CURRENT or current.highest > _MOST_CURRENT:
        raise RefusalError(
            f"a current must lie between {_LEAST_CURRENT:g} and {_MOST_CURRENT:,.0f} {unit}", f"write {unit}"
        )


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
    def _plausible(self) -> Self:
        _check_current(self, "µA per MHz")
        return self


class SleepCurrent(Figure):
    """Supply current of the microcontroller in µA while nothing runs. ``keeps_ram``: whether RAM survives, or waking is a reset."""

    mode: str = Field(min_length=1)
    keeps_ram: bool

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        _check_current(self, "µA")
        return self


class Flashing(Frozen):
    """What the tools that write a firmware call this board: a target of pyOCD, a chip of probe-rs, a configuration of OpenOCD."""

    pyocd: str | None = None
    probe_rs: str | None = None
    openocd: str | None = None
    source: Origin


class Board(Frozen):
    """A board as the engine needs it.

    ``current_ua_per_mhz``, ``sleep_current_ua`` and ``price_usd`` (of the microcontroller alone, as its source dates it) are for energy
    and advice, ``port`` (a folder of ``firmware/ports``) and ``flashing`` for the board itself; they take no part in a simulated run, nor
    in the hash. Absent: no source was found, or there is no port.
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
    port: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    flashing: Flashing | None = None
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
