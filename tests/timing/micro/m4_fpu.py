"""Cortex-M4F kernels of the FPU, against the section on its instruction set of the Cortex-M4 TRM (Arm DDI 0439, 100166).

"fpu table": its cycles per instruction: VADD, VSUB, VMUL 1, VMLA and VFMA 3, VDIV and VSQRT 14, VLDR 2, VLDM 1 + N, moves of two
registers 2. Read in the copy in TI SWCU192, Table 3-27.
"fpu notes", below the table: arithmetic instructions take one cycle longer if the following instruction consumes their result;
multiply-accumulates consume their addend one cycle later; integer instructions behind a VDIV or VSQRT complete out of order, and
VDIV takes one cycle if no floating-point instruction follows. The TI copy seen has the table without them: they were read where
others repeat them, in GCC's gcc/config/arm/cortex-m4-fpu.md (VADD latency 2, 1 as addend; VFMA 4, 3 as addend; VDIV 15, 14 as
addend, one cycle of the integer pipeline), not in Arm's document itself.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m4"

FPU = (
    Kernel(
        CORE,
        "fp_independent",
        "vadd.f32 s0, s2, s3\n vmul.f32 s1, s4, s5",
        2,
        "VADD 1, VMUL 1 (fpu table); nothing consumes a result.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "fp_add_chain",
        "vadd.f32 s0, s0, s1",
        2,
        "VADD 1 (fpu table) and one cycle longer because the following VADD consumes its result (fpu notes).",
        by(other_alu=1, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "fp_use_one_later",
        "vadd.f32 s0, s2, s3\n adds r0, #1\n vmul.f32 s1, s0, s2\n adds r1, #1",
        4,
        "VADD 1, ADDS 1, VMUL 1, ADDS 1: the consumer is not the following instruction (fpu notes).",
        by(other_alu=4),
    ),
    Kernel(
        CORE,
        "fp_multiply_then_addend",
        "vmul.f32 s0, s2, s3\n vfma.f32 s0, s4, s5",
        4,
        """VMUL 1, VFMA 3 (fpu table). The VFMA consumes s0 as addend, one cycle later than an operand (fpu notes), which
        makes up for the longer cycle.""",
        by(other_alu=1, mac=1, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_fused_chain",
        "vfma.f32 s0, s2, s3",
        3,
        "VFMA 3 (fpu table); chained on the addend, which is consumed one cycle later (fpu notes).",
        by(mac=1, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_fused_then_use",
        "vfma.f32 s0, s2, s3\n vadd.f32 s1, s0, s4",
        5,
        """VFMA 3 (fpu table), one cycle longer because the VADD consumes its result (fpu notes), VADD 1.""",
        by(mac=1, multiply_divide_latency=3, other_alu=1),
    ),
    Kernel(
        CORE,
        "fp_divide_then_unrelated",
        "vdiv.f32 s0, s2, s3\n vadd.f32 s1, s4, s5",
        15,
        "VDIV 14 (fpu table): the FPU is busy until then. VADD 1.",
        by(other_alu=2, multiply_divide_latency=13),
    ),
    Kernel(
        CORE,
        "fp_divide_chain",
        "vdiv.f32 s0, s0, s1",
        15,
        "VDIV 14 (fpu table) and one cycle longer because the following VDIV consumes its result (fpu notes).",
        by(other_alu=1, multiply_divide_latency=14),
    ),
    Kernel(
        CORE,
        "fp_divide_beside_integers",
        "vdiv.f32 s0, s2, s3\n .rept 13\n adds r0, #1\n .endr",
        14,
        """VDIV takes one cycle and the 13 integer instructions behind it complete while it divides (fpu notes): 1 + 13. The
        next VDIV finds the FPU free after its 14 cycles.""",
        by(other_alu=14),
    ),
    Kernel(
        CORE,
        "fp_load_and_use",
        "vldr s0, [r4]\n vadd.f32 s1, s0, s2",
        3,
        "VLDR 2 (fpu table), VADD 1; a load is no arithmetic instruction, nothing takes longer.",
        by(load_store_issue=2, other_alu=1),
    ),
    Kernel(
        CORE,
        "fp_load_multiple",
        "vldmia r4, {s0-s3}\n vldmia r4, {d2-d3}",
        10,
        "VLDM of 4 floats: 1 + N = 5. VLDM of 2 doubles: 1 + 2 * N = 5. (fpu table)",
        by(load_store_issue=10),
    ),
    Kernel(
        CORE,
        "fp_load_double",
        "vldr d0, [r4]",
        3,
        "VLDR of a double: 3 (fpu table).",
        by(load_store_issue=3),
    ),
    Kernel(
        CORE,
        "fp_move_two",
        "vmov s0, s1, r0, r1",
        2,
        "VMOV of two floats from two core registers: 2 (fpu table).",
        by(other_alu=1, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "fp_move_one",
        "vmov s0, r0\n vmov r1, s1",
        4,
        "VMOV of one float from or to one core register: 2 each (fpu table; issue.fp_transfer takes 2 of 1 to 2).",
        by(other_alu=2, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_sign_and_compare",
        "vneg.f32 s0, s0\n vcmp.f32 s0, s1\n vmov.f32 s2, s0",
        3,
        """VNEG, VCMP, VMOV 1 each (fpu table). What takes longer before a consumer is arithmetic and conversions (fpu notes; GCC:
        ffariths, fcmps, fcpys latency 1).""",
        by(other_alu=3),
    ),
    Kernel(
        CORE,
        "fp_divide_beside_fp_load",
        "vdiv.f32 s0, s2, s3\n vldr s1, [r4]",
        16,
        """VDIV 14 (fpu table): only integer instructions go on beside it (fpu notes), and GCC's VLDR takes the FPU's units. VLDR 2.""",
        by(other_alu=1, multiply_divide_latency=13, load_store_issue=2),
    ),
    Kernel(
        CORE,
        "fp_divide_then_addend",
        "vdiv.f32 s0, s2, s3\n vfma.f32 s0, s4, s5",
        17,
        """VDIV 14, VFMA 3 (fpu table); s0 is the addend, consumed one cycle later (fpu notes). The next VDIV does not consume it.""",
        by(other_alu=1, multiply_divide_latency=15, mac=1),
    ),
    Kernel(
        CORE,
        "fp_divide_across_a_call",
        "bl 2f\n vadd.f32 s1, s4, s5\n b.w 3f\n 2: vdiv.f32 s0, s2, s3\n bx lr\n 3: nop",
        20,
        """BL 1 + P, P 1 (branch.call). VDIV from 2 on, until 16. BX 1 + P, P 2 (branch.indirect), until 6: the VADD waits 10.
        VADD 1, B 1 + P, P 1 (branch.direct), NOP 1.""",
        by(other_alu=6, branch_refill=4, multiply_divide_latency=10),
        crosses_blocks=True,
    ),
)
