"""Taken branches and mispredictions from the counted edges of a profile, charged to ``branch_refill``.

An edge (src, dst) falls through exactly where the block ends in a conditional branch and dst is the address behind it; every
other edge is taken. Refill is charged to the region the edge belongs to, that is where control arrives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.counters.flow import LoopEnd, leads_in, may_fall_through
from engine.counters.types import Block
from engine.targets.types import Profile
from engine.timing.classes import BranchKind, branch_kind
from engine.timing.static_cost import pairs_on_flags
from engine.timing.table import CYCLE, CoreTicks


@dataclass(frozen=True, eq=False)
class BranchFacts:
    """What the edges of a profile are, independent of any core table; all arrays as long as the profile.

    ``taken``; ``kind`` (BranchKind) and ``conditional`` of the source block; ``on_flags``: paired with the flag setter;
    ``wide_unaligned``: the target is a 32-bit instruction at an address that is not a multiple of 4. ``loop_ends``: the source
    blocks that end in the LE of a low-overhead loop, by their start.
    """

    taken: NDArray[np.bool_]
    kind: NDArray[np.int8]
    conditional: NDArray[np.bool_]
    on_flags: NDArray[np.bool_]
    wide_unaligned: NDArray[np.bool_]
    loop_ends: Mapping[int, Block]


def is_conditional(block: Block) -> bool:
    """Can control fall through the end of this block?"""
    last = block.instructions[-1]
    return not last.ends_block or (last.condition != "al" and may_fall_through(last))


def branch_facts(profile: Profile, blocks: Mapping[int, Block]) -> BranchFacts:
    """Classify every edge. ``blocks`` must hold every start address of the profile (KeyError otherwise)."""
    sources, src_at = np.unique(profile.src, return_inverse=True)
    targets, dst_at = np.unique(profile.dst, return_inverse=True)
    entry = sources == 0
    known = [None if s == 0 else blocks[int(s)] for s in sources]
    kind = np.array([0 if b is None else branch_kind(b.instructions[-1]) for b in known], dtype=np.int8)
    conditional = np.array([b is not None and is_conditional(b) for b in known], dtype=np.bool_)
    on_flags = np.array([b is not None and pairs_on_flags(b) for b in known], dtype=np.bool_)
    end = np.array([0 if b is None else b.end for b in known], dtype=np.int64)
    wide = np.array([int(d) % 4 != 0 and blocks[int(d)].instructions[0].size == 4 for d in targets], dtype=np.bool_)
    falls = conditional[src_at] & (end[src_at] == profile.dst)
    return BranchFacts(
        taken=~falls & ~entry[src_at],
        kind=kind[src_at],
        conditional=conditional[src_at],
        on_flags=on_flags[src_at],
        wide_unaligned=wide[dst_at],
        loop_ends={
            b.start: b for b in known if b is not None and branch_kind(b.instructions[-1]) is BranchKind.LOOP_END
        },
    )


def refill_ticks(
    profile: Profile, facts: BranchFacts, regions: int, t: CoreTicks, within: NDArray[np.int32] | None = None
) -> NDArray[np.int64]:
    """Refill and misprediction ticks per region; shape (regions,). ``within``: regions that loops lie in, if finer ones are asked for."""
    spent = np.zeros(regions, dtype=np.int64)
    np.add.at(spent, profile.region, edge_refill_ticks(facts, t) * profile.count)
    for edge, count, ticks in _loop_end_ticks(profile, facts, t, profile.region if within is None else within):
        spent[profile.region[edge]] += count * ticks
    if t.predicts:
        spent += _mispredicted_ticks(profile, facts, regions, t)
    return spent


def loop_end_issue_ticks(profile: Profile, facts: BranchFacts, regions: int, t: CoreTicks) -> NDArray[np.int64]:
    """Of ``refill_ticks``, those in which an LE was issued: at most a cycle of each that the loop buffer does not save; shape (regions,)."""
    spent = np.zeros(regions, dtype=np.int64)
    for edge, count, ticks in _loop_end_ticks(profile, facts, t, profile.region):
        spent[profile.region[edge]] += count * min(CYCLE, ticks)
    return spent


def edge_refill_ticks(facts: BranchFacts, t: CoreTicks) -> NDArray[np.int64]:
    """Refill ticks that follow each edge once: 0 where it was not taken; as long as the profile.

    Mispredictions and loop ends, which depend on how often, are not included.
    """
    by_kind = np.zeros(len(BranchKind), dtype=np.int64)
    for kind, cost in (
        (BranchKind.NONE, 0),
        (BranchKind.LOOP_END, 0),
        (BranchKind.DIRECT, t.branch_direct),
        (BranchKind.CALL, t.branch_call),
        (BranchKind.INDIRECT, t.branch_indirect),
        (BranchKind.RETURN, t.branch_indirect),
        (BranchKind.LOAD_PC, t.branch_load_pc),
        (BranchKind.TABLE, t.branch_table),
    ):
        by_kind[kind] = cost
    each = by_kind[facts.kind]
    each = each + facts.on_flags * t.branch_paired_on_flags
    free = np.isin(facts.kind, (BranchKind.NONE, BranchKind.LOOP_END))
    each = np.where(free, 0, each + facts.wide_unaligned * t.branch_unaligned_wide_target)
    return np.where(facts.taken, each, 0).astype(np.int64)


def _loop_end_ticks(
    profile: Profile, facts: BranchFacts, t: CoreTicks, within: NDArray[np.int32]
) -> Iterator[tuple[int, int, int]]:
    """Edges behind the loop ends that a loop buffer does not save, how many those are, and the ticks of each (see ``counters.flow``)."""
    at = np.flatnonzero(facts.kind == BranchKind.LOOP_END).tolist()
    edges = [(e, facts.loop_ends[int(profile.src[e])], bool(facts.taken[e]), int(profile.count[e])) for e in at]
    ends: dict[tuple[int, int], LoopEnd] = {}
    for edge, block, taken, count in edges:
        key = int(within[edge]), block.instructions[-1].address
        ends.setdefault(key, LoopEnd()).add(block, taken, count)
    firsts = {key: end.first_in_body for key, end in ends.items()}
    for edge, block, taken, count in edges:
        if not taken:
            yield edge, count, t.branch_loop_last
        elif leads_in(block):
            yield edge, count, t.branch_loop_first
        else:
            key = int(within[edge]), block.instructions[-1].address
            first = min(count, firsts[key])
            firsts[key] -= first
            yield edge, first, t.branch_loop_first


def _mispredicted_ticks(profile: Profile, facts: BranchFacts, regions: int, t: CoreTicks) -> NDArray[np.int64]:
    """See engine.catalog.core.Predictor. Shares and penalties are ticks, so their product is scaled back once."""
    spent = np.zeros(regions, dtype=np.int64)
    share = np.zeros(len(BranchKind), dtype=np.int64)
    share[BranchKind.INDIRECT] = share[BranchKind.TABLE] = t.predictor_indirect_share
    share[BranchKind.RETURN] = share[BranchKind.LOAD_PC] = t.predictor_return_share
    unconditional = np.where(facts.taken & ~facts.conditional, share[facts.kind], 0) * profile.count
    np.add.at(spent, profile.region, unconditional * t.predictor_penalty // CYCLE)
    where = facts.conditional & (facts.kind != BranchKind.LOOP_END)
    key = (profile.region[where].astype(np.int64) << 32) | profile.src[where].astype(np.int64)
    branches, at = np.unique(key, return_inverse=True)
    ways = np.zeros((2, len(branches)), dtype=np.int64)
    np.add.at(ways, (facts.taken[where].astype(np.int64), at), profile.count[where])
    missed = ways.min(axis=0) * t.predictor_mispredicted_share
    np.add.at(spent, branches >> 32, missed * t.predictor_penalty // CYCLE)
    return spent
