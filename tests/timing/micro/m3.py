"""Cortex-M3 kernels: the shared ones, base updates and multiplies. "table" is Table 3-1 of Arm DDI 0337I."""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by
from tests.timing.micro.shared_m3_m4 import transfers
from tests.timing.micro.shared_m3_m4_flow import flow

CORE = "cortex-m3"

KERNELS = (
    *transfers(CORE),
    *flow(CORE),
    Kernel(
        CORE,
        "base_update_different_bases",
        "ldr r0, [r4], #4\n ldr r1, [r5], #4",
        4,
        """Loads with base update are not pipelined with the transfer before them on this core, on whatever base
        (load_store.base_update_breaks 1): LDR 2 (table) each.""",
        by(load_store_issue=4),
    ),
    Kernel(
        CORE,
        "base_update_then_plain",
        "ldr r0, [r4], #4\n ldr.w r1, [r5]",
        3,
        """Only the first load of a chain may update its base (source "measured" of the core table). The plain load overlaps
        the one before it, the next base update does not: 1 + 2.""",
        by(load_store_issue=3),
    ),
    Kernel(
        CORE,
        "multiply_accumulate",
        "mla r0, r1, r2, r3",
        2,
        "MLA 2 (table).",
        by(mac=1, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_chain",
        "mla r0, r1, r2, r0\n mls r0, r1, r2, r0",
        4,
        "MLA 2, MLS 2 (table); the accumulator is ready when the next one starts.",
        by(mac=2, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "multiply_long",
        "smull r0, r1, r2, r3\n umull r0, r1, r2, r3",
        8,
        "SMULL, UMULL 3 to 5 (table, ends early): issue.multiply_long takes the middle, 4 each.",
        by(other_alu=2, multiply_divide_latency=6),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_long",
        "smlal r0, r1, r2, r3",
        5.5,
        "SMLAL 4 to 7 (table, ends early): issue.mac_long takes the middle, 5.5.",
        by(mac=1, multiply_divide_latency=4.5),
    ),
    Kernel(
        CORE,
        "dot_product_loop",
        """
        movs r3, #COUNT
        .p2align 2
        1: ldrsb.w r0, [r4]
        ldrsb.w r1, [r5]
        mla r2, r0, r1, r2
        subs r3, #1
        bne.n 1b
        """,
        8,
        """Two loads pipelined: 3 (pairing). MLA 2. SUBS 1. BNE taken 1 + P, P = 1 (32-bit target, word-aligned).""",
        by(load_store_issue=3, mac=1, multiply_divide_latency=1, other_alu=2, branch_refill=1),
    ),
    Kernel(
        CORE,
        "multiply_accumulate_around",
        "ldr r0, [r4]\n mla r1, r2, r3, r0\n add.w r1, r1, r2",
        5,
        "LDR 2 (no transfer behind it), MLA 2, ADD 1 (table); the accumulator and the sum are used at once.",
        by(load_store_issue=2, mac=1, multiply_divide_latency=1, other_alu=1),
    ),
)
