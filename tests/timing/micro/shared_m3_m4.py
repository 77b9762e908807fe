"""Transfers on Cortex-M3 and Cortex-M4, where the documents agree word for word.

"table": Table 3-1 (Arm DDI 0337I, Arm 100166), the cycles per instruction. "pairing": the section on load/store timings behind
it. Ranges that these leave open are decided in the core's TOML file, which is then named.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by


def transfers(core: str) -> tuple[Kernel, ...]:
    """Kernels of loads and stores."""
    return (
        Kernel(
            core,
            "loads_pipelined",
            "ldr r0, [r4]\n ldr r1, [r4, #4]\n ldr r2, [r4, #8]\n adds r3, #1",
            5,
            """pairing: LDR; LDR; LDR "normally four cycles total": two for the first, one for each further. ADDS 1.""",
            by(load_store_issue=4, other_alu=1),
        ),
        Kernel(
            core,
            "load_use",
            "ldr r0, [r4]\n adds r0, #1",
            3,
            """LDR 2 (table), ADDS 1. The second cycle of the load is its data phase; the result is there behind it.
            Only a neighbouring LDR or STR could use that cycle (pairing).""",
            by(load_store_issue=2, other_alu=1),
        ),
        Kernel(
            core,
            "load_then_unrelated_alu",
            "ldr r0, [r4]\n adds r1, #1",
            3,
            "LDR 2 + ADDS 1 (table): an ALU instruction does not overlap the data phase, dependent or not (pairing).",
            by(load_store_issue=2, other_alu=1),
        ),
        Kernel(
            core,
            "load_address_from_load",
            "ldr r7, [r7]",
            2,
            """pairing: a cycle is removed only if the loaded register does not form the next address. It does: LDR 2 (table).
            latency.load_to_address takes 2 of 2 to 3. The second cycle is the wait for the address.""",
            by(load_store_issue=1, load_use=1),
        ),
        Kernel(
            core,
            "address_from_alu",
            "adds r4, #0\n ldr r0, [r4]\n adds r1, #1",
            5,
            "ADDS 1, stall 1 (pairing: an address from the preceding data processing stalls one cycle), LDR 2, ADDS 1.",
            by(other_alu=3, load_store_issue=2),
        ),
        Kernel(
            core,
            "address_from_earlier_alu",
            "adds r4, #0\n adds r1, #1\n ldr r0, [r4]\n adds r2, #1",
            5,
            "3 * ADDS 1 + LDR 2; the stall is for the directly preceding instruction only (pairing).",
            by(other_alu=3, load_store_issue=2),
        ),
        Kernel(
            core,
            "load_then_store_it",
            "ldr r0, [r4]\n str r0, [r4, #8]\n adds r1, #1",
            4,
            """pairing: LDR; STR of what it loaded, "normally three cycles total". ADDS 1.""",
            by(load_store_issue=3, other_alu=1),
        ),
        Kernel(
            core,
            "copy_loop_body",
            "ldr r0, [r4]\n str r0, [r4, #8]",
            3,
            """pairing: LDR; STR three in all, and "nothing can be pipelined after the store", so the next LDR starts anew.""",
            by(load_store_issue=3),
        ),
        Kernel(
            core,
            "stores",
            "str r0, [r4]\n str r1, [r4, #4]\n adds r2, #1",
            3,
            """pairing: STR with an immediate offset "is always one cycle". ADDS 1.""",
            by(load_store_issue=2, other_alu=1),
        ),
        Kernel(
            core,
            "store_then_load",
            "str r0, [r4]\n ldr r1, [r4, #4]\n adds r2, #1",
            5,
            """STR 2 (table; its second cycle is hidden unless a load follows: "nothing can be pipelined after the store",
            load_store.load_after_store takes 1 of 0 to 1). LDR 2. ADDS 1.""",
            by(load_store_issue=4, other_alu=1),
        ),
        Kernel(
            core,
            "load_store_store",
            "ldr r0, [r4]\n str r0, [r4, #8]\n str r1, [r4, #12]\n adds r2, #1",
            5,
            """pairing: LDR; STR three in all; "nothing can be pipelined after the store", so the second STR adds its one
            cycle. ADDS 1.""",
            by(load_store_issue=4, other_alu=1),
        ),
        Kernel(
            core,
            "load_then_store_register_offset",
            "ldr r0, [r4]\n str r1, [r4, r2]\n adds r3, #1",
            4,
            """pairing: LDR; STR R1, [R3, R2] "normally three cycles total". ADDS 1.""",
            by(load_store_issue=3, other_alu=1),
        ),
        Kernel(
            core,
            "copy_with_register_offset",
            "ldr r0, [r4]\n str r0, [r5, r2]",
            3,
            """pairing: LDR; STR with register offset three in all. The store's second cycle is already the one in which
            nothing is pipelined behind it ("even a stalled STR normally only takes two cycles"): the next LDR starts anew.""",
            by(load_store_issue=3),
        ),
        Kernel(
            core,
            "store_register_offset",
            "str r0, [r4, r2]\n adds r1, #1",
            3,
            "STR 2 (table; the one-cycle rule is for immediate offsets; load_store.store_register_offset 2). ADDS 1.",
            by(load_store_issue=2, other_alu=1),
        ),
        Kernel(
            core,
            "load_multiple",
            "ldmia.w r4, {r0-r2}\n adds r3, #1",
            5,
            "LDM of 3: 1 + N = 4 (table). ADDS 1.",
            by(load_store_issue=4, other_alu=1),
        ),
        Kernel(
            core,
            "store_multiple",
            "stmia.w r4, {r0-r3, r8-r11}",
            9,
            """pairing: "an eight element store takes nine cycles".""",
            by(load_store_issue=9),
        ),
        Kernel(
            core,
            "doubles",
            "ldrd r0, r1, [r4]\n strd r0, r1, [r4, #8]",
            6,
            """pairing: LDRD and STRD three cycles each, pipelined with nothing around them.""",
            by(load_store_issue=6),
        ),
        Kernel(
            core,
            "push_pop",
            "push {r0-r3}\n pop {r0-r3}",
            10,
            "PUSH of 4: 1 + N = 5. POP of 4: 1 + N = 5. (table)",
            by(load_store_issue=10),
        ),
        Kernel(
            core,
            "load_then_load_multiple",
            "ldr r3, [r4]\n ldmia.w r4, {r0, r1}",
            5,
            "LDR 2, not overlapped: LDM cannot be pipelined with preceding instructions (pairing). LDM of 2: 1 + N = 3.",
            by(load_store_issue=5),
        ),
        Kernel(
            core,
            "load_from_literal_pool",
            "ldr r0, =0x12345678\n adds r1, #1",
            3,
            'LDR 2 (table); [PC] "might add a cycle" (pairing), load_store.literal_extra takes 0 of 0 to 1. ADDS 1.',
            by(load_store_issue=2, other_alu=1),
        ),
        Kernel(
            core,
            "base_update_same_base",
            "ldr r0, [r4], #4\n ldr r1, [r4], #-4",
            4,
            """Loads with base update do not chain on one base (M3: not at all; M4: only on different bases), so each takes
            the LDR's two cycles (table; sources of load_store.base_update_breaks).""",
            by(load_store_issue=4),
        ),
        Kernel(
            core,
            "load_then_branch",
            "ldr r0, [r4]\n b 1f\n 1: adds r1, #1\n nop",
            6,
            """LDR 2: no transfer follows, the branch does not use the data phase. B 1 + P with P = 1 (branch.direct; the
            target is 16 bits wide). ADDS 1, NOP 1.""",
            by(load_store_issue=2, other_alu=3, branch_refill=1),
        ),
        Kernel(
            core,
            "byte_load_then_shifted_use",
            "ldrb r0, [r4]\n add.w r1, r2, r0, lsl #1",
            3,
            "LDRB 2 + ADD with a shifted <op2> 1 (table): neither the size nor the shift is told apart.",
            by(load_store_issue=2, other_alu=1),
        ),
    )
