"""What a rule may look at: the cycles, counts and work of one region, and ratios of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.records.cause import Cause
from engine.records.counters import Counters
from engine.records.run import Layer, Region, RunRecord, Stack

COMPUTE = (Cause.MAC, Cause.OTHER_ALU, Cause.MULTIPLY_DIVIDE_LATENCY, Cause.BRANCH_REFILL)
"""Causes of the compute group."""

MOVEMENT = (Cause.LOAD_STORE_ISSUE, Cause.LOAD_USE)
"""Causes of the data movement group."""

WAITING = (Cause.INSTRUCTION_FETCH, Cause.DATA_READ, Cause.DATA_WRITE)
"""Causes of the waiting group. The three groups partition the stack."""


@dataclass(frozen=True)
class Facts:
    """One region (a layer, the glue, or a whole run) as the rules see it.

    ``macs`` and ``output_elements`` are the model's own work (0 where a region has none), ``weight_bytes`` the constants it
    needs. ``fetch_cached``/``read_cached`` say whether the board has a cache on that path of its flash; None: not known.
    """

    stack: Stack
    counters: Counters
    macs: int
    output_elements: int
    weight_bytes: int
    fetch_cached: bool | None = None
    read_cached: bool | None = None

    @property
    def cycles(self) -> int:
        """All cycles of the region."""
        return self.stack.cycles

    def share(self, *causes: Cause) -> float:
        """Part of the cycles (0 to 1) that these causes hold; 0 for a region without cycles."""
        return ratio(sum(self.stack.of(c) for c in causes), self.cycles) or 0.0

    @property
    def lanes_offered(self) -> int | None:
        """Products that one multiply of this core could do; None where the region multiplies nothing."""
        c = self.counters
        multiplies = c.mac_instructions + c.simd_mac_instructions + c.multiply_instructions
        return round(c.simd_lane_slots / multiplies) if multiplies else None

    @property
    def lane_use(self) -> float | None:
        """Products of lanes that take part per lane slot (0 to 1), at most; None where the region multiplies nothing."""
        return ratio(self.counters.active_lanes, self.counters.simd_lane_slots)

    @property
    def fetch_miss_rate(self) -> float | None:
        """Misses per line fetched from flash as code."""
        return ratio(self.counters.flash_fetch_misses, self.counters.flash_fetch_lines)

    @property
    def read_miss_rate(self) -> float | None:
        """Misses per line read from flash as data."""
        return ratio(self.counters.flash_read_misses, self.counters.flash_read_lines)


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, or None where there is no whole."""
    return part / whole if whole else None


def layer_facts(layer: Layer, board: Board | None = None) -> Facts:
    """Facts of one layer; without its board, caches are unknown."""
    return _facts(layer, layer.macs, math.prod(layer.output_shape), layer.weight_bytes, board)


def run_facts(record: RunRecord, board: Board | None = None) -> Facts:
    """Facts of the whole inference: layers and glue added up."""
    regions = (*record.layers, record.glue)
    total = Region(
        cycles=record.cycles.warm,
        cold_cycles=record.cycles.cold,
        stack=Stack.added(r.stack for r in regions),
        counters=_add_counters(tuple(r.counters for r in regions)),
    )
    return _facts(total, record.macs, 0, sum(x.weight_bytes for x in record.layers), board)


def shifted_stacks(stack: Stack, more: int, fewer: int) -> Iterator[Stack]:
    """The stack with up to ``more`` cycles added to, or up to ``fewer`` taken from, any single cause, in quarter steps.

    Steps, because a class may hold at both ends of an interval and not between.
    """
    for cause in Cause:
        held = stack.of(cause)
        for quarter in (1, 2, 3, 4):
            yield stack.model_copy(update={cause.value: held + more * quarter // 4})
            yield stack.model_copy(update={cause.value: max(0, held - fewer * quarter // 4)})


def _facts(region: Region, macs: int, elements: int, weight_bytes: int, board: Board | None) -> Facts:
    fetch_cached = read_cached = None
    if board is not None:
        fetch_cached = board.flash.icache is not None
        read_cached = board.flash.dcache is not None or (fetch_cached and board.flash.unified)
    return Facts(region.stack, region.counters, macs, elements, weight_bytes, fetch_cached, read_cached)


def _add_counters(counters: tuple[Counters, ...]) -> Counters:
    # a high-water mark is a maximum, everything else adds up
    def total(name: str) -> int:
        combine: Callable[[Iterable[int]], int] = max if name == "stack_high_water_bytes" else sum
        return combine(getattr(c, name) for c in counters)

    return Counters(**{name: total(name) for name in Counters.model_fields})
