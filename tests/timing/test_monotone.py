"""A worse memory system never makes a program faster: caches taken away or made smaller, wait states added, a narrower flash.

What may break the rule is left out on purpose. Replacement: with sets that are no powers of two, another policy than LRU or other
ways, a smaller cache can happen to keep what the larger one drives out. A cache whose lines are read once each: without it, the
words around the one that is wanted are not moved.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.board import Board
from engine.catalog.flash import Cache
from engine.catalog.load import load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Firmware
from engine.pipeline.prepare import prepare
from engine.pipeline.settings import RunSettings, resolve
from engine.targets import layout as at
from tests.targets import kit
from tests.targets.test_cache_sim import native, places
from tests.timing.micro import m0plus, m4, m7, m33
from tests.timing.micro.kit import build, timed

KERNELS = {
    "nucleo-g0b1re": m0plus,
    "nucleo-l4r5zi": m4,
    "nucleo-u575zi": m33,
    "nucleo-h743zi": m7,
    "stm32f746g-disco": m7,
}

# each row of overrides makes the memory system worse than the row before; RAM is the memory of the activations
CHAINS = {
    "nucleo-g0b1re": (
        ("", "flash.icache=none", "flash.icache=none flash.prefetch=false", "flash.icache=none flash.prefetch=false flash.wait_states=3"),
        ("", "flash.width_bytes=4"),
        ("", "memories.RAM.wait_states=1", "memories.RAM.wait_states=2"),
    ),
    "nucleo-l4r5zi": (
        ("flash.width_bytes=16", "", "flash.width_bytes=4"),
        ("", "flash.icache.bytes=512", "flash.icache.bytes=64", "flash.icache=none"),
        ("", "flash.dcache.bytes=128", "flash.dcache=none", "flash.dcache=none flash.icache=none"),
        ("flash.wait_states=0", "flash.wait_states=3", "", "flash.wait_states=6", "flash.wait_states=6 flash.miss_extra_cycles=1"),
    ),
    "nucleo-u575zi": (
        ("", "flash.icache.bytes=4096", "flash.icache.bytes=1024", "flash.icache.bytes=256", "flash.icache=none flash.unified=false"),
        ("flash.wait_states=0", "", "flash.wait_states=8"),
        ("", "flash.width_bytes=8", "flash.width_bytes=4"),
    ),
    "nucleo-h743zi": (
        ("", "flash.dcache.bytes=4096", "flash.dcache.bytes=512", "flash.dcache=none", "flash.dcache=none flash.icache=none"),
        ("", "flash.icache.bytes=4096", "flash.icache.bytes=512", "flash.icache=none"),
        ("", "flash.dcache.policy=write_through", "flash.dcache.also_serves=none"),
        ("", "memories.RAM.line_fill_cycles=20", "memories.RAM.line_fill_cycles=20 flash.wait_states=9"),
        ("flash.dcache=none", "flash.dcache=none memories.RAM.wait_states=12", "flash.dcache=none memories.RAM.wait_states=12 flash.uncached_read_cycles=30"),
        ("", "flash.width_bytes=16", "flash.width_bytes=8"),
    ),
    "stm32f746g-disco": (
        ("", "flash.dcache.bytes=1024", "flash.dcache.bytes=256", "flash.dcache=none", "flash.dcache=none flash.icache=none"),
        ("", "flash.icache.bytes=1024", "flash.icache=none"),
        ("", "flash.dcache.policy=write_through", "flash.dcache.also_serves=none"),
    ),
}  # fmt: skip
# figures that nobody gives must not make it faster either
NOT_GIVEN = "flash.dcache.also_serves=none memories.RAM.wait_states=none memories.RAM.write_wait_states=none"


def worse(board: Board, text: str) -> Board:
    """The board with overrides."""
    texts = text.replace(".RAM.", f".{board.placement.activations}.").split()
    return override(board, load_core(board.core), [parse_override(t) for t in texts])[0]


def on_the_test_map(board: Board) -> Board:
    """The flash interface of a board, and the figures of the RAM of its activations, at the addresses of the micro-firmwares."""
    ram, made = board.memory(board.placement.activations), kit.board(board.core)
    own = made.memory("sram").model_copy(update={**dict(ram.figures()), "name": ram.name})
    return board.model_copy(
        update={
            "memories": (made.memory("flash"), own),
            "placement": made.placement.model_copy(update={"activations": ram.name, "stack": ram.name}),
        }
    )


def check(firmware: Firmware, data: bytes, board: Board, clock_mhz: float, chains: tuple[tuple[str, ...], ...]) -> None:
    known: dict[str, tuple[int, int]] = {}

    def cycles(text: str) -> tuple[int, int]:
        if text not in known:
            run = timed(firmware, worse(board, text), board.core, clock_mhz, data)
            known[text] = run.warm_cycles, run.cold_cycles
        return known[text]

    for chain in chains:
        for better, than in pairwise(chain):
            for fast, slow in zip(cycles(better), cycles(than), strict=True):
                assert fast <= slow, f"[{than}] is faster than [{better}]: {slow} against {fast} cycles"


def test_without_its_caches_a_cortex_m7_is_slower(tmp_path: Path) -> None:
    board = on_the_test_map(load_board("nucleo-h743zi"))
    firmware = build(tmp_path, [k for k in m7.KERNELS if k.name in ("loads_in_different_banks", "stores")])
    check(firmware, bytes(64), board, board.default_clock_mhz, (("", NOT_GIVEN), ("", "flash.icache=none")))


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_on_the_micro_firmwares(name: str, tmp_path: Path) -> None:
    board = on_the_test_map(load_board(name))
    firmware = build(tmp_path, [k for k in KERNELS[name].KERNELS if k.board is None][::8])
    check(firmware, bytes(64), board, board.default_clock_mhz, CHAINS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in CHAINS if n != "nucleo-g0b1re"])
def test_on_keyword_spotting(name: str) -> None:
    run = resolve(RunSettings("kws", name))
    made = prepare(run)
    ends = tuple((chain[0], chain[-1]) for chain in CHAINS[name])  # what lies between is for the micro-firmwares
    check(made.firmware, stimulus(made.firmware, made.inputs)[0], run.board, run.clock_mhz, ends)


@settings(max_examples=40, deadline=None)
@given(
    line=st.sampled_from([8, 16, 32]), sets=st.sampled_from([2, 4, 8]), ways=st.integers(1, 4),
    policy=st.sampled_from(["write_back", "write_through"]), wide=st.booleans(),
    trace=st.lists(st.tuples(st.integers(0, 2), places, st.sampled_from([1, 2, 4, 8])), min_size=1, max_size=80),
)  # fmt: skip
def test_half_of_a_least_recently_used_cache_misses_no_less(
    line: int, sets: int, ways: int, policy: str, wide: bool, trace: list[tuple[int, int, int]]
) -> None:
    def misses(size: int, by: int) -> list[int]:
        cache = Cache(bytes=size, line_bytes=line, ways=by, policy=policy, inferred="of the test")
        found = native(kit.flash_interface(8, cache, cache), trace)
        fetch, read = at.E_FETCH - at.E_FETCH, at.E_READ - at.E_FETCH
        return [found[n + 1] + found[n + 2] for n in (fetch, read)]

    whole = misses(line * sets * ways, ways)
    # half of the sets, or all lines in any place of a set and half of them
    half = misses(line * sets * ways // 2, ways) if not wide else misses(line * sets, sets)
    full = whole if not wide else misses(line * 2 * sets, 2 * sets)
    assert all(a <= b for a, b in zip(full, half, strict=True))
