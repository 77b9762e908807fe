"""What the regions of two runs asked of their memories: fetches and data apart, memories matched by what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from engine.records.run import MemoryTraffic, PlacementUsed, Region, RunRecord


class Path(StrEnum):
    """How a core reaches a memory: what is in front of it may differ."""

    FETCH = "fetch"
    DATA = "data"


MissCost = tuple[Fraction, Fraction, Fraction, Fraction]
"""Cycles of a fetch miss, a read miss, a write miss and a write-back of one memory."""


@dataclass(frozen=True)
class Traffic:
    """One region's use of one memory on one path.

    ``stalls`` are cycles; ``accesses`` instructions or bytes; ``lines`` 0 where nothing is in front of the memory; ``events`` in the
    order of ``MissCost``.
    """

    memory: str
    stalls: int
    accesses: int
    lines: int
    events: tuple[int, int, int, int]

    @property
    def misses(self) -> int:
        """Lines that were not there."""
        return sum(self.events[:3])

    def cost(self, costs: Mapping[str, MissCost]) -> Fraction:
        """Cycles of all its misses in full, if a miss of each memory costs that much; 0 of memories that are not listed."""
        each = costs.get(self.memory, (Fraction(0),) * 4)
        return sum((n * c for n, c in zip(self.events, each, strict=True)), Fraction(0))


@dataclass(frozen=True)
class Store:
    """Memories that hold the same parts of the image (code, weights …) in both runs: their names in A and in B.

    ``moved``: on one board, a part lies in another of its memories.
    """

    names: tuple[frozenset[str], frozenset[str]]
    moved: bool


Use = Mapping[Path, Sequence[Traffic]]
"""What one region asked of all memories."""


def keeps_traffic(*records: RunRecord) -> bool:
    """Whether all records say for every stall which memory caused it."""
    regions = (region for r in records for region in (*r.layers, r.glue))
    return all(region.memories or not _stalls(region) for region in regions)


def waits_by_memory(record: RunRecord) -> Counter[str]:
    """Cycles that a run waits for each of its memories; those it does not wait for are left out."""
    found: Counter[str] = Counter()
    for region in (*record.layers, record.glue):
        found.update({row.memory: row.stall_cycles for row in region.memories if row.stall_cycles})
    return found


def use_of(region: Region, record: RunRecord, *, by_memory: bool) -> Use:
    """A region's traffic. Without ``by_memory`` all of it is charged to the memory of the code: records that do not keep it count flash alone."""
    rows = region.memories if by_memory else (_together(region, record),)
    left = region.stack.instruction_fetch
    found: dict[Path, list[Traffic]] = {path: [] for path in Path}
    # a record has a memory's stalls in one number: those of fetches lie where code was fetched
    for row in sorted(rows, key=lambda row: -row.fetch_lines):
        fetch = min(left, row.stall_cycles)
        left -= fetch
        code = region.counters.instructions if row.fetch_lines or fetch else 0
        found[Path.FETCH].append(Traffic(row.memory, fetch, code, row.fetch_lines, (row.fetch_misses, 0, 0, 0)))
        found[Path.DATA].append(
            Traffic(
                row.memory,
                row.stall_cycles - fetch,
                row.read_bytes + row.write_bytes,
                row.read_lines + row.write_lines,
                (0, row.read_misses, row.write_misses, row.write_backs),
            )
        )
    return found


def stores(a: RunRecord, b: RunRecord, *, by_memory: bool) -> dict[Path, tuple[Store, ...]]:
    """The memories of two runs by what they hold, on each path: together they are all memories of both.

    Parts that share a memory in one run are not told apart in the other; without ``by_memory`` none are.
    """
    every = set(PlacementUsed.model_fields)
    if not by_memory:
        return {path: _stores(a, b, [every]) for path in Path}
    groups: list[set[str]] = []
    for part in PlacementUsed.model_fields:
        near = [g for g in groups if any(_share(r, part, other) for r in (a, b) for other in g)]
        groups = [g for g in groups if g not in near] + [{part}.union(*near)]
    return {Path.FETCH: _stores(a, b, [{"code"}]), Path.DATA: _stores(a, b, groups)}


def _share(record: RunRecord, part: str, other: str) -> bool:
    return bool(getattr(record.placement, part) == getattr(record.placement, other))


def _stores(a: RunRecord, b: RunRecord, groups: Sequence[set[str]]) -> tuple[Store, ...]:
    found = []
    rest = [{row.memory for region in (*r.layers, r.glue) for row in region.memories} for r in (a, b)]
    for parts in groups:
        one, two = ({part: str(getattr(r.placement, part)) for part in parts} for r in (a, b))
        names = frozenset(one.values()), frozenset(two.values())
        found.append(Store(names, moved=a.board == b.board and one != two))
        rest = [left - held for left, held in zip(rest, names, strict=True)]
    if any(rest):  # touched, though none of these parts is there
        found.append(Store((frozenset(rest[0]), frozenset(rest[1])), moved=False))
    return tuple(found)


def _stalls(region: Region) -> int:
    return region.stack.instruction_fetch + region.stack.data_read + region.stack.data_write


def _together(region: Region, record: RunRecord) -> MemoryTraffic:
    c = region.counters
    return MemoryTraffic(
        memory=record.placement.code,
        read_bytes=c.flash_read_bytes + c.ram_read_bytes,
        write_bytes=c.ram_write_bytes,
        unaligned_extra_accesses=0,
        fetch_lines=c.flash_fetch_lines,
        fetch_misses=c.flash_fetch_misses,
        read_lines=c.flash_read_lines,
        read_misses=c.flash_read_misses,
        write_lines=0,
        write_misses=0,
        write_backs=0,
        stall_cycles=_stalls(region),
        cold_stall_cycles=0,
    )
