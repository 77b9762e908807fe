"""The classes of a verdict, with the definitions that are published."""

from __future__ import annotations

from enum import StrEnum


class Bottleneck(StrEnum):
    """What bounds a region. ``meaning`` is the published definition."""

    COMPUTE_BOUND = "compute_bound"
    MEMORY_BOUND_CACHE = "memory_bound_cache"
    MEMORY_BOUND_BANDWIDTH = "memory_bound_bandwidth"
    MEMORY_BOUND_FLASH = "memory_bound_flash"
    MIXED = "mixed"
    OPTIMAL = "optimal"
    UNKNOWN = "unknown"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self][0]

    @property
    def short(self) -> str:
        """Name for a narrow column."""
        return self.label.replace("memory-bound (", "memory: ").rstrip(")")

    @property
    def meaning(self) -> str:
        """Definition in words."""
        return _LABELS[self][1]


_LABELS = {
    Bottleneck.COMPUTE_BOUND: (
        "compute-bound",
        "At least half of the cycles compute: they issue MACs and other ALU instructions, wait for a multiplier or "
        "divider, or refill the pipeline after a branch.",
    ),
    Bottleneck.MEMORY_BOUND_CACHE: (
        "memory-bound (cache)",
        "At least 30 % of the cycles wait for a memory, most for a path that has a cache which misses in at least 15 % "
        "of its lookups: what the region reuses does not fit that cache, or it reuses too little.",
    ),
    Bottleneck.MEMORY_BOUND_BANDWIDTH: (
        "memory-bound (bandwidth)",
        "At least half of the cycles issue loads and stores or wait for a loaded value, or the waits for memory are for "
        "RAM: the core's data port is the limit, not its arithmetic.",
    ),
    Bottleneck.MEMORY_BOUND_FLASH: (
        "memory-bound (flash)",
        "At least 30 % of the cycles wait for a memory, for code or constants, and it is flash latency (wait states, or "
        "misses too few to blame a cache) that makes them wait.",
    ),
    Bottleneck.MIXED: (
        "mixed",
        "No group of causes is large enough to be called the bottleneck, or two are equally strong.",
    ),
    Bottleneck.OPTIMAL: (
        "optimal",
        "MACs issue at 90 % or more of the rate that a register-blocked int8 inner loop of this instruction set reaches, "
        "and less than 10 % of the cycles wait for a memory. Only a region with MACs can be optimal.",
    ),
    Bottleneck.UNKNOWN: ("unknown", "The region has no cycles: there is nothing to explain."),
}
