"""Counts of Helium code that QEMU executed: by hand, and against what QEMU itself counted, without our decoder."""

from __future__ import annotations

import json
import shutil

import pytest

from engine.catalog.board import Board
from engine.catalog.load import load_core
from engine.counters.count import add_up, count_regions
from engine.firmware.mps2 import mps2_board
from engine.records.counters import Counters
from engine.targets.device import Limits
from engine.targets.llvm_tools import find_llvm_tool
from engine.targets.qemu.target import QemuTarget
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.targets.test_unicorn import _ASM_HEAD

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or find_llvm_tool("llvm-objdump") is None,
    reason="needs qemu-system-arm and llvm-objdump (extra 'llvm')",
)
INPUT = bytes((7 * n + 3) % 256 for n in range(64))
LIMITS = Limits(50_000_000, 60)

# a loop of ten iterations, one of three over 40 bytes, and six lanes by a predicate
LOOPS = f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  bl wc_layer_begin
  ldr r2, =wc_arena
  ldr r3, =wc_arena + 512
  movs r0, #10
  dls lr, r0
1: ldr r1, [r2]
  le lr, 1b
  movs r0, #40
  wlstp.8 lr, r0, 3f
2: vldrb.u8 q0, [r2], #16
  vstrb.8 q0, [r3], #16
  letp lr, 2b
3: movs r0, #6
  vctp.8 r0
  vpstt
  vldrbt.u8 q1, [r3]
  vaddt.i8 q1, q1, q1
  vmlava.s8 r0, q1, q1
  bl wc_layer_end
  pop {{r4, pc}}
.ltorg
"""


def on_mps2(core: str) -> Board:
    """The test board where QEMU's machine has its memories, so that an ELF runs there without a second link."""
    flash, sram = mps2_board(load_core(core)).memories
    here = kit.board(core)
    named = (flash.model_copy(update={"name": "flash"}), sram.model_copy(update={"name": "sram"}))
    return here.model_copy(update={"memories": named})


def counted(make: Builder, core: str, *source: object) -> tuple[tuple[Counters, ...], tuple[bytes, ...], Board]:
    board = on_mps2(core)
    firmware = make(core, *source, memories=board)
    execution = QemuTarget(board, load_core(core), lambda m: make(core, *source, memories=m), limits=LIMITS).run(
        firmware, [INPUT]
    )
    return count_regions(firmware, execution, board), execution.outputs, board


@needs_qemu
def test_counts_as_derived_by_hand(make: Builder) -> None:
    (layer, _), _, _ = counted(make, "cortex-m55", LOOPS, 1, "assembler-with-cpp")
    # from behind the call of the first marker to the call of the second
    assert layer.instructions == 4 + 2 * 10 + 2 + 3 * 3 + 7
    assert layer.mve_instructions == 2 * 3 + 5
    assert layer.mve_mac_instructions == 1
    assert layer.mac_lanes == 16
    assert (layer.mve_load_instructions, layer.mve_store_instructions) == (3 + 1, 3)
    assert layer.mve_predicated_instructions == 2 * 3 + 2
    # LE: first and last of ten retire; LETP: first and last of three
    assert layer.folded_loop_ends == 8 + 1
    assert layer.retired_instructions == layer.instructions - 9
    # QEMU saw the lanes that take part: 40 bytes of 48, 6 of 16
    assert layer.ram_read_bytes + layer.flash_read_bytes == 2 * 4 + 10 * 4 + 40 + 6
    assert layer.ram_write_bytes == 40


@needs_qemu
@pytest.mark.parametrize("core", list(kit.VECTOR_CPU))
def test_decoding_agrees_with_what_qemu_counts(make: Builder, core: str) -> None:
    regions, outputs, board = counted(make, core, kit.SMALL_NET, 3)
    theirs = QemuTarget(board, load_core(core)).region_counts(make(core, kit.SMALL_NET, 3, memories=board), [INPUT])
    assert tuple(r.instructions for r in regions) == theirs.instructions
    assert tuple(r.flash_read_bytes + r.ram_read_bytes for r in regions) == theirs.read_bytes
    assert tuple(r.ram_write_bytes for r in regions) == theirs.write_bytes
    whole = add_up(regions)
    assert whole.mve_mac_instructions > 0  # clang vectorises the dense layer
    assert whole.folded_loop_ends > 0
    plain = UnicornTarget(kit.board("cortex-m4")).run(make("cortex-m4", kit.SMALL_NET, 3), [INPUT])
    assert outputs == plain.outputs


def test_cores_without_helium_write_no_helium(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution = UnicornTarget(kit.board("cortex-m4")).run(firmware, [INPUT])
    for counters in count_regions(firmware, execution, kit.board("cortex-m4")):
        written = json.loads(counters.model_dump_json())
        assert not [name for name in written if name.startswith("mve_") or name == "folded_loop_ends"]
        assert Counters.model_validate_json(counters.model_dump_json()) == counters
