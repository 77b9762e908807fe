"""The pipeline part of the time: every edge of a profile costs what the block it enters costs behind the block it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.counters.types import Block
from engine.targets.types import Profile
from engine.timing.branches import BranchFacts, branch_facts, edge_refill_ticks
from engine.timing.classes import Operation, Unit, prepare
from engine.timing.static_cost import EMPTY, Entry, Passage, pass_through
from engine.timing.table import CAUSES, CYCLE, CoreTicks

Ticks = NDArray[np.int64]

PassBlock = Callable[[int, Entry], Passage]
"""One execution of the block of that index in ``Work.operations`` with that entry."""


@dataclass(frozen=True, eq=False)
class Work:
    """A profile prepared once for all tables.

    ``block_at[i]`` and ``from_at[i]`` are the indices in ``operations`` of the block that edge i enters and of the one it leaves
    (-1: none).
    """

    profile: Profile
    facts: BranchFacts
    operations: tuple[tuple[Operation, ...], ...]
    block_at: NDArray[np.intp]
    from_at: NDArray[np.intp]
    regions: int


def prepare_work(blocks: Mapping[int, Block], profile: Profile, regions: int) -> Work:
    """Prepare a profile; ``blocks`` must hold every address in it (KeyError otherwise)."""
    starts = np.unique(np.concatenate([profile.dst, profile.src[profile.src != 0]]))
    operations = tuple(tuple(prepare(ins) for ins in blocks[int(s)].instructions) for s in starts)
    block_at = np.searchsorted(starts, profile.dst)
    from_at = np.where(profile.src == 0, -1, np.searchsorted(starts, profile.src))
    return Work(profile, branch_facts(profile, blocks), operations, block_at, from_at, regions)


def passes_of(work: Work, table: CoreTicks) -> PassBlock:
    """Passages under one table, each computed once."""
    known: dict[tuple[int, Entry], Passage] = {}

    def passage(index: int, entry: Entry) -> Passage:
        found = known.get((index, entry))
        if found is None:
            found = known[index, entry] = pass_through(work.operations[index], table, entry)
        return found

    return passage


def edge_ticks(work: Work, table: CoreTicks, passage: PassBlock) -> Ticks:
    """Ticks by cause of one traversal of each edge, without refill and memory stalls; shape (edges, causes)."""
    return np.array([found.ticks for found in _traversals(work, table, passage)], np.int64).reshape(-1, len(CAUSES))


def idle_ticks(work: Work, table: CoreTicks, passage: PassBlock) -> Ticks:
    """Ticks by region in which the pipeline issued nothing, without refill and memory stalls; shape (regions, 3).

    Columns: all of them, those that waited for a Helium instruction, and those that one waited for another (see ``static_cost.Passage``).
    """
    each = np.array([found.idle for found in _traversals(work, table, passage)], np.int64).reshape(-1, 3)
    spent = np.zeros((work.regions, 3), np.int64)
    np.add.at(spent, work.profile.region, each * work.profile.count[:, None])
    return spent


def _traversals(work: Work, table: CoreTicks, passage: PassBlock) -> tuple[_Traversal, ...]:
    """One traversal of each edge."""
    gaps = edge_refill_ticks(work.facts, table)
    rows: list[_Traversal | None] = [None] * len(gaps)
    open_at_end = _Open(work)
    known: dict[tuple[int, int, int, bool], _Traversal] = {}
    keys = list(
        zip(work.from_at.tolist(), work.block_at.tolist(), gaps.tolist(), work.facts.taken.tolist(), strict=True)
    )
    # a block is left after all edges into it: control falls through to higher addresses only
    for edge in np.argsort(work.block_at, kind="stable").tolist():
        key = keys[edge]
        found = known.get(key)
        if found is None:
            found = known[key] = _traverse(work, table, passage, open_at_end.share(key[0]), *key)
        rows[edge] = found
        open_at_end.count(key[1], int(work.profile.count[edge]), found.open_share)
    return tuple(found for found in rows if found is not None)


@dataclass(frozen=True)
class _Traversal:
    """One traversal of an edge: mean ticks by cause, and the share (of ``CYCLE``) that leaves the block's last instruction open.

    ``idle``: ticks without issue, as the columns of ``idle_ticks``.
    """

    ticks: tuple[int, ...]
    open_share: int
    idle: tuple[int, int, int]

    @staticmethod
    def of(p: Passage) -> _Traversal:
        return _Traversal(p.ticks, CYCLE * p.open, (p.idle, p.vector_idle, p.vector_waits))


class _Open:
    """By block of a dual-issue core: how often its last instruction is left without a partner, as far as edges were counted."""

    def __init__(self, work: Work) -> None:
        self._counts = [0] * len(work.operations)
        self._open = [0] * len(work.operations)

    def count(self, block: int, times: int, open_share: int) -> None:
        """That many executions of a block with this share of open ends."""
        self._counts[block] += times
        self._open[block] += times * open_share

    def share(self, block: int) -> int:
        """The share of all executions, of ``CYCLE``; 0 for none."""
        return self._open[block] // self._counts[block] if block >= 0 and self._counts[block] else 0


def _traverse(
    work: Work, table: CoreTicks, passage: PassBlock, open_share: int, source: int, target: int, gap: int, taken: bool
) -> _Traversal:
    if source < 0:
        alone = passage(target, EMPTY)
        return _Traversal.of(alone)
    first = work.operations[target][0].unit
    last = work.operations[source][-1]
    behind = passage(source, EMPTY)
    pairs = not taken and first in (Unit.IT, Unit.BRANCH)
    apart = passage(target, behind.entry(gap, last if pairs else None, table))
    if taken or not open_share:
        return _Traversal.of(apart)
    beside = passage(target, behind.entry(gap, last, table, beside=True))
    if not beside.joined:
        return _Traversal.of(apart)
    return _Traversal(
        tuple(_mean(a, b, open_share) for a, b in zip(apart.ticks, beside.ticks, strict=True)),
        _mean(CYCLE * apart.open, CYCLE * beside.open, open_share),
        (
            _mean(apart.idle, beside.idle, open_share),
            _mean(apart.vector_idle, beside.vector_idle, open_share),
            _mean(apart.vector_waits, beside.vector_waits, open_share),
        ),
    )


def _mean(apart: int, beside: int, share: int) -> int:
    """Of two numbers, the second with a share (of ``CYCLE``), rounded to nearest."""
    return (apart * (CYCLE - share) + beside * share + CYCLE // 2) // CYCLE


def straight_ticks(work: Work, table: CoreTicks, passage: PassBlock) -> Ticks:
    """Ticks by region and cause of all blocks, without refill and memory stalls; shape (regions, causes)."""
    spent = np.zeros((work.regions, len(CAUSES)), np.int64)
    np.add.at(spent, work.profile.region, edge_ticks(work, table, passage) * work.profile.count[:, None])
    return spent
