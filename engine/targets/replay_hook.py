"""Reading a recorded trace: every event goes to a memory run, its address moved as the section it lies in was."""

from __future__ import annotations

from typing import Any

from engine.targets.layout import (
    H_CODE_END,
    H_CODE_START,
    H_LAST_MEMORY,
    H_LAST_ROW,
    H_PREV_END,
    H_ROWS,
    H_ROWS_COUNT,
    R_DISTANCE,
    R_END,
    R_START,
    ROW,
    TRACE_BLOCK,
    TRACE_WRITE,
    W_HITS,
    W_KIND,
    W_NONE,
)
from engine.targets.memory_hook import access, fetch_through, memory_at
from engine.targets.native import EVERYTHING, REPLAY, carray, compiled, hook, inlined, types
from engine.targets.region_hook import OUTSIDE_CODE, block_bytes, enter_block, fail
from engine.targets.trace_code import context, learn, predicted

OUTSIDE_MEMORY = 7  # a value of Stop


@inlined
def row_of(s: Any, address: int, guess: int) -> int:
    """Index of the row around an address, -1 for none; the row ``guess`` is looked at first."""
    if s[guess + R_START] <= address < s[guess + R_END]:
        return guess
    for n in range(s[H_ROWS_COUNT]):
        row = s[H_ROWS] + ROW * n
        if s[row + R_START] <= address < s[row + R_END]:
            return int(row)
    return -1


@compiled
def _event(s: Any, engine: Any, event: int) -> None:
    kind, size, address = event >> 48, (event >> 32) & 0xFFFF, event & 0xFFFFFFFF
    row = row_of(s, address, s[H_ROWS] if kind == TRACE_BLOCK else s[H_LAST_ROW])
    moved = address + s[row + R_DISTANCE] if row >= 0 else 0
    memory = memory_at(s, moved, s[H_LAST_MEMORY]) if row >= 0 else -1
    if memory < 0:
        fail(s, engine, OUTSIDE_MEMORY, address)
    elif kind == TRACE_BLOCK:
        if address < s[H_CODE_START] or address >= s[H_CODE_END]:
            fail(s, engine, OUTSIDE_CODE, address)
            return
        # control flow is told in the addresses of the ELF, fetches in those of the placement
        runs_on = address == s[H_PREV_END]
        enter_block(s, engine, address)
        code_bytes = block_bytes(s, address)
        s[H_PREV_END] = address + code_bytes
        fetch_through(s, memory, moved, code_bytes, runs_on)
    else:
        s[H_LAST_ROW] = row
        access(s, kind == TRACE_WRITE, moved, size)


@compiled
def _replay(s: Any, engine: Any, words: Any, count: int) -> None:
    for n in range(count):
        word = words[n]
        for _ in range(word >> W_HITS):
            entry = context(s)
            event = predicted(s, entry)
            learn(s, entry, event)
            _event(s, engine, event)
        kind = (word >> W_KIND) & 3
        if kind != W_NONE:
            event = kind << 48 | word & 0xFF_FFFF_FFFF
            learn(s, context(s), event)
            _event(s, engine, event)


@hook(REPLAY)
def replay_trace(no_engine: Any, state: Any, words: Any, count: Any) -> None:
    """Feed one inference to a memory run's state; there is no emulator to stop."""
    _replay(carray(state, EVERYTHING), no_engine, carray(words, EVERYTHING), types.int64(count))
