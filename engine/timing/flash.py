"""First model of the flash path: misses of the simulated flash interface times the wait states of the clock.

A miss costs the wait states in core cycles, once per flash word of the line, plus the board's ``miss_extra_cycles``. Behind a
jump, fetches pay it in full. With a prefetcher a sequential miss pays what the core does not hide: the next line is requested when
the one before it is first used, so the time the core spends on a line (the region's pipeline cycles over its fetched lines) comes
off; the interval is from all hidden to nothing hidden. Constants have no prefetch. Lines that hit, and everything that is not in
flash, cost nothing here. RAM with ``wait_states`` costs them on every data access.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board
from engine.targets.types import FlashEvents, MemoryProfile
from engine.timing.table import CYCLE, CoreTicks, End, at_end, ticks

_OPPOSITE = {End.VALUE: End.VALUE, End.LOW: End.HIGH, End.HIGH: End.LOW}


@dataclass(frozen=True)
class FlashTicks:
    """Ticks of one miss of an instruction line and of a constant line, at a clock and an end of the intervals."""

    fetch_miss: int
    read_miss: int
    prefetch: bool


def flash_ticks(board: Board, clock_mhz: float, end: End) -> FlashTicks:
    """Cost of misses on a board at a clock. Raises ValueError above the board's flash ladder."""
    flash = board.flash
    step = flash.step(clock_mhz)
    width = at_end(flash.width_bytes, _OPPOSITE[end])  # a wider flash costs less
    extra = ticks(at_end(flash.miss_extra_cycles, end)) if flash.miss_extra_cycles else 0
    stall = step.wait_states * step.bus_ratio * CYCLE

    def miss(line_bytes: float) -> int:
        words = max(1, -int(-line_bytes // width))
        if stall == 0 and words == 1:
            return extra
        return stall * words + (words - 1) * step.bus_ratio * CYCLE + extra

    fetch_line = flash.icache.line_bytes if flash.icache else width
    data = flash.icache if flash.unified else flash.dcache
    read_line = data.line_bytes if data else width
    return FlashTicks(fetch_miss=miss(fetch_line), read_miss=miss(read_line), prefetch=flash.prefetch)


def fetch_ticks(events: FlashEvents, pipeline_ticks: int, cost: FlashTicks, end: End) -> int:
    """Instruction-fetch stall ticks of one region that spends ``pipeline_ticks`` in the pipeline."""
    jumps = events.fetch_misses_jump * cost.fetch_miss
    if not cost.prefetch or end is End.HIGH:
        return jumps + events.fetch_misses_sequential * cost.fetch_miss
    if end is End.LOW or events.fetch_lines == 0:
        return jumps
    per_line = pipeline_ticks // events.fetch_lines
    return jumps + events.fetch_misses_sequential * max(0, cost.fetch_miss - per_line)


def read_ticks(events: FlashEvents, cost: FlashTicks, table: CoreTicks) -> int:
    """Stall ticks of one region's constants."""
    conflicts = events.read_lines if events.fetch_lines else 0
    misses = events.read_misses_sequential + events.read_misses_jump
    return misses * cost.read_miss + conflicts * table.load_store_code_bus_conflict


def ram_ticks(memory: MemoryProfile, board: Board, end: End) -> dict[int, tuple[int, int]]:
    """Stall ticks (reads, writes) per region of RAM that has wait states."""
    stalls: dict[int, tuple[int, int]] = {}
    slow = {m.name: ticks(at_end(m.wait_states, end)) for m in board.memories if m.wait_states is not None}
    for traffic in memory.traffic:
        if traffic.memory in slow:
            reads, writes = stalls.get(traffic.region, (0, 0))
            each = slow[traffic.memory]
            stalls[traffic.region] = (reads + traffic.reads * each, writes + traffic.writes * each)
    return stalls
