"""Which two neighbouring instructions issue together, and what the pair costs: full and limited dual issue."""

from __future__ import annotations

from engine.counters.types import FLAGS_BIT
from engine.timing.classes import FLOATS, MULTIPLIERS, SOLO, VECTORS, Operation, Unit
from engine.timing.table import CYCLE, CoreTicks

_FLAGS = 1 << FLAGS_BIT


def _same_bank(older: Operation, younger: Operation) -> bool | None:
    """Do two loads touch the same of two word-interleaved banks? None where their distance is not known."""
    if older.offset is None or younger.offset is None or older.base_bits or younger.base_bits:
        return None
    if older.address_bits != younger.address_bits or older.address_bits == older.result_bits:
        return None
    distance = (older.offset - younger.offset) % 8
    return {0: True, 4: False}.get(distance)


def pair_extra(older: Operation, younger: Operation, t: CoreTicks) -> int | None:
    """Ticks that a pair costs beyond its older half; None where the two cannot issue together."""
    if t.dual:
        return _dual(older, younger, t)
    return _limited(older, younger, t) if t.pairs_16 else None


def _limited(older: Operation, younger: Operation, t: CoreTicks) -> int | None:
    """See catalog.core.Pairs16."""
    narrow = older.size == younger.size == 2
    if not narrow or not (older.simple or younger.simple) or older.unit is Unit.BRANCH:
        return None
    if any(op.unit in SOLO and not op.simple for op in (older, younger)):
        return None
    return t.pairs_16_bit_extra


def _dual(older: Operation, younger: Operation, t: CoreTicks) -> int | None:
    """See catalog.core.DualIssue."""
    a, b = older.unit, younger.unit
    if a in SOLO or b in SOLO or younger.bitfield or (a is Unit.BRANCH and b is Unit.BRANCH):
        return None
    if a in VECTORS or b in VECTORS:
        both = a in VECTORS and b in VECTORS
        return None if both or older.bitfield or older.writes & younger.writes & ~_FLAGS else t.dual_issue_vector
    if (a in MULTIPLIERS and b in MULTIPLIERS) or (a in FLOATS and b in FLOATS):
        return None
    stores = (a is Unit.STORE, b is Unit.STORE)
    if all(stores) or (any(stores) and (a in MULTIPLIERS or b in MULTIPLIERS)):
        return None
    if older.writes & younger.writes & ~_FLAGS:
        return None
    if a is Unit.LOAD and b is Unit.LOAD:
        same_bank = _same_bank(older, younger)
        return t.dual_issue_load_load if same_bank is None else CYCLE * same_bank
    if any(stores) and (a is Unit.LOAD or b is Unit.LOAD):
        return t.dual_issue_load_store
    return t.dual_issue_other


def slowness(op: Operation, t: CoreTicks) -> int:
    """Issue to usable result: decides which half of a pair is charged."""
    if op.unit is Unit.LOAD:
        return t.latency_load_to_multiply + t.latency_load_narrow_extra * op.narrow
    if op.unit in MULTIPLIERS:
        return t.latency_mac
    if op.unit in FLOATS:
        return t.latency_fp
    return t.vector_occupancy if op.unit in VECTORS else CYCLE
