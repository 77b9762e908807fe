"""Stalls of the memory system: simulated misses and accesses times what each costs on the board at a clock.

Flash. A miss costs the wait states in core cycles, once per flash word of the line, plus the board's ``miss_extra_cycles``. Behind a
jump, fetches pay it in full. With a prefetcher a sequential miss pays what the core does not hide: the next line is requested when
the one before it is first used, so the time the core spends on a line (the region's pipeline cycles over the bytes it fetches) comes
off; the interval is from all hidden to nothing hidden. Constants have no prefetch. Where a bus lies between, every read or word of
code without a cache in front costs ``uncached_read_cycles`` or ``uncached_fetch_cycles``, and a miss of the flash's own buffer the
wait states alone on top.

RAM. What its accesses, misses and dirty lines wait for is in ``catalog.access_waits``. What hits costs nothing here.

Of the core: each further access that an unaligned one is split into, and reads of constants that displace fetches from a bus that
carries both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.catalog.access_waits import front_of, waits_of
from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.figure import Figure
from engine.catalog.flash import Cache, FlashInterface
from engine.targets.memory_system import counted_bytes
from engine.targets.types import MemoryProfile
from engine.timing.table import CYCLE, CoreTicks, End, at_end, ticks

_OPPOSITE = {End.VALUE: End.VALUE, End.LOW: End.HIGH, End.HIGH: End.LOW}
_CODE_REGION_END = 0x20000000

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counted:
    """Bytes of what events count as a line: of fetches, of refills of the cache or buffer behind them, of reads; shape (memories,)."""

    fetch: Numbers
    refill: Numbers
    read: Numbers


@dataclass(frozen=True, eq=False)
class EventTable:
    """A memory profile as arrays of shape (regions, memories), named as in ``MemoryEvents``; memories in the board's order.

    ``fetch_waits``: fetched lines that pay what every fetch pays. ``counted``: by the board that was executed on.
    """

    reads: Numbers
    writes: Numbers
    extra_reads: Numbers
    extra_writes: Numbers
    fetch_lines: Numbers
    fetch_waits: Numbers
    fetch_misses_sequential: Numbers
    fetch_misses_jump: Numbers
    read_misses: Numbers
    write_misses: Numbers
    write_backs: Numbers
    counted: Counted


def event_table(memory: MemoryProfile, board: Board, regions: int) -> EventTable:
    """Arrange the events; every memory named must be one of the board's (KeyError)."""
    column = {m.name: n for n, m in enumerate(board.memories)}
    shape = (regions, len(column))
    fields = {name: np.zeros(shape, np.int64) for name in EventTable.__dataclass_fields__ if name != "counted"}
    for events in memory.events:
        at = events.region, column[events.memory]
        for name, array in fields.items():
            array[at] += getattr(events, "fetch_lines" if name == "fetch_waits" else name)
    return EventTable(**fields, counted=counted(board))


def counted(board: Board) -> Counted:
    """What events of a run on this board count."""
    rows = []
    for memory in board.memories:
        fetch, read = counted_bytes(memory, board.flash)
        of_flash = memory.kind is MemoryKind.FLASH and front_of(memory, board.flash).fetch is None
        rows.append((fetch, int(board.flash.width_bytes.value) if of_flash else fetch, read))
    return Counted(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


@dataclass(frozen=True, eq=False)
class MemoryCost:
    """Ticks of one event at one memory; arrays of shape (memories,). ``prefetch``: does a sequential fetch miss hide?

    ``read``/``write``: every access; ``fetch_line``: every line of code. ``shares_bus``: reads displace fetches.
    """

    prefetch: NDArray[np.bool_]
    fetch_line: Numbers
    fetch_miss: Numbers
    read: Numbers
    read_miss: Numbers
    write: Numbers
    write_miss: Numbers
    write_back: Numbers
    shares_bus: NDArray[np.bool_]


def memory_cost(board: Board, clock_mhz: float, end: End, lines: Counted | None = None) -> MemoryCost:
    """What events cost on a board at a clock, where they count the ``lines`` of another (None: of this one).

    Raises ValueError above the board's flash ladder.
    """
    lines = lines or counted(board)
    rows = [
        _flash_cost(memory, board, clock_mhz, end, int(lines.refill[n]), int(lines.read[n]))
        if memory.kind is MemoryKind.FLASH
        else _ram_cost(memory, board.flash, end)
        for n, memory in enumerate(board.memories)
    ]
    return MemoryCost(*(np.array(column) for column in zip(*rows, strict=True)))


def _ram_cost(memory: Memory, flash: FlashInterface, end: End) -> tuple[int | bool, ...]:
    """One RAM's costs, in the order of ``MemoryCost``."""
    given = dict(memory.figures())
    cost = {what: sum(_ticks(given[key], end) for key in keys) for what, keys in vars(waits_of(memory, flash)).items()}
    return (
        False, cost["fetch"], cost["fetch_miss"], cost["read"], cost["read_miss"], cost["write"], cost["write_miss"],
        cost["write_back"], memory.origin < _CODE_REGION_END,
    )  # fmt: skip


def _flash_cost(
    memory: Memory, board: Board, clock_mhz: float, end: End, refill: int, read_line: int
) -> tuple[int | bool, ...]:
    """One flash's costs, in the order of ``MemoryCost``; ``refill`` and ``read_line``: bytes that one counted miss brings."""
    flash = board.flash
    front = front_of(memory, flash)
    every = [
        None if cache is not None else figure
        for cache, figure in ((front.fetch, flash.uncached_fetch_cycles), (front.data, flash.uncached_read_cycles))
    ]
    fetch_miss, read_miss = (
        _miss(board, clock_mhz, end, line, cache) + (_ticks(flash.miss_extra_cycles, end) if wait is None else 0)
        for line, cache, wait in ((refill, front.fetch, every[0]), (read_line, front.data, every[1]))
    )
    fetch, read = (_ticks(figure, end) for figure in every)
    return flash.prefetch, fetch, fetch_miss, read, read_miss, 0, 0, 0, memory.origin < _CODE_REGION_END


def _miss(board: Board, clock_mhz: float, end: End, line_bytes: int, cache: Cache | None) -> int:
    """Wait states of the reads that bring a line; a wider flash costs less."""
    width = at_end(board.flash.width_bytes, _OPPOSITE[end])
    step = board.flash.step(clock_mhz)
    stall = step.wait_states * step.bus_ratio * CYCLE
    reads = max(1, -int(-line_bytes // width))
    if width > line_bytes and (cache is None or cache.line_bytes is None):
        # lines are reads of the flash: where those are wider than when misses were counted, at best this share of them remains
        return int(stall * line_bytes // width)
    return stall * reads + (reads - 1) * step.bus_ratio * CYCLE


def _ticks(figure: Figure | None, end: End) -> int:
    return 0 if figure is None else ticks(at_end(figure, end))


@dataclass(frozen=True, eq=False)
class StallTicks:
    """Stall ticks by region and memory, shape (regions, memories): instruction fetch, data read, data write."""

    fetch: Numbers
    read: Numbers
    write: Numbers


def stall_ticks(events: EventTable, pipeline: Numbers, cost: MemoryCost, table: CoreTicks, end: End) -> StallTicks:
    """Stalls of every region; ``pipeline`` holds the ticks that each region spends in the pipeline, shape (regions,)."""
    fetched = (events.fetch_lines * events.counted.fetch).sum(axis=1)
    per_refill = pipeline[:, None] * events.counted.refill // np.maximum(fetched, 1)[:, None]
    hidden = np.minimum(cost.fetch_miss[None, :], per_refill)
    if end is End.HIGH:
        hidden = np.zeros_like(hidden)
    elif end is End.LOW:
        hidden = np.broadcast_to(cost.fetch_miss, hidden.shape)
    sequential = np.where(cost.prefetch[None, :], cost.fetch_miss - hidden, cost.fetch_miss)
    fetch = (
        events.fetch_misses_jump * cost.fetch_miss
        + events.fetch_misses_sequential * sequential
        + events.fetch_waits * cost.fetch_line
    )
    code_on_bus = (events.fetch_lines * cost.shares_bus).sum(axis=1, keepdims=True) > 0
    displaced = events.reads * (code_on_bus & cost.shares_bus)
    read = (
        events.reads * cost.read
        + events.read_misses * cost.read_miss
        + events.extra_reads * table.load_store_unaligned_extra
        + displaced * table.load_store_code_bus_conflict
    )
    write = (
        events.writes * cost.write
        + events.write_misses * cost.write_miss
        + events.write_backs * cost.write_back
        + events.extra_writes * table.load_store_unaligned_extra
    )
    return StallTicks(fetch, read, write)
