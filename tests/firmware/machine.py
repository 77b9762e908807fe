"""An MPS2 board in Unicorn with a UART, a microsecond counter and a cycle counter: enough to talk to the harness."""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError
from unicorn import arm_const as arm

from engine.catalog.board import Board
from engine.firmware.image import symbol_addresses

_MODELS = {
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}
_ARGUMENTS = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)
_PAGE = 0x1000
_CYCCNT = 4


class Machine:
    """Loads an ELF at its load addresses, resets like the core does, and speaks to the UART."""

    def __init__(self, elf: Path, board: Board, *, boot: int | None = None) -> None:
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(_MODELS[board.core])
        self.symbols = symbol_addresses(elf)
        self.sent = bytearray()
        self._input = bytearray()
        self._micros = 0
        self._polls = 0
        self._cycles = 0
        for memory in board.memories:
            self.uc.mem_map(memory.origin, -(-memory.bytes // _PAGE) * _PAGE)
        self._map_devices(board)
        with elf.open("rb") as stream:
            for segment in ELFFile(stream).iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self.uc.mem_write(segment["p_paddr"], segment.data())
        vectors = self.symbols["wc_vectors"] if boot is None else boot
        table = bytes(self.uc.mem_read(vectors, 8))
        self.uc.reg_write(arm.UC_ARM_REG_SP, int.from_bytes(table[:4], "little"))
        self._pc = int.from_bytes(table[4:], "little")

    def _map_devices(self, board: Board) -> None:
        m33 = board.core == "cortex-m33"
        uart, fpgaio = (0x5020_0000, 0x5030_2000) if m33 else (0x4000_4000, 0x4002_8000)
        self.uc.mmio_map(uart, _PAGE, self._uart_read, None, self._uart_write, None)
        self.uc.mmio_map(fpgaio, _PAGE, self._counter_read, None, lambda *_: None, None)
        self.uc.mmio_map(0xE000_1000, _PAGE, self._dwt_read, None, lambda *_: None, None)
        self.uc.mem_map(0xE000_E000, _PAGE)

    def _uart_read(self, uc: Uc, offset: int, size: int, data: object) -> int:
        if offset == 0:
            self._polls = 0
            return self._input.pop(0)
        if offset == 4:
            # sending polls the state once per character; only waiting for input polls it again and again
            self._polls += 1
            if not self._input and self._polls > 3:
                uc.emu_stop()
            return 2 if self._input else 0
        return 0

    def _uart_write(self, uc: Uc, offset: int, size: int, value: int, data: object) -> None:
        self._polls = 0
        if offset == 0:
            self.sent.append(value & 0xFF)

    def _counter_read(self, uc: Uc, offset: int, size: int, data: object) -> int:
        self._micros += 250
        return self._micros

    def _dwt_read(self, uc: Uc, offset: int, size: int, data: object) -> int:
        self._cycles += 100
        return self._cycles if offset == _CYCCNT else 0

    def _run(self, until: int = 0) -> None:
        try:
            self.uc.emu_start(self._pc | 1, until, timeout=20_000_000)
        except UcError as error:
            where = self.uc.reg_read(arm.UC_ARM_REG_PC)
            raise AssertionError(f"{error} at {where:#x}") from error
        self._pc = self.uc.reg_read(arm.UC_ARM_REG_PC)

    def to_idle(self) -> None:
        """Run from reset until the device is ready."""
        self._run(self.symbols["wc_idle"])
        assert self._pc == self.symbols["wc_idle"]

    def call(self, function: str, *arguments: int) -> int:
        """Call a function with up to four arguments and return its result."""
        for register, value in zip(_ARGUMENTS, arguments, strict=False):
            self.uc.reg_write(register, value)
        back = self.symbols["wc_idle"]
        self.uc.reg_write(arm.UC_ARM_REG_LR, back | 1)
        self._pc = self.symbols[function]
        self._run(back)
        assert self._pc == back, f"{function} stopped at {self._pc:#x}"
        return int(self.uc.reg_read(arm.UC_ARM_REG_R0))

    def talk(self, text: str | bytes) -> list[str]:
        """Send characters; the lines that came back until the device waits for more."""
        self._input += text.encode() if isinstance(text, str) else text
        del self.sent[:]
        self._run()
        return self.sent.decode("ascii").split("\r\n")[:-1]
