"""Following control flow natively: which ELF block and which region a translated piece belongs to."""

from __future__ import annotations

from typing import Any

from engine.targets.layout import (
    H_BEGIN,
    H_BEGIN_END,
    H_BLOCK,
    H_CODE_END,
    H_CODE_START,
    H_END,
    H_ENDS,
    H_ERROR,
    H_ERROR_AT,
    H_EXIT,
    H_LAYERS,
    H_LIMIT,
    H_OPENED,
    H_PENDING,
    H_PREV_END,
    H_REGION,
    H_STOP,
    H_WORK,
)
from engine.targets.native import inlined, stop_emulation

OUTSIDE_CODE, BUDGET, BEGIN_INSIDE, END_OUTSIDE, TOO_MANY = 6, 1, 3, 4, 5  # values of Stop


@inlined
def fail(s: Any, engine: Any, error: int, address: int) -> None:
    """Note the first error and ask the emulator to stop, if it runs in this process."""
    if s[H_ERROR] == 0:
        s[H_ERROR] = error
        s[H_ERROR_AT] = address
    if s[H_STOP] != 0:
        stop_emulation(s[H_STOP], engine)


@inlined
def is_continuation(s: Any, address: int) -> bool:
    """Did the emulator merely split an ELF block here? (It does at page ends, after ~500 operations, after barriers.)"""
    if address != s[H_PREV_END]:
        return False
    half = (address - s[H_CODE_START]) >> 1
    return bool((s[s[H_ENDS] + (half >> 6)] >> (half & 63)) & 1 == 0)


@inlined
def block_bytes(s: Any, address: int) -> int:
    """Size of the ELF block entered at an address, however the emulator cuts it."""
    first = (address - s[H_CODE_START]) >> 1
    half = first + 1
    word = s[s[H_ENDS] + (half >> 6)] >> (half & 63)
    while word & 1 == 0:
        half += 1
        word = word >> 1 if half & 63 else s[s[H_ENDS] + (half >> 6)]
    return int((half - first) << 1)


@inlined
def charge(s: Any, engine: Any, address: int, size: int) -> None:
    """Stop what runs away, during start-up too."""
    s[H_WORK] += size
    if s[H_WORK] > s[H_LIMIT]:
        fail(s, engine, BUDGET, address)


@inlined
def account(s: Any, engine: Any, address: int, size: int) -> None:
    """Charge the run-away guard and remember where this piece ends."""
    s[H_PREV_END] = address + size
    charge(s, engine, address, size)
    if address < s[H_CODE_START] or address >= s[H_CODE_END]:
        if address != s[H_EXIT]:
            fail(s, engine, OUTSIDE_CODE, address)
        s[H_PREV_END] = 0  # the bit table must not be asked about what follows


@inlined
def enter_block(s: Any, engine: Any, address: int) -> None:
    """Switch regions: the markers' own blocks are glue, the block after ``wc_layer_begin``'s last one opens the layer."""
    if s[H_PENDING] >= 0 and not s[H_BEGIN] <= address < s[H_BEGIN_END]:
        s[H_REGION] = s[H_PENDING]
        s[H_PENDING] = -1
    if address == s[H_BEGIN]:
        if s[H_REGION] != s[H_LAYERS]:
            fail(s, engine, BEGIN_INSIDE, address)
        elif s[H_OPENED] >= s[H_LAYERS]:
            fail(s, engine, TOO_MANY, address)
        else:
            s[H_PENDING] = s[H_OPENED]
            s[H_OPENED] += 1
    elif address == s[H_END]:
        if s[H_REGION] == s[H_LAYERS]:
            fail(s, engine, END_OUTSIDE, address)
        s[H_REGION] = s[H_LAYERS]
    s[H_BLOCK] = address
