"""Counterfactuals and the split of the gap: by hand, and as properties of random runs on every board."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.catalog.board import Board
from engine.catalog.figure import Figure
from engine.catalog.load import load_board, load_core
from engine.counters.types import Block, Instruction
from engine.errors import UsageError
from engine.records.cause import Cause
from engine.targets.types import MemoryEvents, MemoryProfile
from engine.timing.counterfactual import Counterfactual, counterfactual, what_if_of
from engine.timing.mechanism import IDEAL_MACHINE, Mechanism, double_clock_board, ideal_events, ideal_table
from engine.timing.memory import EventTable, event_table
from engine.timing.retime import REAL, Retiming
from engine.timing.shapley import MOST, shapley_values, split_gap
from engine.timing.static_cost import block_ticks
from engine.timing.stored import StoredRun
from engine.timing.table import CoreTicks, End, core_ticks
from engine.timing.timing import time_execution
from tests.timing import events
from tests.timing.asm import (
    add,
    b,
    block,
    bx_lr,
    ldm,
    ldr,
    ldr_post,
    ldrd,
    mla,
    muls,
    pop_pc,
    push,
    sdiv,
    smlad,
    smull,
    stack,
    str_,
    str_reg,
    subs,
    sxtb16,
    vdiv,
    vfma,
)  # fmt: skip
from tests.timing.test_timing import NO_MEMORY, stored

M = Mechanism
BOARDS = events.boards()
CYCLE_MECHANISMS = tuple(m for m in M if m is not M.DOUBLE_CLOCK)


def retiming(board: Board, memory: MemoryProfile = NO_MEMORY, mhz: float | None = None) -> Retiming:
    return Retiming(stored(board, memory, mhz))


def alone(board: Board, line: Block, times: int, memory: MemoryProfile = NO_MEMORY) -> Retiming:
    """One block, executed that often outside of layers."""
    edges = [(0, 0, line.start, times)]
    return Retiming(stored(board, memory, blocks={line.start: line}, edges=edges, layers=0))


def gains(counterfactual: Counterfactual) -> list[int | None]:
    return [r.gain_cycles for r in counterfactual.regions]


SEEN = events.memory(events.flash(0, 100, 0, 10, 30, 5, 6))


def test_every_mechanism_by_hand_on_the_m4() -> None:
    # see test_timing: LOOP x 10: ldr 2 (1 + tail), smlad 1, subs 1, bne 1, refill 9 in all; LEAF: push 3, sdiv 7, pop 3, refill of bl 1
    # glue: str 1, bx 1, refill of the pop 3 (+1 where unaligned); flash: 10 fetch misses and 11 read misses of 5 wait states
    board = load_board("nucleo-l4r5zi")
    asked = what_if_of(retiming(board, SEEN))
    real = [r.cycles for r in asked.real.regions]
    assert real[:2] == [52 + 9 + 50 + 55, 14]
    assert gains(asked.real) == [0, 0, 0]
    assert gains(asked.of(M.ZERO_WAIT_FLASH)) == [105, 0, 0]
    assert gains(asked.of(M.PERFECT_INSTRUCTION_CACHE)) == [50, 0, 0]
    assert gains(asked.of(M.PERFECT_DATA_READ)) == [55, 0, 0]
    assert gains(asked.of(M.PERFECT_DATA_WRITE)) == [0, 0, 0]
    glue_refill = real[2] - 2
    assert gains(asked.of(M.NO_BRANCH_REFILL)) == [9, 1, glue_refill]
    assert gains(asked.of(M.SINGLE_CYCLE_LOADS)) == [10, 0, 0]  # the tail of ten loads
    # the loop's tail goes, but the smlad still waits for the loaded value: nothing gained there; push and pop lose 1 each
    assert gains(asked.of(M.SINGLE_CYCLE_TRANSFERS)) == [0, 2, 0]
    assert gains(asked.of(M.NO_MULTIPLY_DIVIDE_LATENCY)) == [0, 6, 0]
    assert gains(asked.together) == [105 + 9 + 10, 1 + 2 + 6, glue_refill]
    assert asked.together.run.cycles == 42 + 5 + 2
    assert asked.together.run.latency_ms == pytest.approx(49 / 120_000)
    assert asked.of(M.ZERO_WAIT_FLASH).run.gain_ms == pytest.approx(105 / 120_000)


def test_alone_and_together_overlap() -> None:
    # the tail of an unused load can be cut by either: each gains it, both gain it once, and the split shares it
    line = block(0x100, ldr(0, 1), add(2, 3, 4), bx_lr())
    at = alone(load_board("nucleo-l4r5zi"), line, 9)
    both = (M.SINGLE_CYCLE_LOADS, M.SINGLE_CYCLE_TRANSFERS)
    assert [counterfactual(at, {m}).run.gain_cycles for m in both] == [9, 9]
    assert counterfactual(at, set(both)).run.gain_cycles == 9
    assert [s.cycles for s in split_gap(at, both).run.shares] == [5, 4]


def test_an_ideal_part_may_be_left_unused() -> None:
    # a prefetch hides the whole ticks that the core spends on a line: 4000 / 4000 = 1 each. With loads a cycle shorter that
    # rounds to 3000 // 4000 = 0, and 4000 more ticks are exposed than 1000 saved
    line = block(0x100, ldr(0, 1), add(2, 3, 4), bx_lr())
    memory = events.memory(events.flash(0, 4000, 4000, 0, 0, 0, 0))
    at = alone(events.l4r5(prefetch=True), line, 1, memory)
    shorter = counterfactual(at, {M.SINGLE_CYCLE_LOADS})
    assert at.cycles(REAL, End.VALUE) == (4 + 5 * 4000 - 4,)
    assert (shorter.run.gain_cycles, shorter.run.stack) == (0, at.stacks(REAL)[0])
    assert counterfactual(at, {M.SINGLE_CYCLE_LOADS, M.PERFECT_INSTRUCTION_CACHE}).run.cycles == 3


def test_mechanisms_in_combination() -> None:
    at = retiming(load_board("nucleo-l4r5zi"), SEEN, mhz=60)
    asked = what_if_of(at)
    fast, same = (counterfactual(at, c) for c in ({M.DOUBLE_CLOCK, M.ZERO_WAIT_FLASH}, {M.ZERO_WAIT_FLASH}))
    assert fast.mechanisms == (M.ZERO_WAIT_FLASH, M.DOUBLE_CLOCK)
    assert fast.clock_mhz == 120
    assert fast.run.cycles == same.run.cycles  # without misses the clock changes no cycle
    assert fast.run.latency_ms == pytest.approx(same.run.latency_ms / 2)
    assert same == asked.of(M.ZERO_WAIT_FLASH)


def test_double_clock_follows_the_ladder() -> None:
    # 60 MHz: 2 wait states, 120 MHz: 5: 21 misses cost 63 cycles more
    board = load_board("nucleo-l4r5zi")
    at = retiming(board, SEEN, mhz=60)
    double = counterfactual(at, {M.DOUBLE_CLOCK})
    assert (double.run.gain_cycles, double.run.gain_cycles_interval) == (
        None,
        None,
    )  # 63 more of half the length are no loss
    assert double.run.cycles == sum(retiming(board, SEEN, mhz=120).cycles(REAL, End.VALUE))
    before = sum(at.cycles(REAL, End.VALUE))
    assert double.run.gain_ms == pytest.approx(before / 60_000 - (before + 63) / 120_000)


def test_double_clock_beyond_the_ladder_keeps_the_access_time() -> None:
    # six cycles at 120 MHz are 50 ns, twelve at 240 MHz; 200 MHz: ten
    board = load_board("nucleo-l4r5zi")
    assert double_clock_board(board, 120).flash.step(240).wait_states == 11
    assert double_clock_board(board, 100).flash.step(200).wait_states == 9
    assert double_clock_board(board, 60) == board
    # on the H7 the bus keeps its ratio: (1 + 2) bus cycles at 480 MHz become 6 at 960 MHz
    wide = double_clock_board(load_board("nucleo-h743zi"), 480).flash.step(960)
    last = load_board("nucleo-h743zi").flash.ladder[-1]
    assert (wide.wait_states, wide.bus_ratio) == (2 * (1 + last.wait_states) - 1, last.bus_ratio)


def test_slow_ram_gains() -> None:
    board = load_board("nucleo-l4r5zi")
    ram = next(m for m in board.memories if m.kind.value == "sram")
    slow = ram.model_copy(update={"wait_states": Figure(value=2, low=1, high=3, inferred="test")})
    board = board.model_copy(update={"memories": tuple(slow if m == ram else m for m in board.memories)})
    at = retiming(board, events.memory(MemoryEvents(1, ram.name, 10, 40, 5, 20)))
    read, write = counterfactual(at, {M.PERFECT_DATA_READ}), counterfactual(at, {M.PERFECT_DATA_WRITE})
    assert (read.run.gain_cycles, read.run.gain_cycles_interval) == (20, (10, 30))
    assert (write.run.gain_cycles, write.run.gain_cycles_interval) == (10, (5, 15))


def test_the_shared_bus_is_a_data_read() -> None:
    # on the M33 a constant that hits costs half a cycle beside the fetches: only a perfect data read takes that away
    at = retiming(load_board("nrf5340-dk"), events.memory(events.flash(0, 100, 0, 0, 30, 0, 0)))
    assert counterfactual(at, {M.ZERO_WAIT_FLASH}).run.gain_cycles == 0
    assert counterfactual(at, {M.PERFECT_DATA_READ}).run.gain_cycles == 15


@pytest.mark.parametrize("clock", [0, -1, 121, float("nan")])
def test_a_clock_off_the_ladder_is_refused(clock: float) -> None:
    with pytest.raises(UsageError, match="cannot run at"):
        stored(load_board("nucleo-l4r5zi"), mhz=clock)
    at = retiming(load_board("nucleo-l4r5zi"))
    with pytest.raises(UsageError, match="cannot run at"):
        at.at(clock)


def test_every_mechanism_speaks() -> None:
    assert len({m.label for m in M}) == len({m.meaning for m in M}) == len(M)
    assert all(m.meaning.endswith(".") and m.value == m.value.lower() for m in M)


def test_double_clock_is_not_a_matter_of_cycles() -> None:
    at = retiming(load_board("nucleo-l4r5zi"))
    with pytest.raises(ValueError, match="use doubled"):
        at.ticks({M.DOUBLE_CLOCK}, End.VALUE)
    with pytest.raises(UsageError, match="gains time"):
        split_gap(at, [M.DOUBLE_CLOCK])


@pytest.mark.parametrize("names", [(), (M.ZERO_WAIT_FLASH,) * 2, CYCLE_MECHANISMS])
def test_a_split_names_some_different_mechanisms(names: tuple[Mechanism, ...]) -> None:
    with pytest.raises(UsageError, match="cannot split a gap"):
        split_gap(retiming(load_board("nucleo-l4r5zi")), names)


# Random runs

_register = st.integers(0, 7)
_instruction: st.SearchStrategy[Instruction] = st.one_of(
    st.builds(add, _register, _register, _register, st.sampled_from([2, 4]), st.sampled_from(["", ", lsl #2"])),
    st.builds(subs, _register),
    st.builds(sxtb16, _register, _register),
    st.builds(muls, _register, _register),
    st.builds(mla, _register, _register, _register, _register),
    st.builds(smlad, _register, _register, _register, _register),
    st.builds(smull, st.integers(0, 3), st.integers(4, 7), _register, _register),
    st.builds(sdiv, _register, _register, _register),
    st.builds(
        ldr, _register, _register, st.sampled_from([2, 4]), st.sampled_from([1, 2, 4]), st.sampled_from([0, 4, 8])
    ),
    st.builds(ldr_post, st.integers(0, 3), st.integers(4, 7)),
    st.builds(ldrd, st.integers(0, 1), st.integers(2, 3), st.integers(4, 7)),
    st.builds(str_, _register, _register),
    st.builds(str_reg, _register, _register, _register),
    st.builds(ldm, st.just(0), st.sampled_from([(1, 2), (1, 2, 3), (4, 5, 6, 7)])),
    st.builds(push, st.just(4), st.just(5)),
    st.builds(vfma, _register, _register, _register),
    st.builds(vdiv, _register, _register, _register),
)
_few = st.integers(0, 5_000)


@st.composite
def _events(draw: st.DrawFn, region: int) -> MemoryEvents:
    """What a flash interface can report: no more misses than lines."""
    numbers = []
    for _ in range(2):
        lines = draw(_few)
        sequential = draw(st.integers(0, lines))
        numbers += [lines, sequential, draw(st.integers(0, lines - sequential))]
    return events.flash(region, *numbers)


@st.composite
def runs(draw: st.DrawFn) -> StoredRun:
    """Random blocks, counts, flash events and slow RAM on a board of the catalogue, two layers and the glue."""
    board = draw(st.sampled_from(BOARDS))
    blocks: dict[int, Block] = {}
    for i in range(draw(st.integers(1, 3))):
        ends = draw(st.sampled_from([b(0x1000), bx_lr(), pop_pc(4, 5)]))
        blocks[0x1000 * (i + 1)] = block(0x1000 * (i + 1), *draw(st.lists(_instruction, max_size=12)), ends)
    keys = draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from([0, *blocks]), st.sampled_from(sorted(blocks))),
            min_size=1, max_size=8, unique=True,
        )
    )  # fmt: skip
    edges = [(*key, draw(st.integers(1, 10_000))) for key in keys]
    ram = next(m for m in board.memories if m.kind.value != "flash")
    slow = ram.model_copy(update={"wait_states": Figure(value=1, low=0, high=2, inferred="test")})
    board = board.model_copy(update={"memories": tuple(slow if m == ram else m for m in board.memories)})
    memory = events.memory(
        *(
            MemoryEvents(r, ram.name, draw(_few), 0, draw(_few), 0, draw(_few), draw(_few), write_backs=draw(_few))
            for r in range(2)
        ),
        *(draw(_events(r)) for r in range(3)),
    )
    clock = draw(st.sampled_from([s.up_to_mhz for s in board.flash.ladder]))
    return stored(board, memory, clock, blocks=blocks, edges=edges)


retimings = runs().map(Retiming)


subsets = st.frozensets(st.sampled_from(CYCLE_MECHANISMS))


@settings(max_examples=60, deadline=None)
@given(retimings, subsets, st.sampled_from(CYCLE_MECHANISMS))
def test_idealising_never_costs_cycles(at: Retiming, some: frozenset[Mechanism], more: Mechanism) -> None:
    for end in End:
        before, after = at.cycles(some, end), at.cycles(some | {more}, end)
        assert all(0 <= a <= b for a, b in zip(after, before, strict=True))


@settings(max_examples=40, deadline=None)
@given(retimings)
def test_sums_are_exact_and_gains_lie_in_their_interval(at: Retiming) -> None:
    asked = what_if_of(at)
    assert [c.mechanisms for c in asked.alone] == [(m,) for m in M]
    real = asked.real.run.cycles
    for c in (asked.real, *asked.alone, asked.together):
        assert c.run.cycles == sum(r.cycles for r in c.regions)
        for r in (c.run, *c.regions):
            assert r.cycles == sum(r.stack.of(cause) for cause in Cause)
            assert r.gain_ms_interval[0] <= r.gain_ms <= r.gain_ms_interval[1]
            if M.DOUBLE_CLOCK in c.mechanisms:
                assert r.gain_cycles is None
                assert r.gain_cycles_interval is None
            else:
                assert r.gain_cycles is not None
                assert r.gain_cycles_interval is not None
                assert 0 <= r.gain_cycles_interval[0] <= r.gain_cycles <= r.gain_cycles_interval[1]
                assert asked.together.run.cycles <= c.run.cycles
        if M.DOUBLE_CLOCK not in c.mechanisms:
            assert c.run.gain_cycles == real - c.run.cycles == sum(r.gain_cycles or 0 for r in c.regions)


@settings(max_examples=40, deadline=None)
@given(runs())
def test_nothing_idealised_is_the_timed_run(run: StoredRun) -> None:
    at, timed = Retiming(run), time_execution(run)
    assert at.stacks(REAL) == tuple(r.stack for r in timed.regions)
    assert at.interval() == timed.interval


@settings(max_examples=25, deadline=None)
@given(retimings, st.lists(st.sampled_from(CYCLE_MECHANISMS), min_size=1, max_size=4, unique=True))
def test_the_shares_are_the_gap(at: Retiming, names: list[Mechanism]) -> None:
    split = split_gap(at, names)
    real, ideal = at.cycles(REAL, End.VALUE), at.cycles(set(names), End.VALUE)
    assert (split.run.real_cycles, split.run.ideal_cycles) == (sum(real), sum(ideal))
    for gap in (split.run, *split.regions):
        assert sum(s.cycles for s in gap.shares) == gap.real_cycles - gap.ideal_cycles
        assert [s.mechanism for s in gap.shares] == names
        assert all(0 <= s.interval[0] <= s.cycles <= s.interval[1] for s in gap.shares)
    for i, share in enumerate(split.run.shares):
        assert share.cycles == sum(r.shares[i].cycles for r in split.regions)


@settings(max_examples=10, deadline=None)
@given(retimings)
def test_the_ideal_machine_is_split_by_default(at: Retiming) -> None:
    together = what_if_of(at).together
    split = split_gap(at)
    assert sum(s.cycles for s in split.run.shares) == together.run.gain_cycles
    assert at.cycles({*IDEAL_MACHINE, M.ZERO_WAIT_FLASH}, End.VALUE) == at.cycles(set(IDEAL_MACHINE), End.VALUE)
    assert len(IDEAL_MACHINE) <= MOST


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.integers(-1000, 1000), min_size=1 << n, max_size=1 << n)))
@example([7, 7, 7, 7])
def test_shapley_values_against_all_orders(value: list[int]) -> None:
    players = len(value).bit_length() - 1
    exact = [Fraction(0)] * players
    orders = list(permutations(range(players)))
    for order in orders:
        present = 0
        for player in order:
            exact[player] += Fraction(value[present] - value[present | 1 << player], len(orders))
            present |= 1 << player
    shares = shapley_values(value)
    assert sum(shares) == value[0] - value[-1]
    assert all(abs(s - e) < 1 for s, e in zip(shares, exact, strict=True))


@pytest.mark.parametrize("value", [[], [1, 2, 3], [0] * 6])
def test_shapley_values_need_one_value_per_subset(value: list[int]) -> None:
    with pytest.raises(ValueError, match="one per subset"):
        shapley_values(value)


# The transformations themselves


@pytest.mark.parametrize("core", sorted({x.core for x in BOARDS}))
@pytest.mark.parametrize("end", list(End))
def test_no_figure_rises(core: str, end: End) -> None:
    table = core_ticks(load_core(core), end)
    for size in range(len(CYCLE_MECHANISMS) + 1):
        for some in combinations(CYCLE_MECHANISMS, size):
            ideal = ideal_table(table, set(some))
            assert all(getattr(ideal, f) <= getattr(table, f) for f in CoreTicks.__dataclass_fields__)


def test_an_ideal_core_spends_one_cycle_each() -> None:
    # and one more where the M4 has no forwarding path from the add to an address, which no mechanism here touches
    line = block(0x100, ldr(0, 1, width=1), add(2, 0, 3), ldr(4, 2), mla(5, 4, 4, 5), sdiv(6, 5, 4), str_reg(6, 1, 2))
    table = ideal_table(core_ticks(load_core("cortex-m4"), End.VALUE), set(IDEAL_MACHINE))
    assert stack(block_ticks(line, table)) == {Cause.LOAD_STORE_ISSUE: 3, Cause.OTHER_ALU: 2 + 1, Cause.MAC: 1}
    assert ideal_table(table, set(IDEAL_MACHINE)) == table


def test_ideal_memory_leaves_the_rest() -> None:
    board = load_board("nrf5340-dk")
    ram = MemoryEvents(0, "sram", 3, 12, 4, 16, 1, 2, read_misses_jump=5, write_misses=6, write_backs=7)
    table = event_table(events.memory(ram, events.flash(0, 9, 2, 3, 8, 1, 4)), board, 1)
    zeroed = {
        M.ZERO_WAIT_FLASH: {"fetch_misses_sequential": 0, "fetch_misses_jump": 0, "read_misses": 5},
        M.PERFECT_INSTRUCTION_CACHE: {"fetch_misses_sequential": 0, "fetch_misses_jump": 0, "fetch_waits": 0},
        M.PERFECT_DATA_READ: {"reads": 0, "extra_reads": 0, "read_misses": 0},
        M.PERFECT_DATA_WRITE: {"writes": 0, "extra_writes": 0, "write_misses": 0, "write_backs": 0},
    }
    assert ideal_events(table, set(), board) is table
    for mechanism, gone in zeroed.items():
        ideal = ideal_events(table, {mechanism}, board)
        assert ideal.counted is table.counted
        for name in EventTable.__dataclass_fields__.keys() - {"counted"}:
            left = int(getattr(ideal, name).sum())
            assert left == gone.get(name, int(getattr(table, name).sum())), (mechanism, name)
