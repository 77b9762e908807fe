"""Cortex-M85 kernels: the numbers follow LLVM's scheduling model, which the core table states, not silicon. See ``m55`` for the pipes."""

from __future__ import annotations

from tests.timing.micro.kit import Kernel, by

CORE = "cortex-m85"

KERNELS = (
    Kernel(CORE, "two_adds_pair", "add.w r0, r1, r2\n add.w r3, r1, r2", 1, "Two ALUs.", by(other_alu=1)),
    Kernel(
        CORE,
        "vector_beside_scalar",
        "vadd.i32 q0, q1, q2\n add.w r0, r1, r2",
        2,
        "They issue together (dual_issue.vector 0); the integer pipe is held for 2 cycles.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "vectors_never_pair",
        "vldrw.u32 q0, [r4]\n vadd.i32 q1, q2, q3",
        2,
        "One per cycle, on two pipes.",
        by(load_store_issue=1, other_alu=1),
    ),
    Kernel(
        CORE,
        "loads_and_stores_have_pipes_of_their_own",
        "vldrw.u32 q0, [r4]\n vstrw.32 q1, [r5]",
        2,
        "vector.shared_memory_pipe is false.",
        by(load_store_issue=2),
    ),
    Kernel(
        CORE,
        "bitwise_takes_any_pipe",
        "vand q0, q1, q2\n vorr q3, q1, q2",
        2,
        "vector.bitwise_any_pipe: one on the integer, one on the multiply pipe.",
        by(other_alu=2),
    ),
    Kernel(
        CORE,
        "sum_across_then_use",
        "vaddv.u32 r0, q0\n add.w r1, r0, r2",
        4,
        "vector.to_scalar 4: ADD waits 3 and issues beside the next VADDV.",
        by(other_alu=1, multiply_divide_latency=3),
    ),
    Kernel(
        CORE,
        "loop_end_is_free",
        "movw r1, #COUNT\n dls lr, r1\nUNIQUE_loop:\n vadd.i32 q0, q1, q2\n vmul.i32 q3, q1, q2\n le lr, UNIQUE_loop",
        2,
        "One vector instruction per cycle; LE is remembered.",
        by(other_alu=1, mac=1),
        crosses_blocks=True,
    ),
)
