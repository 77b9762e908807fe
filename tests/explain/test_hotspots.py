"""Hot blocks: they sum to the layer's pipeline cycles, their instructions to the block, and lines are those of the source."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.load import load_core
from engine.counters.types import Instruction
from engine.errors import BadInputError, CheckFailedError, UsageError
from engine.explain import block_costs
from engine.explain.block_costs import STALLS
from engine.explain.hotspots import STALLS_NOTE, assembler, hottest, instruction_ticks
from engine.explain.source_lines import SourceLines
from engine.records.cause import Cause
from engine.targets.image import Image
from engine.timing.branches import branch_facts, refill_ticks
from engine.timing.pipeline import edge_ticks, passes_of
from engine.timing.static_cost import block_ticks
from engine.timing.table import CAUSES, CYCLE, End, core_ticks
from tests.explain.run_profiles import run
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.timing import asm

LOOP = """
    .syntax unified
    .thumb
    .text
    .global wc_infer
    .type wc_infer, %function
wc_infer:
    push {r4, lr}
    bl wc_layer_begin
    movs r4, #10
    ldr r1, =wc_arena
    movs r2, #0
    movs r3, #0
    .balign 4
loop:
    ldr.w r0, [r1]
    smlad r2, r3, r3, r2
    subs.w r4, r4, #1
    bne.w loop
    bl wc_layer_end
    pop {r4, pc}
    .size wc_infer, . - wc_infer
    .ltorg
"""


@pytest.mark.parametrize("core", kit.CORES)
def test_blocks_sum_to_the_pipeline_part_of_every_layer(make: Builder, core: str) -> None:
    ran = run(make(core, kit.SMALL_NET, 3))
    stored = ran.stored
    profile = stored.execution.profile
    table = core_ticks(stored.core, End.VALUE)
    refill = refill_ticks(profile, branch_facts(profile, stored.blocks), 4, table)
    static = np.zeros(4, dtype=np.int64)  # edge by edge, not block by block
    work = stored.work()
    each = edge_ticks(work, table, passes_of(work, table)).sum(axis=1)
    for region, ticks, count in zip(profile.region, each, profile.count, strict=True):
        static[region] += int(ticks) * int(count)
    spots = hottest(ran.profile(), per_layer=10**6)
    for region, layer, timed in zip(ran.profile().regions, spots, ran.timed().regions, strict=True):
        assert region.pipeline_ticks == static[layer.index] + refill[layer.index]
        shown = sum(round(b.cycles * CYCLE) for b in layer.blocks)
        assert shown + round(layer.entry_refill_cycles * CYCLE) == region.pipeline_ticks
        stalls = sum(timed.stack.of(c) for c in STALLS)
        assert layer.cycles == timed.stack.cycles
        if region.pipeline_ticks % CYCLE == 0:
            assert layer.cycles == region.pipeline_ticks // CYCLE + stalls
        assert abs(layer.cycles - stalls - layer.pipeline_cycles) < len(CAUSES)
        assert sum(b.instructions * b.count for b in layer.blocks) == sum(
            len(stored.blocks[int(d)].instructions) * int(n)
            for r, d, n in zip(profile.region, profile.dst, profile.count, strict=True)
            if r == layer.index
        )


@pytest.mark.parametrize("core", kit.CORES)
def test_a_block_is_the_sum_of_its_instructions(make: Builder, core: str) -> None:
    for layer in hottest(run(make(core, kit.SMALL_NET, 3)).profile()):
        for b in layer.blocks:
            issue = (sum(i.cycles for i in b.disassembly) + b.entry_cycles) * b.count
            assert issue + b.refill_cycles == pytest.approx(b.cycles)
            assert sum(c.cycles for c in b.per_iteration) == pytest.approx(b.cycles_per_iteration)
            assert b.cycles_per_iteration * b.count == pytest.approx(b.cycles)


def test_a_loop_by_hand(make: Builder) -> None:
    # Cortex-M4 TRM 3.3.1: LDR 2 (not followed by a load or store), SMLAD 1, SUBS 1, B 1 + P if taken, P = 1 to an aligned target
    ran = run(make("cortex-m4", LOOP, language="assembler-with-cpp"))
    layer, glue = hottest(ran.profile())
    assert (layer.name, glue.name) == ("layer0", "glue")
    hot = layer.blocks[0]
    # the first iteration enters the loop in the block that also sets it up
    assert (hot.function, hot.count, hot.instructions) == ("wc_infer", 9, 4)
    assert [i.text.split()[0] for i in hot.disassembly] == ["ldr", "smlad", "subs", "bne"]
    assert [i.cycles for i in hot.disassembly] == [2, 1, 1, 1]
    assert hot.refill_cycles == 8
    assert hot.cycles == 9 * 5 + 8
    assert {c.cause: c.cycles * 9 for c in hot.per_iteration} == {
        Cause.MAC: 9,
        Cause.OTHER_ALU: 18,
        Cause.LOAD_STORE_ISSUE: 18,
        Cause.BRANCH_REFILL: pytest.approx(8),
    }
    assert hot.share == hot.cycles / layer.pipeline_cycles
    assert hot.address == hot.disassembly[0].address
    assert hot.disassembly[0].code == "f8d1 0000"  # ldr.w r0, [r1]: encoding T3, imm12 = 0
    # the return of wc_layer_begin arrives from outside: the test kit's marker ends in POP {r7, pc}
    assert layer.entry_refill_cycles == ran.stored.core.branch.load_pc.value
    assert layer.stalls_note == STALLS_NOTE


def test_the_hottest_come_first_and_ties_go_by_address(make: Builder) -> None:
    profile = run(make("cortex-m33", kit.SMALL_NET, 3)).profile()
    every = hottest(profile, per_layer=10**6)
    for layer, two in zip(every, hottest(profile, per_layer=2), strict=True):
        assert list(layer.blocks) == sorted(layer.blocks, key=lambda b: (-b.cycles, b.address))
        assert two.blocks == layer.blocks[:2]
        assert two.blocks_executed == layer.blocks_executed == len(layer.blocks)
        assert two.share_shown == pytest.approx(sum(b.share for b in two.blocks))
        in_blocks = layer.share_shown * layer.pipeline_cycles
        assert in_blocks == pytest.approx(layer.pipeline_cycles - layer.entry_refill_cycles)


def test_no_blocks_is_no_question(make: Builder) -> None:
    with pytest.raises(UsageError, match="0 blocks"):
        hottest(run(make("cortex-m4", kit.SMALL_NET, 3)).profile(), per_layer=0)


def test_blocks_that_do_not_sum_are_refused(make: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(make("cortex-m4", kit.SMALL_NET, 3))
    wrong = lambda work, table, passage: np.full((len(work.profile.dst), len(CAUSES)), CYCLE)  # noqa: E731
    monkeypatch.setattr(block_costs, "edge_ticks", wrong)
    with pytest.raises(CheckFailedError, match="layer0: the blocks sum to"):
        ran.profile()


R = st.integers(0, 7)
INSTRUCTIONS = st.one_of(
    st.builds(asm.add, R, R, R, st.sampled_from([2, 4]), st.sampled_from(["", ", lsl #1"])),
    st.builds(asm.subs, R),
    st.builds(asm.mul, R, R, R),
    st.builds(asm.mla, R, R, R, R),
    st.builds(asm.smlad, R, R, R, R),
    st.builds(asm.sdiv, R, R, R),
    st.builds(asm.ldr, R, R, width=st.sampled_from([1, 2, 4]), offset=st.sampled_from([0, 4, 8])),
    st.builds(asm.ldr_post, R, R),
    st.builds(asm.str_, R, R),
    st.builds(asm.str_reg, R, R, R),
    st.builds(asm.ldrd, R, R, R),
    st.builds(asm.vfma, R, R, R),
    st.builds(asm.vdiv, R, R, R),
    st.builds(asm.it),
)


@settings(deadline=None)
@given(st.sampled_from(kit.CORES), st.lists(INSTRUCTIONS, min_size=1, max_size=24), st.sampled_from(End))
def test_instruction_ticks_sum_by_cause_and_are_never_negative(core: str, code: list[Instruction], end: End) -> None:
    table = core_ticks(load_core(core), end)
    block = asm.block(0x100, *code)
    rows = instruction_ticks(block, table)
    assert len(rows) == len(code)
    assert tuple(sum(column) for column in zip(*rows, strict=True)) == block_ticks(block, table)
    assert min(min(row) for row in rows) >= 0


def test_a_pair_is_charged_to_its_slower_half() -> None:
    table = core_ticks(load_core("cortex-m7"), End.VALUE)
    alu, load = instruction_ticks(asm.block(0x100, asm.add(0, 1, 2), asm.ldr(3, 4)), table)
    assert sum(alu) == 0
    assert sum(load) == CYCLE


def test_conditions_stand_where_assemblers_put_them() -> None:
    fma = replace(asm.vfma(0, 1, 2), condition="ge")
    assert [assembler(i) for i in (asm.bne(0x100), asm.bx_lr(), fma)] == ["bne 0x100", "bx lr", "vfmage.f32 s0, s1, s2"]


LINES = """int unused(int a, int b) { return a * 77 / b; }
void wc_layer_begin(void);
void wc_layer_end(void);
extern volatile int wc_arena[];
__attribute__((noinline)) int divide(int a, int b) {
  a += 3;
  return a
         / b;
}
void wc_infer(void) {
  wc_layer_begin();
  wc_arena[0] = divide(wc_arena[1], 7 + wc_arena[2]);
  wc_layer_end();
}
"""


def with_lines(folder: Path, origin: str, *options: str) -> Path:
    """The firmware above with debug information, flash at an address, and what nobody calls thrown away."""
    kit.build(folder, "cortex-m4", kit.Source(LINES))
    script = folder / "link.ld"
    script.write_text(script.read_text().replace("0x08000000", origin))
    elf = folder / "lines.elf"
    kit.zig(
        "-target", "thumb-freestanding-eabi", f"-mcpu={kit.CPU['cortex-m4']}", "-ffreestanding", "-fno-sanitize=all",
        "-O1", "-ffunction-sections", "-nostdlib", "-Wl,--gc-sections", "-Wl,-e,Reset_Handler", f"-Wl,-T,{script}",
        f"-ffile-prefix-map={folder}=/fw", *options, str(folder / "harness.c"), str(folder / "model.c"), "-o", str(elf),
    )  # fmt: skip
    return elf


@pytest.mark.parametrize("dwarf", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("origin", ["0x08000000", "0x00000000"])
def test_lines_are_those_of_the_source(tmp_path: Path, dwarf: str, origin: str) -> None:
    elf = with_lines(tmp_path, origin, "-g1", dwarf)
    image, lines = Image(elf), SourceLines(elf)
    found = {a: lines.at(a) for a in image.instructions}
    divides = [str(found[a]) for a, i in image.instructions.items() if i.mnemonic == "sdiv"]
    assert divides == ["fw/model.c:8"]
    # the discarded function on line 1 was moved to address 0 and must not answer for what lies there
    assert not [a for a, line in found.items() if line and (line.file, line.line) == ("fw/model.c", 1)]
    assert {line.file for line in found.values() if line} == {"fw/model.c", "fw/harness.c"}
    assert lines.at(0xF000_0000) is None


def test_code_without_debug_information_has_no_lines(make: Builder) -> None:
    firmware = make("cortex-m4", LOOP, language="assembler-with-cpp")
    assert SourceLines(firmware.elf).at(Image(firmware.elf).code[0].start) is None
    assert {b.source for layer in hottest(run(firmware).profile()) for b in layer.blocks} == {""}


def test_damaged_files_are_refused(tmp_path: Path, make: Builder) -> None:
    elf = tmp_path / "x.elf"
    shutil.copy(make("cortex-m4", kit.SMALL_NET, 3).elf, elf)
    elf.write_bytes(elf.read_bytes()[:100])
    with pytest.raises(BadInputError):
        SourceLines(elf)
    with pytest.raises(BadInputError):
        SourceLines(tmp_path / "none.elf")
