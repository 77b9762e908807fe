"""Which figures of a board an access waits for: behind a cache those of a miss, without one those of every access.

A machine must not be faster without its cache only because nobody gave a figure. Where a RAM that is described as one behind a cache
(it names ``line_fill_cycles``) leaves out what an access waits without one, figures of the cached access stand in: a read waits as
long as a missed line does, which delivers the word that is needed first; a write as a missed and driven-out line; a word of code as
a missed line, which is the most it can be.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.flash import Cache, FlashInterface

_NONE: tuple[str, ...] = ()
_LINE = ("line_fill_cycles",)
_WRITTEN_LINE = ("write_miss_cycles", "write_back_cycles")


@dataclass(frozen=True)
class Front:
    """The caches in front of a memory, for fetches and for data; None: there is none."""

    fetch: Cache | None
    data: Cache | None

    @property
    def passes_writes_on(self) -> bool:
        """Does every write wait for the memory itself?"""
        return self.data is None or self.data.policy == "write_through"


@dataclass(frozen=True)
class Waits:
    """Names of figures of a RAM; those of one field add up. ``fetch``, ``read`` and ``write``: of every access; the rest of an event of a cache."""

    fetch: tuple[str, ...] = _NONE
    fetch_miss: tuple[str, ...] = _NONE
    read: tuple[str, ...] = _NONE
    read_miss: tuple[str, ...] = _NONE
    write: tuple[str, ...] = _NONE
    write_miss: tuple[str, ...] = _NONE
    write_back: tuple[str, ...] = _NONE


def front_of(memory: Memory, flash: FlashInterface) -> Front:
    """The caches in front of a memory."""
    if memory.kind is MemoryKind.FLASH:
        return Front(flash.icache, flash.data_cache)
    return Front(
        *(c if c is not None and memory.name in c.also_serves else None for c in (flash.icache, flash.data_cache))
    )


def waits_of(memory: Memory, flash: FlashInterface) -> Waits:
    """What accesses of a RAM wait for, named figures that are given only."""
    front = front_of(memory, flash)
    write_back = front.data is not None and not front.passes_writes_on
    waits = Waits(
        fetch=_NONE if front.fetch else _first_given(memory, ("fetch_wait_states",), _LINE),
        fetch_miss=_LINE if front.fetch else _NONE,
        read=_NONE if front.data else _first_given(memory, ("wait_states",), _LINE),
        read_miss=_LINE if front.data else _NONE,
        write=_write_keys(memory) if front.passes_writes_on else _NONE,
        write_miss=_WRITTEN_LINE[:1] if write_back else _NONE,
        write_back=_WRITTEN_LINE[1:] if write_back else _NONE,
    )
    given = dict(memory.figures())
    return Waits(**{name: tuple(k for k in keys if k in given) for name, keys in vars(waits).items()})


def used_figures(board: Board) -> frozenset[str]:
    """Keys of the figures that the time of a run can depend on, as the board is described."""
    flash = board.flash
    used = {"flash.width_bytes"}
    if flash.icache is None:
        used.add("flash.uncached_fetch_cycles")
    if flash.data_cache is None:
        used.add("flash.uncached_read_cycles")
    if not (
        (flash.icache is None and flash.uncached_fetch_cycles)
        and (flash.data_cache is None and flash.uncached_read_cycles)
    ):
        used.add("flash.miss_extra_cycles")
    for memory in board.memories:
        if memory.kind is not MemoryKind.FLASH:
            names = {name for keys in vars(waits_of(memory, flash)).values() for name in keys}
            used |= {f"memories.{memory.name}.{name}" for name in names}
    return frozenset(used)


def _write_keys(memory: Memory) -> tuple[str, ...]:
    return _first_given(memory, ("write_wait_states",), ("wait_states",), _WRITTEN_LINE)


def _first_given(memory: Memory, *choices: tuple[str, ...]) -> tuple[str, ...]:
    """The first of the choices of which the memory gives a figure; stand-ins only where a cache can be in front."""
    given = dict(memory.figures())
    for keys in choices:
        if any(k in given for k in keys) and (memory.kind is MemoryKind.SRAM or keys not in (_LINE, _WRITTEN_LINE)):
            return keys
    return _NONE
