"""Kernels on boards with slow flash: a Cortex-M4, flash words of 16 bytes, three wait states unless said otherwise.

Rules (ours, of ``engine.timing.flash`` and ``engine.targets.flash_sim``): a miss costs the wait states, behind a jump and in
sequence alike where nothing prefetches; asking for a line that a cache, or the one buffer of a stream without cache, holds costs
nothing; caches replace the least recently used line. Straight code here is of 32-bit instructions of one cycle each, as fast as
fetches are wide, so no fetch buffer of the core can run ahead of it. Every layer begins with all caches full of other lines.
Cycles of the pipeline: as derived for the Cortex-M4 at zero wait states.
"""

from __future__ import annotations

from engine.catalog.board import Board
from engine.catalog.flash import FlashInterface
from tests.targets import kit
from tests.timing.micro.kit import Kernel, by, flash

CORE = "cortex-m4"
LARGE = kit.cache(1024, 16, 4)


def board(interface: FlashInterface) -> Board:
    return kit.board(CORE, flash=interface)


NO_CACHE = board(flash(3))
NO_CACHE_PREFETCH = board(flash(3, prefetch=True))
NO_CACHE_SLOW_PREFETCH = board(flash(6, prefetch=True))
ICACHE = board(flash(3, LARGE))
TINY_ICACHE = board(flash(3, kit.cache(64, 16, 4)))
TWO_WAYS = board(flash(3, kit.cache(128, 16, 2)))
LONG_LINES = board(flash(3, kit.cache(1024, 32, 4)))
DCACHE = board(flash(3, LARGE, kit.cache(128, 16, 2)))
TINY_DCACHE = board(flash(3, LARGE, kit.cache(32, 16, 2)))
UNIFIED = board(flash(3, kit.cache(64, 16, 1), unified=True))

_LINE = ".rept 4\n add.w r0, r0, r1\n .endr"
_EIGHT_LINES = """
    movs r3, #COUNT
    .p2align 6
    1: .rept 30
    add.w r0, r0, r1
    .endr
    subs.w r3, r3, #1
    bne.w 1b
"""
_TABLE = """
    movs r3, #COUNT
    .p2align 4
    1: .set at, 0
    .rept 16
    ldr.w r0, [r6, #at]
    .set at, at + 4
    .endr
    subs.w r3, r3, #1
    bne.w 1b
"""
_TWO_CONSTANTS = "movs r3, #COUNT\n .p2align 4\n 1: ldr.w r0, [r6]\n ldr.w r1, [r6, #64]\n subs.w r3, r3, #1\n bne.w 1b"
_THREE_CONSTANTS = _TWO_CONSTANTS.replace("subs.w", "ldr.w r2, [r6, #128]\n subs.w")
_ONE_LINE = "movs r3, #COUNT\n .p2align 6\n 1: ldr.w r0, [r6, {at}]\n add.w r1, r1, r2\n subs.w r3, r3, #1\n bne.w 1b"

_STRAIGHT = "Four ADD 1 each fill a line of 16 bytes."
_LOOP = "30 ADD, SUBS, BNE taken 1 + P with P = 1 (32-bit target, word-aligned): 33 over 8 lines."

KERNELS = (
    Kernel(
        CORE,
        "straight_code",
        _LINE,
        7,
        f"{_STRAIGHT} The next line is a sequential miss: 3.",
        by(other_alu=4, instruction_fetch=3),
        setup=".p2align 4",
        board=NO_CACHE,
    ),
    Kernel(
        CORE,
        "straight_code_prefetched",
        _LINE,
        4,
        f"{_STRAIGHT} The next line is requested when this one is first used; its 3 wait states pass in 4 cycles.",
        by(other_alu=4),
        setup=".p2align 4",
        board=NO_CACHE_PREFETCH,
    ),
    Kernel(
        CORE,
        "straight_code_prefetched_too_slowly",
        _LINE,
        6,
        f"{_STRAIGHT} They hide 4 of the 6 wait states of the next line; 2 are left.",
        by(other_alu=4, instruction_fetch=2),
        setup=".p2align 4",
        board=NO_CACHE_SLOW_PREFETCH,
    ),
    Kernel(
        CORE,
        "straight_code_long_lines",
        f"{_LINE}\n{_LINE}",
        15,
        """Eight ADD 1 each fill a cache line of 32 bytes. Its two flash words take 3 wait states each, and the second one
        the cycle of its own read: 2 * 3 + 1 = 7.""",
        by(other_alu=8, instruction_fetch=7),
        setup=".p2align 5",
        board=LONG_LINES,
    ),
    Kernel(
        CORE,
        "loop_of_two_lines",
        """
        movs r3, #COUNT
        .p2align 5
        1: .rept 6
        add.w r0, r0, r1
        .endr
        subs.w r3, r3, #1
        bne.w 1b
        """,
        15,
        """Six ADD, SUBS, BNE taken 2: 9. No cache, one buffer: the jump back misses the first line, 3, and running on misses
        the second, 3.""",
        by(other_alu=8, branch_refill=1, instruction_fetch=6),
        board=NO_CACHE,
    ),
    Kernel(
        CORE,
        "loop_in_one_line",
        "movs r3, #COUNT\n .p2align 4\n 1: add.w r0, r0, r1\n add.w r0, r0, r1\n subs.w r3, r3, #1\n bne.w 1b",
        5,
        "Two ADD, SUBS, BNE taken 2: 5. The buffer holds the loop's only line.",
        by(other_alu=4, branch_refill=1),
        board=NO_CACHE,
    ),
    Kernel(
        CORE,
        "loop_fits_the_cache",
        _EIGHT_LINES,
        33,
        f"{_LOOP} They stay in the cache of 64.",
        by(other_alu=32, branch_refill=1),
        board=ICACHE,
    ),
    Kernel(
        CORE,
        "loop_does_not_fit_the_cache",
        _EIGHT_LINES,
        57,
        f"{_LOOP} A cache of 4 lines that replaces the oldest has lost each one when its turn comes: 8 * 3.",
        by(other_alu=32, branch_refill=1, instruction_fetch=24),
        board=TINY_ICACHE,
    ),
    Kernel(
        CORE,
        "two_lines_in_two_ways",
        """
        movs r3, #COUNT
        .p2align 6
        1: subs.w r3, r3, #1
        b.w 2f
        .p2align 6
        2: bne.w 1b
        """,
        5,
        """SUBS, B 2, BNE taken 2: 5. Lines 64 bytes apart share one of the 4 sets; two fit its two ways.""",
        by(other_alu=3, branch_refill=2),
        board=TWO_WAYS,
    ),
    Kernel(
        CORE,
        "three_lines_in_two_ways",
        """
        movs r3, #COUNT
        .p2align 6
        1: subs.w r3, r3, #1
        b.w 2f
        .p2align 6
        2: add.w r0, r0, r1
        b.w 3f
        .p2align 6
        3: bne.w 1b
        """,
        17,
        """SUBS, B 2, ADD, B 2, BNE taken 2: 8. Three lines share a set of two ways: each has been replaced when its turn
        comes, 3 * 3.""",
        by(other_alu=5, branch_refill=3, instruction_fetch=9),
        board=TWO_WAYS,
    ),
    Kernel(
        CORE,
        "constants_without_cache",
        _TABLE,
        32,
        """16 LDR pipelined: 17. SUBS, BNE taken 2. The code is in its cache. 64 bytes of constants are 4 flash words, read
        through one buffer: 4 * 3.""",
        by(load_store_issue=17, other_alu=2, branch_refill=1, data_read=12),
        board=ICACHE,
    ),
    Kernel(
        CORE,
        "constants_fit_the_cache",
        _TABLE,
        20,
        "16 LDR pipelined: 17. SUBS, BNE taken 2. The 4 lines stay in the data cache of 8.",
        by(load_store_issue=17, other_alu=2, branch_refill=1),
        board=DCACHE,
    ),
    Kernel(
        CORE,
        "constants_do_not_fit_the_cache",
        _TABLE,
        32,
        "16 LDR pipelined: 17. SUBS, BNE taken 2. A data cache of 2 lines has lost each of 4: 4 * 3.",
        by(load_store_issue=17, other_alu=2, branch_refill=1, data_read=12),
        board=TINY_DCACHE,
    ),
    Kernel(
        CORE,
        "two_constants_in_two_ways",
        _TWO_CONSTANTS,
        6,
        "Two LDR pipelined: 3. SUBS, BNE taken 2. 64 bytes apart they share a set of two ways, and fit.",
        by(load_store_issue=3, other_alu=2, branch_refill=1),
        board=DCACHE,
    ),
    Kernel(
        CORE,
        "three_constants_in_two_ways",
        _THREE_CONSTANTS,
        16,
        "Three LDR pipelined: 4. SUBS, BNE taken 2. Three lines share a set of two ways: 3 * 3.",
        by(load_store_issue=4, other_alu=2, branch_refill=1, data_read=9),
        board=DCACHE,
    ),
    Kernel(
        CORE,
        "constant_evicts_code",
        _ONE_LINE.format(at="#0"),
        12,
        """LDR 2, ADD, SUBS, BNE taken 2: 6. One direct-mapped cache of 4 lines holds code and constants; both lines belong to
        set 0. The constant misses, 3, and the jump back finds the code gone, 3.""",
        by(load_store_issue=2, other_alu=3, branch_refill=1, data_read=3, instruction_fetch=3),
        board=UNIFIED,
    ),
    Kernel(
        CORE,
        "constant_beside_code",
        _ONE_LINE.format(at="#16"),
        6,
        "LDR 2, ADD, SUBS, BNE taken 2: 6. The constant's line belongs to set 1, the code's to set 0: both stay.",
        by(load_store_issue=2, other_alu=3, branch_refill=1),
        board=UNIFIED,
    ),
)
