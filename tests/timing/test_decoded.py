"""Timing of assembled code: the real decoder in front, so that both agree on mnemonics, operands and masks."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.records.cause import Cause
from engine.targets.image import Image
from engine.timing.branches import is_conditional
from engine.timing.classes import BranchKind, branch_kind
from engine.timing.static_cost import block_ticks
from engine.timing.table import End, core_ticks
from tests.timing.asm import stack

# each label is one block; cycles by hand from the rules named in test_static_cost.py
SOURCE = """
    .syntax unified
    .thumb
    .text
    .global _start
    .thumb_func
    .type _start, %function
_start:
loads:      ldr r0, [r1], #4
            ldr r2, [r3], #4
            ldrsb r4, [r5, #3]
            b next
next:       push {r4, r5, r6, lr}
            ldmia r0!, {r1, r2, r3}
            ldrd r4, r5, [r6, #8]
            pop {r4, r5, r6, pc}
macs:       sxtb16 r0, r1
            sxtb16 r2, r1, ror #8
            smlad r3, r0, r4, r3
            smlad r3, r2, r5, r3
            smlal r6, r7, r0, r2
            sdiv r0, r1, r2
            subs r8, r8, #1
            bne macs
adds:       add.w r0, r1, r2, lsl #2
            str r3, [r4, r5]
            str r6, [r4, #4]
            ldr r7, literal
            bx lr
            .align 2
literal:    .word 1
    .size _start, . - _start
"""
EXPECTED = {
    # ldr, ldr, ldrsb overlapped 4; branch 1
    "loads": ({Cause.LOAD_STORE_ISSUE: 4, Cause.OTHER_ALU: 1}, BranchKind.DIRECT, False),
    # push 1 + 4, ldm 1 + 3, ldrd 1 + 2, pop 1 + 4
    "next": ({Cause.LOAD_STORE_ISSUE: 17}, BranchKind.LOAD_PC, False),
    # 2 sxtb16, 2 smlad, smlal 1, sdiv 7, subs, bne
    "macs": (
        {Cause.OTHER_ALU: 5, Cause.MAC: 3, Cause.MULTIPLY_DIVIDE_LATENCY: 6},
        BranchKind.DIRECT,
        True,
    ),
    # add 1; str reg 2; str 1; ldr literal 2 + 1 behind a store; bx 1
    "adds": ({Cause.OTHER_ALU: 2, Cause.LOAD_STORE_ISSUE: 6}, BranchKind.RETURN, False),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("asm")
    source, elf = folder / "x.s", folder / "x.elf"
    source.write_text(SOURCE)
    script = folder / "link.ld"
    script.write_text("SECTIONS { . = 0x8000000; .text : { *(.text*) } /DISCARD/ : { *(.ARM*) } }")
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp",
        "-nostdlib", f"-Wl,-T,{script}", "-Wl,-e,_start", "-Wl,--build-id=none", str(source), "-o", str(elf),
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Image(Path(elf))


@pytest.mark.parametrize("label", EXPECTED)
def test_assembled_blocks_on_the_m4(image: Image, label: str) -> None:
    cycles, kind, conditional = EXPECTED[label]
    block = Decoder(image).block(starts(image)[list(EXPECTED).index(label)])
    assert stack(block_ticks(block, core_ticks(load_core("cortex-m4"), End.VALUE))) == cycles
    assert branch_kind(block.instructions[-1]) is kind
    assert is_conditional(block) is conditional


def starts(image: Image) -> list[int]:
    """Where the blocks begin, in the order of the source."""
    addresses = sorted(image.instructions)
    return [addresses[0], *(b for a, b in itertools.pairwise(addresses) if image.instructions[a].ends_block)]
