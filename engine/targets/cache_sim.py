"""The memory system, line by line: what instruction fetches, reads and writes ask of caches and buffers, and what misses.

Model. Every memory has a stream for fetches and one for data; a stream asks a cache (or a buffer of one line) for the line it
touches: instructions on entering a block by a jump and whenever they cross into another line, data on every access. Where every
word of code waits for a bus before the buffer is asked, the stream's lines are words, and several lie in the buffer's line. Streams may
share a cache (a unified cache; a data cache in front of several memories). A miss is sequential if the stream's previous line
was the one before, else a jump. A memory without a cache in front answers every request itself: nothing is looked up.

Replacement: least recently used, round robin, or pseudo-random (a fixed 16-bit LFSR, so that runs repeat). Write-back caches take a line in
on a write miss and mark it dirty; write-through caches pass every write on and take in lines on reads only.
"""

from __future__ import annotations

from typing import Any

from engine.targets.layout import (
    C_EVICTED,
    C_GUESS,
    C_GUESS_MASK,
    C_MASK,
    C_REPLACE,
    C_RNG,
    C_SETS,
    C_STAMPS,
    C_TAGS,
    C_TIME,
    C_WAYS,
    C_WRITE_BACK,
    E_FETCH,
    E_READ,
    E_WRITE_BACK,
    E_WRITE_LINES,
    E_WRITE_MISSES,
    S_CACHE,
    S_COARSER,
    S_LAST,
    S_SHIFT,
)
from engine.targets.native import compiled, inlined

_LRU, _RANDOM = 0, 2  # values of C_REPLACE; 1 is round robin


@inlined
def find(s: Any, cache: int, line: int, allocate: bool, dirty: int) -> bool:
    """Look a line up; true on a hit. On a miss it is taken in (if ``allocate``); what it drove out dirty is in ``C_EVICTED``.

    Tags are line << 1 | dirty, -1 where empty. Beside each tag is the time of its last use (LRU) or of its filling (round robin):
    the smallest of a set goes. A wide set is searched only where a guess, kept by line, is wrong.
    """
    ways = s[cache + C_WAYS]
    mask = s[cache + C_MASK]
    base = s[cache + C_TAGS] + (line & mask if mask >= 0 else line % s[cache + C_SETS]) * ways
    stamps = s[cache + C_STAMPS] - s[cache + C_TAGS]
    replace = s[cache + C_REPLACE]
    guess = s[cache + C_GUESS] + (line & s[cache + C_GUESS_MASK])
    at = base + s[guess]
    if s[at] >> 1 != line:
        at = base
        while at < base + ways and s[at] >> 1 != line:
            at += 1
    if at < base + ways:
        s[guess] = at - base
        s[at] |= dirty
        if replace == _LRU:
            s[cache + C_TIME] += 1
            s[at + stamps] = s[cache + C_TIME]
        return True
    s[cache + C_EVICTED] = -1
    if not allocate:
        return False
    if replace == _RANDOM:
        bits = s[cache + C_RNG]
        bits = (bits >> 1) ^ (0xB400 * (bits & 1))
        s[cache + C_RNG] = bits
        victim = base + bits % ways
    else:
        victim = base
        at = base + 1
        while at < base + ways:
            if s[at + stamps] < s[victim + stamps]:
                victim = at
            at += 1
    if s[victim] >= 0 and s[victim] & 1:
        s[cache + C_EVICTED] = s[victim] >> 1
    s[victim] = line << 1 | dirty
    s[cache + C_TIME] += 1
    s[victim + stamps] = s[cache + C_TIME]
    s[guess] = victim - base
    return False


@inlined
def ask(s: Any, stream: int, events: int, line: int) -> bool:
    """A fetch or a read of one line; ``events``: index of its counters (lines, sequential misses, jump misses). True on a hit."""
    s[events] += 1
    last = s[stream + S_LAST]
    s[stream + S_LAST] = line
    cache = s[stream + S_CACHE]
    if cache == 0 or find(s, cache, line >> s[stream + S_COARSER], True, 0):
        return True
    if last == line - 1 and last >= 0:
        s[events + 1] += 1
    else:
        s[events + 2] += 1
    return False


@inlined
def fetch(s: Any, stream: int, cell: int, address: int, size: int, runs_on: bool) -> None:
    """Instructions at [address, address + size); ``runs_on`` if they follow the previous ones without a jump.

    ``cell``: index of the counters of this region and memory.
    """
    shift = s[stream + S_SHIFT]
    first = address >> shift
    if not (runs_on and first == s[stream + S_LAST]):
        ask(s, stream, cell + E_FETCH, first)
    last = (address + size - 1) >> shift
    while first < last:
        first += 1
        ask(s, stream, cell + E_FETCH, first)


@inlined
def read(s: Any, stream: int, cell: int, address: int, size: int) -> int:
    """Data read at an address; it may straddle two lines. Returns the dirty line it drove out, or -1."""
    shift = s[stream + S_SHIFT]
    line, last = address >> shift, (address + size - 1) >> shift
    out = -1
    while line <= last:
        if not ask(s, stream, cell + E_READ, line) and s[s[stream + S_CACHE] + C_EVICTED] >= 0:
            out = s[s[stream + S_CACHE] + C_EVICTED]
        line += 1
    return out


@inlined
def write(s: Any, stream: int, cell: int, address: int, size: int) -> int:
    """Data written at an address behind a cache. Returns the dirty line it drove out, or -1."""
    cache = s[stream + S_CACHE]
    out = -1
    if cache == 0:
        return out
    shift = s[stream + S_SHIFT]
    back = s[cache + C_WRITE_BACK]
    line, last = address >> shift, (address + size - 1) >> shift
    while line <= last:
        s[cell + E_WRITE_LINES] += 1
        if not find(s, cache, line, back == 1, back):
            s[cell + E_WRITE_MISSES] += 1
            if s[cache + C_EVICTED] >= 0:
                out = s[cache + C_EVICTED]
        line += 1
    return out


@compiled
def replay(s: Any, fetch_stream: int, data_stream: int, cell: int, kinds: Any, addresses: Any, sizes: Any) -> None:
    """Feed a recorded trace of one memory: kind 0 jump fetch, 1 running-on fetch, 2 read, 3 write."""
    for n in range(kinds.size):
        if kinds[n] == 2:
            s[cell + E_WRITE_BACK] += read(s, data_stream, cell, addresses[n], sizes[n]) >= 0
        elif kinds[n] == 3:
            s[cell + E_WRITE_BACK] += write(s, data_stream, cell, addresses[n], sizes[n]) >= 0
        else:
            fetch(s, fetch_stream, cell, addresses[n], sizes[n], kinds[n] == 1)
