"""The counting run's hook: edges between ELF blocks per region, in an open-addressing table."""

from __future__ import annotations

from typing import Any

from engine.targets.layout import H_ACTIVE, H_BLOCK, H_LAST, H_MASK, H_REGION, H_TABLE, H_USED
from engine.targets.native import BLOCK_HOOK, EVERYTHING, carray, compiled, hook, types
from engine.targets.region_hook import account, charge, enter_block, fail, is_continuation

TABLE_FULL = 2  # Stop.TABLE_FULL


@compiled
def _count(s: Any, engine: Any, address: int, size: int) -> None:
    if s[H_ACTIVE] == 0:
        charge(s, engine, address, size)
        return
    if is_continuation(s, address):
        account(s, engine, address, size)
        return
    account(s, engine, address, size)
    src = s[H_BLOCK]
    enter_block(s, engine, address)
    key = (src << 32) | address
    region = s[H_REGION]
    last = s[H_LAST]
    if s[last] == key and s[last + 1] == region:
        s[last + 2] += 1
        return
    mask = s[H_MASK]
    mixed = types.uint64(key + (region << 17)) * types.uint64(0x9E3779B97F4A7C15)
    slot = types.int64(mixed >> types.uint64(40)) & mask
    while True:
        at = s[H_TABLE] + (slot << 2)
        if s[at] == key and s[at + 1] == region:
            s[at + 2] += 1
            break
        if s[at] == 0:
            if 2 * s[H_USED] > mask:
                fail(s, engine, TABLE_FULL, address)
                break
            s[H_USED] += 1
            s[at] = key
            s[at + 1] = region
            s[at + 2] = 1
            break
        slot = (slot + 1) & mask
    s[H_LAST] = at


@hook(BLOCK_HOOK)
def count_edge(engine: Any, address: Any, size: Any, state: Any) -> None:
    """``UC_HOOK_BLOCK``: count the edge into this block, unless the emulator only split the block."""
    _count(carray(state, EVERYTHING), engine, types.int64(address), types.int64(size))
