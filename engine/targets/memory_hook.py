"""The memory run's hooks: data traffic per region and memory, flash lines, depth of the stack.

Unicorn 2.1.4 leaves the IT state behind when a memory hook was called inside an IT block: the next piece of code is then
translated as if it were conditional. The hook therefore clears the IT state itself after an access in such code.
"""

from __future__ import annotations

from typing import Any

from engine.targets.flash_sim import fetch, read
from engine.targets.layout import (
    EVENTS,
    H_ACTIVE,
    H_CODE_END,
    H_CODE_START,
    H_CONDITIONAL,
    H_DEPTH,
    H_FLASH,
    H_IN_IT,
    H_LAST_MEMORY,
    H_MEMORIES,
    H_MEMORY_TABLE,
    H_PREV_END,
    H_REGION,
    H_REGISTERS,
    H_SCRATCH,
    H_STACK_HIGH,
    H_STACK_LOW,
    H_STREAMS,
    H_TRAFFIC,
    STREAM,
)
from engine.targets.native import BLOCK_HOOK, EVERYTHING, MEMORY_HOOK, carray, clear_it_state, hook, inlined, types
from engine.targets.region_hook import account, charge, enter_block, is_continuation

_WRITE = 17  # UC_MEM_WRITE


@inlined
def note_conditional(s: Any, address: int, size: int) -> None:
    """Does a conditional load or store lie in this piece of code?"""
    s[H_IN_IT] = 0
    if address < s[H_CODE_START] or address >= s[H_CODE_END]:
        return
    first = (address - s[H_CODE_START]) >> 1
    last = first + (size >> 1) - 1
    for word in range(first >> 6, (last >> 6) + 1):
        bits = s[s[H_CONDITIONAL] + word]
        if bits == 0:
            continue
        for half in range(max(first, word << 6), min(last, (word << 6) + 63) + 1):
            if (bits >> (half & 63)) & 1:
                s[H_IN_IT] = 1
                return


@hook(BLOCK_HOOK)
def fetch_block(engine: Any, address64: Any, size32: Any, state: Any) -> None:
    """``UC_HOOK_BLOCK``: follow regions and fetch the block's lines if it lies in flash."""
    s = carray(state, EVERYTHING)
    address = types.int64(address64)
    size = types.int64(size32)
    note_conditional(s, address, size)
    if s[H_ACTIVE] == 0:
        charge(s, engine, address, size)
        return
    runs_on = address == s[H_PREV_END]
    split = is_continuation(s, address)
    account(s, engine, address, size)
    if not split:
        enter_block(s, engine, address)
    table = s[H_MEMORY_TABLE]
    for n in range(s[H_MEMORIES]):
        at = table + 3 * n
        if s[at] <= address < s[at + 1]:
            if s[at + 2]:
                fetch(s, s[H_STREAMS], s[H_FLASH] + s[H_REGION] * EVENTS, address, size, runs_on)
            break


@hook(MEMORY_HOOK)
def data_access(engine: Any, kind: Any, address64: Any, size32: Any, _value: Any, state: Any) -> None:
    """``UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE`` over one of the board's memories."""
    s = carray(state, EVERYTHING)
    if s[H_IN_IT]:
        clear_it_state(H_REGISTERS, engine, state, H_SCRATCH)
    if s[H_ACTIVE] == 0:
        return
    address = types.int64(address64)
    size = types.int64(size32)
    table = s[H_MEMORY_TABLE]
    memory = s[H_LAST_MEMORY]
    if address < s[table + 3 * memory] or address >= s[table + 3 * memory + 1]:
        for n in range(s[H_MEMORIES]):
            if s[table + 3 * n] <= address < s[table + 3 * n + 1]:
                memory = n
                break
        s[H_LAST_MEMORY] = memory
    region = s[H_REGION]
    cell = s[H_TRAFFIC] + ((region * s[H_MEMORIES] + memory) << 2)
    if kind == _WRITE:
        s[cell + 2] += 1
        s[cell + 3] += size
        if s[H_STACK_LOW] <= address < s[H_STACK_HIGH] and address < s[s[H_DEPTH] + region]:
            s[s[H_DEPTH] + region] = address
    else:
        s[cell] += 1
        s[cell + 1] += size
        if s[table + 3 * memory + 2]:
            read(s, s[H_STREAMS] + STREAM, s[H_FLASH] + region * EVENTS + 3, address, size)
