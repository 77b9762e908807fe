"""How a core reaches its flash, and the caches on the way: part of a board's description."""

from __future__ import annotations

import itertools
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen, Origin, RefusalError, check_origin


class ClockStep(Frozen):
    """Flash wait states that hold up to (and including) a core clock.

    ``wait_states`` are cycles of the bus the flash is on; one of them lasts ``bus_ratio`` core cycles.
    """

    up_to_mhz: float | int = Field(gt=0)
    wait_states: int = Field(ge=0, le=64)
    bus_ratio: int = Field(default=1, ge=1, le=16)


class Cache(Frozen):
    """A cache: ``bytes`` in all, ``line_bytes`` per line, ``ways`` (1: direct mapped; equal to the line count: fully associative).

    Left out, ``line_bytes`` is what one read of the flash delivers, and ``ways`` are all lines. ``also_serves``: RAMs it is in front
    of, beside the flash. ``policy`` matters for RAM: a write-back cache takes a line in on a write miss and writes it out when it is
    driven out; a write-through cache passes every write on.
    """

    bytes: int = Field(gt=0, le=2**24)
    line_bytes: int | None = Field(default=None, gt=0)
    ways: int | None = Field(default=None, gt=0)
    replacement: Literal["lru", "round_robin", "random"] = "lru"
    policy: Literal["write_back", "write_through"] = "write_back"
    also_serves: tuple[str, ...] = ()
    source: Origin | None = None
    inferred: Origin | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self.line_bytes is not None and self.line_bytes & (self.line_bytes - 1):
            raise RefusalError("'line_bytes' must be a power of two", "write 8, 16, 32 or 64")
        if self.line_bytes is not None:
            self.check_divides(self.line_bytes)
        check_origin(self.source, self.inferred, "a cache")
        return self

    def check_divides(self, line_bytes: int) -> None:
        """Raise RefusalError unless the cache holds whole ways of such lines."""
        ways = self.ways or 1
        way = line_bytes * ways
        if self.bytes % way:
            raise RefusalError(
                "'bytes' must be a multiple of line_bytes * ways",
                f"{line_bytes} * {ways} = {way}: write {-(-self.bytes // way) * way}, or change the ways",
            )

    def line_of(self, width_bytes: float) -> int:
        """Bytes of a line in front of a flash that is ``width_bytes`` wide."""
        return int(width_bytes) if self.line_bytes is None else self.line_bytes

    def ways_of(self, width_bytes: float) -> int:
        """Lines of a set in front of a flash that is ``width_bytes`` wide."""
        return self.bytes // self.line_of(width_bytes) if self.ways is None else self.ways


class FlashInterface(Frozen):
    """How the core reaches its flash: wait states over the clock, width of one read, prefetch, instruction and data caches.

    ``unified`` means that ``icache`` also serves constants. A board without a cache leaves it out. ``miss_extra_cycles`` are
    core cycles that a miss (or a read, where there is no cache) costs beyond the wait states: bus crossing, moving a line.
    Where a bus lies between core and flash, which caches hide: ``uncached_read_cycles`` of every read, and
    ``uncached_fetch_cycles`` of every word of code, that no cache is in front of; they then stand in for ``miss_extra_cycles``.
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
    uncached_read_cycles: Figure | None = None
    uncached_fetch_cycles: Figure | None = None

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
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.unified and self.icache is None:
            raise RefusalError("'unified' needs an icache", "add [flash.icache], or remove 'unified'")
        if self.unified and self.dcache is not None:
            raise RefusalError("'unified' and a dcache exclude each other", "remove [flash.dcache], or 'unified'")
        if self.width_bytes.value not in (1, 2, 4, 8, 16, 32, 64):
            raise RefusalError("'width_bytes' must be a power of two up to 64", "write 4, 8, 16 or 32: bytes, not bits")
        for cache in (self.icache, self.dcache):
            if cache is not None:
                cache.check_divides(cache.line_of(self.width_bytes.value))
        return self

    @property
    def data_cache(self) -> Cache | None:
        """The cache that constants go through."""
        return self.icache if self.unified else self.dcache

    def step(self, clock_mhz: float) -> ClockStep:
        """The step of the ladder that holds at a clock; raises ValueError above the ladder."""
        for step in self.ladder:
            if clock_mhz <= step.up_to_mhz:
                return step
        raise ValueError(f"{clock_mhz:g} MHz is above the flash ladder ({self.ladder[-1].up_to_mhz:g} MHz)")

    def wait_states(self, clock_mhz: float) -> int:
        """Wait states at a clock, in flash bus cycles; raises ValueError above the ladder."""
        return self.step(clock_mhz).wait_states
