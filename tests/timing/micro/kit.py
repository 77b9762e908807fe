"""Micro-kernels in assembler: what one is, how many become one ELF, and how the engine's count of one repetition is read.

Every kernel becomes two layers, one with its body N times and one with 2N times; the difference over N is one repetition in
steady state, and all that surrounds it cancels exactly. In an unrolled kernel the body is repeated by the assembler. A kernel
whose source contains COUNT is a loop: the source stands once, and COUNT is N, then 2N. UNIQUE is a label prefix of its own.

Registers at the start of a body: r4 the words of ``micro_data`` (RAM, zero), r5 a word 256 bytes further, r6 constants in flash,
r7 a word in RAM that holds its own address; r0-r3 and s0-s15 hold zeros. Z is set. A body starts at a multiple of 4.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.catalog.board import Board
from engine.catalog.figure import Figure
from engine.catalog.flash import Cache, ClockStep, FlashInterface
from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.firmware.types import Firmware
from engine.records.cause import Cause
from engine.targets.qemu.target import QemuTarget
from engine.targets.types import Target
from engine.targets.unicorn_target import UnicornTarget
from engine.timing.stored import StoredRun
from engine.timing.timing import TimedRun, time_execution
from tests.targets import kit

REPEATS = 8  # even and divisible by 4, so that half and quarter cycles add up to whole ones
CLOCK_MHZ = 100
MADE_UP = "made up for tests"

Causes = tuple[tuple[Cause, float], ...]


@dataclass(frozen=True)
class Kernel:
    """One micro-kernel and the cycles of one repetition, derived by hand.

    ``causes`` is empty where the documents do not say which cause a cycle belongs to. ``crosses_blocks``: the number depends
    on hazards or pairing that survive a branch.
    """

    core: str
    name: str
    body: str
    cycles: float
    derivation: str
    causes: Causes = ()
    setup: str = ""
    board: Board | None = None
    clock_mhz: float = CLOCK_MHZ
    crosses_blocks: bool = False


@dataclass(frozen=True)
class Count:
    """What the engine says one repetition costs."""

    cycles: float
    causes: Causes


def by(**cycles: float) -> Causes:
    """Causes by their names: ``by(mac=1, load_use=0.5)``."""
    return tuple(sorted((Cause(name), n) for name, n in cycles.items() if n))


def flash(
    wait_states: int, icache: Cache | None = None, dcache: Cache | None = None, *, prefetch: bool = False,
    unified: bool = False, width: int = 16,
) -> FlashInterface:  # fmt: skip
    """A flash interface with that many wait states at any clock."""
    return FlashInterface(
        width_bytes=Figure(value=width, source=MADE_UP),
        ladder=(ClockStep(up_to_mhz=CLOCK_MHZ, wait_states=wait_states),),
        ladder_source=MADE_UP,
        prefetch=prefetch,
        prefetch_source=MADE_UP,
        icache=icache,
        dcache=dcache,
        unified=unified,
    )


def board_of(kernel: Kernel) -> Board:
    """The board a kernel runs on: by default one whose memories never wait."""
    return kernel.board or kit.board(kernel.core, flash=flash(0))


_FLUSH = """
    .p2align 8
    .type micro_flush, %function
    .thumb_func
micro_flush:
    ldr r0, =micro_sweep
    movs r1, #128
1:  ldr r2, [r0]
    adds r0, #4
    subs r1, #1
    bne 1b
    b 2f
    .ltorg
    .p2align 2
2:  .rept 1024
    nop
    .endr
    bx lr
    .size micro_flush, . - micro_flush
    .section .rodata
    .p2align 8
micro_constants: .space 256
micro_sweep: .space 512
    .section .data
    .p2align 8
micro_data: .space 256
micro_more: .space 256
micro_self: .word micro_self
"""


def _layer(label: str, kernel: Kernel, repeats: int) -> str:
    def text(source: str) -> str:
        return re.sub(r"\bCOUNT\b", str(repeats), textwrap.dedent(source)).replace("UNIQUE", label)

    body = text(kernel.body)
    if "COUNT" not in kernel.body:
        body = f".rept {repeats}\n{body}\n.endr"
    fpu = kernel.core in ("cortex-m4", "cortex-m33", "cortex-m7") or kernel.core in kit.VECTOR_CPU
    floats = "\n".join(f"vmov s{n}, r0" for n in range(16)) if fpu else ""
    if kernel.core in kit.VECTOR_CPU:
        floats += "\n" + "\n".join(f"vmov.i32 q{n}, #0" for n in range(4, 8))
    return f"""
    .text
    .p2align 8
    .type {label}, %function
    .thumb_func
{label}:
    push {{lr}}
    bl micro_flush
    ldr r4, =micro_data
    ldr r5, =micro_more
    ldr r6, =micro_constants
    ldr r7, =micro_self
    movs r0, #0
    movs r1, #0
    movs r2, #0
    movs r3, #0
    {floats}
    .p2align 6
    bl wc_layer_begin
    cmp r2, r2
{text(kernel.setup)}
    .p2align 2
{body}
    .p2align 2
    bl wc_layer_end
    pop {{pc}}
    .ltorg
    .size {label}, . - {label}
"""


def build(folder: Path, kernels: Sequence[Kernel], memories: Board | None = None) -> Firmware:
    """One ELF of kernels of one core, two layers each; ``memories``: see ``tests.targets.kit.build``."""
    parts, calls = [], []
    for n, kernel in enumerate(kernels):
        for repeats in (REPEATS, 2 * REPEATS):
            label = f"k{n}_{repeats}"
            parts.append(_layer(label, kernel, repeats))
            calls.append(f"    bl {label}")
    source = "\n".join(
        (
            "    .syntax unified\n    .thumb\n    .text",
            *parts,
            "    .global wc_infer\n    .type wc_infer, %function\n    .thumb_func\nwc_infer:\n    push {lr}",
            *calls,
            "    pop {pc}\n    .size wc_infer, . - wc_infer",
            _FLUSH,
        )
    )
    return kit.build(folder, kernels[0].core, kit.Source(source, len(calls), "assembler-with-cpp"), memories)


def timed(
    firmware: Firmware, board: Board, core: str, clock_mhz: float, data: bytes = bytes(64), target: Target | None = None
) -> TimedRun:
    """Execute and time a firmware the way the project does, on Unicorn unless another target is given."""
    execution = (target or UnicornTarget(board, core)).run(firmware, [data])
    blocks = Decoder.of(firmware).blocks(execution.profile)
    return time_execution(StoredRun(blocks, execution, firmware, board, load_core(core), clock_mhz))


def count(folder: Path, kernels: Sequence[Kernel]) -> dict[str, Count]:
    """The engine's count of every kernel by name; all of one core and one board."""
    first = kernels[0]
    board, target = board_of(first), None
    if first.core in kit.VECTOR_CPU:
        target = QemuTarget(board, load_core(first.core), lambda m: build(folder / "qemu", kernels, m))
    run = timed(build(folder, kernels), board, first.core, first.clock_mhz, target=target)
    counts = {}
    for n, kernel in enumerate(kernels):
        once, twice = (run.regions[2 * n + i].stack for i in (0, 1))
        causes = {c.value: (getattr(twice, c.value) - getattr(once, c.value)) / REPEATS for c in Cause}
        counts[kernel.name] = Count((twice.cycles - once.cycles) / REPEATS, by(**causes))
    return counts
