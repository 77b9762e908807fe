"""A board's caches and buffers as records of the state that the native hooks work on; see ``cache_sim`` for the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.catalog.access_waits import front_of
from engine.catalog.alternatives import simulated_alternatives
from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.flash import CACHE_KEYS, Cache, FlashInterface
from engine.targets import layout as at

_WORD_SHIFT = 2
_REPLACEMENT = {"lru": 0, "round_robin": 1, "random": 2}


def _alike(one: Cache | None, two: Cache | None) -> bool:
    """Whether two caches work alike."""
    return one is two or (
        one is not None and two is not None and all(getattr(one, k) == getattr(two, k) for k in CACHE_KEYS)
    )


def _buffer(width: int) -> Cache:
    return Cache(bytes=width, line_bytes=width, ways=1, inferred="a buffer as wide as one read")


def counted_bytes(memory: Memory, flash: FlashInterface) -> tuple[int, int]:
    """Bytes of what is counted as a line of the memory: of its fetches, and of its reads (0 where nothing is in front)."""
    width, front = int(flash.width_bytes.value), front_of(memory, flash)
    of_flash = memory.kind is MemoryKind.FLASH
    word = 1 << _WORD_SHIFT
    if front.fetch:
        fetch = front.fetch.line_of(width)
    elif of_flash:
        fetch = min(word, width) if flash.uncached_fetch_cycles is not None else width
    else:
        fetch = word
    return fetch, front.data.line_of(width) if front.data else width * of_flash


class MemorySystem:
    """Streams, caches and (empty) tags of a board, to be placed at index ``base`` of a state; ``others``: those of its alternatives."""

    def __init__(self, base: int) -> None:
        self._base = base
        self._words: list[int] = []
        self._records: list[int] = []
        self.by_memory: tuple[tuple[int, int], ...] = ()
        self._caches: dict[str, int] = {}  # by name: caches and buffers
        self.others: tuple[MemorySystem, ...] = ()

    @staticmethod
    def of(board: Board, base: int) -> MemorySystem:
        """The streams of all memories of a board: ``by_memory``, in the board's order; those of its alternatives behind them."""
        system = MemorySystem(base)
        system.by_memory = tuple(system.streams(m, board.flash) for m in board.memories)
        end, others = base + len(system._words), []
        for alternative in simulated_alternatives(board):
            other = MemorySystem(end)
            other.by_memory = tuple(
                other._differing(m, board.flash, alternative.board.flash) for m in alternative.board.memories
            )
            others.append(other)
            end += len(other._words)
        system.others = tuple(others)
        return system

    def _differing(self, memory: Memory, described: FlashInterface, flash: FlashInterface) -> tuple[int, int]:
        """Streams of a memory of an alternative, where what is in front of it is not what is in front as described."""
        before, now = front_of(memory, described), front_of(memory, flash)
        fetch, data = self.streams(memory, flash)
        return (
            at.AS_DESCRIBED if _alike(before.fetch, now.fetch) else fetch,
            at.AS_DESCRIBED if _alike(before.data, now.data) else data,
        )

    def build(self) -> NDArray[np.int64]:
        """All of them."""
        return np.array([*self._words, *(word for other in self.others for word in other._words)], np.int64)

    def streams(self, memory: Memory, flash: FlashInterface) -> tuple[int, int]:
        """Indices of the fetch and of the data stream of a memory; data: 0 where nothing is in front of it."""
        front, width = front_of(memory, flash), int(flash.width_bytes.value)
        unit, _ = counted_bytes(memory, flash)
        data_name = "icache" if flash.unified else "dcache"
        if memory.kind is MemoryKind.FLASH:
            # without a cache, a buffer as wide as one read
            code = self.stream(front.fetch or _buffer(width), "icache" if front.fetch else "code", width, unit)
            data = self.stream(front.data or _buffer(width), data_name if front.data else "data", width)
            return code, data
        return (
            self.stream(front.fetch, "icache", width) if front.fetch else self._add_stream(_WORD_SHIFT, 0, 0),
            self.stream(front.data, data_name, width) if front.data else 0,
        )

    def stream(self, cache: Cache, name: str, width: int, unit: int | None = None) -> int:
        """Index of a new stream behind a cache that asks for ``unit`` bytes at a time (its line); streams of one name share it."""
        line = cache.line_of(width)
        known = self._caches.get(name)
        if known is None:
            known = self._caches[name] = self._add_cache(cache, line, cache.ways_of(width))
        shift = (unit or line).bit_length() - 1
        return self._add_stream(shift, known, line.bit_length() - 1 - shift)

    def _add_stream(self, shift: int, cache: int, coarser: int) -> int:
        record = [0] * at.STREAM
        record[at.S_LAST], record[at.S_SHIFT], record[at.S_CACHE], record[at.S_COARSER] = -1, shift, cache, coarser
        return self._add(record)

    def _add_cache(self, cache: Cache, line_bytes: int, ways: int) -> int:
        sets = cache.bytes // (line_bytes * ways)
        record = [0] * at.CACHE
        record[at.C_SETS], record[at.C_WAYS] = sets, ways
        record[at.C_MASK] = sets - 1 if sets & (sets - 1) == 0 else -1
        record[at.C_REPLACE] = _REPLACEMENT[cache.replacement]
        record[at.C_WRITE_BACK] = int(cache.policy == "write_back")
        record[at.C_RNG], record[at.C_EVICTED] = 0xACE1, -1
        lines = sets * ways
        guesses = 1 << (2 * lines - 1).bit_length()
        tags = self._base + len(self._words) + at.CACHE
        record[at.C_TAGS], record[at.C_STAMPS] = tags, tags + lines
        record[at.C_GUESS], record[at.C_GUESS_MASK] = tags + 2 * lines, guesses - 1
        self._records.append(len(self._words))
        return self._add(record + [-1] * lines + [0] * (lines + guesses))

    def remembered(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """What streams and caches of a state's part remember, comparable: equal results have an equal future.

        Of alternatives, those that replace lines otherwise than as least recently used are left out: they need not repeat themselves.
        """
        own = self._remembered(words[: len(self._words)])
        others = [
            other._remembered(words[other._base - self._base :][: len(other._words)])
            for other in self.others
            if not any(other._words[first + at.C_REPLACE] for first in other._records)
        ]
        return np.concatenate([own, *others])

    def _remembered(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        parts = []
        end = 0
        for first in self._records:
            parts.append(words[end:first])
            sets, ways = int(words[first + at.C_SETS]), int(words[first + at.C_WAYS])
            lines = sets * ways
            parts.append(words[first + at.C_RNG : first + at.C_RNG + 1])
            tags, stamps = words[first + at.CACHE :][: 2 * lines].reshape(2, sets, ways)
            if words[first + at.C_REPLACE] != _REPLACEMENT["random"]:
                # neither the times nor the places matter, only the order
                tags = np.take_along_axis(tags, stamps.argsort(axis=1, kind="stable"), axis=1)
            parts.append(tags.ravel())
            end = first + at.CACHE + 2 * lines + int(words[first + at.C_GUESS_MASK]) + 1
        return np.concatenate([*parts, words[end:]])

    def _add(self, words: list[int]) -> int:
        index = self._base + len(self._words)
        self._words += words
        return index
