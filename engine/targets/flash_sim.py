"""The flash interface, line by line: what the instruction and the constant stream ask for, and what misses.

Model. Each stream asks for the line it touches: on entering a block by a jump, and whenever it crosses into another line
(instructions); on every access (constants). A stream with a cache looks the line up (set-associative, LRU). A stream
without one has a single buffer as wide as a flash read: asking for the line it holds is a hit. With a unified cache both
streams share the tags. A miss is sequential if the stream's previous line was the one before, else a jump.
Data caches that also serve RAM (Cortex-M7) are simulated for flash lines only.
"""

from __future__ import annotations

from typing import Any

from engine.targets.layout import S_LAST, S_SETS, S_SHIFT, S_TAGS, S_WAYS
from engine.targets.native import compiled, inlined


@inlined
def lookup(s: Any, stream: int, line: int) -> bool:
    """Look a line up and make it the most recently used of its set; true on a hit."""
    ways = s[stream + S_WAYS]
    base = s[stream + S_TAGS] + (line % s[stream + S_SETS]) * ways
    if s[base] == line:
        return True
    carried = s[base]
    for way in range(1, ways):
        here = s[base + way]
        s[base + way] = carried
        if here == line:
            s[base] = line
            return True
        carried = here
    s[base] = line
    return False


@inlined
def ask(s: Any, stream: int, events: int, line: int) -> None:
    """One request of a stream; ``events`` is the index of its three counters (lines, sequential misses, jump misses)."""
    s[events] += 1
    last = s[stream + S_LAST]
    if not lookup(s, stream, line):
        if last == line - 1 and last >= 0:
            s[events + 1] += 1
        else:
            s[events + 2] += 1
    s[stream + S_LAST] = line


@inlined
def fetch(s: Any, stream: int, events: int, address: int, size: int, runs_on: bool) -> None:
    """Instructions at [address, address + size); ``runs_on`` if they follow the previous ones without a jump."""
    shift = s[stream + S_SHIFT]
    first = address >> shift
    if not (runs_on and first == s[stream + S_LAST]):
        ask(s, stream, events, first)
    for line in range(first + 1, ((address + size - 1) >> shift) + 1):
        ask(s, stream, events, line)


@inlined
def read(s: Any, stream: int, events: int, address: int, size: int) -> None:
    """A constant of ``size`` bytes read at an address; it may straddle two lines."""
    shift = s[stream + S_SHIFT]
    for line in range(address >> shift, ((address + size - 1) >> shift) + 1):
        ask(s, stream, events, line)


@compiled
def replay(s: Any, fetch_stream: int, read_stream: int, events: int, kinds: Any, addresses: Any, sizes: Any) -> None:
    """Feed a recorded trace (kind 0 jump fetch, 1 running-on fetch, 2 read); for tests and for traces of other targets."""
    for n in range(kinds.size):
        if kinds[n] == 2:
            read(s, read_stream, events + 3, addresses[n], sizes[n])
        else:
            fetch(s, fetch_stream, events, addresses[n], sizes[n], kinds[n] == 1)
