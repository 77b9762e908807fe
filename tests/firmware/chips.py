"""Registers of the microcontrollers that have ports, in Unicorn: flags follow from what is written, clocks are decoded from it.

Written from the register descriptions, not from the ports. What a chip would not forgive is an AssertionError here: a peripheral used
without its clock, a frequency beyond a limit, too few wait states when the clock is switched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from engine.catalog.board import Board
from tests.firmware.machine import Machine

_MHZ = 1_000_000


@dataclass(frozen=True)
class Clocked:
    """A peripheral's registers, and the enable bit they need."""

    base: int
    enable: int
    bit: int
    size: int = 0x400


class Chip(Machine):
    """A microcontroller. ``dead``: no oscillator ever gets ready, as in an emulator without clock registers."""

    regions: tuple[tuple[int, int], ...] = ()
    reset_values: ClassVar[dict[int, int]] = {}
    clocked: tuple[Clocked, ...] = ()
    reset_hz = 0

    def __init__(self, elf: Path, board: Board, *, dead: bool = False) -> None:
        self.registers = dict(self.reset_values)
        self.written: list[tuple[int, int]] = []
        self.dead = dead
        self.board = board
        super().__init__(elf, board)

    def _map_devices(self, board: Board) -> None:
        for base, size in (*self.regions, (0xE000_E000, 0x1000)):
            self.uc.mmio_map(
                base,
                size,
                lambda uc, offset, n, at: self.read(at + offset) & 0xFFFF_FFFF,
                base,
                lambda uc, offset, n, value, at: self._write(at + offset, value),
                base,
            )
        self.uc.mmio_map(0xE000_1000, 0x1000, self._dwt_read, None, lambda *_: None, None)

    def reg(self, address: int) -> int:
        """What a register holds."""
        return self.registers.get(address, 0)

    def bits(self, address: int, low: int, width: int) -> int:
        """A field of a register."""
        return self.reg(address) >> low & ((1 << width) - 1)

    def read(self, address: int) -> int:
        """What the core reads."""
        return self.reg(address)

    def store(self, address: int, value: int) -> None:
        """What a write does."""
        self.registers[address] = value

    def _write(self, address: int, value: int) -> None:
        for block in self.clocked:
            if block.base <= address < block.base + block.size:
                assert self.reg(block.enable) >> block.bit & 1, f"{address:#x} has no clock"
        self.written.append((address, value))
        self.store(address, value)

    def core_hz(self) -> float:
        """The core's frequency."""
        raise NotImplementedError

    def baud(self) -> float:
        """The rate of the UART."""
        raise NotImplementedError

    def timer_hz(self) -> float:
        """What the microsecond counter counts at."""
        raise NotImplementedError

    def sent_byte(self, value: int) -> None:
        """A byte leaves the UART."""
        self._polls = 0
        self.sent.append(value & 0xFF)

    def received(self) -> bool:
        """Whether a byte waits; stops the emulation when the firmware waits for more."""
        self._polls += 1
        if not self._input and self._polls > 3:
            self.uc.emu_stop()
        return bool(self._input)

    def marks(self) -> list[int]:
        """How the marker pin was driven: 1 and 0."""
        raise NotImplementedError


class Stm32(Chip):
    """What the STM32 families share."""

    gpio_marker = (0, 0)
    uart_pins: tuple[tuple[int, int, int], ...] = ()
    """Port, pin, alternate function."""
    tim2_bus_hz = 0.0

    def pin_function(self, port: int, pin: int) -> int | None:
        """The alternate function of a pin; None in another mode."""
        if self.bits(port, 2 * pin, 2) != 2:
            return None
        return self.bits(port + 0x20 + 4 * (pin // 8), 4 * (pin % 8), 4)

    def marks(self) -> list[int]:
        port, pin = self.gpio_marker
        assert self.bits(port, 2 * pin, 2) == 1, "an output"
        found = [value for address, value in self.written if address == port + 0x18]
        assert all(value in (1 << pin, 1 << (pin + 16)) for value in found)
        return [int(value == 1 << pin) for value in found]

    def timer_hz(self) -> float:
        assert self.reg(0x4000_0000) & 1, "enabled"
        assert (0x4000_0014, 1) in self.written, "the prescaler is taken over by an update"
        assert self.reg(0x4000_002C) == 0xFFFF_FFFF
        return self.timer_input_hz() / (self.reg(0x4000_0028) + 1)

    def timer_input_hz(self) -> float:
        """What drives timer 2."""
        raise NotImplementedError

    def read(self, address: int) -> int:
        if address == 0x4000_0024:
            self._micros += 250
            return self._micros
        return super().read(address)


def _halved(code: int, first: int) -> int:
    """A prescaler: below ``first`` none, then 2, 4, 8 ..."""
    return 1 if code < first else 2 << (code - first)


class L4(Stm32):
    """STM32L4R5."""

    RCC, FLASH, PWR, LPUART, GPIOF, GPIOG = 0x4002_1000, 0x4002_2000, 0x4000_7000, 0x4000_8000, 0x4800_1400, 0x4800_1800
    regions = ((0x4000_0000, 0x1_0000), (0x4002_0000, 0x4000), (0x4800_0000, 0x2000))
    reset_values: ClassVar[dict[int, int]] = {
        RCC: 0x63,
        RCC + 0x0C: 0x1000,
        PWR: 0x200,
        PWR + 0x80: 0x100,
        FLASH: 0x600,
        GPIOF: 0xFFFF_FFFF,
        GPIOG: 0xFFFF_FFFF,
    }
    clocked = (
        Clocked(PWR, RCC + 0x58, 28),
        Clocked(LPUART, RCC + 0x5C, 0),
        Clocked(0x4000_0000, RCC + 0x58, 0),
        Clocked(GPIOF, RCC + 0x4C, 5),
        Clocked(GPIOG, RCC + 0x4C, 6),
    )
    reset_hz = 4 * _MHZ
    gpio_marker = (GPIOF, 13)
    uart_pins = ((GPIOG, 7, 8), (GPIOG, 8, 8))

    def pll_hz(self) -> float:
        """The PLL's output R, within its limits."""
        pll = self.RCC + 0x0C
        assert self.bits(pll, 0, 2) == 1, "MSI"
        into = 4e6 / (self.bits(pll, 4, 4) + 1)
        vco = into * self.bits(pll, 8, 7)
        assert 2.66e6 <= into <= 16e6
        assert 64e6 <= vco <= 344e6
        assert self.bits(pll, 24, 1), "output R"
        return vco / (2 * (self.bits(pll, 25, 2) + 1))

    def core_hz(self) -> float:
        source = self.bits(self.RCC + 8, 0, 2)
        assert source in (0, 3)
        return (self.pll_hz() if source == 3 else 4e6) / _halved(self.bits(self.RCC + 8, 4, 4), 8)

    def read(self, address: int) -> int:
        value = super().read(address)
        if address == self.RCC and value >> 24 & 1 and not self.dead:
            return value | 1 << 25
        if address == self.RCC + 8:
            return value & ~0xC | (value & 3) << 2
        if address == self.RCC + 0x90 and value & 1 and self.reg(self.PWR) >> 8 & 1:
            return value | 2
        if address == self.LPUART + 0x1C:
            return 1 << 7 | self.received() << 5
        if address == self.LPUART + 0x24:
            self._polls = 0
            return self._input.pop(0)
        return value

    def store(self, address: int, value: int) -> None:
        before = self.core_hz()
        super().store(address, value)
        if address == self.RCC + 8:
            hz = self.core_hz()
            assert self.bits(self.FLASH, 0, 4) >= self.board.flash.wait_states(hz / 1e6)
            if hz > 80e6:
                assert not self.bits(self.PWR + 0x80, 8, 1), "boost"
                assert before >= 40e6, "a step at half the frequency first"
        elif address == self.LPUART + 0x28:
            self.sent_byte(value)

    def baud(self) -> float:
        assert not self.bits(self.RCC + 0x88, 10, 2), "clocked by PCLK1"
        assert self.reg(self.LPUART) & 0xD == 0xD
        assert self.bits(self.PWR + 4, 9, 1), "port G has power"
        return 256 * self.core_hz() / self.reg(self.LPUART + 0xC)

    def timer_input_hz(self) -> float:
        assert not self.bits(self.RCC + 8, 8, 3)
        return self.core_hz()


class F4(Stm32):
    """STM32F405."""

    RCC, FLASH, PWR, USART, GPIOA, GPIOC = 0x4002_3800, 0x4002_3C00, 0x4000_7000, 0x4000_4400, 0x4002_0000, 0x4002_0800
    regions = ((0x4000_0000, 0x8000), (0x4002_0000, 0x4000))
    reset_values: ClassVar[dict[int, int]] = {RCC: 0x83, RCC + 4: 0x2400_3010, GPIOA: 0xA800_0000, PWR: 0x4000}
    clocked = (
        Clocked(PWR, RCC + 0x40, 28),
        Clocked(USART, RCC + 0x40, 17),
        Clocked(0x4000_0000, RCC + 0x40, 0),
        Clocked(GPIOA, RCC + 0x30, 0),
        Clocked(GPIOC, RCC + 0x30, 2),
    )
    reset_hz = 16 * _MHZ
    gpio_marker = (GPIOC, 0)
    uart_pins = ((GPIOA, 2, 7), (GPIOA, 3, 7))

    def pll_hz(self) -> float:
        """The PLL's main output, within its limits."""
        pll = self.RCC + 4
        into = (8e6 if self.bits(pll, 22, 1) else 16e6) / self.bits(pll, 0, 6)
        vco = into * self.bits(pll, 6, 9)
        assert 0.95e6 <= into <= 2.1e6
        assert 100e6 <= vco <= 432e6
        assert self.bits(pll, 24, 4) >= 2
        return vco / (2 * (self.bits(pll, 16, 2) + 1))

    def core_hz(self) -> float:
        source = self.bits(self.RCC + 8, 0, 2)
        return {0: lambda: 16e6, 2: self.pll_hz}[source]() / _halved(self.bits(self.RCC + 8, 4, 4), 8)

    def apb1_hz(self) -> float:
        """The bus of USART2 and timer 2."""
        hz = self.core_hz() / _halved(self.bits(self.RCC + 8, 10, 3), 4)
        assert hz <= 42e6
        assert self.core_hz() / _halved(self.bits(self.RCC + 8, 13, 3), 4) <= 84e6
        return hz

    def read(self, address: int) -> int:
        value = super().read(address)
        if address == self.RCC and not self.dead:
            return value | (value >> 16 & 1) << 17 | (value >> 24 & 1) << 25
        if address == self.RCC + 8:
            return value & ~0xC | (value & 3) << 2
        if address == self.USART:
            return 1 << 7 | self.received() << 5
        if address == self.USART + 4:
            self._polls = 0
            return self._input.pop(0)
        return value

    def store(self, address: int, value: int) -> None:
        super().store(address, value)
        if address == self.RCC + 8:
            assert self.bits(self.FLASH, 0, 4) >= self.board.flash.wait_states(self.core_hz() / 1e6)
            assert self.apb1_hz()
        elif address == self.USART + 4:
            self.sent_byte(value)

    def baud(self) -> float:
        assert self.reg(self.USART + 0xC) == 0x200C
        return self.apb1_hz() / self.reg(self.USART + 8)

    def timer_input_hz(self) -> float:
        return self.apb1_hz() * (2 if self.bits(self.RCC + 8, 12, 1) else 1)


class H7(Stm32):
    """STM32H743."""

    RCC, FLASH, PWR, USART = 0x5802_4400, 0x5200_2000, 0x5802_4800, 0x4000_4800
    GPIOD, GPIOG, SYSCFG, IDCODE = 0x5802_0C00, 0x5802_1800, 0x5800_0400, 0x5C00_1000
    regions = (
        (0x4000_0000, 0x8000),
        (0x5100_8000, 0x1000),
        (0x5200_2000, 0x1000),
        (0x5800_0000, 0x1000),
        (0x5802_0000, 0x5000),
        (0x5C00_1000, 0x1000),
    )
    reset_values: ClassVar[dict[int, int]] = {
        IDCODE: 0x2003_6450,
        PWR + 0xC: 0x46,
        PWR + 0x18: 0x4000,
        RCC + 0x28: 0x0202_0200,
        RCC + 0x2C: 0x01FF_0000,
        RCC + 0x30: 0x0101_0280,
        FLASH: 0x37,
        GPIOD: 0xFFFF_FFFF,
        GPIOG: 0xFFFF_FFFF,
        0xE000_ED80: 127 << 13 | 3 << 3 | 1,  # 128 sets, 4 ways, 32 bytes
    }
    clocked = (
        Clocked(SYSCFG, RCC + 0xF4, 1),
        Clocked(USART, RCC + 0xE8, 18),
        Clocked(0x4000_0000, RCC + 0xE8, 0),
        Clocked(GPIOD, RCC + 0xE0, 3),
        Clocked(GPIOG, RCC + 0xE0, 6),
    )
    reset_hz = 64 * _MHZ
    gpio_marker = (GPIOG, 12)
    uart_pins = ((GPIOD, 8, 7), (GPIOD, 9, 7))

    def pll_hz(self) -> float:
        """PLL1's output P, within its limits."""
        assert self.bits(self.RCC + 0x28, 0, 2) == 2, "HSE"
        into = 8e6 / self.bits(self.RCC + 0x28, 4, 6)
        low, high = {0: (1e6, 2e6), 1: (2e6, 4e6), 2: (4e6, 8e6), 3: (8e6, 16e6)}[self.bits(self.RCC + 0x2C, 2, 2)]
        assert low <= into <= high
        assert not self.bits(self.RCC + 0x2C, 1, 1), "wide VCO"
        assert self.bits(self.RCC + 0x2C, 16, 1), "output P"
        vco = into * (self.bits(self.RCC + 0x30, 0, 9) + 1)
        assert 192e6 <= vco <= 960e6
        return vco / (self.bits(self.RCC + 0x30, 9, 7) + 1)

    def core_hz(self) -> float:
        source = self.bits(self.RCC + 0x10, 0, 3)
        assert not self.bits(self.RCC + 0x18, 8, 4)
        return {0: lambda: 64e6, 3: self.pll_hz}[source]()

    def ahb_hz(self) -> float:
        """The AHB and AXI clock."""
        hz = self.core_hz() / _halved(self.bits(self.RCC + 0x18, 0, 4), 8)
        assert hz <= 240e6
        for where, low in ((0x18, 4), (0x1C, 4), (0x1C, 8), (0x20, 4)):
            assert hz / _halved(self.bits(self.RCC + where, low, 3), 4) <= 120e6
        return hz

    def apb1_hz(self) -> float:
        """The bus of USART3 and timer 2."""
        return self.ahb_hz() / _halved(self.bits(self.RCC + 0x1C, 4, 3), 4)

    def read(self, address: int) -> int:
        value = super().read(address)
        if address == self.RCC and not self.dead:
            return value | (value >> 16 & 1) << 17 | (value >> 24 & 1) << 25
        if address == self.RCC + 0x10:
            return value & ~0x38 | (value & 7) << 3
        if address == self.PWR + 4:
            return value | (self.bits(self.PWR + 0xC, 0, 2) == 2) << 13
        if address == self.PWR + 0x18:
            return value | 1 << 13
        if address == self.USART + 0x1C:
            return 1 << 7 | self.received() << 5
        if address == self.USART + 0x24:
            self._polls = 0
            return self._input.pop(0)
        return value

    def store(self, address: int, value: int) -> None:
        super().store(address, value)
        if address == self.RCC + 0x10:
            hz = self.core_hz()
            if hz > 400e6:
                assert self.reg(self.SYSCFG + 0x2C) & 1, "overdrive"
            assert self.bits(self.PWR + 0x18, 14, 2) == 3, "voltage scale 1 beneath it"
            assert self.bits(self.FLASH, 0, 4) >= self.board.flash.wait_states(hz / 1e6)
            axi = self.ahb_hz()
            assert self.bits(self.FLASH, 4, 2) >= (0 if axi <= 70e6 else 1 if axi <= 185e6 else 2)
        elif address == self.USART + 0x28:
            self.sent_byte(value)

    def baud(self) -> float:
        assert not self.bits(self.RCC + 0x54, 0, 3), "clocked by PCLK1"
        assert self.reg(self.USART) & 0xD == 0xD
        return self.apb1_hz() / self.reg(self.USART + 0xC)

    def timer_input_hz(self) -> float:
        return self.apb1_hz() * (2 if self.bits(self.RCC + 0x1C, 6, 1) else 1)


class Rp2040(Chip):
    """RP2040 with its crystal of 12 MHz; ``now`` is the time in core cycles."""

    CLOCKS, RESETS, IO, XOSC, PLL, UART, TIMER = (
        0x4000_8000,
        0x4000_C000,
        0x4001_4000,
        0x4002_4000,
        0x4002_8000,
        0x4003_4000,
        0x4005_4000,
    )
    SIO, SSI = 0xD000_0000, 0x1800_0000
    regions = ((0x4000_0000, 0x7_0000), (SIO, 0x1000), (SSI, 0x1000))
    reset_values: ClassVar[dict[int, int]] = {
        RESETS: 0x01FF_FFFF,
        PLL: 1,
        PLL + 4: 0x2D,
        PLL + 0xC: 0x77_000,
        CLOCKS + 0x30: 0,
        CLOCKS + 0x3C: 0,
    }
    reset_hz = 6_500_000
    resets: ClassVar[dict[int, int]] = {IO: 5, 0x4001_C000: 8, PLL: 12, TIMER: 21, UART: 22}

    def __init__(self, elf: Path, board: Board, *, dead: bool = False) -> None:
        self.now = 0xFF_FF00
        self.step = 41
        self.flash_status2 = 2
        self.flash_commands: list[int] = []
        self._answers: list[int] = []
        super().__init__(elf, board, dead=dead)

    def core_hz(self) -> float:
        if not self.bits(self.CLOCKS + 0x3C, 0, 1):
            return 12e6 if self.bits(self.CLOCKS + 0x30, 0, 2) == 2 else self.reset_hz
        assert not self.bits(self.CLOCKS + 0x3C, 5, 3), "the system PLL"
        vco = 12e6 / self.bits(self.PLL, 0, 6) * self.bits(self.PLL + 8, 0, 12)
        assert 750e6 <= vco <= 1600e6
        assert not self.reg(self.PLL + 4) & 0x29, "powered"
        return vco / self.bits(self.PLL + 0xC, 16, 3) / self.bits(self.PLL + 0xC, 12, 3)

    def read(self, address: int) -> int:
        value = super().read(address)
        if address == self.RESETS + 8:
            return ~self.reg(self.RESETS)
        if address == self.XOSC + 4:
            ready = self.bits(self.XOSC, 0, 24) == 0xFAB_AA0 and not self.dead
            return ready << 31
        if address == self.CLOCKS + 0x38:
            return 1 << self.bits(self.CLOCKS + 0x30, 0, 2)
        if address == self.CLOCKS + 0x44:
            return 1 << self.bits(self.CLOCKS + 0x3C, 0, 1)
        if address == self.PLL:
            return value | (not self.reg(self.PLL + 4) & 0x21) << 31
        if address in (self.TIMER + 0x28, 0xE000_E018):
            self.now += self.step
            return self.now // 125 if address < 0xE000_0000 else -self.now & 0xFF_FFFF
        if address == self.UART + 0x18:
            return (not self.received()) << 4
        if address == self.UART:
            self._polls = 0
            return self._input.pop(0)
        if address == self.SSI + 0x28:
            return 1 << 2
        if address == self.SSI + 0x60:
            return self._answers.pop(0) if self._answers else 0
        return value

    def store(self, address: int, value: int) -> None:
        if self.SSI <= address < self.SSI + 0x1000:
            self._flash(address - self.SSI, value)
            return
        if 0x4000_0000 <= address < 0x4007_0000:
            plain, alias = address & ~0x3000, address >> 12 & 3
            old = self.reg(plain)
            value = (value, old ^ value, old | value, old & ~value)[alias]
            bit = self.resets.get(plain & ~0xFFF)
            assert bit is None or not self.reg(self.RESETS) >> bit & 1, f"{address:#x} is held in reset"
            address = plain
        super().store(address, value)
        if address == self.UART:
            self.sent_byte(value)

    def _flash(self, offset: int, value: int) -> None:
        """The serial flash behind the SSI: status registers while instructions are serial."""
        super().store(self.SSI + offset, value)
        if offset == 8 and not value:
            self._answers.clear()
        if offset == 0x60:
            self.flash_commands.append(value)
            self._answers.append(self.flash_status2 if self.flash_commands[-2:-1] == [0x35] else 0)

    def baud(self) -> float:
        assert self.bits(self.CLOCKS + 0x48, 11, 1)
        assert not self.bits(self.CLOCKS + 0x48, 5, 3), "from the system clock"
        order = [address for address, _ in self.written if address in (self.UART + 0x28, self.UART + 0x2C)]
        assert order == [self.UART + 0x28, self.UART + 0x2C], "divisors are latched by writing the line control"
        assert self.reg(self.UART + 0x30) & 0x301 == 0x301
        assert [self.bits(self.IO + 8 * pin + 4, 0, 5) for pin in (0, 1, 2)] == [2, 2, 5]
        return self.core_hz() / (16 * (self.reg(self.UART + 0x24) + self.reg(self.UART + 0x28) / 64))

    def timer_hz(self) -> float:
        tick = self.reg(0x4005_802C)
        assert tick >> 9 & 1
        assert self.bits(self.CLOCKS + 0x30, 0, 2) == 2
        return 12e6 / (tick & 0x1FF)

    def marks(self) -> list[int]:
        assert (self.SIO + 0x24, 4) in self.written, "an output"
        return [
            int(a == self.SIO + 0x14) for a, v in self.written if a in (self.SIO + 0x14, self.SIO + 0x18) and v == 4
        ]
