"""A trace of one inference in few words: every event is predicted from what came before it, and only what was not predicted is written.

An event is a block entered or a data access, as in ``layout``: kind << 48 | bytes << 32 | address. Its context is the block entered last and
the number of events since; the event there is expected to differ from the one before it by the stride seen twice in a row.
A word holds how many events were as predicted before it, and the one that was not. Reader and writer keep the same table of
contexts, so contexts that fall together cost words, never events.
"""

from __future__ import annotations

from typing import Any

from engine.targets.layout import (
    H_AFTER_BLOCK,
    H_CONTEXTS,
    H_HITS,
    H_RECORD,
    H_RECORD_FILL,
    H_RECORD_ROOM,
    H_SINCE,
    P_CANDIDATE,
    P_LAST,
    P_STRIDE,
    PREDICTION,
    PREDICTIONS,
    TRACE_BLOCK,
    W_HITS,
    W_KIND,
    W_MOST_HITS,
    W_NONE,
)
from engine.targets.native import inlined


@inlined
def context(s: Any) -> int:
    """Index of the entry that predicts the next event."""
    return int(s[H_CONTEXTS] + PREDICTION * (((s[H_AFTER_BLOCK] >> 1) * 31 + s[H_SINCE]) & (PREDICTIONS - 1)))


@inlined
def predicted(s: Any, entry: int) -> int:
    """The event an entry predicts."""
    return int(s[entry + P_LAST] + s[entry + P_STRIDE])


@inlined
def learn(s: Any, entry: int, event: int) -> None:
    """Tell the predictor what the event was."""
    stride = event - s[entry + P_LAST]
    if stride == s[entry + P_CANDIDATE]:
        s[entry + P_STRIDE] = stride
    s[entry + P_CANDIDATE] = stride
    s[entry + P_LAST] = event
    if event >> 48 == TRACE_BLOCK:
        s[H_AFTER_BLOCK] = event & 0xFFFFFFFF
        s[H_SINCE] = 0
    else:
        s[H_SINCE] += 1


@inlined
def put(s: Any, kind: int, size: int, address: int) -> None:
    """Append a word; one that finds no room is counted all the same, so that the trace is known to be short."""
    at = s[H_RECORD_FILL]
    s[H_RECORD_FILL] += 1
    if at < s[H_RECORD_ROOM]:
        s[s[H_RECORD] + at] = s[H_HITS] << W_HITS | kind << W_KIND | size << 32 | address
    s[H_HITS] = 0


@inlined
def record(s: Any, kind: int, size: int, address: int) -> None:
    """Keep one event of a trace that is being recorded."""
    if s[H_RECORD] != 0:
        event = kind << 48 | size << 32 | address
        entry = context(s)
        if predicted(s, entry) == event:
            s[H_HITS] += 1
            if s[H_HITS] == W_MOST_HITS:
                put(s, W_NONE, 0, 0)
        else:
            put(s, kind, size, address)
        learn(s, entry, event)
