"""Cortex-M7 kernels of divides, the FPU and branches, by the rules of its core table and ``engine.catalog.core``."""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m7"

MORE = (
    Kernel(
        CORE,
        "divide",
        "udiv r0, r1, r3",
        7,
        "issue.divide 7, in 3 to 20; a divide pairs with nothing.",
        by(other_alu=1, multiply_divide_latency=6),
    ),
    Kernel(
        CORE,
        "dsp_group",
        "sxtb16 r0, r1\n sxtb16 r2, r3",
        2,
        "Two of the DSP and bit-field group never pair: issue.alu 1 each.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "fp_add_chain",
        "vadd.f32 s0, s0, s1",
        3,
        "VADD 1; latency.fp 3: wait 2.",
        by(other_alu=1, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_add_independent",
        "vadd.f32 s0, s4, s5\n vadd.f32 s1, s4, s5\n vadd.f32 s2, s4, s5\n vadd.f32 s3, s4, s5",
        4,
        "issue.fp 1 each; two FP arithmetic instructions never pair.",
        by(other_alu=4),
    ),
    Kernel(
        CORE,
        "fp_fused_chain",
        "vfma.f32 s0, s2, s3",
        3,
        "VFMA 1; latency.fp_mac_to_accumulator 3: wait 2.",
        by(mac=1, multiply_divide_latency=2),
    ),
    Kernel(
        CORE,
        "fp_fused_three_chains",
        "vfma.f32 s0, s4, s5\n vfma.f32 s1, s4, s5\n vfma.f32 s2, s4, s5",
        3,
        "Three accumulators in turn: each is ready again after latency.fp_mac_to_accumulator 3, issue.fp_mac 1 each.",
        by(mac=3),
    ),
    Kernel(
        CORE,
        "fp_divide",
        "vdiv.f32 s0, s2, s3",
        16,
        "issue.fp_divide 16, in 14 to 16; it locks the pipeline.",
        by(other_alu=1, multiply_divide_latency=15),
    ),
    Kernel(
        CORE,
        "counted_loop",
        "movs r3, #COUNT\n .p2align 2\n 1: subs.w r3, r3, #1\n bne.w 1b",
        1.5,
        """SUBS and BNE pair (a predicted branch does not wait for its flags): 1. branch.direct 0.5. The exit is mispredicted
        once, with N and 2N alike.""",
        by(other_alu=1, branch_refill=0.5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "alternating_branch",
        """
        movs r3, #COUNT
        .p2align 2
        1: tst.w r3, #1
        bne.w 2f
        add.w r0, r0, r1
        2: subs.w r3, r3, #1
        bne.w 1b
        """,
        6.75,
        """Two iterations. Taken: TST and BNE pair 1, branch.direct 0.5, SUBS and BNE pair 1, 0.5: 3. Not taken: TST and BNE
        pair 1, ADD and SUBS pair 1, BNE 1, 0.5: 3.5. Of two, the rarer direction is one: predictor.penalty 7 *
        mispredicted_share 1. (3 + 3.5 + 7) / 2.""",
        by(other_alu=2.5, branch_refill=4.25),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "call_and_pop_pc",
        "bl 2f\n b.w 3f\n 2: push {r0, lr}\n pop {r0, pc}\n 3:",
        6,
        """BL 1 + branch.call 0.5. PUSH of 2: 1. POP of 2: 1 + branch.load_pc 1, predicted (return_share 0). B 1 +
        branch.direct 0.5. Transfers of several registers pair with nothing; behind a taken branch, what may pair is in the
        half cycle already.""",
        by(load_store_issue=2, other_alu=2, branch_refill=2),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "branch_not_taken_beside_what_follows",
        "bne.w 1f\n add.w r0, r1, r2\n add.w r3, r1, r2\n 1:",
        1.5,
        """Of the branches only two together never pair, and the core table's source says that a branch that is not taken
        issues beside the next instruction: three instructions in one and a half cycles, pairs running on.""",
        by(other_alu=1.5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "fp_chain_around_a_loop",
        "movs r3, #COUNT\n .p2align 2\n 1: vadd.f32 s0, s0, s1\n subs.w r3, r3, #1\n bne.w 1b",
        3,
        """VADD and SUBS pair at t, BNE at t + 1, branch.direct 0.5: the loop could start again at t + 2.5, but s0 is ready at
        t + 3 (latency.fp 3).""",
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "call_and_return",
        "bl 2f\n b.w 3f\n 2: bx lr\n nop\n 3:",
        5,
        "BL 1 + branch.call 0.5. BX 1 + branch.indirect 1, a predicted return. B 1 + branch.direct 0.5.",
        by(other_alu=3, branch_refill=2),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "table_branch",
        "tbb [r4, r2]\n add.w r0, r0, r1",
        8.5,
        """The ADD and the next TBB pair: 1. branch.table 4. Mispredicted with predictor.indirect_share 0.5, penalty 7: 3.5.""",
        by(other_alu=1, branch_refill=7.5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "counted_loop_of_narrow_instructions",
        "movs r3, #COUNT\n .p2align 2\n 1: subs r3, #1\n bne.n 1b",
        1.5,
        "SUBS and BNE pair: 1. branch.direct 0.5; branch.paired_on_flags 0, branch_paired 1 as branch.",
        by(other_alu=1, branch_refill=0.5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "it_behind_wide",
        "it eq\n addeq.w r1, r2, r3",
        1,
        "issue.it 1: IT pairs like a branch that is not taken, with the ADD behind it.",
        by(other_alu=1),
    ),
    Kernel(
        CORE,
        "it_behind_narrow",
        "cmp r2, r2\n it eq\n addeq r0, #1",
        1.5,
        """issue.it_paired 0.5 behind the 16-bit CMP. The ADD issues beside the next CMP: 1; the flags it needs are ready one
        cycle after its own CMP, which is past.""",
        by(other_alu=1.5),
    ),
    Kernel(CORE, "nop", "nop.w", 1, "issue.system 1; a system instruction pairs with nothing.", by(other_alu=1)),
    Kernel(
        CORE,
        "long_multiplies",
        "smull r0, r1, r2, r3\n smlal r8, r9, r2, r3",
        2,
        "issue.multiply_long 1, issue.mac_long 1: two multiplies never pair; the accumulator chains.",
        by(other_alu=1, mac=1),
    ),
    Kernel(
        CORE,
        "shifted_operand_chain",
        "add.w r0, r1, r0, lsl #1",
        2,
        "latency.alu_late 1, and alu_to_shift_extra 1 as the result is shifted next; two with a shifted operand never pair.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "address_from_alu",
        "add.w r4, r4, #4\n ldr.w r0, [r4]",
        1,
        "latency.alu_to_address takes 1 of 1 to 2: LDR one cycle behind its ADD, beside the next ADD.",
    ),
    Kernel(
        CORE,
        "load_and_store_it_between_doubles",
        "ldr.w r0, [r4]\n str.w r0, [r4, #8]\n ldrd r2, r3, [r5]",
        2,
        "latency.load_to_store 0: LDR and STR pair, 1. LDRD 1, pairs with nothing.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "smlad_then_use",
        "smlad r0, r1, r2, r3\n add.w r8, r0, r1",
        2,
        "latency.mac 2: the ADD two cycles behind its SMLAD, beside the next SMLAD.",
    ),
    Kernel(
        CORE,
        "store_register_offset",
        "str.w r0, [r4, r2]",
        1,
        "load_store.store_register_offset 1; two stores never pair.",
        by(load_store_issue=1),
    ),
    Kernel(
        CORE,
        "load_from_literal_pool",
        "ldr.w r0, =0x12345678\n add.w r1, r1, r2",
        1,
        "A pair: load_store.literal_extra 0. No bus conflict (code_bus_conflict 0).",
        by(load_store_issue=1),
    ),
)
