"""Reading the plugin's trace: every event, told in the board's addresses, goes to the memory run that Unicorn's hooks feed."""

from __future__ import annotations

from typing import Any

from engine.targets.layout import (
    H_ERROR,
    H_LAST_MEMORY,
    H_MEMORIES,
    H_MOVES,
    MOVE,
    TRACE_BLOCK,
    TRACE_WRITE,
    V_DISTANCE,
    V_END,
    V_FLASH,
    V_ORIGIN,
)
from engine.targets.memory_hook import access, follow
from engine.targets.native import EVERYTHING, TRACE_READER, carray, compiled, hook, inlined, types
from engine.targets.region_hook import fail

OUTSIDE_MEMORY, WRITE_TO_FLASH = 7, 8  # values of Stop


@inlined
def move_of(s: Any, address: int, guess: int) -> int:
    """Index of the row of moves around an address of the emulator, -1 for none; the memory ``guess`` is looked at first."""
    row = s[H_MOVES] + MOVE * guess
    if s[row + V_ORIGIN] <= address < s[row + V_END]:
        return int(row)
    for n in range(s[H_MEMORIES]):
        row = s[H_MOVES] + MOVE * n
        if s[row + V_ORIGIN] <= address < s[row + V_END]:
            return int(row)
    return -1


@compiled
def _read(s: Any, engine: Any, events: Any, count: int) -> None:
    for n in range(count):
        if s[H_ERROR] != 0:
            return  # what comes after it would hide where it was
        event = events[n]
        kind, size, address = event >> 48, (event >> 32) & 0xFFFF, event & 0xFFFFFFFF
        row = move_of(s, address, 0 if kind == TRACE_BLOCK else s[H_LAST_MEMORY])
        if row < 0:
            fail(s, engine, OUTSIDE_MEMORY, address)
        elif kind == TRACE_BLOCK:
            follow(s, engine, address + s[row + V_DISTANCE], size)
        elif kind == TRACE_WRITE and s[row + V_FLASH]:
            fail(s, engine, WRITE_TO_FLASH, address + s[row + V_DISTANCE])
        else:
            access(s, kind == TRACE_WRITE, address + s[row + V_DISTANCE], size)


@hook(TRACE_READER)
def read_trace(no_engine: Any, state: Any, events: Any, count: Any) -> None:
    """Feed ``count`` events to a memory run's state; there is no emulator in this process to stop."""
    _read(carray(state, EVERYTHING), no_engine, carray(events, EVERYTHING), types.int64(count))
