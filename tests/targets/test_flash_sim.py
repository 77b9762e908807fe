"""The native flash simulators against a plain model, access by access."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.board import Cache, FlashInterface
from engine.counters.count import add_up, count_regions
from engine.targets import layout as at
from engine.targets.state import flash_streams
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder

Access = tuple[int, int, int]  # kind, address, size


class PlainCache:
    """Lines with the time of their last use; the oldest of a set goes."""

    def __init__(self, line: int, sets: int, ways: int) -> None:
        self.line, self.sets, self.ways = line, sets, ways
        self.used: list[dict[int, int]] = [{} for _ in range(sets)]
        self.time = 0

    def hit(self, number: int) -> bool:
        self.time += 1
        lines = self.used[number % self.sets]
        found = number in lines
        if not found and len(lines) == self.ways:
            del lines[min(lines, key=lambda n: lines[n])]
        lines[number] = self.time
        return found


def plain(flash: FlashInterface, trace: list[Access]) -> list[int]:
    """The six counters, by the rules as the documentation words them."""

    def memory(cache: Cache | None) -> PlainCache:
        if cache is None:
            return PlainCache(int(flash.width_bytes.value), 1, 1)
        return PlainCache(cache.line_bytes, cache.bytes // cache.line_bytes // cache.ways, cache.ways)

    code = memory(flash.icache)
    data = code if flash.unified and flash.icache else memory(flash.dcache)
    last: list[int | None] = [None, None]
    events = [0] * 6
    for kind, address, size in trace:
        stream, store = (1, data) if kind == 2 else (0, code)
        lines = sorted({byte // store.line for byte in range(address, address + size)})
        if kind == 1 and lines[0] == last[0]:
            lines = lines[1:]
        for line in lines:
            events[3 * stream] += 1
            if not store.hit(line):
                sequential = last[stream] is not None and last[stream] == line - 1
                events[3 * stream + (1 if sequential else 2)] += 1
            last[stream] = line
    return events


def native(flash: FlashInterface, trace: list[Access]) -> list[int]:
    from engine.targets.flash_sim import replay

    streams, tags = flash_streams(flash, at.EVENTS)
    state = np.concatenate([np.zeros(at.EVENTS, np.int64), streams, tags])
    kinds, addresses, sizes = (np.array([a[n] for a in trace], np.int64) for n in range(3))
    replay(state, at.EVENTS, at.EVENTS + at.STREAM, 0, kinds, addresses, sizes)
    return [int(v) for v in state[: at.EVENTS]]


def _interface(width: int, icache: Cache | None, dcache: Cache | None, unified: bool) -> FlashInterface:
    return kit.flash_interface(width, icache, None if unified else dcache, unified=unified and icache is not None)


caches = st.one_of(
    st.none(),
    st.builds(
        lambda line, sets, ways: kit.cache(line * sets * ways, line, ways),
        st.sampled_from([4, 8, 16, 32]),
        st.integers(1, 5),
        st.sampled_from([1, 2, 3, 4, 8]),
    ),
)
interfaces = st.builds(_interface, st.sampled_from([4, 8, 16, 32]), caches, caches, st.booleans())
accesses = st.tuples(
    st.integers(0, 2),
    st.one_of(st.integers(0, 600), st.integers(0x08000000, 0x08000200)),
    st.sampled_from([1, 2, 4, 8, 40]),
)


@settings(max_examples=300, deadline=None)
@given(flash=interfaces, trace=st.lists(accesses, min_size=1, max_size=200))
def test_native_equals_plain(flash: FlashInterface, trace: list[Access]) -> None:
    assert native(flash, trace) == plain(flash, trace)


def test_a_loop_in_a_cache_misses_once() -> None:
    flash = kit.flash_interface(16, kit.cache(1024, 16, 4))
    lap = [(0, 0x100, 64)]
    assert native(flash, lap * 10) == [40, 3, 1, 0, 0, 0]


def test_without_a_cache_every_line_is_read_again() -> None:
    flash = kit.flash_interface(16)
    assert native(flash, [(0, 0x100, 64)] * 10)[:3] == [40, 30, 10]


def test_constants_evict_code_only_from_a_unified_cache() -> None:
    lap = [(0, 0x100, 16), (2, 0x200, 4)]
    apart = kit.flash_interface(16, kit.cache(16, 16, 1), kit.cache(16, 16, 1))
    together = kit.flash_interface(16, kit.cache(16, 16, 1), unified=True)
    assert native(apart, lap * 5) == [5, 0, 1, 5, 0, 1]
    assert native(together, lap * 5) == [5, 0, 5, 5, 0, 5]


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_a_large_cache_makes_the_warm_inference_free_of_misses(make: Builder, core: str) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    big = kit.cache(64 * 1024, 32, 4)
    board = kit.board(core, flash=kit.flash_interface(16, big, big))
    execution = UnicornTarget(board).run(firmware, [bytes(range(64))])
    warm = add_up(count_regions(firmware, execution, board))
    assert (warm.flash_fetch_misses, warm.flash_read_misses) == (0, 0)
    assert warm.flash_fetch_lines > 0
    cold = sum(e.fetch_misses_sequential + e.fetch_misses_jump for e in execution.cold.flash)
    assert 0 < cold < 200


def test_the_interface_changes_events_but_not_counts(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    boards = [kit.board("cortex-m4", flash=f) for f in (kit.flash_interface(4), kit.flash_interface(32))]
    first, second = (UnicornTarget(b).run(firmware, [bytes(range(64))]) for b in boards)
    assert first.warm.traffic == second.warm.traffic
    assert first.warm.flash != second.warm.flash
