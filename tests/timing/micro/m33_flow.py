"""Cortex-M33 kernels of branches and IT blocks, by the rules of its core table: a 16-bit branch behind a 16-bit instruction
issues beside it (issue.branch_paired 0), an IT behind one too (issue.it_paired 0)."""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m33"

FLOW = (
    Kernel(
        CORE,
        "loop_on_flags_of_its_pair",
        "movs r3, #COUNT\n 1: subs r3, #1\n bne.n 1b",
        3,
        """SUBS 1. BNE paired 0, branch.direct 1, and branch.paired_on_flags 1 because it tests the flags of the SUBS it is
        paired with.""",
        by(other_alu=1, branch_refill=2),
    ),
    Kernel(
        CORE,
        "loop_on_earlier_flags",
        "movs r3, #COUNT\n 1: subs r3, #1\n add r0, r8\n bne.n 1b",
        3,
        "SUBS 1, ADD 1 (16 bits, no flags). BNE paired 0, branch.direct 1.",
        by(other_alu=2, branch_refill=1),
    ),
    Kernel(
        CORE,
        "narrow_branch_not_taken",
        "cmp r2, r2\n bne.n 1f\n 1:",
        1,
        "CMP 1, BNE paired 0 and not taken.",
        by(other_alu=1),
    ),
    Kernel(
        CORE,
        "wide_branch_not_taken",
        "add.w r0, r0, r1\n bne.w 1f\n 1:",
        2,
        "ADD 1. A 32-bit branch does not pair: issue.branch 1.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "narrow_branch_behind_wide",
        "add.w r0, r0, r1\n b.n 1f\n 1:",
        3,
        "ADD 1. Behind a 32-bit instruction a branch does not pair: issue.branch 1, branch.direct 1.",
        by(other_alu=2, branch_refill=1),
    ),
    Kernel(
        CORE,
        "call_and_return",
        "bl 2f\n b.n 3f\n 2: bx lr\n 3:",
        7,
        """BL 1 (32 bits) + branch.call 1. BX 1, behind a taken branch it pairs with nothing, + branch.indirect 2. B 1, the
        same, + branch.direct 1.""",
        by(other_alu=3, branch_refill=4),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "call_and_pop_pc",
        "bl 2f\n b.n 3f\n 2: push {r0, lr}\n pop {r0, pc}\n nop\n 3:",
        11,
        "BL 1 + 1. PUSH of 2: 2. POP of 2: 2 + branch.load_pc 3. B 1 + 1.",
        by(load_store_issue=4, other_alu=2, branch_refill=5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "cbz_loop",
        "movs r3, #COUNT\n 1: cbz r3, 2f\n subs r3, #1\n b.n 1b\n 2: nop",
        3,
        """CBZ 1, behind a taken branch it pairs with nothing; not taken. SUBS 1. B paired 0, branch.direct 1; it tests no
        flags.""",
        by(other_alu=2, branch_refill=1),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "table_branch",
        "tbb [r4, r2]\n add.w r0, r0, r1",
        6,
        "TBB 1 (32 bits) + branch.table 4, to the next instruction. ADD 1.",
    ),
    Kernel(
        CORE,
        "it_behind_narrow",
        "cmp r2, r2\n it eq\n addeq r0, #1",
        2,
        "CMP 1, IT paired 0, ADD 1.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "it_behind_wide",
        "add.w r2, r2, r3\n it eq\n addeq r0, #1",
        3,
        "ADD 1, IT 1 (issue.it), ADD 1.",
        by(other_alu=3),
    ),
    Kernel(
        CORE,
        "load_use_behind_a_branch",
        "ldr.n r0, [r4]\n bne.n 1f\n 1: add.w r1, r0, r2",
        3,
        """LDR 1, BNE paired 0 and not taken, so it takes no time that could hide latency.load 2: wait 1. ADD 1.""",
        by(load_store_issue=1, load_use=1, other_alu=1),
        crosses_blocks=True,
    ),
    Kernel(CORE, "nop", "nop", 1, "issue.system 1; pairs with NOP are not modelled (its notes).", by(other_alu=1)),
)
