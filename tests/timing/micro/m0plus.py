"""Cortex-M0+ kernels against Table 3.1 of Arm DDI 0484C ("the table"); zero wait states, the single-cycle multiplier.

Its rows up to the loads were read in Arm's page; those of stores, multiples, branches and MRS through the source "symex" of the
core table, which states the same table as code.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m0plus"

KERNELS = (
    Kernel(
        CORE,
        "alu_dependent",
        "adds r0, r0, #1\n eors r1, r0",
        2,
        "ADDS 1 + EORS 1 (table); two stages, so a result is there for the next instruction.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "muls_and_use",
        "muls r0, r1, r0\n adds r2, r2, r0",
        2,
        """MULS 1 or 32 (table, by the multiplier built in): the core table takes 1. ADDS 1.
        The core has no multiply-accumulate, its notes charge MULS to mac.""",
        by(mac=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "loads_of_all_sizes",
        "ldr r0, [r4]\n ldr r1, [r4, #4]\n ldrh r2, [r4]\n ldrb r3, [r4]",
        8,
        "LDR, LDRH, LDRB 2 each (table; 1 only from the I/O port). Nothing overlaps on this core: 4 * 2.",
        by(load_store_issue=8),
    ),
    Kernel(
        CORE,
        "load_use",
        "ldr r0, [r4]\n adds r0, r0, #1",
        3,
        "LDR 2 + ADDS 1 (table). No interlock beyond the load's own two cycles.",
        by(load_store_issue=2, other_alu=1),
    ),
    Kernel(
        CORE,
        "load_address_from_load",
        "ldr r7, [r7]",
        2,
        "LDR 2 (table); the address of the next one is the word just loaded, available after those two cycles.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "address_from_alu",
        "adds r4, r4, #4\n ldr r0, [r4]",
        3,
        "ADDS 1 + LDR 2 (table); the table knows no stall between them.",
        by(other_alu=1, load_store_issue=2),
    ),
    Kernel(
        CORE,
        "store_then_load",
        "str r0, [r5]\n ldr r1, [r5]",
        4,
        "STR 2 + LDR 2 (table).",
        by(load_store_issue=4),
    ),
    Kernel(
        CORE,
        "load_store_multiple",
        "ldmia r4!, {r0-r3}\n stmia r5!, {r0, r1}\n subs r4, #16\n subs r5, #8",
        10,
        "LDM of 4: 1 + N = 5. STM of 2: 1 + N = 3. Two SUBS: 2. (table)",
        by(load_store_issue=8, other_alu=2),
    ),
    Kernel(
        CORE,
        "push_pop",
        "push {r0-r2}\n pop {r0-r2}",
        8,
        "PUSH of 3: 1 + N = 4. POP of 3: 1 + N = 4. (table)",
        by(load_store_issue=8),
    ),
    Kernel(
        CORE,
        "branch_not_taken",
        "cmp r2, r2\n bne 1f\n 1:",
        2,
        "CMP 1 + B<cc> not taken 1 (table).",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "branch_taken",
        "b 1f\n nop\n 1: adds r0, r0, #1\n nop",
        4,
        "B 2 (table: one for itself, one refill) + ADDS 1 + NOP 1.",
        by(other_alu=3, branch_refill=1),
    ),
    Kernel(
        CORE,
        "counted_loop",
        "movs r3, #COUNT\n 1: adds r0, r0, #1\n subs r3, #1\n bne 1b",
        4,
        "Per iteration ADDS 1 + SUBS 1 + B<cc> taken 2 (table). The last iteration's B<cc> takes 1, with N and 2N alike.",
        by(other_alu=3, branch_refill=1),
    ),
    Kernel(
        CORE,
        "call_and_return",
        "bl 2f\n b 3f\n 2: bx lr\n 3:",
        7,
        "BL 3 + BX 2 + B 2 (table); each one cycle for itself, the rest refill: 2 + 1 + 1.",
        by(other_alu=3, branch_refill=4),
    ),
    Kernel(
        CORE,
        "call_and_pop_pc",
        "bl 2f\n b 3f\n 2: push {r0, lr}\n pop {r0, pc}\n 3: nop",
        14,
        """BL 3 + PUSH of 2: 1 + N = 3 + POP with PC of 2: 3 + N = 5 + B 2 + NOP 1 (table; N counts the PC).
        As causes: transfers 3 + 3, branches and NOP 1 + 1 + 1, refill 2 (BL) + 2 (POP) + 1 (B).""",
        by(load_store_issue=6, other_alu=3, branch_refill=5),
    ),
    Kernel(
        CORE,
        "move_to_pc",
        "mov r1, pc\n adds r1, #2\n mov pc, r1",
        4,
        "MOV 1 + ADDS 1 + MOV PC 2 (table).",
        by(other_alu=3, branch_refill=1),
    ),
    Kernel(
        CORE,
        "read_special_register",
        "mrs r0, apsr",
        3,
        "MRS 3 (table, state change).",
        by(other_alu=3),
    ),
    Kernel(
        CORE,
        "byte_load_then_multiply",
        "ldrb r0, [r4]\n muls r1, r0, r1",
        3,
        "LDRB 2 + MULS 1 (table), no interlock.",
        by(load_store_issue=2, mac=1),
    ),
    Kernel(
        CORE,
        "literal_and_store_register_offset",
        "ldr r0, =0x12345678\n str r0, [r4, r2]\n adds r1, #1",
        5,
        "LDR of a literal 2 + STR with register offset 2 + ADDS 1 (table). One bus: its counts hold for constants too.",
        by(load_store_issue=4, other_alu=1),
    ),
)
