"""Counting and watching on small firmwares: exact against single stepping, split blocks, traffic, stack."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from engine.catalog.board import Board
from engine.catalog.load import load_board, load_core
from engine.counters.count import add_up, count_regions
from engine.counters.decode import Decoder
from engine.errors import CheckFailedError, ExecutionError
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.targets import layout, state
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine
from engine.targets.memory_system import MemorySystem
from engine.targets.session import same_profile
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from engine.targets.untyped import unicorn_const
from tests.targets import kit
from tests.targets.conftest import Builder

INPUT = bytes((7 * n + 3) % 256 for n in range(64))
LIMITS = Limits(50_000_000, 60)


def run(firmware: Firmware, *inputs: bytes) -> Execution:
    return UnicornTarget(kit.board(firmware.core), limits=LIMITS).run(firmware, inputs or (INPUT,))


def stepped(firmware: Firmware, board: Board | None = None, data: bytes = INPUT) -> Counter[int]:
    """Executions of every instruction of one inference, by a hook on each instruction."""
    limits = Limits(2_000_000_000, 300)
    machine = Machine(firmware, Image(firmware.elf), board or kit.board(firmware.core), firmware.core, limits)
    seen: Counter[int] = Counter()
    on = False

    def step(_uc: object, address: int, _size: int, _data: object) -> None:
        if on:
            seen[address] += 1

    machine.uc.hook_add(unicorn_const.UC_HOOK_CODE, step)
    machine.reset(str)
    on = True
    machine.infer_once(data, str)
    seen.pop(machine.sentinel, None)
    # the hook sees an instruction of an IT block only if its condition passes; it is issued whenever its IT is
    opener = 0
    for address, instruction in sorted(machine.image.instructions.items()):
        if instruction.in_it_block:
            assert seen[address] <= seen[opener]
            seen[address] = seen[opener]
        else:
            opener = address
    return +seen


def counted(firmware: Firmware, execution: Execution) -> Counter[int]:
    """The same from block counts and decoding."""
    decoder = Decoder.of(firmware)
    seen: Counter[int] = Counter()
    for start, count in zip(execution.profile.dst.tolist(), execution.profile.count.tolist(), strict=True):
        for instruction in decoder.block(start).instructions:
            seen[instruction.address] += count
    return seen


@pytest.mark.parametrize("core", kit.CORES)
def test_counts_equal_single_stepping(make: Builder, core: str) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    execution = run(firmware)
    assert counted(firmware, execution) == stepped(firmware)
    assert add_up(count_regions(firmware, execution, kit.board(core))).instructions == stepped(firmware).total()


@pytest.mark.parametrize("core", kit.CORES)
def test_every_core_computes_the_same_and_repeats_itself(make: Builder, core: str) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    first, second = run(firmware, INPUT, bytes(64)), run(firmware, INPUT, bytes(64))
    reference = run(make("cortex-m3", kit.SMALL_NET, 3), INPUT, bytes(64))
    assert first.outputs == second.outputs == reference.outputs
    assert first.outputs[0] != first.outputs[1]
    assert same_profile(first.profile, second.profile)
    assert (first.cold, first.warm, first.stack_by_region_bytes) == (
        second.cold,
        second.warm,
        second.stack_by_region_bytes,
    )


def test_regions_follow_the_markers(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution, image = run(firmware), Image(firmware.elf)
    where: dict[int, set[str]] = {r: set() for r in range(4)}
    for region, start in zip(execution.profile.region.tolist(), execution.profile.dst.tolist(), strict=True):
        found = image.function_at(start)
        where[region].add(found.name if found else "?")
    assert "dense" in where[0]
    assert "rescale" in where[1]
    assert {"odd", "pick", "depth"} <= where[2]
    assert where[3] == {"wc_infer", "wc_layer_begin", "wc_layer_end"}
    begin = image.symbol("wc_layer_begin")
    assert begin is not None
    into = execution.profile.count[execution.profile.dst == begin.address]
    assert into.sum() == 3


_ASM_HEAD = """
.syntax unified
.thumb
.text
.global wc_infer
.type wc_infer, %function
"""


def long_block(count: int, align: int) -> str:
    """A straight line of ``count`` adds run five times from its head and three times from near its middle."""
    half = count // 2
    return f"""{_ASM_HEAD}
.balign {align}
wc_infer:
  push {{r4, r5, r6, lr}}
  bl wc_layer_begin
  movs r0, #0
  movs r4, #5
  movs r5, #3
head:
  .rept {half}
  adds r0, #1
  .endr
middle:
  .rept {count - half}
  adds r0, #1
  .endr
  subs r4, #1
  beq again
  bgt head_far
again:
  subs r5, #1
  bmi done
  movs r4, #1
  ldr r1, =middle + 1
  bx r1
head_far:
  ldr r1, =head + 1
  bx r1
done:
  ldr r1, =wc_arena + 1024
  str r0, [r1]
  bl wc_layer_end
  pop {{r4, r5, r6, pc}}
.ltorg
"""


@pytest.mark.parametrize(("count", "align"), [(100, 4), (700, 4), (1500, 1024), (5000, 4096)])
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_blocks_that_the_emulator_splits_count_as_one(make: Builder, core: str, count: int, align: int) -> None:
    firmware = make(core, long_block(count, align), 1, "assembler-with-cpp")
    execution = run(firmware)
    total = 5 * count + 3 * (count - count // 2)
    assert execution.outputs[0][:4] == total.to_bytes(4, "little")
    assert counted(firmware, execution) == stepped(firmware)
    image = Image(firmware.elf)
    by_name = {s.name: s.address & ~1 for s in image.symbols}
    starts = execution.profile.dst
    # the loop body is entered at its head (once by falling in, which is not an edge of its own) and at its middle
    assert execution.profile.count[starts == by_name["head"]].sum() == 4
    assert execution.profile.count[starts == by_name["middle"]].sum() == 3
    inside = [a for a in starts.tolist() if by_name["head"] < a < by_name["middle"]]
    assert inside == []


def test_a_conditional_access_before_a_flag_change_leaves_control_flow_alone(make: Builder) -> None:
    """Unicorn forgets to leave the IT block when a memory hook was called inside it; the watching run must not."""
    code = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  bl wc_layer_begin
  ldr r2, =wc_arena
  movs r0, #0
  cmp r0, #0
  itte eq
  streq r0, [r2, #256]
  cmpeq r0, #5
  ldrne r1, [r2, #256]
  bl far
  str r0, [r2, #1024]
  bl wc_layer_end
  pop {{r4, pc}}
.type far, %function
far:
  adds r0, #77
  bx lr
"""
    firmware = make("cortex-m7", code, 1, "assembler-with-cpp")
    execution = run(firmware)
    assert execution.outputs[0][0] == 77
    counters = count_regions(firmware, execution, kit.board("cortex-m7"))[0]
    assert counters.write_accesses == 2
    assert counters.ram_read_bytes == 4  # the flags have changed: ldrne executes


def test_a_watching_run_that_takes_another_path_is_found(make: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hook's remedy for the IT state, code after a conditional access is skipped: outputs may not show it."""
    code = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  bl wc_layer_begin
  ldr r2, =wc_arena
  movs r0, #0
  cmp r0, #0
  itte eq
  streq r0, [r2, #256]
  cmpeq r0, #5
  ldrne r1, [r2, #256]
  bl far
  bl wc_layer_end
  pop {{r4, pc}}
.type far, %function
far:
  movs r1, #0
  cbz r1, out
  adds r1, #1
out:
  bx lr
"""
    firmware = make("cortex-m7", code, 1, "assembler-with-cpp")
    assert run(firmware).outputs
    real = state.memory_state

    def without_remedy(*arguments: object, **options: object) -> tuple[state.State, MemorySystem]:
        made, system = real(*arguments, **options)  # type: ignore[arg-type]
        made[made[layout.H_CONDITIONAL] : made[layout.H_EVENTS]] = 0
        return made, system

    monkeypatch.setattr(state, "memory_state", without_remedy)
    with pytest.raises((CheckFailedError, ExecutionError)):
        run(firmware)


@pytest.mark.parametrize("offset", [1022, 1023, 4093, 4095, 0])
def test_an_access_that_straddles_pages_is_one_access(make: Builder, offset: int) -> None:
    code = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  ldr r2, =0x20004000 + {offset}
  bl wc_layer_begin
  ldr r0, [r2]
  str r0, [r2]
  ldrh r1, [r2]
  bl wc_layer_end
  pop {{r4, pc}}
"""
    firmware = make("cortex-m4", code, 1, "assembler-with-cpp")
    layer = count_regions(firmware, run(firmware), kit.board("cortex-m4"))[0]
    assert (layer.read_accesses, layer.ram_read_bytes, layer.write_accesses, layer.ram_write_bytes) == (2, 6, 1, 4)


def test_literals_and_tables_are_flash_reads_and_multiples_count_each_register(make: Builder) -> None:
    code = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, r5, r6, lr}}
  bl wc_layer_begin
  ldr r2, =wc_arena
  ldm r2!, {{r3, r4, r5}}
  ldrd r0, r1, [r2]
  strd r0, r1, [r2, #64]
  movs r0, #1
  tbb [pc, r0]
table:
  .byte (one - table) / 2, (two - table) / 2
one:
  nop
two:
  bl wc_layer_end
  pop {{r4, r5, r6, pc}}
"""
    firmware = make("cortex-m3", code, 1, "assembler-with-cpp")
    layer = count_regions(firmware, run(firmware), kit.board("cortex-m3"))[0]
    assert layer.flash_read_bytes == 4 + 1
    assert (layer.ram_read_bytes, layer.ram_write_bytes) == (12 + 8, 8)
    assert layer.branch_instructions == 2  # tbb and the call of the end marker
    assert layer.taken_branches == 2  # the begin marker's return and tbb


def test_the_stack_mark_is_exact(make: Builder) -> None:
    code = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  bl wc_layer_begin
  sub sp, #200
  push {{r0-r3}}
  add sp, #216
  bl wc_layer_end
  bl wc_layer_begin
  str r0, [sp, #-40]
  bl wc_layer_end
  pop {{r4, pc}}
"""
    firmware = make("cortex-m3", code, 2, "assembler-with-cpp")
    machine = Machine(firmware, Image(firmware.elf), kit.board("cortex-m3"), "cortex-m3", LIMITS)
    machine.reset(str)
    inside = machine.stack_top - machine.stack_idle + 8  # main's own and the push of wc_infer
    stack = run(firmware).stack_by_region_bytes
    assert stack[:2] == (inside + 216, inside + 40)


def test_a_table_too_small_is_grown_not_lost(make: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    expected = run(firmware)
    monkeypatch.setattr("engine.targets.session.FIRST_SLOTS", 16)
    assert same_profile(run(firmware).profile, expected.profile)
    assert len(expected.profile.src) > 16


def test_hash_order_does_not_show(make: Builder) -> None:
    profile = run(make("cortex-m4", kit.SMALL_NET, 3)).profile
    keys = list(zip(profile.region.tolist(), profile.src.tolist(), profile.dst.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert (profile.count > 0).all()
    assert profile.count.dtype == np.int64


@pytest.mark.slow
def test_a_whole_model_equals_single_stepping() -> None:
    board = load_board("nucleo-l4r5zi")
    firmware = build(
        read_graph(resolve_model("kws").path), model="kws", library=KernelLibrary.CMSIS_NN, board=board,
        core=load_core(board.core), compiler=CompilerName.CLANG, opt="O2",
    )  # fmt: skip
    data = bytes(n * 91 % 256 for n in range(sum(t.bytes for t in firmware.inputs)))
    execution = UnicornTarget(board).run(firmware, [data])
    assert counted(firmware, execution) == stepped(firmware, board, data)


def test_numba_is_imported_only_to_execute() -> None:
    code = "import sys, engine.targets.unicorn_target, engine.counters.count; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
