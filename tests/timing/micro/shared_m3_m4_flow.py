"""Branches, IT blocks and divides on Cortex-M3 and Cortex-M4; "table" and "pairing" as in ``shared_m3_m4``.

The table gives 1 + P for a taken branch, P from 1 to 3 "depending on the alignment and width of the target instruction, and
whether the processor manages to speculate the address early". The core tables split that range: direct branches and calls 1,
register targets 2, loads of the PC 3, and 1 more for a 32-bit target at an address that is not a multiple of 4.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by


def flow(core: str) -> tuple[Kernel, ...]:
    """Kernels of control flow and divides."""
    return (
        Kernel(
            core,
            "branch_to_narrow_aligned",
            "b.n 1f\n nop\n 1: adds r0, #1\n adds r1, #1",
            4,
            "B 1 + P, P = 1. Two ADDS 2.",
            by(other_alu=3, branch_refill=1),
        ),
        Kernel(
            core,
            "branch_to_narrow_unaligned",
            "b.n 1f\n 1: adds r0, #1",
            3,
            "The target is at 2 modulo 4 but 16 bits wide, one fetch brings it: B 1 + P, P = 1. ADDS 1.",
            by(other_alu=2, branch_refill=1),
        ),
        Kernel(
            core,
            "branch_to_wide_aligned",
            "b.n 1f\n nop\n 1: add.w r0, r0, r1",
            3,
            "B 1 + P, P = 1: the 32-bit target is word-aligned. ADD 1.",
            by(other_alu=2, branch_refill=1),
        ),
        Kernel(
            core,
            "branch_to_wide_unaligned",
            "b.n 1f\n nop\n nop\n 1: add.w r0, r0, r1\n adds r2, #1",
            5,
            "The target at 6 is 32 bits wide and takes two fetches: B 1 + P with P = 1 + 1. ADD 1, ADDS 1.",
            by(other_alu=3, branch_refill=2),
        ),
        Kernel(
            core,
            "branch_not_taken",
            "cmp r2, r2\n bne 1f\n 1:",
            2,
            "CMP 1 + conditional branch not taken 1 (table: 1 or 1 + P).",
            by(other_alu=2),
        ),
        Kernel(
            core,
            "call_and_return",
            "bl 2f\n b.n 3f\n 2: bx lr\n 3:",
            7,
            """BL 1 + P, P = 1 (target 16 bits). BX LR 1 + P, P = 2 (register target, branch.indirect takes the middle of 1
            to 3). B 1 + P, P = 1 (target BL, word-aligned).""",
            by(other_alu=3, branch_refill=4),
        ),
        Kernel(
            core,
            "call_and_pop_pc",
            "bl 2f\n b.n 3f\n 2: push {r0, lr}\n pop {r0, pc}\n nop\n 3:",
            13,
            """BL 2. PUSH of 2: 1 + N = 3. POP with PC of 2: 1 + N + P = 3 + 3 (N counts the PC; pairing: three cycles for
            the reload). B 2 (target BL, word-aligned).""",
            by(load_store_issue=6, other_alu=2, branch_refill=5),
        ),
        Kernel(
            core,
            "load_pc",
            """
            movs r3, #COUNT
            .p2align 2
            1: ldr.w pc, [r0]
            UNIQUE_next: subs r3, #1
            bne.n 1b
            .section .data
            .p2align 2
            UNIQUE_word: .word UNIQUE_next + 1
            .text
            """,
            8,
            """LDR PC: "at least two cycles for the load, and three cycles for the pipeline reload" (pairing): 5. SUBS 1.
            BNE taken 1 + P, P = 1 (the 32-bit target is word-aligned). With N and 2N the last BNE is not taken.""",
            by(load_store_issue=2, other_alu=2, branch_refill=4),
            setup="ldr r0, =UNIQUE_word",
        ),
        Kernel(
            core,
            "cbz_loop",
            "movs r3, #COUNT\n 1: cbz r3, 2f\n subs r3, #1\n b.n 1b\n 2: nop",
            4,
            "CBZ not taken 1 (table: 1 or 1 + P). SUBS 1. B 1 + P, P = 1 (the target is 16 bits wide).",
            by(other_alu=3, branch_refill=1),
        ),
        Kernel(
            core,
            "cbnz_taken",
            "cbnz r4, 1f\n nop\n 1: adds r0, #1\n adds r1, #1",
            4,
            "CBNZ taken 1 + P, P = 1. Two ADDS 2.",
            by(other_alu=3, branch_refill=1),
        ),
        Kernel(
            core,
            "table_branch",
            "tbb [r4, r2]\n adds r0, #1\n adds r1, #1",
            8,
            """TBB (an entry of zero, so to the next instruction): "at least two cycles for the load, one cycle for the add,
            and three cycles for the pipeline reload" (pairing): 6. Two ADDS 2.""",
        ),
        Kernel(
            core,
            "it_behind_narrow",
            "cmp r2, r2\n it eq\n addeq r0, #1",
            2,
            "CMP 1. IT 0: folded behind a 16-bit instruction (issue.it_paired takes 0 of 0 to 1). ADD 1.",
            by(other_alu=2),
        ),
        Kernel(
            core,
            "it_behind_wide",
            "add.w r2, r2, r3\n it eq\n addeq r0, #1",
            3,
            "ADD 1. IT 1: nothing to fold into behind a 32-bit instruction (issue.it). ADD 1.",
            by(other_alu=3),
        ),
        Kernel(
            core,
            "it_block_of_three",
            "cmp r2, r2\n itte eq\n addeq r0, #1\n addeq r1, #1\n addne r3, #1",
            4,
            "CMP 1, IT 0 (folded), three instructions 1 each; a failed condition takes its cycle too.",
            by(other_alu=4),
        ),
        Kernel(
            core,
            "unsigned_divide",
            "udiv r0, r1, r3\n adds r2, #1",
            8,
            "UDIV 2 to 12 (table, ends early by its operands): issue.divide takes the middle, 7. ADDS 1.",
            by(other_alu=2, multiply_divide_latency=6),
        ),
        Kernel(
            core,
            "signed_divide_and_use",
            "sdiv r0, r1, r3\n add.w r0, r0, #1",
            8,
            "SDIV 2 to 12 (table): 7. ADD 1, at once: the divide occupies the pipeline until its result is there.",
            by(other_alu=2, multiply_divide_latency=6),
        ),
        Kernel(
            core,
            "multiply_chain",
            "mul r0, r0, r1\n add.w r0, r0, #1",
            2,
            "MUL 1 (table), its result is there for the next instruction. ADD 1.",
            by(other_alu=2),
        ),
        Kernel(
            core,
            "shifted_operand_chain",
            "add.w r0, r1, r0, lsl #1\n add.w r0, r1, r0, lsl #1",
            2,
            "ADD with a shifted <op2> 1 each (table), no interlock.",
            by(other_alu=2),
        ),
    )
