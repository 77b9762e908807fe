"""How a core reaches its flash, and the caches on the way: part of a board's description."""

from __future__ import annotations

import itertools
from typing import Literal, Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen, Origin, RefusalError, check_origin

INFERRED = "inferred: "
"""How an origin in words begins where nothing that was opened gives what it is the origin of."""


class ClockStep(Frozen):
    """Flash wait states that hold up to (and including) a core clock.

    ``wait_states`` are cycles of the bus the flash is on; one of them lasts ``bus_ratio`` core cycles.
    """

    up_to_mhz: float | int = Field(gt=0)
    wait_states: int = Field(ge=0, le=64)
    bus_ratio: int = Field(default=1, ge=1, le=16)


Replacement = Literal["lru", "round_robin", "random"]
CACHE_KEYS = ("bytes", "line_bytes", "ways", "replacement")
"""What a cache can be varied in."""

_DEFAULTS: dict[str, object] = {"line_bytes": None, "ways": None, "replacement": "lru"}


class CacheAlternative(Frozen):
    """Another design that a cache without a source may have: one key of it otherwise; ``why`` it is plausible."""

    bytes: int | None = Field(default=None, gt=0, le=2**24)
    line_bytes: int | None = Field(default=None, gt=0)
    ways: int | None = Field(default=None, gt=0)
    replacement: Replacement | None = None
    why: Origin

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if sum(getattr(self, key) is not None for key in CACHE_KEYS) != 1:
            raise RefusalError(
                "an alternative changes exactly one key", f"write one of {', '.join(CACHE_KEYS)}, and 'why'"
            )
        return self

    @property
    def key(self) -> str:
        """The key it changes."""
        return next(key for key in CACHE_KEYS if getattr(self, key) is not None)

    @property
    def value(self) -> int | str:
        """What the key is then."""
        found: int | str = getattr(self, self.key)
        return found

    @property
    def text(self) -> str:
        """Which one it is, for error messages."""
        return f"alternative {self.key} = {self.value}"


class Cache(Frozen):
    """A cache: ``bytes`` in all, ``line_bytes`` per line, ``ways`` (1: direct mapped; equal to the line count: fully associative).

    Left out, ``line_bytes`` is what one read of the flash delivers, and ``ways`` are all lines. ``also_serves``: RAMs it is in front
    of, beside the flash. ``policy`` matters for RAM: a write-back cache takes a line in on a write miss and writes it out when it is
    driven out; a write-through cache passes every write on.

    ``alternatives``: what it may be instead where no source says what it is: each is tried alone. Of a cache with a source they may
    change only what the table leaves out. ``unvaried``: why a cache without a source has none.
    """

    bytes: int = Field(gt=0, le=2**24)
    line_bytes: int | None = Field(default=None, gt=0)
    ways: int | None = Field(default=None, gt=0)
    replacement: Replacement = "lru"
    policy: Literal["write_back", "write_through"] = "write_back"
    also_serves: tuple[str, ...] = ()
    source: Origin | None = None
    inferred: Origin | None = None
    alternatives: tuple[CacheAlternative, ...] = Field(default=(), exclude_if=lambda found: not found)
    unvaried: Origin | None = Field(default=None, exclude_if=lambda why: why is None)

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if self.line_bytes is not None and self.line_bytes & (self.line_bytes - 1):
            raise RefusalError("'line_bytes' must be a power of two", "write 8, 16, 32 or 64")
        if self.line_bytes is not None:
            self.check_divides(self.line_bytes)
        check_origin(self.source, self.inferred, "a cache")
        if self.unvaried is not None and self.alternatives:
            raise RefusalError("'unvaried' and 'alternatives' exclude each other", "remove one of them")
        for alternative in self.alternatives:
            if self.source is not None and getattr(self, alternative.key) != _DEFAULTS.get(alternative.key, 0):
                raise RefusalError(
                    f"an alternative changes '{alternative.key}', which has a source",
                    "remove it, or write 'inferred' where the source does not give that key",
                )
            self.at(alternative)
            if sum((a.key, a.value) == (alternative.key, alternative.value) for a in self.alternatives) > 1:
                raise RefusalError(f"the {alternative.text} stands there twice", "remove one of them")
        return self

    def at(self, alternative: CacheAlternative) -> Cache:
        """The cache with an alternative in place, without alternatives. Raises RefusalError where it does not fit."""
        changed = self.model_copy(update={alternative.key: alternative.value, "alternatives": (), "unvaried": None})
        if changed == self.model_copy(update={"alternatives": (), "unvaried": None}):
            raise RefusalError(f"the {alternative.text} is what the cache says", "remove it")
        if changed.line_bytes is not None:
            if changed.line_bytes & (changed.line_bytes - 1):
                raise RefusalError(f"the {alternative.text} is no power of two", "write 8, 16, 32 or 64")
            changed._check_alternative(alternative, changed.line_bytes)
        return changed

    def at_width(self, alternative: CacheAlternative, width_bytes: float) -> Cache:
        """The same in front of a flash that is ``width_bytes`` wide, which lines and ways that are left out follow."""
        changed = self.at(alternative)
        changed._check_alternative(alternative, changed.line_of(width_bytes))
        if changed._geometry(width_bytes) == self._geometry(width_bytes):
            raise RefusalError(
                f"the {alternative.text} is what the cache is where it is left out",
                f"remove it: the flash is {width_bytes:g} bytes wide, and left out, ways are all lines",
            )
        return changed

    def _geometry(self, width_bytes: float) -> tuple[int, int, int, Replacement]:
        return self.bytes, self.line_of(width_bytes), self.ways_of(width_bytes), self.replacement

    def _check_alternative(self, alternative: CacheAlternative, line_bytes: int) -> None:
        way = line_bytes * (self.ways or 1)
        if self.bytes % way:
            raise RefusalError(
                f"the {alternative.text} does not fit the cache: its 'bytes' ({self.bytes}) must be a multiple of line_bytes * ways",
                f"{line_bytes} * {self.ways or 1} = {way}: change the alternative",
            )

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


class FlashAlternative(Frozen):
    """Another design that a flash interface may have where no source says: a prefetcher or none, or another ladder; ``why`` it is plausible."""

    prefetch: bool | None = None
    ladder: tuple[ClockStep, ...] | None = Field(default=None, min_length=1)
    why: Origin

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.prefetch is None) == (self.ladder is None):
            raise RefusalError("an alternative changes exactly one key", "write prefetch or ladder, and 'why'")
        return self

    @property
    def key(self) -> Literal["prefetch", "ladder"]:
        """The key it changes."""
        return "ladder" if self.prefetch is None else "prefetch"


class FlashInterface(Frozen):
    """How the core reaches its flash: wait states over the clock, width of one read, prefetch, instruction and data caches.

    ``unified`` means that ``icache`` also serves constants. A board without a cache leaves it out. ``miss_extra_cycles`` are
    core cycles that a miss (or a read, where there is no cache) costs beyond the wait states: bus crossing, moving a line.
    Where a bus lies between core and flash, which caches hide: ``uncached_read_cycles`` of every read, and
    ``uncached_fetch_cycles`` of every word of code, that no cache is in front of; they then stand in for ``miss_extra_cycles``.
    ``ladder_source`` and ``prefetch_source`` start with "inferred: " where nothing that was opened gives them;
    then ``alternatives`` say what they may be instead, or ``prefetch_unvaried`` and ``ladder_unvaried`` why that is not tried.
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
    alternatives: tuple[FlashAlternative, ...] = Field(default=(), exclude_if=lambda found: not found)
    prefetch_unvaried: Origin | None = Field(default=None, exclude_if=lambda why: why is None)
    ladder_unvaried: Origin | None = Field(default=None, exclude_if=lambda why: why is None)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        self._check_ladder()
        return self

    def _check_ladder(self) -> None:
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
                for alternative in cache.alternatives:
                    cache.at_width(alternative, self.width_bytes.value)
        return self

    @model_validator(mode="after")
    def _alternatives(self) -> Self:
        for key, origin, unvaried in (
            ("prefetch", self.prefetch_source, self.prefetch_unvaried),
            ("ladder", self.ladder_source, self.ladder_unvaried),
        ):
            found = [a for a in self.alternatives if a.key == key]
            if found and not origin.startswith(INFERRED):
                raise RefusalError(f"an alternative changes '{key}', which has a source", "remove it")
            if found and unvaried is not None:
                raise RefusalError(f"'{key}_unvaried' and an alternative exclude each other", "remove one of them")
            for alternative in found:
                self.at(alternative)
                if sum(getattr(a, key) == getattr(alternative, key) for a in found) > 1:
                    raise RefusalError(f"an alternative '{key}' stands there twice", "remove one of them")
        return self

    def at(self, alternative: FlashAlternative) -> FlashInterface:
        """The interface with an alternative in place, without alternatives. Raises RefusalError where it does not fit."""
        key = alternative.key
        if getattr(alternative, key) == getattr(self, key):
            raise RefusalError(f"the alternative '{key}' is what the interface says", "remove it")
        changed = self.model_copy(update={key: getattr(alternative, key), "alternatives": ()})
        if changed.ladder[-1].up_to_mhz != self.ladder[-1].up_to_mhz:
            raise RefusalError("an alternative ladder must end at the same clock", f"{self.ladder[-1].up_to_mhz} MHz")
        changed._check_ladder()
        return changed

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
