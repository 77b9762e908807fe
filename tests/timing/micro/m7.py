"""Cortex-M7 kernels. Arm publishes no timings for it: these numbers follow the rules that the core table states, not silicon.

Names like latency.load are figures of ``cortex-m7.toml``. Two neighbouring instructions issue in one cycle unless the rules of
``engine.catalog.core.DualIssue`` keep them apart; with an odd number of instructions pairs run on into the next repetition.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by
from tests.timing.micro.m7_more import MORE

CORE = "cortex-m7"

KERNELS = (
    *MORE,
    Kernel(
        CORE,
        "alu_independent",
        "add.w r0, r1, r2\n add.w r3, r1, r2",
        1,
        "One pair (dual_issue.other 0).",
        by(other_alu=1),
    ),
    Kernel(
        CORE,
        "alu_chain",
        "add.w r0, r0, r1",
        1,
        "latency.alu 1; a pair needs its operands in the same cycle.",
        by(other_alu=1),
    ),
    Kernel(
        CORE,
        "three_alu",
        "add.w r0, r1, r2\n add.w r3, r1, r2\n add.w r8, r1, r2",
        1.5,
        "Six independent instructions of two repetitions make three pairs.",
        by(other_alu=1.5),
    ),
    Kernel(
        CORE,
        "loads_in_different_banks",
        "ldr.w r0, [r4]\n ldr.w r1, [r4, #4]",
        1,
        "Words 0 and 1 of one base lie in different banks: they pair for free.",
        by(load_store_issue=1),
    ),
    Kernel(
        CORE,
        "loads_in_the_same_bank",
        "ldr.w r0, [r4]\n ldr.w r1, [r4, #8]",
        2,
        "Words 0 and 2 of one base lie in the same bank: no pair.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "loads_in_unknown_banks",
        "ldr.w r0, [r4]\n ldr.w r1, [r5]",
        1.5,
        "Two bases: dual_issue.load_load 0.5 beyond the pair's one cycle.",
        by(load_store_issue=1.5),
    ),
    Kernel(
        CORE,
        "load_use",
        "ldr.w r0, [r4]\n add.w r1, r0, r2",
        1,
        """latency.load 1: LDR at t, ADD at t + 1, and the next LDR issues beside that ADD. One cycle per repetition.""",
    ),
    Kernel(
        CORE,
        "byte_load_use",
        "ldrb.w r0, [r4]\n add.w r1, r0, r2",
        2,
        "latency.load 1 + load_narrow_extra 1: LDRB at t, ADD at t + 2 beside the next LDRB.",
    ),
    Kernel(
        CORE,
        "load_then_multiply",
        "ldr.w r0, [r4]\n mul r1, r0, r2",
        2,
        "latency.load_to_multiply 2: LDR at t, MUL at t + 2 beside the next LDR.",
    ),
    Kernel(
        CORE,
        "load_then_accumulate",
        "ldr.w r0, [r4]\n mla r1, r2, r3, r0",
        1,
        "latency.load_to_accumulator 1: LDR at t, MLA at t + 1 beside the next LDR.",
    ),
    Kernel(
        CORE,
        "load_then_shift",
        "ldr.w r0, [r4]\n add.w r1, r2, r0, lsl #1",
        2,
        "latency.load 1 + load_to_shift_extra 1: LDR at t, ADD at t + 2 beside the next LDR.",
    ),
    Kernel(
        CORE,
        "load_address_from_load",
        "ldr.w r7, [r7]",
        2,
        "latency.load_to_address 2.",
        by(load_store_issue=1, load_use=1),
    ),
    Kernel(
        CORE,
        "multiply_chain",
        "mul r0, r0, r1",
        2,
        "latency.multiply 2.",
        by(other_alu=1, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "smlad_chain",
        "smlad r0, r1, r2, r0",
        1,
        "latency.mac_to_accumulator 1; two multiplies never pair.",
        by(mac=1),
    ),
    Kernel(
        CORE,
        "smlad_beside_alu",
        "smlad r0, r1, r2, r0\n add.w r3, r3, r1",
        1,
        "A pair each cycle: the SMLADs chain on the accumulator, the ADDs on latency.alu 1.",
        by(mac=1),
    ),
    Kernel(
        CORE,
        "stores",
        "str.w r0, [r4]\n str.w r1, [r4, #4]",
        2,
        "Two stores never pair: issue.store 1 each.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "load_beside_store",
        "ldr.w r0, [r4]\n str.w r1, [r5]",
        1,
        "dual_issue.load_store 0: one pair.",
        by(load_store_issue=1),
    ),
    Kernel(
        CORE,
        "load_and_store_it",
        "ldr.w r0, [r4]\n str.w r0, [r4, #8]",
        1,
        "latency.load_to_store 0: the STR issues beside the LDR whose result it stores.",
        by(load_store_issue=1),
    ),
    Kernel(
        CORE,
        "multiply_and_store",
        "mul r0, r1, r2\n str.w r3, [r4]",
        2,
        "A multiply and a store never pair, in either order.",
        by(other_alu=1, load_store_issue=1),
    ),
    Kernel(
        CORE,
        "multiples",
        "ldmia.w r4, {r0-r3, r8}\n strd r0, r1, [r4]\n push {r0-r3}\n pop {r0-r3}",
        8,
        """Half a cycle per register, rounded up: LDM of 5: 3; STRD 1; PUSH of 4: 2; POP of 4: 2. None pairs. The STRD needs
        r0 and r1 in the cycle of their loads (latency.load_to_store 0), which is past.""",
        by(load_store_issue=8),
    ),
)
