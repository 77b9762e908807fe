"""Cortex-M55 kernels, above all Helium: the numbers follow LLVM's scheduling model, which the core table states, not silicon.

Names like vector.mac are figures of ``cortex-m55.toml``. Pipes: memory, integer, multiply; each instruction holds one for 2 cycles.
"""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m55"

_DOT = """
vaddva.s8 r0, q0
vldrb.8 q1, [r4]
vmladava.s8 r2, q0, q1
vldrb.8 q2, [r4]
vmladava.s8 r8, q0, q2
vldrb.8 q3, [r4]
vmladava.s8 r10, q0, q3
vldrb.8 q4, [r4]
vmladava.s8 r12, q0, q4
vldrb.8 q0, [r5]
"""

KERNELS = (
    Kernel(
        CORE,
        "three_pipes_overlap",
        "vldrw.u32 q0, [r4]\n vadd.i32 q1, q2, q3\n vmul.i32 q4, q5, q6",
        3,
        "One issues per cycle; every pipe is held 2 cycles of 3.",
        by(load_store_issue=1, other_alu=1, mac=1),
    ),
    Kernel(
        CORE,
        "one_pipe_twice",
        "vadd.i32 q0, q1, q2\n vadd.i32 q3, q1, q2",
        4,
        "Each holds the integer pipe for 2 cycles (vector.occupancy).",
        by(other_alu=4),
    ),
    Kernel(
        CORE,
        "loads_and_stores_share_a_pipe",
        "vldrw.u32 q0, [r4]\n vstrw.32 q1, [r5]",
        4,
        "One memory pipe, 2 cycles each (vector.shared_memory_pipe).",
        by(load_store_issue=4),
    ),
    Kernel(
        CORE,
        "scalar_beside_the_second_half",
        "vadd.i32 q0, q1, q2\n add.w r0, r1, r2",
        2,
        "ADD issues while the second half of VADD executes.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "load_chains_into_arithmetic",
        "vldrw.u32 q0, [r4]\n vadd.i32 q1, q0, q2",
        2,
        "vector.load 1: the first halves chain.",
        by(load_store_issue=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "multiply_then_use",
        "vmul.i32 q0, q1, q2\n vadd.i32 q3, q0, q1",
        3,
        "VMUL 1; vector.mac 2: VADD waits 1; VADD 1.",
        by(mac=1, multiply_divide_latency=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "multiply_then_store",
        "vmul.i32 q0, q1, q2\n vstrw.32 q0, [r5]",
        2,
        "Stores take late results a cycle later (vector.late_to_store 1).",
        by(mac=1, load_store_issue=1),
    ),
    Kernel(
        CORE,
        "narrow_then_store",
        "vmovnb.i32 q0, q1\n vstrw.32 q0, [r5]",
        4,
        "vector.narrow 3, not forwarded into stores: VSTR waits 2.",
        by(other_alu=3, load_store_issue=1),
    ),
    Kernel(
        CORE,
        "dot_product_of_four_rows",
        _DOT,
        10,
        "5 on the memory pipe and 5 on the multiply pipe in turn: each pipe full, nothing waits.",
        by(other_alu=1, mac=4, load_store_issue=5),
    ),
    Kernel(
        CORE,
        "dot_product_in_a_tail_predicated_loop",
        f"movw r1, #(16 * COUNT)\n dlstp.8 lr, r1\nUNIQUE_loop:\n{_DOT}\n letp lr, UNIQUE_loop",
        10,
        "The same; the loop's end is remembered and costs nothing between the first and the last. COUNT iterations.",
        by(other_alu=1, mac=4, load_store_issue=5),
        crosses_blocks=True,
    ),
    Kernel(
        CORE,
        "gather_then_use",
        "vldrw.u32 q0, [r4, q1]\n vadd.i32 q2, q0, q3",
        3,
        "4 elements at 0.5 hold the pipe 2 cycles; vector.gather 2: VADD waits 1.",
        by(load_store_issue=1, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "gather_takes_addresses_early",
        "vadd.i32 q1, q2, q3\n vldrw.u32 q0, [r4, q1]",
        6,
        "VADD 1; its result is needed 4 cycles early (vector.gather_address_extra): the gather issues at 5.",
        by(other_alu=5, load_store_issue=1),
    ),
    Kernel(
        CORE,
        "sum_across_then_use",
        "vaddv.u32 r0, q0\n add.w r1, r0, r2",
        3,
        "vector.to_scalar 2: ADD waits 1.",
        by(other_alu=2, multiply_divide_latency=1),
    ),
    Kernel(
        CORE,
        "lanes_moved_then_used",
        "vmov r0, r1, q0[2], q0[0]\n add.w r2, r0, r1",
        2,
        "vector.move_to_scalar 1.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "predicated_add",
        "vpst\n vaddt.i32 q0, q1, q2",
        2,
        "VPST issues in a cycle on a pipe of its own.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "load_then_use",
        "ldr.w r0, [r4]\n add.w r1, r0, r2",
        3,
        "LDR 1; latency.load 2: ADD waits 1; ADD 1.",
        by(load_store_issue=1, load_use=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "mla_chain",
        "mla r0, r1, r2, r0",
        2,
        "latency.mac_to_accumulator 2.",
        by(mac=1, multiply_divide_latency=1),
    ),
    Kernel(
        CORE, "simple_16_bit_pair", "mov r0, r1\n mov r2, r3", 1, "Both 16-bit, one of them simple.", by(other_alu=1)
    ),
    Kernel(
        CORE,
        "load_beside_an_immediate_add",
        "ldr r0, [r4]\n adds r1, #1",
        1,
        "ADDS immediate pairs with any 16-bit instruction; charged to the slower half.",
        by(load_store_issue=1),
    ),
    Kernel(
        CORE,
        "two_loads_do_not_pair",
        "ldr r0, [r4]\n ldr r1, [r4, #4]",
        2,
        "Neither is simple.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "counted_loop_with_a_branch",
        "movw r1, #COUNT\nUNIQUE_loop:\n subs.w r1, r1, #1\n bne.w UNIQUE_loop",
        4,
        "SUBS 1, BNE 1, refill 2 (branch.direct).",
        by(other_alu=2, branch_refill=2),
    ),
    Kernel(
        CORE,
        "loop_end_is_free",
        "movw r1, #COUNT\n dls lr, r1\nUNIQUE_loop:\n add.w r2, r2, r3\n add.w r0, r0, r3\n le lr, UNIQUE_loop",
        2,
        "Two ADDs; LE is remembered.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "first_and_last_loop_end",
        "movw r1, #COUNT\nUNIQUE_outer:\n mov.w r8, #2\n dls lr, r8\nUNIQUE_loop:\n add.w r2, r2, r3\n le lr, UNIQUE_loop\n"
        " subs.w r1, r1, #1\n bne.w UNIQUE_outer",
        12,
        "MOV, DLS, 2 ADD, SUBS, BNE: 6; the first LE 3 (branch.loop_first), the last 1 (branch.loop_last), BNE's refill 2.",
        by(other_alu=6, branch_refill=6),
    ),
)
