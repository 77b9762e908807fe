"""A Unicorn engine with a board's memories: load, reset, call ``wc_infer``, and turn faults into errors that explain."""

from __future__ import annotations

from typing import Any

from engine.catalog.board import Board, MemoryKind
from engine.errors import ExecutionError, ToolError
from engine.firmware.types import Firmware
from engine.targets.device import Device, Limits, Where
from engine.targets.image import Image
from engine.targets.interruptible import interruptible
from engine.targets.untyped import arm_const, unicorn, unicorn_const

_MODELS = {
    "cortex-m0": arm_const.UC_CPU_ARM_CORTEX_M0,
    "cortex-m0plus": arm_const.UC_CPU_ARM_CORTEX_M0,  # same instruction set
    "cortex-m3": arm_const.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
}
SUPPORTED_CORES = tuple(_MODELS)
_PAGE = 4096
_PPB = (0xE0000000, 0x100000)  # private peripheral bus: plain memory, so that SCB and DWT can be written
_PERIPHERALS = ((0x40000000, 0x60000000), (0xD0000000, 0xD0001000))  # the last one is the RP2040's single-cycle I/O
_BREAKPOINT = b"\x00\xbe"
_NOWHERE = 0xFFFFFFFE
_FAULTS = {
    unicorn_const.UC_ERR_READ_UNMAPPED: ("read from an address without memory", "check pointers and tensor offsets"),
    unicorn_const.UC_ERR_WRITE_UNMAPPED: ("write to an address without memory", "check pointers and the stack's size"),
    unicorn_const.UC_ERR_FETCH_UNMAPPED: ("jump to an address without memory", "check function pointers and the stack"),
    unicorn_const.UC_ERR_WRITE_PROT: ("write to flash", "place what is written in a RAM section"),
    unicorn_const.UC_ERR_INSN_INVALID: (
        "undefined instruction",
        "build for this core (-mcpu) and check that code was not overwritten",
    ),
    unicorn_const.UC_ERR_EXCEPTION: (
        "exception (BKPT, SVC, an undefined instruction or an access the core refuses)",
        "look at the instruction at this address: a breakpoint, a trap, or code for another core",
    ),
}


class Machine(Device):
    """A Unicorn engine set up for one firmware on one board."""

    def __init__(self, firmware: Firmware, image: Image, board: Board, core: str, limits: Limits) -> None:
        """Map and load; raises ToolError for a core Unicorn lacks, ExecutionError for an ELF that does not fit the board."""
        if core not in _MODELS:
            raise ToolError(
                f"the unicorn target has no core '{core}'", hint=f"it has {', '.join(_MODELS)}; use another target"
            )
        super().__init__(firmware, image, limits)
        self.board = board
        self.uc = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(_MODELS[core])
        self._map()
        for segment in image.segments:
            try:
                self.uc.mem_write(segment.address, segment.data)
            except unicorn.UcError as error:
                raise ExecutionError(
                    f"the ELF loads {len(segment.data)} bytes at 0x{segment.address:08x}, where {board.name} has no memory",
                    hint="link for this board's memory map",
                ) from error
        self._bad_address: int | None = None
        self._starting = False
        self.uc.hook_add(unicorn_const.UC_HOOK_MEM_INVALID, self._on_invalid)
        self.sentinel = self._free_page()
        self.uc.mem_map(self.sentinel, _PAGE, unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC)
        self.uc.mem_write(self.sentinel, _BREAKPOINT)
        self._stopped_at: int | None = None
        self.uc.hook_add(unicorn_const.UC_HOOK_INTR, self._on_exception)

    def _map(self) -> None:
        for memory in self.board.memories:
            writable = memory.kind is not MemoryKind.FLASH
            start, end = memory.origin & -_PAGE, (memory.end + _PAGE - 1) & -_PAGE
            rights = unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC
            try:
                self.uc.mem_map(start, end - start, rights | (unicorn_const.UC_PROT_WRITE if writable else 0))
            except unicorn.UcError as error:
                raise ExecutionError(
                    f"memory '{memory.name}' of {self.board.name} cannot be mapped at 0x{memory.origin:08x}: {error}",
                    hint="memories must start and end in 4 KB pages of their own, outside 0xE0000000-0xE00FFFFF",
                ) from error
        self.uc.mem_map(*_PPB, unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_WRITE)

    def _free_page(self) -> int:
        taken = [(m.origin & -_PAGE, m.end) for m in self.board.memories]
        page = 0x9FFFF000  # the last page that the default memory map lets run
        while any(a <= page < b for a, b in taken):
            page -= _PAGE
        return page

    def _on_invalid(self, _uc: object, _access: int, address: int, _size: int, _value: int, _data: object) -> bool:
        if self._starting and any(start <= address < end for start, end in _PERIPHERALS):
            # a port sets its clock and UART here: registers that hold what is written, so that its waits for flags run out
            self.uc.mem_map(address & -_PAGE, _PAGE, unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_WRITE)
            return True
        self._bad_address = address
        return False

    def _on_exception(self, uc: Any, _number: int, _data: object) -> None:
        self._stopped_at = int(uc.reg_read(arm_const.UC_ARM_REG_PC)) & ~1
        uc.emu_stop()

    def reset(self, where: Where) -> None:
        """Run from ``Reset_Handler`` to ``wc_idle``."""
        handler = self.require("Reset_Handler")
        self.stack_top = self._initial_stack(handler)
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, self.stack_top)
        self.uc.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFFF)
        # code that runs in RAM arrives there during start-up, so its breakpoint must be copied with it
        stored = self.image.stored_at(self.idle)
        covered = self.read(stored, 2)
        self.write(stored, _BREAKPOINT)
        self._starting = self.firmware.port != "bare"
        self._start(handler, self.idle, where)
        self._starting = False
        for place in {stored, self.idle}:
            self.write(place, covered)
        self.stack_idle = int(self.uc.reg_read(arm_const.UC_ARM_REG_SP))

    def _initial_stack(self, handler: int) -> int:
        """The first word of the vector table, found as the aligned word before the one that points to the handler."""
        for segment in self.image.segments:
            first = -segment.address % 128
            for offset in range(first, len(segment.data) - 7, 128):
                stack = int.from_bytes(segment.data[offset : offset + 4], "little")
                if int.from_bytes(segment.data[offset + 4 : offset + 8], "little") == handler | 1 and any(
                    m.origin < stack <= m.end for m in self.board.memories if m.kind is not MemoryKind.FLASH
                ):
                    return stack
        raise ExecutionError(
            f"{self.firmware.elf.name} has no vector table (initial stack pointer, then Reset_Handler)",
            hint="keep the vector table's section when linking, aligned to 128 bytes",
        )

    def read(self, address: int, size: int) -> bytes:
        """See ``Device.read``."""
        return bytes(self.uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """See ``Device.write``."""
        self.uc.mem_write(address, data)

    def call(self, function: int, where: Where) -> None:
        """See ``Device.call``."""
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, self.stack_idle)
        self.uc.reg_write(arm_const.UC_ARM_REG_LR, self.sentinel | 1)
        self._start(function, self.sentinel, where)

    def _start(self, begin: int, until: int, where: Where) -> None:
        """Run to a breakpoint at ``until``: Unicorn's own ``until`` is an idle instruction that a pending event skips."""
        self._bad_address = self._stopped_at = None
        timeout_us = int(self.limits.wall_seconds * 1e6)
        try:
            interruptible(lambda: self.uc.emu_start(begin | 1, _NOWHERE, timeout=timeout_us), self.uc.emu_stop)
        except unicorn.UcError as error:
            raise self._fault(error.errno, str(error), where()) from error
        if self.check is not None:
            self.check()
        if self._stopped_at is not None and self._stopped_at != until:
            raise self._fault(unicorn_const.UC_ERR_EXCEPTION, "exception", where())
        if self._stopped_at is None:
            raise ExecutionError(
                f"{self._at()} did not finish within {self.limits.wall_seconds:g} s{where()}",
                hint="the code probably loops for ever, or waits for a peripheral that is not emulated",
            )

    def _at(self) -> str:
        at = self._stopped_at
        return "code at " + self.image.describe(
            int(self.uc.reg_read(arm_const.UC_ARM_REG_PC)) & ~1 if at is None else at
        )

    def _fault(self, number: int, text: str, where: str) -> ExecutionError:
        what, hint = _FAULTS.get(number, (text, "report this with the ELF"))
        address = f" 0x{self._bad_address:08x}" if self._bad_address is not None else ""
        return ExecutionError(f"{what}{address} by {self._at()}{where}", hint=hint)
