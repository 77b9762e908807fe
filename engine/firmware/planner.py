"""Where each activation and scratch buffer lies in the arena.

Buffers that are alive together must not overlap. The planner places them one after the other at the lowest offset that is
free during their whole life, for several orders (largest first, longest-lived first, as they appear), and keeps the smallest
arena. Deterministic: ties are broken by who lives first, then by the order of the buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALIGNMENT = 16


@dataclass(frozen=True)
class Buffer:
    """Something that needs ``bytes`` from operator ``first`` to operator ``last``, both inclusive."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Offsets in the order of the buffers; ``bytes`` is the arena's size, ``lower_bound_bytes`` the largest sum alive at once."""

    offsets: tuple[int, ...]
    bytes: int
    lower_bound_bytes: int


def aligned(n: int) -> int:
    """``n`` rounded up to the arena's alignment."""
    return -(-n // ALIGNMENT) * ALIGNMENT


def plan(buffers: Sequence[Buffer]) -> Plan:
    """Place ``buffers``; offsets and the size are multiples of 16 bytes."""
    orders: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda i: (-buffers[i].bytes, buffers[i].first, i),
        lambda i: (buffers[i].first - buffers[i].last, -buffers[i].bytes, i),
        lambda i: (-buffers[i].bytes * (buffers[i].last - buffers[i].first + 1), i),
        lambda i: (buffers[i].first, -buffers[i].bytes, i),
    )
    best: tuple[int, tuple[int, ...]] | None = None
    for order in orders:
        offsets = _place(buffers, sorted(range(len(buffers)), key=order))
        size = max((offset + aligned(b.bytes) for offset, b in zip(offsets, buffers, strict=True)), default=0)
        if best is None or size < best[0]:
            best = (size, offsets)
    assert best is not None
    return Plan(best[1], best[0], _lower_bound(buffers))


def _place(buffers: Sequence[Buffer], order: Sequence[int]) -> tuple[int, ...]:
    offsets = [0] * len(buffers)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last: kept sorted by offset
    for i in order:
        b = buffers[i]
        size = aligned(b.bytes)
        offset = 0
        for start, end, first, last in placed:
            if last < b.first or b.last < first:
                continue
            if start - offset >= size:
                break
            offset = max(offset, end)
        offsets[i] = offset
        placed.append((offset, offset + size, b.first, b.last))
        placed.sort()
    return tuple(offsets)


def _lower_bound(buffers: Sequence[Buffer]) -> int:
    change: dict[int, int] = {}
    for b in buffers:
        change[b.first] = change.get(b.first, 0) + b.bytes
        change[b.last + 1] = change.get(b.last + 1, 0) - b.bytes
    alive = peak = 0
    for time in sorted(change):
        alive += change[time]
        peak = max(peak, alive)
    return peak
