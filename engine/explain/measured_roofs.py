"""Roofs from micro-benchmarks: the best integer MAC of the core, and what the memories of a run deliver."""

from __future__ import annotations

from collections.abc import Sequence

from engine.catalog.board import Board, MemoryKind
from engine.explain.roofline import OPS_PER_MAC, Ceiling, Ceilings
from engine.records.ceilings import MeasuredCeiling, MeasuredCeilings
from engine.records.run import PlacementUsed

_FLOAT = "VFMA"  # the benchmark of the floating-point unit
_SLOWER = 0.97
"""A benchmark below this share of its roof is a line of its own."""
_WIDE = 1.01
"""Interval from which on a roof is called inferred: loops alone, which every figure moves a little, are narrower."""


def measured_roofs(found: MeasuredCeilings, board: Board, placement: PlacementUsed) -> Ceilings | str:
    """The roofs of a run on ``board``, or why the benchmarks do not bound it.

    A memory's roof is the fastest stream that any benchmark reached, from a cache where there is one. Bytes of RAM may lie in any
    memory that holds activations, stack or weights: the fastest of them bounds. Benchmarks of float MACs bound no int8 layer.
    """
    if placement.code != found.placement.code:
        return f"the micro-benchmarks ran from {found.placement.code}, this run's code from {placement.code}"
    kinds = {m.name: m.kind for m in board.memories}
    flashes = [name for name, kind in kinds.items() if kind is MemoryKind.FLASH]
    rams = dict.fromkeys(
        m for m in (placement.activations, placement.stack, placement.weights) if kinds.get(m) is not MemoryKind.FLASH
    )
    for name in (*flashes, *rams):
        if not found.of_memory(name):
            return f"no micro-benchmark could run in {name}"
    integer = [b for b in found.macs() if not b.instructions.startswith(_FLOAT)]
    best = max(integer, key=lambda b: b.per_cycle)
    compute = _ceiling(f"{best.instructions} peak", best, found)
    ram = _fastest(found, tuple(rams))
    # constants are only read; without a flash they lie in RAM
    flash = _fastest(found, flashes, reads_only=True) if flashes else ram
    slower = [b for b in integer if b.per_cycle < _SLOWER * best.per_cycle]
    below = [_ceiling(f"{b.instructions} peak", b, found) for b in slower]
    for name, roof in [*((f, flash) for f in flashes), *((r, ram) for r in rams)]:
        below += _streams(found, name, roof)
    return Ceilings(
        compute=compute,
        flash=flash,
        ram=ram,
        below=tuple(below),
        measured=True,
        origin=f"Roofs from micro-benchmarks on {found.board} at {found.clock_mhz:g} MHz ({found.evidence.value}).",
        ridge_ops_per_byte=compute.value / max(flash.value, ram.value),
    )


def _fastest(found: MeasuredCeilings, memories: Sequence[str], *, reads_only: bool = False) -> Ceiling:
    works = ("read",) if reads_only else ("read", "copy")
    inside = [b for m in memories for b in found.of_memory(m) if b.work in works and b.target in ("", m)]
    best = max(inside, key=lambda b: b.per_cycle)
    return _ceiling(f"{best.memory} bandwidth", best, found)


def _streams(found: MeasuredCeilings, memory: str, roof: Ceiling) -> list[Ceiling]:
    """What a memory comes to without the help of a cache, where that is less than the roof."""
    beyond = [b for b in found.of_memory(memory) if b.target in ("", memory) and b.resident is not True]
    if not beyond:
        return []
    best = max(beyond, key=lambda b: b.per_cycle)
    uncached = f"{memory} bandwidth{', beyond the cache' if best.resident is False else ''}"
    return [_ceiling(uncached, best, found)] if best.per_cycle < _SLOWER * roof.value else []


def _ceiling(name: str, b: MeasuredCeiling, found: MeasuredCeilings) -> Ceiling:
    scale = OPS_PER_MAC if b.work == "mac" else 1
    low, high = b.per_cycle_interval
    set_size = f", {b.working_set_bytes:,} bytes" if b.working_set_bytes else ""
    return Ceiling(
        name=name,
        value=scale * b.per_cycle,
        # per_cycle is rounded, its interval is not
        low=scale * min(low, b.per_cycle),
        high=scale * max(high, b.per_cycle),
        unit="ops/cycle" if b.work == "mac" else "bytes/cycle",
        inferred=high > _WIDE * low,
        basis=f"benchmark {b.name}{set_size}, {found.evidence.value}",
    )
