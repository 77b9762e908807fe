"""Where the documents give a range, or two of them disagree: the value and both ends of a run's interval.

One loop of the instruction or pair, SUBS and BNE, as often as the input says; the difference of two inputs is the loop alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from tests.targets import kit
from tests.timing.micro.kit import CLOCK_MHZ, REPEATS, flash, timed


@dataclass(frozen=True)
class Range:
    """Cycles of one iteration: at the value, the low and the high end of every figure."""

    core: str
    instruction: str
    low: Fraction
    value: Fraction
    high: Fraction
    derivation: str


def _range(core: str, instruction: str, low: float, value: float, high: float, derivation: str) -> Range:
    return Range(core, instruction, Fraction(low), Fraction(value), Fraction(high), derivation)


_M3_LOOP = "SUBS 1, BNE taken 1 + P with P 1 in [1, 2] (branch.direct; the 32-bit target is word-aligned): 3 in [3, 4]"
_M33_LOOP = "SUBS 1, BNE paired 0, taken 1 (branch.direct, no range), on the flags of its pair 1: 3"

RANGES = (
    _range("cortex-m3", "udiv r0, r1, r2", 5, 10, 16, f"UDIV 2 to 12, the middle 7. {_M3_LOOP}."),
    _range("cortex-m3", "sdiv r0, r1, r2", 5, 10, 16, f"SDIV 2 to 12, the middle 7. {_M3_LOOP}."),
    _range("cortex-m3", "smull r0, r1, r2, r3", 6, 7, 9, f"SMULL 3 to 5, the middle 4. {_M3_LOOP}."),
    _range("cortex-m3", "umlal r0, r1, r2, r3", 7, 8.5, 11, f"UMLAL 4 to 7, the middle 5.5. {_M3_LOOP}."),
    _range("cortex-m4", "udiv r0, r1, r2", 5, 10, 16, f"UDIV 2 to 12, the middle 7. {_M3_LOOP}."),
    _range("cortex-m4", "sdiv r0, r1, r2", 5, 10, 16, f"SDIV 2 to 12, the middle 7. {_M3_LOOP}."),
    _range(
        "cortex-m4",
        "ldr r0, [r5]\n str r0, [r5, #8]",
        5,
        6,
        7,
        f"LDR; STR three (TRM), two as measured (load_store.store_tail 1 in [0, 1]). {_M3_LOOP}.",
    ),
    _range(
        "cortex-m4",
        "vmov s0, r1",
        4,
        5,
        6,
        f"VMOV of one register two (FPU table), one as measured (issue.fp_transfer 2 in [1, 2]). {_M3_LOOP}.",
    ),
    _range(
        "cortex-m4",
        "vadd.f32 s0, s0, s1\n vadd.f32 s0, s0, s1",
        5,
        6,
        7,
        f"VADD 1, one cycle longer as the next VADD consumes it (GCC) or not (LLVM): latency.fp 2 in [1, 2]. {_M3_LOOP}.",
    ),
    _range(
        "cortex-m4",
        "vfma.f32 s0, s2, s3\n add.w r0, r1, r2",
        5,
        7,
        8,
        f"VFMA 3 (FPU table), of which an integer instruction behind it may hide two (GCC): issue.fp_mac 3 in [1, 3]. {_M3_LOOP}.",
    ),
    _range("cortex-m33", "udiv r0, r1, r2", 5, 10, 15, f"UDIV 2 to 12, the middle 7 (core table). {_M33_LOOP}."),
    _range(
        "cortex-m7",
        "udiv r0, r1, r2",
        4,
        8.5,
        22.25,
        """UDIV 7 in [3, 20] (core table). SUBS and BNE pair: 1, at the high end of dual_issue.other 0.25 more. branch.direct
        0.5 in [0, 1]. 3 + 1 + 0, 7 + 1 + 0.5, 20 + 1.25 + 1.""",
    ),
)

_SOURCE = """
    .syntax unified
    .thumb
    .text
    .p2align 4
    .global wc_infer
    .type wc_infer, %function
    .thumb_func
wc_infer:
    push {lr}
    ldr r5, =wc_arena
    movs r1, #100
    movs r2, #3
    bl wc_layer_begin
    ldrb r4, [r5]
    .p2align 2
1:  INSTRUCTION
    subs r4, #1
    bne.n 1b
    bl wc_layer_end
    pop {pc}
    .ltorg
    .size wc_infer, . - wc_infer
"""


@pytest.mark.parametrize("expected", RANGES, ids=lambda r: f"{r.core}-{r.instruction.split()[0]}")
def test_value_and_bounds_of_what_is_a_range(expected: Range, tmp_path: Path) -> None:
    source = kit.Source(_SOURCE.replace("INSTRUCTION", expected.instruction), 1, "assembler-with-cpp")
    firmware = kit.build(tmp_path, expected.core, source)
    board = kit.board(expected.core, flash=flash(0))
    once, twice = (
        timed(firmware, board, expected.core, CLOCK_MHZ, bytes([n]) + bytes(63)) for n in (REPEATS, 2 * REPEATS)
    )
    low, high = (Fraction(twice.interval[i] - once.interval[i], REPEATS) for i in (0, 1))
    value = Fraction(twice.warm_cycles - once.warm_cycles, REPEATS)
    assert (low, value, high) == (expected.low, expected.value, expected.high), expected.derivation
