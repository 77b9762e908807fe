"""Branches, flash and whole runs on small hand-made profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.board import Board
from engine.catalog.figure import Figure
from engine.catalog.flash import ClockStep
from engine.catalog.load import load_board, load_core
from engine.counters.types import Block
from engine.errors import UsageError
from engine.firmware.types import (
    ArenaPlan,
    Compiler,
    CompilerName,
    Firmware,
    KernelLibrary,
    KernelLibraryInfo,
    LoweredLayer,
)
from engine.records.cause import Cause
from engine.targets.types import Execution, MemoryEvents, MemoryProfile, Profile
from engine.timing.branches import branch_facts, refill_ticks
from engine.timing.memory import event_table, memory_cost, stall_ticks
from engine.timing.stored import StoredRun
from engine.timing.table import CYCLE, End, core_ticks
from engine.timing.timing import TimedRun, time_execution
from tests.timing import events
from tests.timing.asm import add, b, bl, block, bne, bx_lr, ldr, pop_pc, push, sdiv, smlad, str_, subs

LOOP = block(0x100, ldr(0, 1), smlad(2, 0, 3, 2), subs(4), bne(0x100))
AFTER = block(LOOP.end, add(5, 6, 7), bl(0x200))
LEAF = block(0x200, push(4, 14), sdiv(0, 1, 2), pop_pc(4))
LAST = block(AFTER.end, str_(0, 1), bx_lr())
BLOCKS = {x.start: x for x in (LOOP, AFTER, LEAF, LAST)}
EDGES = [  # region, src, dst, count
    (0, 0, LOOP.start, 1),
    (0, LOOP.start, LOOP.start, 9),
    (0, LOOP.start, AFTER.start, 1),
    (1, AFTER.start, LEAF.start, 1),
    (2, LEAF.start, LAST.start, 1),
]


def profile(edges: list[tuple[int, int, int, int]]) -> Profile:
    region, src, dst, count = (list(x) for x in zip(*sorted(edges), strict=True))
    return Profile(
        np.array(region, np.int32), np.array(src, np.uint32), np.array(dst, np.uint32), np.array(count, np.int64)
    )


def firmware(layers: int) -> Firmware:
    return Firmware(
        elf=Path("x.elf"), elf_sha256="", model="m", model_sha256="", board="b", core="c",
        compiler=Compiler(CompilerName.CLANG, "", "O2", ()), kernels=KernelLibraryInfo(KernelLibrary.REFERENCE, ""),
        layers=tuple(LoweredLayer(i, f"l{i}", "CONV_2D", "k", KernelLibrary.REFERENCE, 0, 0) for i in range(layers)),
        arena=ArenaPlan(0, 0, ()), inputs=(), outputs=(), sections=(), flash_bytes=0, ram_bytes=0, stack_bytes=0,
    )  # fmt: skip


def execution(p: Profile, warm: MemoryProfile, cold: MemoryProfile | None = None) -> Execution:
    return Execution("hand", "1", p, cold or warm, warm, (), 0, ())


NO_MEMORY = MemoryProfile(())


def stored(
    board: Board, memory: MemoryProfile = NO_MEMORY, mhz: float | None = None, *,
    blocks: Mapping[int, Block] = BLOCKS, edges: list[tuple[int, int, int, int]] = EDGES, layers: int = 2,
) -> StoredRun:  # fmt: skip
    """The blocks above on a board, at its default clock if none is given."""
    clock_mhz = board.default_clock_mhz if mhz is None else mhz
    return StoredRun(
        blocks, execution(profile(edges), memory), firmware(layers), board, load_core(board.core), clock_mhz
    )


def run(board: Board, memory: MemoryProfile = NO_MEMORY, mhz: float | None = None) -> TimedRun:
    return time_execution(stored(board, memory, mhz))


def stalls(board: Board, mhz: float, seen: MemoryEvents, pipeline_cycles: int, end: End = End.VALUE) -> tuple[int, int]:
    """Ticks that a region waits for instructions and for data reads."""
    found = stall_ticks(
        event_table(events.memory(seen), board, 3), np.full(3, pipeline_cycles * CYCLE), memory_cost(board, mhz, end),
        core_ticks(load_core(board.core), end), end,
    )  # fmt: skip
    return int(found.fetch.sum()), int(found.read.sum())


def test_taken_and_fall_through_edges() -> None:
    p = profile(EDGES)
    facts = branch_facts(p, BLOCKS)
    taken = {(int(s), int(d)): bool(t) for s, d, t in zip(p.src, p.dst, facts.taken, strict=True)}
    assert taken == {
        (0, LOOP.start): False,  # the entry is nobody's branch
        (LOOP.start, LOOP.start): True,
        (LOOP.start, AFTER.start): False,
        (AFTER.start, LEAF.start): True,
        (LEAF.start, LAST.start): True,
    }


def test_a_return_to_the_next_address_is_still_taken() -> None:
    jump = block(0x300, b(0x302))
    target = block(0x302, bx_lr())
    p = profile([(0, 0x300, 0x302, 3)])
    assert branch_facts(p, {0x300: jump, 0x302: target}).taken.tolist() == [True]


def test_refill_on_the_m4_by_hand() -> None:
    # 9 taken bne: P = 1 each, target 0x100 aligned; bl: 1, target 0x200 aligned; pop {pc}: 3, target AFTER.end
    p = profile(EDGES)
    spent = refill_ticks(p, branch_facts(p, BLOCKS), 3, core_ticks(load_core("cortex-m4"), End.VALUE))
    unaligned = LAST.start % 4 != 0 and LAST.instructions[0].size == 4
    assert spent.tolist() == [9 * CYCLE, CYCLE, (3 + unaligned) * CYCLE]


def test_refill_on_the_m0plus_by_hand() -> None:
    # taken B 2 = 1 + 1, BL 3 = 1 + 2, POP {.., PC} 3 + N = (1 + N) + 2
    p = profile(EDGES)
    spent = refill_ticks(p, branch_facts(p, BLOCKS), 3, core_ticks(load_core("cortex-m0plus"), End.VALUE))
    assert spent.tolist() == [9 * CYCLE, 2 * CYCLE, 2 * CYCLE]


def test_refill_on_the_m33_by_hand() -> None:
    # measured rule: subs + bne (16 bit, on its flags) 2 cycles taken beyond the subs; the branch's own issue is paired away
    p = profile(EDGES)
    spent = refill_ticks(p, branch_facts(p, BLOCKS), 3, core_ticks(load_core("cortex-m33"), End.VALUE))
    assert spent.tolist() == [18 * CYCLE, CYCLE, 3 * CYCLE]


def test_the_predictor_misses_the_rarer_way() -> None:
    # 9 taken at 0.5, 1 not taken: one misprediction of 7
    p = profile(EDGES)
    spent = refill_ticks(p, branch_facts(p, BLOCKS), 3, core_ticks(load_core("cortex-m7"), End.VALUE))
    assert spent.tolist() == [9 * 500 + 7 * CYCLE, 500, CYCLE]


def test_an_unaligned_wide_target_costs_a_cycle_on_the_m4() -> None:
    wide = block(0x402, add(0, 1, 2), b(0x500))
    p = profile([(0, 0x300, 0x402, 5)])
    blocks = {0x300: block(0x300, b(0x402)), 0x402: wide}
    spent = refill_ticks(p, branch_facts(p, blocks), 1, core_ticks(load_core("cortex-m4"), End.VALUE))
    assert spent.tolist() == [5 * 2 * CYCLE]


def test_run_on_the_m4_by_hand() -> None:
    # LOOP: ldr 2, smlad 1, subs 1, bne 1 = 5 x 10, refill 9; AFTER (region 0): add 1, bl 1
    # LEAF (region 1): push {r4, lr} 3, sdiv 7, pop {r4, pc} 3, refill of bl 1; LAST (region 2): str 1, bx 1, refill of pop 3 (+1)
    timed = run(load_board("nucleo-l4r5zi"))
    first, second, glue = (r.stack for r in timed.regions)
    assert (first.load_store_issue, first.mac, first.other_alu, first.branch_refill) == (20, 10, 22, 9)
    assert (second.load_store_issue, second.multiply_divide_latency, second.other_alu, second.branch_refill) == (
        6,
        6,
        1,
        1,
    )
    assert glue.cycles == 2 + 3 + (LAST.start % 4 != 0)
    assert timed.warm_cycles == first.cycles + second.cycles + glue.cycles


def test_flash_misses_by_hand() -> None:
    board = events.l4r5(prefetch=True)
    cost = memory_cost(board, 120, End.VALUE)
    assert (cost.fetch_miss[0], cost.read_miss[0]) == (
        5 * CYCLE,
        5 * CYCLE,
    )  # 5 wait states, lines as wide as the flash
    seen = events.flash(0, 100, 40, 10, 30, 5, 6)
    # 10 jumps x 5; 40 sequential x (5 - 200 cycles / 100 lines) = 40 x 3
    assert stalls(board, 120, seen, 200) == ((50 + 120) * CYCLE, 55 * CYCLE)
    assert stalls(board, 120, seen, 200, End.LOW)[0] == 50 * CYCLE
    assert stalls(board, 120, seen, 200, End.HIGH)[0] == 250 * CYCLE
    # without the prefetcher every miss is paid in full
    assert stalls(events.l4r5(prefetch=False), 120, seen, 200)[0] == 250 * CYCLE


def test_the_m33_reads_constants_and_code_over_one_bus() -> None:
    board = load_board("nrf5340-dk")
    assert stalls(board, 128, events.flash(0, 100, 0, 0, 30, 0, 0), 0) == (0, 30 * CYCLE // 2)
    assert stalls(board, 128, events.flash(0, 0, 0, 0, 30, 0, 0), 0) == (0, 0)  # the code is elsewhere


def test_wait_states_on_a_slower_bus_cost_core_cycles() -> None:
    board = load_board("nucleo-h743zi")
    extra = board.flash.miss_extra_cycles
    assert extra is not None
    assert memory_cost(board, 480, End.VALUE).fetch_miss[0] == (4 * 2 + extra.value) * CYCLE
    assert memory_cost(board, 200, End.VALUE).fetch_miss[0] == (2 + extra.value) * CYCLE


def test_slow_ram_is_charged_where_the_board_says_so() -> None:
    board = load_board("nucleo-g0b1re")
    slow = board.memory("sram").model_copy(update={"wait_states": Figure(value=2, source="test")})
    slow_board = board.model_copy(update={"memories": (board.memory("flash"), slow)})
    memory = events.memory(MemoryEvents(1, "sram", 10, 40, 5, 20), MemoryEvents(1, "flash", 7, 28))
    fast, timed = run(board, memory, mhz=24), run(slow_board, memory, mhz=24)
    assert timed.regions[1].stack.data_read == fast.regions[1].stack.data_read + 20
    assert timed.regions[1].stack.data_write == fast.regions[1].stack.data_write + 10


def test_cold_and_warm_differ_only_in_memory_stalls() -> None:
    board = load_board("nucleo-l4r5zi")
    cold = events.memory(events.flash(0, 50, 0, 20, 0, 0, 0))
    timed = time_execution(replace(stored(board), execution=execution(profile(EDGES), NO_MEMORY, cold)))
    region = timed.regions[0]
    assert region.cold.instruction_fetch - region.stack.instruction_fetch == 100
    assert all(region.cold.of(c) == region.stack.of(c) for c in Cause if c is not Cause.INSTRUCTION_FETCH)


def test_a_clock_above_the_ladder_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot run at 121 MHz"):
        run(load_board("nucleo-l4r5zi"), mhz=121)


numbers = st.integers(0, 10_000)
flash_events = st.builds(events.flash, st.integers(0, 2), numbers, numbers, numbers, numbers, numbers, numbers)


@st.composite
def edge_lists(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    starts = sorted(BLOCKS)
    keys = draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from([0, *starts]), st.sampled_from(starts)),
            min_size=1,
            unique=True,
        )
    )
    return [(*key, draw(st.integers(1, 10**6))) for key in keys]


@settings(max_examples=60, deadline=None)
@given(edge_lists(), st.lists(flash_events, max_size=3), st.sampled_from(events.boards()))
def test_sums_are_exact_and_the_interval_holds(
    edges: list[tuple[int, int, int, int]], seen: list[MemoryEvents], board: Board
) -> None:
    timed = time_execution(stored(board, MemoryProfile(tuple(seen)), edges=edges))
    assert timed.warm_cycles == sum(r.stack.of(c) for r in timed.regions for c in Cause)
    assert timed.cold_cycles == timed.warm_cycles  # same memory profile given for both
    for r in timed.regions:
        for stack, stalls in ((r.stack, r.stalls), (r.cold, r.cold_stalls)):
            assert sum(s.fetch for s in stalls) == stack.instruction_fetch
            assert sum(s.read for s in stalls) == stack.data_read
            assert sum(s.write for s in stalls) == stack.data_write
    low, high = timed.interval
    assert 0 <= low <= timed.warm_cycles <= high


@settings(max_examples=40, deadline=None)
@given(edge_lists(), st.lists(flash_events, min_size=1, max_size=3), st.integers(0, 8), st.integers(0, 8))
def test_more_wait_states_never_cost_less(
    edges: list[tuple[int, int, int, int]], seen: list[MemoryEvents], a: int, more: int
) -> None:
    board = load_board("nucleo-f207zg")
    totals = []
    for states in (a, a + more):
        ladder = (ClockStep(up_to_mhz=120, wait_states=states),)
        changed = board.model_copy(update={"flash": board.flash.model_copy(update={"ladder": ladder})})
        timed = time_execution(stored(changed, MemoryProfile(tuple(seen)), 120, edges=edges))
        totals.append((timed.interval[0], timed.warm_cycles, timed.interval[1]))
    assert all(x <= y for x, y in zip(*totals, strict=True))


def test_blocks_are_costed_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.timing.pipeline as pipeline

    calls = []
    real = pipeline.pass_through
    monkeypatch.setattr(pipeline, "pass_through", lambda ops, t, e: calls.append((ops, e)) or real(ops, t, e))
    run(load_board("nucleo-l4r5zi"))
    assert len(calls) == 3 * len(BLOCKS)  # value, low and high table; nothing is on its way where one block ends


def test_a_result_on_its_way_stalls_the_block_behind() -> None:
    # M7: smlad has latency 2, the bne beside it pairs and does not wait for flags: an add of the product behind it waits a cycle
    first = block(0x100, smlad(2, 0, 3, 5), bne(0x200))
    behind, free = block(first.end, add(6, 2, 2), bx_lr()), block(first.end, add(6, 7, 7), bx_lr())
    waits = []
    for follower in (behind, free):
        blocks = {x.start: x for x in (first, follower)}
        edges = [(0, 0, 0x100, 1), (0, 0x100, follower.start, 1)]
        timed = time_execution(stored(load_board("nucleo-h743zi"), mhz=64, blocks=blocks, edges=edges, layers=0))
        waits.append(timed.regions[0].stack.multiply_divide_latency)
    assert waits == [1, 0]


def test_unknown_blocks_are_a_bug_and_not_silently_free() -> None:
    run = stored(load_board("nucleo-l4r5zi"), blocks={LOOP.start: LOOP})
    with pytest.raises(KeyError):
        time_execution(run)
