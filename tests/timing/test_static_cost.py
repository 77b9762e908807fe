"""Micro sequences whose cycles are derived by hand; the comment says from which rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.load import list_cores, load_core
from engine.counters.types import Instruction
from engine.records.cause import Cause
from engine.timing.static_cost import block_ticks
from engine.timing.table import CYCLE, End, core_ticks
from tests.timing import asm
from tests.timing.asm import (
    add,
    b,
    bl,
    block,
    bne,
    it,
    ldm,
    ldr,
    ldr_post,
    ldrd,
    mla,
    mul,
    muls,
    nop,
    pop_pc,
    push,
    sdiv,
    smlad,
    smlal,
    smull,
    str_,
    str_reg,
    subs,
    sxtb16,
    vdiv,
    vfma,
)  # fmt: skip

MAC, ALU, LS = Cause.MAC, Cause.OTHER_ALU, Cause.LOAD_STORE_ISSUE
LONG, USE = Cause.MULTIPLY_DIVIDE_LATENCY, Cause.LOAD_USE


def cost(core: str, *instructions: Instruction, end: End = End.VALUE) -> dict[Cause, float]:
    return asm.stack(block_ticks(block(0x100, *instructions), core_ticks(load_core(core), end)))


@pytest.mark.parametrize(
    ("core", "sequence", "expected"),
    [
        # --- M0+: DDI 0484C table 3.1: ALU 1, LDR/STR 2, MULS 1, LDM/PUSH 1+N, no load-use latency
        ("cortex-m0plus", (add(0, 1, 2), add(3, 0, 0)), {ALU: 2}),
        ("cortex-m0plus", (ldr(0, 1), add(2, 0, 0)), {LS: 2, ALU: 1}),
        ("cortex-m0plus", (ldr(0, 1), ldr(2, 3)), {LS: 4}),
        ("cortex-m0plus", (ldr(0, 1), ldr(2, 0)), {LS: 4}),
        ("cortex-m0plus", (str_(0, 1), ldr(2, 3)), {LS: 4}),
        ("cortex-m0plus", (ldm(0, (1, 2, 3)),), {LS: 4}),
        ("cortex-m0plus", (push(4, 5, 14),), {LS: 4}),
        # the multiply of a core without MLA counts as its MAC
        ("cortex-m0plus", (muls(0, 1), add(2, 2, 0)), {MAC: 1, ALU: 1}),
        # POP {r4, pc}: 3+N of which 2 are the refill of branches.py
        ("cortex-m0plus", (pop_pc(4),), {LS: 3}),
        # --- M3: MLA 2, SMULL 3-5 (4), SMLAL 4-7 (5.5), SDIV 2-12 (7); LDR 2, pipelined 1
        ("cortex-m3", (mla(0, 1, 2, 0),), {MAC: 1, LONG: 1}),
        ("cortex-m3", (mul(0, 1, 2), add(3, 3, 0)), {ALU: 2}),
        ("cortex-m3", (smull(0, 1, 2, 3),), {ALU: 1, LONG: 3}),
        ("cortex-m3", (smlal(0, 1, 2, 3),), {MAC: 1, LONG: 4.5}),
        ("cortex-m3", (sdiv(0, 1, 2),), {ALU: 1, LONG: 6}),
        ("cortex-m3", (ldr(0, 1), ldr(2, 3), ldr(4, 5)), {LS: 4}),  # DDI 0337I 3.3.2: normally four cycles total
        ("cortex-m3", (ldr(0, 1), ldr_post(2, 3)), {LS: 4}),  # a load with base update is not pipelined
        # --- M4: MAC 1, chained; LDR pairing rules of the TRM
        ("cortex-m4", (ldr(0, 1), add(2, 0, 0)), {LS: 2, ALU: 1}),
        ("cortex-m4", (ldr(0, 1), ldr(2, 3)), {LS: 3}),  # normally three cycles total
        ("cortex-m4", (ldr(0, 1), ldr(2, 3), ldr(4, 5)), {LS: 4}),  # normally four cycles total
        ("cortex-m4", (ldr(0, 1), str_(0, 2)), {LS: 3}),  # LDR R0,[R1,R2]; STR R0,[R3,#20]: three
        ("cortex-m4", (ldr(0, 1), str_reg(4, 2, 3)), {LS: 3}),  # LDR; STR R1,[R3,R2]: three
        ("cortex-m4", (ldr(0, 1), ldr(2, 0)), {LS: 3, USE: 1}),  # address needs the load: not pipelined, four
        ("cortex-m4", (add(1, 2, 3), ldr(0, 1)), {ALU: 2, LS: 2}),  # address needs the ADD: one stall
        ("cortex-m4", (add(1, 2, 3), add(5, 6, 7), ldr(0, 1)), {ALU: 2, LS: 2}),  # one instruction between: no stall
        ("cortex-m4", (str_(0, 1), add(2, 3, 4)), {LS: 1, ALU: 1}),  # STR [r,#imm] always one
        ("cortex-m4", (ldm(0, (1, 2, 3)),), {LS: 4}),  # a three element LDM takes 2+1+1
        ("cortex-m4", (push(0, 1, 2, 3, 4, 5, 6, 7),), {LS: 9}),  # an eight element store takes nine
        ("cortex-m4", (ldrd(0, 1, 2), add(3, 0, 1)), {LS: 3, ALU: 1}),  # LDRD three cycles
        ("cortex-m4", (smlad(0, 1, 2, 0), smlad(0, 3, 4, 0), smlad(0, 5, 6, 0)), {MAC: 3}),
        ("cortex-m4", (smlal(0, 1, 2, 3),), {MAC: 1}),
        ("cortex-m4", (sdiv(0, 1, 2),), {ALU: 1, LONG: 6}),  # 2 to 12, middle 7
        ("cortex-m4", (vfma(0, 1, 2),), {MAC: 1, LONG: 2}),  # VMLA, VFMA 3
        ("cortex-m4", (vdiv(0, 1, 2), vdiv(3, 1, 2)), {ALU: 2, LONG: 13}),  # VDIV 14, the last one beside what follows
        ("cortex-m4", (vdiv(0, 1, 2), add(3, 4, 5), ldr(6, 7)), {ALU: 2, LS: 2}),  # integer instructions go on
        ("cortex-m4", (ldr(0, 1), str_(0, 2), str_(3, 4)), {LS: 4}),  # nothing overlaps a store behind a load
        ("cortex-m4", (add(0, 1, 2, size=2), it()), {ALU: 1}),  # IT folded behind a 16-bit instruction
        ("cortex-m4", (add(0, 1, 2), it()), {ALU: 2}),
        ("cortex-m4", (pop_pc(4),), {LS: 3}),  # POP {r4, pc}: 1+N+P, P in branches.py
        ("cortex-m4", (ldr_post(0, 1), ldr_post(2, 3)), {LS: 3}),  # base updates chain on different bases
        ("cortex-m4", (ldr_post(0, 1), ldr_post(2, 1)), {LS: 4}),  # and not on the same
        # --- M33 (our stated rules): load latency 2 seen by consumers only; MAC latency 2, accumulate chained
        ("cortex-m33", (ldr(0, 1), add(2, 0, 0)), {LS: 1, USE: 1, ALU: 1}),
        ("cortex-m33", (ldr(0, 1), add(2, 3, 4)), {LS: 1, ALU: 1}),
        ("cortex-m33", (ldr(0, 1), str_(0, 2)), {LS: 2}),  # load to store data 1
        ("cortex-m33", (ldr(0, 1), smlad(0, 2, 3, 0)), {LS: 1, MAC: 1}),  # load to accumulator 1
        ("cortex-m33", (ldr(0, 1), smlad(4, 0, 3, 4)), {LS: 1, USE: 1, MAC: 1}),
        ("cortex-m33", (smlad(0, 1, 2, 0), smlad(0, 3, 4, 0)), {MAC: 2}),
        ("cortex-m33", (smlad(0, 1, 2, 0), add(3, 0, 0)), {MAC: 1, LONG: 1, ALU: 1}),
        ("cortex-m33", (add(0, 1, 2, shift=", lsl #2"), add(3, 0, 0)), {ALU: 3}),
        ("cortex-m33", (ldm(0, (1, 2, 3)),), {LS: 3}),  # exactly x cycles
        ("cortex-m33", (subs(0), bne(0x100)), {ALU: 1}),  # the 16-bit branch pairs
        ("cortex-m33", (subs(0), bne(0x100, size=4)), {ALU: 2}),
        # --- M7 (our stated rules): dual issue, charged to the slower half
        ("cortex-m7", (add(0, 1, 2), add(3, 4, 5)), {ALU: 1}),
        ("cortex-m7", (add(0, 1, 2), add(3, 0, 5)), {ALU: 2}),  # dependent
        ("cortex-m7", (add(0, 1, 2), ldr(3, 4), add(5, 6, 7), add(8, 9, 10)), {LS: 1, ALU: 1}),  # the load is slower
        ("cortex-m7", (ldr(0, 1), ldr(2, 3)), {LS: 1.5}),  # same bank half of the time
        ("cortex-m7", (ldr(0, 1), ldr(2, 1, offset=4)), {LS: 1}),  # neighbouring words: different banks
        ("cortex-m7", (ldr(0, 1), ldr(2, 1, offset=8)), {LS: 2}),  # two words apart: the same bank
        ("cortex-m7", (ldr(0, 1), str_(0, 2)), {LS: 1}),  # stores take a result of the same cycle
        ("cortex-m7", (smlad(0, 1, 2, 0), smlad(3, 4, 5, 3)), {MAC: 2}),  # one multiplier
        ("cortex-m7", (smlad(0, 1, 2, 0), ldr(3, 4)), {MAC: 1}),
        ("cortex-m7", (ldr(0, 1), smlad(2, 0, 3, 2)), {LS: 1, USE: 1, MAC: 1}),
        ("cortex-m7", (sxtb16(0, 1), sxtb16(2, 3)), {ALU: 2}),  # DSP group does not pair
        ("cortex-m7", (ldm(0, (1, 2, 3)),), {LS: 2}),  # ceil(3 / 2)
        ("cortex-m7", (sdiv(0, 1, 2), add(3, 4, 5)), {ALU: 2, LONG: 6}),
    ],
)  # fmt: skip
def test_sequences(core: str, sequence: tuple[Instruction, ...], expected: dict[Cause, float]) -> None:
    assert cost(core, *sequence) == expected


def test_a_pair_is_charged_to_its_slower_half() -> None:
    # add + ldr issue together; the load's result takes as long as the add's on words, longer on bytes
    assert cost("cortex-m7", add(0, 1, 2), ldr(3, 4, width=1)) == {LS: 1}


def test_a_cmsis_nn_like_inner_loop_on_the_m4() -> None:
    # ldr, ldr (pipelined) 3; sxtb16 x4; smlad x4 chained; subs, bne: 1 + 1 -> 3 + 4 + 4 + 2 = 13 without refill
    loop = (
        ldr_post(0, 8), ldr_post(1, 9), sxtb16(2, 0), sxtb16(3, 1), sxtb16(4, 0), sxtb16(5, 1),
        smlad(6, 2, 3, 6), smlad(6, 4, 5, 6), smlad(7, 2, 5, 7), smlad(7, 4, 3, 7), subs(10), bne(0x100),
    )  # fmt: skip
    assert cost("cortex-m4", *loop) == {LS: 3, ALU: 6, MAC: 4}


def test_unconditional_ends_cost_their_issue_only() -> None:
    assert cost("cortex-m4", b(0x200)) == {ALU: 1}
    assert cost("cortex-m4", bl(0x200)) == {ALU: 1}
    assert cost("cortex-m4", nop()) == {ALU: 1}


registers = st.integers(0, 12)
any_instruction = st.one_of(
    st.builds(add, registers, registers, registers, st.sampled_from([2, 4]), st.sampled_from(["", ", asr #3"])),
    st.builds(sxtb16, registers, registers),
    st.builds(mul, registers, registers, registers),
    st.builds(mla, registers, registers, registers, registers),
    st.builds(smlad, registers, registers, registers, registers),
    st.builds(smlal, st.just(0), st.just(1), registers, registers),
    st.builds(smull, st.just(2), st.just(3), registers, registers),
    st.builds(sdiv, registers, registers, registers),
    st.builds(ldr, registers, registers, st.sampled_from([2, 4]), st.sampled_from([1, 2, 4])),
    st.builds(ldr_post, st.integers(0, 5), st.integers(6, 12)),
    st.builds(str_, registers, registers),
    st.builds(str_reg, registers, registers, registers),
    st.builds(ldm, st.just(12), st.lists(st.integers(0, 7), min_size=1, max_size=6, unique=True).map(tuple)),
    st.builds(ldrd, st.just(4), st.just(5), registers),
    st.builds(push, st.just(4), st.just(5)),
    st.builds(it),
    st.builds(nop),
    st.builds(vfma, st.integers(0, 7), st.integers(0, 7), st.integers(0, 7)),
    st.builds(vdiv, st.integers(0, 7), st.integers(0, 7), st.integers(0, 7)),
)
straight_lines = st.lists(any_instruction, min_size=1, max_size=24)


@settings(max_examples=80, deadline=None)
@given(straight_lines, st.sampled_from([c.name for c in list_cores()]))
def test_time_is_never_negative_and_its_ends_are_ordered(line: list[Instruction], name: str) -> None:
    core = load_core(name)
    low, value, high = (block_ticks(block(0x100, *line), core_ticks(core, e)) for e in (End.LOW, End.VALUE, End.HIGH))
    assert min(low) >= 0
    assert min(value) >= 0
    assert min(high) >= 0
    if core.issue_width == 1:
        assert sum(low) <= sum(value) <= sum(high)
        # in order and single issue: no instruction makes the ones before it cheaper by more than the tail it overlaps
        shorter = sum(block_ticks(block(0x100, *line[:-1]), core_ticks(core, End.VALUE)))
        assert sum(value) >= shorter - CYCLE
    else:
        assert sum(value) >= len(line) * CYCLE // 4


@settings(max_examples=50, deadline=None)
@given(straight_lines)
def test_dual_issue_is_never_slower_than_one_by_one(line: list[Instruction]) -> None:
    table = core_ticks(load_core("cortex-m7"), End.LOW)
    together = sum(block_ticks(block(0x100, *line), table))
    alone = sum(sum(block_ticks(block(0x100, ins), table)) for ins in line)
    waits = sum(max(table.latency_fp_mac, table.issue_fp_divide, table.issue_divide) for _ in line)
    assert together <= alone + waits


@settings(max_examples=60, deadline=None)
@given(straight_lines)
def test_the_m0plus_has_no_hazards(line: list[Instruction]) -> None:
    # DDI 0484C lists no interlock: a block costs the sum of its instructions
    table = core_ticks(load_core("cortex-m0plus"), End.VALUE)
    together = block_ticks(block(0x100, *line), table)
    alone = [block_ticks(block(0x100, ins), table) for ins in line]
    assert list(together) == [sum(column) for column in zip(*alone, strict=True)]
