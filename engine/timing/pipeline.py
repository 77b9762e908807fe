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
from engine.timing.table import CAUSES, CoreTicks

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
    gaps = edge_refill_ticks(work.facts, table)
    rows = np.zeros((len(gaps), len(CAUSES)), np.int64)
    known: dict[tuple[int, int, int, bool], tuple[int, ...]] = {}
    keys = zip(work.from_at.tolist(), work.block_at.tolist(), gaps.tolist(), work.facts.taken.tolist(), strict=True)
    for edge, key in enumerate(keys):
        ticks = known.get(key)
        if ticks is None:
            ticks = known[key] = _edge(work, table, passage, *key)
        rows[edge] = ticks
    return rows


def _edge(
    work: Work, table: CoreTicks, passage: PassBlock, source: int, target: int, gap: int, taken: bool
) -> tuple[int, ...]:
    if source < 0:
        return passage(target, EMPTY).ticks
    first = work.operations[target][0].unit
    pairs = not taken and first in (Unit.IT, Unit.BRANCH)
    before = work.operations[source][-1] if pairs else None
    return passage(target, passage(source, EMPTY).entry(gap, before, table)).ticks


def straight_ticks(work: Work, table: CoreTicks, passage: PassBlock) -> Ticks:
    """Ticks by region and cause of all blocks, without refill and memory stalls; shape (regions, causes)."""
    spent = np.zeros((work.regions, len(CAUSES)), np.int64)
    np.add.at(spent, work.profile.region, edge_ticks(work, table, passage) * work.profile.count[:, None])
    return spent
