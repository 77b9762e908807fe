"""Which of Renode's CPU models runs which core's code, on which memory map, and which cores it must not run."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board, Memory
from engine.catalog.core import Core, Fpu
from engine.errors import ToolError
from engine.firmware.mps2 import mps2_board

_CPU_TYPES = {
    "armv6-m": "cortex-m0+",
    "armv7-m": "cortex-m3",
    "armv7e-m": "cortex-m4",
    "armv8-m.main": "cortex-m33",
}
DRIVER_BYTES = 0x10_0000
_DRIVER_OFFSET = 0x80_0000  # from the code: within reach of a BL, beyond both memories of every MPS2 board


@dataclass(frozen=True)
class RenodeMachine:
    """A core's machine in Renode. ``runs_as``: the core that Renode's model ``cpu_type`` really is.

    Addresses of the peripherals are those of ``firmware/ports/mps2``; ``driver``: where our caller of ``wc_infer`` lies.
    """

    core: str
    runs_as: str
    cpu_type: str
    board: Board
    code: Memory
    uart: int
    fpgaio: int
    driver: int
    priority_mask: int
    clock_hz: int


def renode_machine(core: Core) -> RenodeMachine:
    """The machine for a core. Raises ToolError for one whose results on Renode cannot be trusted, UsageError for no MPS2 board."""
    if core.architecture == "armv8.1-m.main":
        raise ToolError(
            f"Renode does not run {core.name}: on 66 of 108 instruction tests for Armv8.1-M its Cortex-M55 model (1.16.1) and QEMU "
            "disagree, on 8 of them without a fault (CSET, CLRM, half-precision)",
            hint="use QEMU's mps3-an547 for this core",
        )
    board = mps2_board(core)
    code = board.memory(board.placement.code)
    secure = core.architecture == "armv8-m.main"
    cpu_type = _CPU_TYPES[core.architecture]
    if core.architecture == "armv7e-m" and core.fpu is Fpu.DP:
        cpu_type = "cortex-m7"
    small = core.architecture == "armv6-m"
    return RenodeMachine(
        core=core.name,
        # CPUID of the model "cortex-m0+" is 410fc231, an M3's
        runs_as="cortex-m3" if small else core.name,
        cpu_type=cpu_type,
        board=board,
        code=code,
        uart=0x5020_0000 if secure else 0x4000_4000,
        fpgaio=0x5030_2000 if secure else 0x4002_8000,
        driver=code.origin + _DRIVER_OFFSET,
        priority_mask=0xC0 if small else 0xE0,
        clock_hz=int(board.default_clock_mhz * 1_000_000),
    )
