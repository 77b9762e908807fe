"""Arm's MPS2 boards as emulators model them: the memory map for the second link, which serves emulator agreement.

Addresses and sizes were read off ``info mtree`` of qemu-system-arm 7.2 for each machine. They carry no timing: nothing
is ever timed on these boards.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board, Memory, MemoryKind, Placement
from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.catalog.flash import ClockStep, FlashInterface
from engine.errors import UsageError


@dataclass(frozen=True)
class _Machine:
    qemu: str
    title: str
    code: int
    code_bytes: int
    ram: int
    ram_bytes: int


_M385 = _Machine("mps2-an385", "MPS2 AN385", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000)
# An AN385 stands in for the M0+, which has no MPS2 machine in QEMU: an M3 runs ARMv6-M code.
_MACHINES = {
    "armv6-m": _M385,
    "armv7-m": _M385,
    "armv7e-m": _Machine("mps2-an386", "MPS2 AN386", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000),
    "armv8-m.main": _Machine("mps2-an505", "MPS2 AN505", 0x1000_0000, 0x40_0000, 0x3800_0000, 0x40_0000),
}
_AN500 = _Machine("mps2-an500", "MPS2 AN500", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000)


def mps2_machine(core: Core) -> str:
    """QEMU's name of the MPS2 machine that runs this core's code. Raises UsageError if there is none."""
    return _machine(core).qemu


def mps2_board(core: Core) -> Board:
    """The MPS2 board that runs this core's code, as a Board to link for. Raises UsageError if there is none."""
    machine = _machine(core)
    source = f"qemu-system-arm 7.2 -M {machine.qemu}: info mtree"
    none = "an emulator's memory has no wait states; nothing is timed on this board"
    return Board(
        name=machine.qemu,
        title=f"{machine.title} (emulated)",
        vendor="Arm",
        mcu=f"{machine.title} FPGA image",
        core=core.name,
        default_clock_mhz=20 if machine.qemu == "mps2-an505" else 25,
        max_clock_mhz=Figure(value=25, low=20, high=25, inferred=none),
        memories=(
            Memory(name="ssram1", kind=MemoryKind.SRAM, origin=machine.code, bytes=machine.code_bytes, source=source),
            Memory(name="ssram23", kind=MemoryKind.SRAM, origin=machine.ram, bytes=machine.ram_bytes, source=source),
        ),
        placement=Placement(code="ssram1", weights="ssram1", activations="ssram23", stack="ssram23"),
        flash=FlashInterface(
            width_bytes=Figure(value=4, low=4, high=4, inferred=none),
            ladder=(ClockStep(up_to_mhz=25, wait_states=0),),
            ladder_source=none,
            prefetch=False,
            prefetch_source=none,
        ),
        notes=("For emulator agreement only.",),
    )


def _machine(core: Core) -> _Machine:
    if core.name == "cortex-m7":
        return _AN500
    if core.architecture not in _MACHINES:
        raise UsageError(f"no MPS2 machine runs {core.architecture}", hint=f"one of {', '.join(_MACHINES)}")
    return _MACHINES[core.architecture]
