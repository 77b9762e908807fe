"""Lanes and beats under predicates: micro-firmwares whose vector lengths are known, and straight lines by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.catalog.load import load_core
from engine.counters.count import count_regions
from engine.counters.decode import Decoder
from engine.counters.lanes import LaneUse, count_lanes, predicates
from engine.counters.types import Block
from engine.errors import CheckFailedError
from engine.records.counters import Counters
from engine.targets.llvm_tools import find_llvm_tool
from engine.targets.qemu.target import QemuTarget
from engine.targets.types import Execution, LaneProfile
from tests.counters.test_count_mve import INPUT, LIMITS, on_mps2
from tests.counters.test_decode_mve import assemble
from tests.targets.conftest import Builder
from tests.targets.test_unicorn import _ASM_HEAD

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or find_llvm_tool("llvm-objdump") is None,
    reason="needs qemu-system-arm and llvm-objdump (extra 'llvm')",
)
needs_objdump = pytest.mark.skipif(find_llvm_tool("llvm-objdump") is None, reason="needs llvm-objdump (extra 'llvm')")
LENGTHS = range(1, 34)

# loops over the length in r0, with a multiply of as many lanes as the name says; r2 and r3 point to data
TAIL_16 = """
  dlstp.8 lr, r0
1: vldrb.u8 q0, [r2], #16
  vmlava.s8 r6, q0, q0
  letp lr, 1b
"""
TAIL_8 = """
  wlstp.16 lr, r0, 2f
1: vldrb.s16 q0, [r2], #8
  vmlava.s16 r6, q0, q0
  letp lr, 1b
2:
"""
TAIL_4 = """
  wlstp.32 lr, r0, 2f
1: vldrw.u32 q0, [r2], #16
  vmul.i32 q1, q0, q0
  vstrw.32 q1, [r3], #16
  letp lr, 1b
2:
"""
VCTP_16 = """
1: vctp.8 r0
  vpst
  vldrbt.u8 q0, [r2], #16
  adds r5, #1
  vpst
  vmlavat.s8 r6, q0, q0
  subs r0, #16
  bgt 1b
"""
# as GCC writes it: the predicate goes through a general register
VCTP_4 = """
1: vctp.32 r0
  vmrs r5, p0
  sxth r5, r5
  vmsr p0, r5
  vpst
  vldrbt.s32 q0, [r2]
  vpst
  vmult.i32 q1, q0, q0
  subs r0, #4
  bgt 1b
"""
# every fourth lane has an address of its own
GATHER_4 = """
  movs r4, #0
  vidup.u32 q2, r4, #4
  dlstp.32 lr, r0
1: vldrw.u32 q0, [r2, q2]
  vmul.i32 q1, q0, q0
  letp lr, 1b
"""


def layers_of(body: str) -> str:
    """A firmware with one layer for each of ``LENGTHS``."""
    layers = "".join(
        f"  bl wc_layer_begin\n  ldr r2, =wc_arena\n  ldr r3, =wc_arena + 512\n  movs r0, #{n}\n{body}\n  bl wc_layer_end\n  b 9f\n.ltorg\n9:\n"
        for n in LENGTHS
    )
    return f"{_ASM_HEAD}\nwc_infer:\n  push {{r4-r7, lr}}\n{layers}\n  pop {{r4-r7, pc}}\n"


def executed(make: Builder, code: str, layers: int) -> tuple[tuple[Counters, ...], Execution]:
    board, core = on_mps2("cortex-m55"), load_core("cortex-m55")
    source = (code, layers, "assembler-with-cpp")
    firmware = make(core.name, *source, memories=board)
    target = QemuTarget(board, core, lambda m: make(core.name, *source, memories=m), limits=LIMITS)
    execution = target.run(firmware, [INPUT])
    return count_regions(firmware, execution, board), execution


@needs_qemu
@pytest.mark.parametrize(
    ("body", "lanes", "predicated"),
    [(TAIL_16, 16, 2), (TAIL_8, 8, 2), (TAIL_4, 4, 3), (VCTP_16, 16, 2), (VCTP_4, 4, 2), (GATHER_4, 4, 2)],
)
def test_lanes_and_beats_of_every_length(make: Builder, body: str, lanes: int, predicated: int) -> None:
    regions, execution = executed(make, layers_of(body), len(LENGTHS))
    assert execution.lanes is not None
    for n, c in zip(LENGTHS, regions, strict=False):
        iterations = -(-n // lanes)
        assert c.mve_mac_lanes == lanes * iterations
        assert (c.mve_mac_lanes_active, c.mve_mac_lanes_unknown) == (n, 0), n
        # the last iteration has the remainder: beats are 32 bits
        rest = n - lanes * (iterations - 1)
        masked = 4 - -(-rest * 4 // lanes)
        assert (c.mve_beats_masked, c.mve_beats_unknown) == (predicated * masked, 0), n
        assert c.mve_beats == 4 * c.mve_instructions
        assert c.lanes_are_exact
        assert c.beats_are_exact
        assert c.active_lanes == n


# lanes by a comparison (6 of 16, then the other 10), a multiply under a predicate that nothing shows, and one without
OTHERS = f"""{_ASM_HEAD}
wc_infer:
  push {{r4-r7, lr}}
  bl wc_layer_begin
  ldr r2, =wc_arena
  movs r0, #0
  vidup.u8 q0, r0, #1
  movs r1, #9
  vcmp.u8 hi, q0, r1
  vpstete
  vldrbt.u8 q1, [r2]
  vldrbe.u8 q2, [r2]
  vmlavat.s8 r6, q0, q0
  vmlavae.s8 r6, q0, q0
  bl wc_layer_end
  bl wc_layer_begin
  movs r0, #5
  vctp.8 r0
  vpst
  vmlavat.s8 r6, q0, q0
  vmlava.s8 r6, q0, q0
  bl wc_layer_end
  pop {{r4-r7, pc}}
.ltorg
"""


@needs_qemu
def test_what_is_not_known_is_a_bound(make: Builder) -> None:
    (compared, hidden, _), _ = executed(make, OTHERS, 2)
    # lanes are exact, but may lie anywhere: which beats do nothing is not known
    assert (compared.mve_mac_lanes, compared.mve_mac_lanes_active, compared.mve_mac_lanes_unknown) == (32, 16, 0)
    assert (compared.mve_beats_masked, compared.mve_beats_unknown) == (0, 4 * 4)
    assert compared.lanes_are_exact
    assert not compared.beats_are_exact
    # no load or store under the same predicate: all lanes count, as unknown; without a predicate all take part
    assert (hidden.mve_mac_lanes, hidden.mve_mac_lanes_active, hidden.mve_mac_lanes_unknown) == (32, 32, 16)
    assert (hidden.mve_beats_masked, hidden.mve_beats_unknown) == (0, 4)
    assert not hidden.lanes_are_exact


@needs_qemu
def test_without_a_target_that_tells_all_is_unknown(make: Builder) -> None:
    board = on_mps2("cortex-m55")
    source = (layers_of(TAIL_16), len(LENGTHS), "assembler-with-cpp")
    firmware = make("cortex-m55", *source, memories=board)
    execution = QemuTarget(board, limits=LIMITS, relink=lambda m: make("cortex-m55", *source, memories=m)).run(
        firmware, [INPUT]
    )
    for n, c in zip(LENGTHS, count_regions(firmware, replace(execution, lanes=None), board), strict=False):
        assert c.mve_mac_lanes_active == c.mve_mac_lanes_unknown == 16 * -(-n // 16)
        assert not c.lanes_are_exact


LINE = """
vldrb.u8 q0, [r0]
vctp.8 r1
vmrs r3, p0
vpste
vldrbt.u8 q1, [r0]
vldrbe.u8 q1, [r0]
vcmp.i8 eq, q0, q1
vpst
vldrbt.u8 q2, [r0]
vmsr p0, r3
vpst
vmlavat.s8 r6, q1, q1
vpnot
vpst
vmlavat.s8 r6, q1, q1
mov r3, r1
vmsr p0, r3
vpst
vmlavat.s8 r6, q1, q1
bx lr
"""


@needs_objdump
def test_predicates_of_a_straight_line(tmp_path: Path) -> None:
    decoder = Decoder(assemble(tmp_path, LINE))
    block = decoder.block(min(decoder.image.instructions))
    found = [p for p, i in zip(predicates(block, ()), block.instructions, strict=True) if i.lanes or i.load_bytes]
    whole, then, other, compared, again, inverted, lost = found
    assert whole is None
    assert None not in (then, other, compared, again, inverted, lost)
    assert then == again  # a copy brought the value back
    assert len({then, other, compared, inverted, lost}) == 5
    assert [p.run for p in (then, other, compared, again, inverted, lost) if p] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


@needs_objdump
def test_a_tail_that_leaves_lanes_out_too_often_is_refused(tmp_path: Path) -> None:
    decoder = Decoder(assemble(tmp_path, f"dlstp.8 lr, r0\n{TAIL_16.partition('r0')[2]}\nbx lr"))
    image = decoder.image
    ((start, end),) = image.tail_loops
    lead = decoder.block(min(image.instructions))
    loop = decoder.block(start)
    entered: dict[int, dict[int, tuple[Block, int]]] = {0: {lead.start: (lead, 1), loop.start: (loop, 2)}}

    def shown(*rows: tuple[int, int]) -> LaneProfile:
        moved, count = zip(*rows, strict=True)
        n = len(rows)
        return LaneProfile(
            np.zeros(n, np.int32), np.full(n, start, np.uint32), np.array(moved, np.int8), np.array(count, np.int64)
        )

    good = count_lanes(image, entered, {(0, end): 1}, shown((3, 1), (16, 2)))
    assert good == {0: LaneUse(lanes=48, active=35, unknown=0, beats=24, masked_beats=6, unknown_beats=0)}
    # another number of executions than the instruction's shows nothing
    assert count_lanes(image, entered, {(0, end): 1}, shown((3, 1), (16, 1)))[0].unknown == 48
    with pytest.raises(CheckFailedError, match="left lanes out 2 times, but its loop ended 1 times"):
        count_lanes(image, entered, {(0, end): 1}, shown((3, 2), (16, 1)))
