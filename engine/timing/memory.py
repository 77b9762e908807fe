"""Stalls of the memory system: simulated misses and accesses times what each costs on the board at a clock.

Flash. A miss costs the wait states in core cycles, once per flash word of the line, plus the board's ``miss_extra_cycles``. Behind a
jump, fetches pay it in full. With a prefetcher a sequential miss pays what the core does not hide: the next line is requested when
the one before it is first used, so the time the core spends on a line (the region's pipeline cycles over its fetched lines) comes
off; the interval is from all hidden to nothing hidden. Constants have no prefetch.

RAM. Behind a cache, misses cost the memory's ``line_fill_cycles``, ``write_miss_cycles`` and ``write_back_cycles``; without one, every
access costs ``wait_states`` and every word of code ``fetch_wait_states``. What hits costs nothing here.

Of the core: each further access that an unaligned one is split into, and reads of constants that displace fetches from a bus that
carries both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.figure import Figure
from engine.targets.memory_system import front_of
from engine.targets.types import MemoryProfile
from engine.timing.table import CYCLE, CoreTicks, End, at_end, ticks

_OPPOSITE = {End.VALUE: End.VALUE, End.LOW: End.HIGH, End.HIGH: End.LOW}
_CODE_REGION_END = 0x20000000

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventTable:
    """A memory profile as arrays of shape (regions, memories), named as in ``MemoryEvents``; memories in the board's order."""

    reads: Numbers
    writes: Numbers
    extra_reads: Numbers
    extra_writes: Numbers
    fetch_lines: Numbers
    fetch_misses_sequential: Numbers
    fetch_misses_jump: Numbers
    read_misses: Numbers
    write_misses: Numbers
    write_backs: Numbers


def event_table(memory: MemoryProfile, board: Board, regions: int) -> EventTable:
    """Arrange the events; every memory named must be one of the board's (KeyError)."""
    column = {m.name: n for n, m in enumerate(board.memories)}
    shape = (regions, len(column))
    fields = {name: np.zeros(shape, np.int64) for name in EventTable.__dataclass_fields__}
    for events in memory.events:
        at = events.region, column[events.memory]
        for name, array in fields.items():
            array[at] += getattr(events, name)
    return EventTable(**fields)


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


def memory_cost(board: Board, clock_mhz: float, end: End) -> MemoryCost:
    """What events cost on a board at a clock. Raises ValueError above the board's flash ladder."""
    rows = [_cost(memory, board, clock_mhz, end) for memory in board.memories]
    return MemoryCost(*(np.array(column) for column in zip(*rows, strict=True)))


def _cost(memory: Memory, board: Board, clock_mhz: float, end: End) -> tuple[int | bool, ...]:
    """One memory's costs, in the order of ``MemoryCost``."""
    flash = board.flash
    fetch, data = front_of(memory, flash)
    in_code_region = memory.origin < _CODE_REGION_END
    if memory.kind is MemoryKind.FLASH:
        width = at_end(flash.width_bytes, _OPPOSITE[end])  # a wider flash costs less
        fetch_line = fetch.line_bytes if fetch else width
        read_line = data.line_bytes if data else width
        costs = (_flash_miss(board, clock_mhz, end, line) for line in (fetch_line, read_line))
        fetch_miss, read_miss = costs
        return flash.prefetch, 0, fetch_miss, 0, read_miss, 0, 0, 0, in_code_region
    fill = _ticks(memory.line_fill_cycles, end)
    wait = 0 if data else _ticks(memory.wait_states, end)
    fetch_wait = 0 if fetch else _ticks(memory.fetch_wait_states, end)
    late = _ticks(memory.write_miss_cycles, end), _ticks(memory.write_back_cycles, end)
    return False, fetch_wait, fill, wait, fill, wait, *late, in_code_region


def _flash_miss(board: Board, clock_mhz: float, end: End, line_bytes: float) -> int:
    flash = board.flash
    step = flash.step(clock_mhz)
    extra = _ticks(flash.miss_extra_cycles, end)
    stall = step.wait_states * step.bus_ratio * CYCLE
    words = max(1, -int(-line_bytes // at_end(flash.width_bytes, _OPPOSITE[end])))
    if stall == 0 and words == 1:
        return extra
    return stall * words + (words - 1) * step.bus_ratio * CYCLE + extra


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
    lines = events.fetch_lines.sum(axis=1)
    per_line = pipeline // np.maximum(lines, 1)
    hidden = np.minimum(cost.fetch_miss[None, :], per_line[:, None])
    if end is End.HIGH:
        hidden = np.zeros_like(hidden)
    elif end is End.LOW:
        hidden = np.broadcast_to(cost.fetch_miss, hidden.shape)
    sequential = np.where(cost.prefetch[None, :], cost.fetch_miss - hidden, cost.fetch_miss)
    fetch = (
        events.fetch_misses_jump * cost.fetch_miss
        + events.fetch_misses_sequential * sequential
        + events.fetch_lines * cost.fetch_line
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
