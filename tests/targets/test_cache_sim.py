"""The native memory system against a plain model, access by access."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.board import Memory, MemoryKind
from engine.catalog.flash import Cache, FlashInterface
from engine.counters.count import add_up, count_regions
from engine.targets import layout as at
from engine.targets.memory_system import MemorySystem
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder

Access = tuple[int, int, int]  # kind (0 jump fetch, 1 running-on fetch, 2 read, 3 write), address, size
FLASH = Memory(name="flash", kind=MemoryKind.FLASH, origin=0, bytes=1 << 28, source="of the test")
RAM = Memory(
    name="ram",
    kind=MemoryKind.SRAM,
    origin=0x20000000,
    bytes=1 << 20,
    source="of the test",
    line_fill_cycles=kit.figure(9),
)


class PlainCache:
    """Lines as dictionaries of their last use, filling and dirt; a victim by the rule of the cache, in the documentation's words."""

    def __init__(self, cache: Cache, width: int) -> None:
        self.cache = cache
        self.line = width if cache.line_bytes is None else cache.line_bytes
        self.ways = cache.bytes // self.line if cache.ways is None else cache.ways
        self.sets: list[dict[int, list[int]]] = [{} for _ in range(cache.bytes // self.line // self.ways)]
        self.slots: list[list[int | None]] = [[None] * self.ways for _ in self.sets]
        self.time = 0
        self.lfsr = 0xACE1

    def ask(self, number: int, *, write: bool = False) -> tuple[bool, bool]:
        """(hit, a dirty line was driven out)."""
        self.time += 1
        n = number % len(self.sets)
        lines, slots = self.sets[n], self.slots[n]
        dirty = write and self.cache.policy == "write_back"
        if number in lines:
            if self.cache.replacement == "lru":
                lines[number][0] = self.time
            lines[number][1] |= dirty
            return True, False
        if write and self.cache.policy == "write_through":
            return False, False
        if self.cache.replacement == "random":
            bit = self.lfsr & 1
            self.lfsr >>= 1
            if bit:
                self.lfsr ^= 0xB400
            slot = self.lfsr % self.ways
        elif None in slots:
            slot = slots.index(None)
        else:
            slot = slots.index(min(lines, key=lambda x: lines[x][0]))
        out = slots[slot]
        lost = out is not None and bool(lines.pop(out)[1])
        slots[slot], lines[number] = number, [self.time, dirty]
        return False, lost


def plain(flash: FlashInterface, trace: list[Access], memory: Memory) -> list[int]:
    """The counters behind the first six, by the rules as the documentation words them."""

    width = int(flash.width_bytes.value)
    buffer = Cache(bytes=width, line_bytes=width, ways=1, inferred="a buffer")
    of_flash = memory is FLASH
    code = PlainCache(flash.icache or buffer, width) if of_flash or flash.icache else None
    shared = flash.unified and flash.icache
    data = code if shared else PlainCache(flash.dcache or buffer, width) if of_flash or flash.dcache else None
    by_word = of_flash and flash.icache is None and flash.uncached_fetch_cycles is not None
    last: list[int | None] = [None, None]
    events = [0] * 9
    for kind, address, size in trace:
        if kind == 3 and data is None:
            continue
        stream, store = (1, data) if kind >= 2 else (0, code)
        line = 4 if store is None or (by_word and stream == 0) else store.line
        if kind >= 2 and store is None:
            continue
        lines = sorted({byte // line for byte in range(address, address + size)})
        if kind == 1 and lines[0] == last[0]:
            lines = lines[1:]
        lost = False
        for number in lines:
            hit, out = store.ask(number * line // store.line, write=kind == 3) if store else (True, False)
            lost |= out
            if kind == 3:
                events[6] += 1
                events[7] += not hit
                continue
            events[3 * stream] += 1
            if not hit:
                sequential = last[stream] is not None and last[stream] == number - 1
                events[3 * stream + (1 if sequential else 2)] += 1
            last[stream] = number
        events[8] += lost and kind >= 2
    return events


def native(flash: FlashInterface, trace: list[Access], memory: Memory = FLASH) -> list[int]:
    from engine.targets.cache_sim import replay

    system = MemorySystem(at.EVENTS)
    fetch, data = system.streams(memory, flash)
    state = np.concatenate([np.zeros(at.EVENTS, np.int64), system.build()])
    kept = [a for a in trace if data or a[0] < 2]  # the hook does not ask where nothing is in front
    kinds, addresses, sizes = (np.array([a[n] for a in kept], np.int64) for n in range(3))
    replay(state, fetch, data, 0, kinds, addresses, sizes)
    return [int(v) for v in state[at.E_FETCH : at.EVENTS]]


def _interface(width: int, icache: Cache | None, dcache: Cache | None, unified: bool, bus: bool) -> FlashInterface:
    flash = kit.flash_interface(width, icache, None if unified else dcache, unified=unified and icache is not None)
    return flash.model_copy(update={"uncached_fetch_cycles": kit.figure(2) if bus else None})


caches = st.one_of(
    st.none(),
    st.builds(
        lambda line, sets, ways, replacement, policy: Cache(
            bytes=(line or 32) * sets * (ways or 1),
            line_bytes=line,
            ways=ways,
            replacement=replacement,
            policy=policy,
            also_serves=("ram",),
            inferred="of the test",
        ),
        st.sampled_from([4, 8, 16, 32, None]),
        st.integers(1, 5),
        st.sampled_from([1, 2, 3, 4, 8, 32, None]),
        st.sampled_from(["lru", "round_robin", "random"]),
        st.sampled_from(["write_back", "write_through"]),
    ),
)
interfaces = st.builds(_interface, st.sampled_from([4, 8, 16, 32]), caches, caches, st.booleans(), st.booleans())
places = st.one_of(st.integers(0, 600), st.integers(0x08000000, 0x08000200))
sizes = st.sampled_from([1, 2, 4, 8, 40])


@settings(max_examples=300, deadline=None)
@given(flash=interfaces, trace=st.lists(st.tuples(st.integers(0, 2), places, sizes), min_size=1, max_size=200))
def test_flash_equals_the_plain_model(flash: FlashInterface, trace: list[Access]) -> None:
    assert native(flash, trace) == plain(flash, trace, FLASH)


@settings(max_examples=300, deadline=None)
@given(flash=interfaces, trace=st.lists(st.tuples(st.integers(0, 3), places, sizes), min_size=1, max_size=200))
def test_ram_behind_caches_equals_the_plain_model(flash: FlashInterface, trace: list[Access]) -> None:
    assert native(flash, trace, RAM) == plain(flash, trace, RAM)


def test_a_written_line_is_written_back_when_it_is_driven_out() -> None:
    flash = kit.flash_interface(16, None, kit.cache(32, 16, 2, also_serves=("ram",)))
    # 0 and 16 are written, 32 drives 0 out, 0 drives 16 out: two write-backs; three write misses, one read miss
    trace = [(3, 0, 4), (3, 16, 4), (3, 32, 4), (2, 0, 4)]
    assert native(flash, trace, RAM)[3:] == [1, 0, 1, 3, 3, 2]


def test_what_a_cache_remembers_is_equal_after_equal_laps() -> None:
    from engine.targets.cache_sim import replay

    system = MemorySystem(at.EVENTS)
    fetch, data = system.streams(FLASH, kit.flash_interface(16, kit.cache(64, 16, 2), kit.cache(64, 16, 4)))
    state = np.concatenate([np.zeros(at.EVENTS, np.int64), system.build()])
    seen = []
    for _ in range(3):
        addresses = np.array([0, 16, 32, 48, 64, 80], np.int64)
        replay(state, fetch, data, 0, np.array([0, 2] * 3), addresses, np.full(6, 4, np.int64))
        seen.append(system.remembered(state[at.EVENTS :]))
    assert not np.array_equal(seen[0], system.remembered(system.build()))
    assert np.array_equal(seen[1], seen[2])


def test_a_loop_in_a_cache_misses_once() -> None:
    flash = kit.flash_interface(16, kit.cache(1024, 16, 4))
    lap = [(0, 0x100, 64)]
    assert native(flash, lap * 10) == [40, 3, 1] + [0] * 6


def test_without_a_cache_every_line_is_read_again() -> None:
    flash = kit.flash_interface(16)
    assert native(flash, [(0, 0x100, 64)] * 10)[:3] == [40, 30, 10]
    # over a bus every word is asked for, and the buffer still answers three of four
    bus = flash.model_copy(update={"uncached_fetch_cycles": kit.figure(2)})
    assert native(bus, [(0, 0x100, 64)] * 10)[:3] == [160, 30, 10]


def test_a_line_left_out_is_one_read_of_the_flash() -> None:
    cache = Cache(bytes=64, inferred="of the test")
    lap = [(0, 8 * n, 8) for n in range(8)]  # 64 bytes, each 8 of them behind a jump
    narrow, wide = (native(kit.flash_interface(width, cache), lap * 2)[:3] for width in (8, 16))
    assert (narrow, wide) == ([16, 7, 1], [16, 3, 1])


def test_constants_evict_code_only_from_a_unified_cache() -> None:
    lap = [(0, 0x100, 16), (2, 0x200, 4)]
    apart = kit.flash_interface(16, kit.cache(16, 16, 1), kit.cache(16, 16, 1))
    together = kit.flash_interface(16, kit.cache(16, 16, 1), unified=True)
    assert native(apart, lap * 5)[:6] == [5, 0, 1, 5, 0, 1]
    assert native(together, lap * 5)[:6] == [5, 0, 5, 5, 0, 5]


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_a_large_cache_makes_the_warm_inference_free_of_misses(make: Builder, core: str) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    big = kit.cache(64 * 1024, 32, 4)
    board = kit.board(core, flash=kit.flash_interface(16, big, big))
    execution = UnicornTarget(board).run(firmware, [bytes(range(64))])
    warm = add_up(count_regions(firmware, execution, board))
    assert (warm.flash_fetch_misses, warm.flash_read_misses) == (0, 0)
    assert warm.flash_fetch_lines > 0
    cold = sum(e.fetch_misses for e in execution.cold.events)
    assert 0 < cold < 200


def test_the_interface_changes_events_but_not_counts(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    boards = [kit.board("cortex-m4", flash=f) for f in (kit.flash_interface(4), kit.flash_interface(32))]
    first, second = (UnicornTarget(b).run(firmware, [bytes(range(64))]) for b in boards)
    assert [(e.reads, e.read_bytes, e.writes, e.write_bytes) for e in first.warm.events] == [
        (e.reads, e.read_bytes, e.writes, e.write_bytes) for e in second.warm.events
    ]
    assert first.warm != second.warm
