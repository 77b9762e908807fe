"""Cortex-M33 kernels. Arm publishes no timings for it: these numbers follow the rules that the core table states, not silicon.

Names like issue.load are figures of ``cortex-m33.toml``. A result may be used ``latency`` cycles after its producer issued.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by
from tests.timing.micro.m33_flow import FLOW

CORE = "cortex-m33"

KERNELS = (
    *FLOW,
    Kernel(
        CORE, "alu_chain", "add.w r0, r0, r1\n eor.w r0, r0, r1", 2, "issue.alu 1 each, latency.alu 1.", by(other_alu=2)
    ),
    Kernel(
        CORE,
        "shifted_operand_then_use",
        "add.w r0, r1, r2, lsl #2\n add.w r3, r0, r1",
        3,
        "ADD 1; latency.alu_late 2, so the second waits 1; ADD 1.",
        by(other_alu=3),
    ),
    Kernel(
        CORE,
        "multiply_then_use",
        "mul r0, r1, r2\n add.w r3, r0, r1",
        3,
        "MUL 1 (issue.multiply); latency.multiply 2: wait 1; ADD 1.",
        by(other_alu=2, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "multiply_then_accumulate",
        "mul r0, r1, r2\n mla r3, r1, r2, r0",
        2,
        "MUL 1, MLA 1: the product is an accumulator, which chains (latency.mac_to_accumulator 1).",
        by(other_alu=1, mac=1),
    ),
    Kernel(
        CORE,
        "smlad_chain",
        "smlad r0, r1, r2, r0\n smlad r0, r1, r3, r0",
        2,
        "issue.mac 1 each, latency.mac_to_accumulator 1.",
        by(mac=2),
    ),
    Kernel(
        CORE,
        "smlad_then_use",
        "smlad r0, r1, r2, r0\n add.w r3, r0, r1",
        3,
        "SMLAD 1; latency.mac 2: wait 1; ADD 1. The next SMLAD finds its accumulator ready.",
        by(mac=1, multiply_divide_latency=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "widen_and_accumulate",
        "sxtb16 r1, r2\n smlad r0, r1, r3, r0",
        2,
        "SXTB16 1 (latency.alu 1: neither shifted nor extend-and-add), SMLAD 1.",
        by(other_alu=1, mac=1),
    ),
    Kernel(
        CORE,
        "loads",
        "ldr r0, [r4]\n ldr r1, [r4, #4]\n ldr r2, [r4], #4",
        3,
        "issue.load 1 each; no data phase is left over (load_store.load_tail 0, base_update_breaks 0).",
        by(load_store_issue=3),
    ),
    Kernel(
        CORE,
        "load_use",
        "ldr r0, [r4]\n add.w r1, r0, r2",
        3,
        "LDR 1; latency.load 2: wait 1; ADD 1.",
        by(load_store_issue=1, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "load_filler_use",
        "ldr r0, [r4]\n add.w r3, r3, r2\n add.w r1, r0, r2",
        3,
        "LDR 1, ADD 1, ADD 1: the result of the load is there when the second ADD issues.",
        by(load_store_issue=1, other_alu=2),
    ),
    Kernel(
        CORE,
        "load_address_from_load",
        "ldr r7, [r7]",
        2,
        "LDR 1; latency.load_to_address 2: wait 1.",
        by(load_store_issue=1, load_use=1),
    ),
    Kernel(
        CORE,
        "load_then_accumulate",
        "ldr r0, [r4]\n mla r1, r2, r3, r0",
        2,
        "LDR 1, MLA 1: latency.load_to_accumulator 1.",
        by(load_store_issue=1, mac=1),
    ),
    Kernel(
        CORE,
        "load_then_store_it",
        "ldr r0, [r4]\n str r0, [r4, #8]",
        2,
        "LDR 1, STR 1: latency.load_to_store 1; load_store.load_after_store 0.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "multiples",
        "ldmia.w r4, {r0-r2}\n strd r0, r1, [r4, #16]\n push {r0-r3}\n pop {r0-r3}",
        13,
        """issue.multiple_base 0, multiple_per_register 1: LDM of 3, STRD 2, PUSH of 4, POP of 4. The STRD needs r0 and r1
        one cycle after their loads (latency.load_to_store 1), which is past.""",
        by(load_store_issue=13),
    ),
    Kernel(
        CORE,
        "multiple_use_of_last",
        "ldmia.w r4, {r0, r1}\n add.w r2, r1, r3",
        4,
        "LDM of 2: 2. r1 is loaded in its second cycle; latency.load 2 from there: wait 1. ADD 1.",
        by(load_store_issue=2, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "multiple_use_of_first",
        "ldmia.w r4, {r0, r1}\n add.w r2, r0, r3",
        3,
        "LDM of 2: 2. r0 is loaded in its first cycle; latency.load 2 from there has passed when the LDM is done. ADD 1.",
        by(load_store_issue=2, other_alu=1),
    ),
    Kernel(
        CORE,
        "divide",
        "udiv r0, r1, r3\n add.w r2, r2, r3",
        8,
        "issue.divide 7, the middle of 2 to 12; ADD 1.",
        by(other_alu=2, multiply_divide_latency=6),
    ),
    Kernel(CORE, "fp_add_chain", "vadd.f32 s0, s0, s1", 1, "issue.fp 1, latency.fp 1 (inferred).", by(other_alu=1)),
    Kernel(
        CORE,
        "fp_fused_chain",
        "vfma.f32 s0, s2, s3",
        3,
        "VFMA 1; latency.fp_mac 3, for the accumulator as for the factors: wait 2.",
        by(mac=1, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_fused_independent",
        "vfma.f32 s0, s4, s5\n vfma.f32 s1, s4, s5\n vfma.f32 s2, s4, s5\n vfma.f32 s3, s4, s5",
        12,
        """VFMA executes in one cycle, but "no other floating point instruction can be issued in the following 2 cycles"
        (source "measured", which issue.fp_mac cites): 3 each.""",
        disagrees="the core table took the one cycle from its source and left out the two that no FP instruction may follow in",
    ),
    Kernel(
        CORE,
        "constant_from_flash",
        "ldr r0, [r6]\n add.w r1, r1, r2",
        2.5,
        """LDR 1, ADD 1. Code and constants share C-AHB: load_store.code_bus_conflict 0.5, the middle of 0 to 1.""",
        by(load_store_issue=1, other_alu=1, data_read=0.5),
    ),
    Kernel(
        CORE,
        "long_multiplies",
        "smull r0, r1, r2, r3\n smlal r8, r9, r2, r3",
        2,
        "issue.multiply_long 1, issue.mac_long 1; the accumulator chains from one repetition to the next.",
        by(other_alu=1, mac=1),
    ),
    Kernel(
        CORE, "fp_divide", "vdiv.f32 s0, s2, s3", 14, "issue.fp_divide 14.", by(other_alu=1, multiply_divide_latency=13)
    ),
    Kernel(
        CORE,
        "address_from_alu",
        "add.w r4, r4, #4\n ldr r0, [r4]",
        2,
        "ADD 1, LDR 1: latency.alu_to_address takes 1 of 1 to 2.",
        by(other_alu=1, load_store_issue=1),
    ),
    Kernel(
        CORE,
        "load_then_multiply",
        "ldr r0, [r4]\n mul r1, r0, r2",
        3,
        "LDR 1; latency.load_to_multiply 2: wait 1; MUL 1.",
        by(load_store_issue=1, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "byte_load_then_shifted_use",
        "ldrb r0, [r4]\n add.w r1, r2, r0, lsl #1",
        3,
        "LDRB 1; latency.load 2, load_narrow_extra 0, load_to_shift_extra 0: wait 1; ADD 1.",
        by(load_store_issue=1, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "load_store_alu",
        "ldr r0, [r4]\n str r1, [r4, r2]\n add.w r3, r3, #1",
        3,
        "LDR 1, STR 1 (load_store.store_register_offset takes 1 of 1 to 2; store_tail 0), ADD 1.",
        by(load_store_issue=2, other_alu=1),
    ),
    Kernel(
        CORE,
        "load_from_literal_pool",
        "ldr r0, =0x12345678\n add.w r1, r1, r2",
        2.5,
        "LDR 1 (load_store.literal_extra 0), ADD 1; the literal is a constant in flash: code_bus_conflict 0.5.",
        by(load_store_issue=1, other_alu=1, data_read=0.5),
    ),
)
