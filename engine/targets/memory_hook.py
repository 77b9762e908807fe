"""The memory run: traffic, lines and misses per region and memory, depth of the stack; and Unicorn's hooks for it.

Unicorn 2.1.4 leaves the IT state behind when a memory hook was called inside an IT block: the next piece of code is then
translated as if it were conditional. The hook therefore clears the IT state itself after an access in such code.
"""

from __future__ import annotations

from typing import Any

from engine.targets.cache_sim import fetch, read, write
from engine.targets.layout import (
    E_EXTRA,
    E_READS,
    E_WRITE_BACK,
    EVENTS,
    H_ACTIVE,
    H_CODE_END,
    H_CODE_START,
    H_CONDITIONAL,
    H_DEPTH,
    H_EVENTS,
    H_IN_IT,
    H_LAST_MEMORY,
    H_LAYERS,
    H_MEMORIES,
    H_MEMORY_TABLE,
    H_PORT_MASK,
    H_PREV_END,
    H_REGION,
    H_REGISTERS,
    H_SCRATCH,
    H_STACK_HIGH,
    H_STACK_LOW,
    H_SYSTEMS,
    H_TOTALS,
    M_DATA,
    M_END,
    M_FETCH,
    M_ORIGIN,
    MEMORY,
    S_SHIFT,
    T_READS,
    TOTALS,
    TRACE_BLOCK,
    TRACE_READ,
    TRACE_WRITE,
)
from engine.targets.native import (
    BLOCK_HOOK,
    EVERYTHING,
    MEMORY_HOOK,
    carray,
    clear_it_state,
    compiled,
    hook,
    inlined,
    types,
)
from engine.targets.region_hook import account, block_bytes, charge, enter_block, is_continuation
from engine.targets.trace_code import record

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


@inlined
def memory_at(s: Any, address: int, guess: int) -> int:
    """Index of the memory around an address, -1 for none; ``guess`` is looked at first."""
    table = s[H_MEMORY_TABLE]
    row = table + MEMORY * guess
    if s[row + M_ORIGIN] <= address < s[row + M_END]:
        return guess
    for n in range(s[H_MEMORIES]):
        row = table + MEMORY * n
        if s[row + M_ORIGIN] <= address < s[row + M_END]:
            return n
    return -1


@inlined
def cell_of(s: Any, system: int, memory: int) -> int:
    """Index of the counters of a memory system, the current region and a memory."""
    return int(s[H_EVENTS] + ((system * (s[H_LAYERS] + 1) + s[H_REGION]) * s[H_MEMORIES] + memory) * EVENTS)


@inlined
def row_of(s: Any, system: int, memory: int) -> int:
    """Index of the row of a memory in the table of a memory system."""
    return int(s[H_MEMORY_TABLE] + (system * s[H_MEMORIES] + memory) * MEMORY)


@inlined
def fetch_through(s: Any, memory: int, address: int, size: int, runs_on: bool) -> None:
    """A block of a memory is fetched, in every memory system."""
    for system in range(s[H_SYSTEMS]):
        stream = s[row_of(s, system, memory) + M_FETCH]
        if stream > 0:
            fetch(s, stream, cell_of(s, system, memory), address, size, runs_on)


@inlined
def through(s: Any, system: int, memory: int, stream: int, is_write: bool, address: int, size: int) -> None:
    """An access asks what is in front of its memory; a dirty line it drives out is charged to the line's own memory."""
    if is_write:
        out = write(s, stream, cell_of(s, system, memory), address, size)
    else:
        out = read(s, stream, cell_of(s, system, memory), address, size)
    if out >= 0:
        owner = memory_at(s, out << s[stream + S_SHIFT], memory)
        s[cell_of(s, system, owner) + E_WRITE_BACK] += 1


@inlined
def add_to_totals(s: Any, is_write: bool, size: int) -> None:
    """Count an access for the agreement of targets."""
    at = s[H_TOTALS] + s[H_REGION] * TOTALS + T_READS + (2 if is_write else 0)
    s[at] += size >> 2 if size > 4 else 1
    s[at + 1] += size


@inlined
def further_accesses(address: int, size: int, port_mask: int) -> int:
    """Aligned accesses beyond the first that one access becomes.

    A 32-bit port splits by alignment (a word into two halfwords, or byte, halfword, byte; a halfword into two bytes), a 64-bit
    port only what straddles two of its words.
    """
    if port_mask == 3:
        if address & 1:
            return 0 if size == 1 else 1 if size == 2 else 2
        return 1 if size == 4 and address & 2 else 0
    return 1 if (address & port_mask) + size > port_mask + 1 else 0


@inlined
def follow(s: Any, engine: Any, address: int, size: int) -> None:
    """A piece of code is entered: follow regions, and fetch a block's lines from its memory."""
    runs_on = address == s[H_PREV_END]
    split = is_continuation(s, address)
    account(s, engine, address, size)
    if split:
        return  # fetched on entering the block: events must not depend on where an emulator cuts
    enter_block(s, engine, address)
    memory = memory_at(s, address, 0)
    if memory < 0 or s[H_PREV_END] == 0:
        return  # where an inference returns to, or no code
    record(s, TRACE_BLOCK, 0, address)
    fetch_through(s, memory, address, block_bytes(s, address), runs_on)


@compiled
def _fetch(s: Any, engine: Any, address: int, size: int) -> None:
    note_conditional(s, address, size)
    if s[H_ACTIVE] == 0:
        charge(s, engine, address, size)
    else:
        follow(s, engine, address, size)


@compiled
def access(s: Any, is_write: bool, address: int, size: int) -> None:
    """A load or a store: count it, and ask what is in front of its memory."""
    memory = memory_at(s, address, s[H_LAST_MEMORY])
    if memory < 0:
        return  # between two memories: the emulator faults
    s[H_LAST_MEMORY] = memory
    record(s, TRACE_WRITE if is_write else TRACE_READ, size, address)
    add_to_totals(s, is_write, size)
    cell = cell_of(s, 0, memory)
    extra = further_accesses(address, size, s[H_PORT_MASK])
    if is_write:
        s[cell + E_READS + 2] += 1
        s[cell + E_READS + 3] += size
        s[cell + E_EXTRA + 1] += extra
        region = s[H_REGION]
        if s[H_STACK_LOW] <= address < s[H_STACK_HIGH] and address < s[s[H_DEPTH] + region]:
            s[s[H_DEPTH] + region] = address
    else:
        s[cell + E_READS] += 1
        s[cell + E_READS + 1] += size
        s[cell + E_EXTRA] += extra
    for system in range(s[H_SYSTEMS]):
        stream = s[row_of(s, system, memory) + M_DATA]
        if stream > 0:
            through(s, system, memory, stream, is_write, address, size)


@hook(BLOCK_HOOK)
def fetch_block(engine: Any, address: Any, size: Any, state: Any) -> None:
    """``UC_HOOK_BLOCK``: follow regions and fetch the block's lines from its memory."""
    _fetch(carray(state, EVERYTHING), engine, types.int64(address), types.int64(size))


@hook(MEMORY_HOOK)
def data_access(engine: Any, kind: Any, address: Any, size: Any, _value: Any, state: Any) -> None:
    """``UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE`` over one of the board's memories."""
    if state[H_IN_IT]:
        clear_it_state(H_REGISTERS, engine, state, H_SCRATCH)
    if state[H_ACTIVE]:
        access(carray(state, EVERYTHING), kind == _WRITE, types.int64(address), types.int64(size))
