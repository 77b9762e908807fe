"""Arm's MPS2 and MPS3 boards as emulators model them: the memory map for the second link of a firmware's objects.

``mps2_board`` is such a board itself, for runs that are about agreement of emulators. ``emulated_board`` is a real board whose
memories lie where the machine has some: its link differs from the board's in addresses only, so that what an emulator sees
can be told in the board's addresses.

Addresses and sizes were read off ``info mtree`` of qemu-system-arm 7.2 for each machine. They carry no timing: nothing
is ever timed on these boards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.catalog.board import Board, Memory, MemoryKind, Placement
from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.catalog.flash import ClockStep, FlashInterface
from engine.errors import DoesNotFitError, UsageError
from engine.firmware.link import boot_memory
from engine.firmware.types import Section

_PAGE = 4096
_RESERVED = 1024  # of the code memory, for the address that an inference returns to
# BL in Thumb reaches 16 MB either way ("BL, BLX" in the Armv6-M to Armv8-M manuals); farther calls get a veneer from the linker
_REACH = 16 << 20


@dataclass(frozen=True)
class _Machine:
    qemu: str
    title: str
    core: str
    code: int
    code_bytes: int
    ram: int
    ram_bytes: int


_M385 = _Machine("mps2-an385", "MPS2 AN385", "cortex-m3", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000)
# An AN385 stands in for the M0+, which has no MPS2 machine in QEMU: an M3 runs ARMv6-M code.
_MACHINES = {
    "armv6-m": _M385,
    "armv7-m": _M385,
    "armv7e-m": _Machine("mps2-an386", "MPS2 AN386", "cortex-m4", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000),
    "armv8-m.main": _Machine("mps2-an505", "MPS2 AN505", "cortex-m33", 0x1000_0000, 0x40_0000, 0x3800_0000, 0x40_0000),
    # secure aliases of the ITCM, where the core takes its vectors from, and of the board's SRAM 2
    "armv8.1-m.main": _Machine("mps3-an547", "MPS3 AN547", "cortex-m55", 0x1000_0000, 0x8_0000, 0x3100_0000, 0x40_0000),
}
_AN500 = _Machine("mps2-an500", "MPS2 AN500", "cortex-m7", 0x0000_0000, 0x40_0000, 0x2000_0000, 0x40_0000)


def has_mps2_machine(core: Core) -> bool:
    """Is there a machine that runs this core's code?"""
    return core.name == "cortex-m7" or core.architecture in _MACHINES


def mps2_machine(core: Core) -> str:
    """QEMU's name of the MPS2 machine that runs this core's code. Raises UsageError if there is none."""
    return _machine(core).qemu


def mps2_core(core: Core) -> str:
    """The core that this machine has: not always the one asked for. Raises UsageError if there is no machine."""
    return _machine(core).core


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


def emulated_board(board: Board, core: Core, sections: Sequence[Section]) -> Board:
    """A board with its memories moved to where the machine of its core has some; only what ``sections`` use is left of them.

    Code that the boot memory calls directly on the board stays within a call's reach, or only the machine's link would need a veneer.

    Raises UsageError if there is no machine for the core, DoesNotFitError if the machine's memories are too small.
    """
    machine = _machine(core)
    boot = boot_memory(board)
    used = {m.name: _used(m, sections) for m in board.memories}
    code = board.memory(board.placement.code)
    called = code != boot and _within_reach(code, boot, used)
    top = machine.code_bytes - _RESERVED
    if called:
        top = (top - used[code.name]) // _PAGE * _PAGE
    if top < used[boot.name]:
        raise DoesNotFitError(
            f"{board.name} with {used[boot.name] + used[code.name]} bytes of code and constants does not fit QEMU's {machine.qemu}, "
            f"which has {machine.code_bytes}",
            hint="use a smaller model, or --target unicorn if it has the core",
        )
    # what start-up copies is stored behind the sections of the boot memory: that one keeps all the room there is
    memories = [boot.model_copy(update={"origin": machine.code, "bytes": min(boot.bytes, top)})]
    ram = machine.ram
    for memory in board.memories:
        if not used[memory.name] or memory == boot:
            continue
        near = called and memory == code
        origin = machine.code + top if near else ram
        memories.append(memory.model_copy(update={"origin": origin, "bytes": used[memory.name]}))
        ram += 0 if near else used[memory.name]
    if ram > machine.ram + machine.ram_bytes:
        raise DoesNotFitError(
            f"{board.name} with {ram - machine.ram} bytes of RAM in use does not fit QEMU's {machine.qemu}, "
            f"which has {machine.ram_bytes}",
            hint="use a smaller model, or --target unicorn if it has the core",
        )
    return board.model_copy(update={"name": f"{board.name} on {machine.qemu}", "memories": tuple(memories)})


def _used(memory: Memory, sections: Sequence[Section]) -> int:
    """Bytes from a memory's start to the end of what lies in it, in whole pages."""
    ends = [s.address + s.bytes for s in sections if s.memory == memory.name]
    return -(-(max(ends) - memory.origin) // _PAGE) * _PAGE if ends else 0


def _within_reach(one: Memory, other: Memory, used: Mapping[str, int]) -> bool:
    """Does a call reach from any code in one memory to any in the other?"""
    ends = (m.origin + used[m.name] for m in (one, other))
    return max(ends) - min(one.origin, other.origin) <= _REACH


def return_address(core: Core) -> int:
    """Where an inference returns to on a machine: in the last KB of its code memory, which a firmware should leave alone."""
    machine = _machine(core)
    return machine.code + machine.code_bytes - _RESERVED


def _machine(core: Core) -> _Machine:
    if core.name == "cortex-m7":
        return _AN500
    if core.architecture not in _MACHINES:
        raise UsageError(f"no MPS2 machine runs {core.architecture}", hint=f"one of {', '.join(_MACHINES)}")
    return _MACHINES[core.architecture]
