"""Cortex-M4F kernels: the shared ones, base updates and the DSP instructions. "table" is Table 3-1 of Arm 100166."""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by
from tests.timing.micro.m4_fpu import FPU
from tests.timing.micro.shared_m3_m4 import transfers
from tests.timing.micro.shared_m3_m4_flow import flow

CORE = "cortex-m4"

KERNELS = (
    *transfers(CORE),
    *flow(CORE),
    *FPU,
    Kernel(
        CORE,
        "base_update_different_bases",
        "ldr r0, [r4], #4\n ldr r1, [r5], #4",
        2,
        """Base-update loads on different bases are pipelined (load_store.base_update_breaks 0, source "measured"): one cycle
        is removed from each behind a load (pairing).""",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_chain",
        "mla r0, r1, r2, r0\n mls r0, r1, r2, r0",
        2,
        "MLA 1, MLS 1 (table); the accumulator chains (latency.mac_to_accumulator 1).",
        by(mac=2),
    ),
    Kernel(
        CORE,
        "multiply_long",
        "smull r0, r1, r2, r3\n umull r0, r1, r2, r3",
        2,
        "SMULL 1, UMULL 1 (table).",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_long",
        "smlal r0, r1, r2, r3\n smlal r0, r1, r2, r3",
        2,
        "SMLAL 1 (table), chained on its accumulator.",
        by(mac=2),
    ),
    Kernel(
        CORE,
        "smlad_chain",
        "smlad r0, r1, r2, r0\n smlad r0, r1, r3, r0\n smladx r0, r1, r3, r0",
        3,
        "SMLAD, SMLADX 1 each (table), chained on the accumulator.",
        by(mac=3),
    ),
    Kernel(
        CORE,
        "widen_and_accumulate",
        "sxtb16 r1, r2\n sxtb16 r3, r2, ror #8\n smlad r0, r1, r3, r0",
        3,
        "SXTB16 1 each, rotated or not, SMLAD 1 (table); no interlock between them.",
        by(other_alu=2, mac=1),
    ),
    Kernel(
        CORE,
        "load_then_smlad",
        "ldr r1, [r4]\n smlad r0, r1, r2, r0",
        3,
        "LDR 2 (no transfer behind it), SMLAD 1.",
        by(load_store_issue=2, mac=1),
    ),
    Kernel(
        CORE,
        "dot_product_loop",
        """
        movs r3, #COUNT
        .p2align 2
        1: ldr.w r0, [r4]
        ldr.w r1, [r5]
        smlad r2, r0, r1, r2
        subs r3, #1
        bne.n 1b
        """,
        7,
        """Two loads pipelined: 3 (pairing). SMLAD 1. SUBS 1. BNE taken 1 + P, P = 1 (32-bit target, word-aligned).""",
        by(load_store_issue=3, mac=1, other_alu=2, branch_refill=1),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_around",
        "ldr r0, [r4]\n mla r1, r2, r3, r0\n add.w r1, r1, r2",
        4,
        """LDR 2 (no transfer behind it), MLA 1, ADD 1 (table); the accumulator and the sum are used at once (latency.mac takes
        1 of 1 to 2).""",
        by(load_store_issue=2, mac=1, other_alu=1),
    ),
)
