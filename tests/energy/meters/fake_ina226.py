"""An INA226 at register level: conversions take time, the ready flag clears on reading, results are whole steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

CONVERSION_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)


@dataclass
class Time:
    """A clock that moves when told to; each transfer on the bus takes ``transfer_s``."""

    now: float = 0.0
    transfer_s: float = 100e-6

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeIna226:
    """Current in amperes and volts as functions of time, over ``shunt_ohm``; the chip samples them in the middle of a conversion."""

    time: Time
    amps: Callable[[float], float]
    volts: Callable[[float], float]
    shunt_ohm: float
    address: int = 0x40
    dies_at_s: float = float("inf")
    stalls_at_s: float = float("inf")
    ids: tuple[int, int] = (0x5449, 0x2260)
    forgets_configuration: bool = False
    forgets_calibration: bool = False
    slower: float = 1.0  # conversions take so many times as long: the datasheet allows 1.1
    closed: bool = False
    registers: dict[int, int] = field(default_factory=lambda: {0: 0x4127, 5: 0})
    _result: tuple[int, int] = (0, 0)  # shunt, bus
    _done: int = -1
    _ready: bool = False
    _since: float = 0.0

    def read(self, address: int, register: int) -> int:
        self._transfer(address)
        self._convert()
        if register == 0x06:
            word = (8 if self._ready else 0) | (4 if abs(self._current()) > 0x7FFF else 0)
            self._ready = False
            return word
        if register == 0xFE:
            return self.ids[0]
        if register == 0xFF:
            return self.ids[1]
        if register in (1, 2):
            return self._result[register - 1] & 0xFFFF
        if register == 4:
            return self._current() & 0xFFFF
        return self.registers[register]

    def _current(self) -> int:
        """Equation 3 of the datasheet; without a calibration the register holds 0."""
        return int(self._result[0] * self.registers.get(5, 0) / 2048)

    def write(self, address: int, register: int, value: int) -> None:
        self._transfer(address)
        if register == 0:
            if value & 0x8000 or self.forgets_configuration:
                self.registers = {0: 0x4127, 5: 0}
            else:
                self.registers[0] = value
            self._since, self._done, self._ready = self.time.now, -1, False
        elif register != 5 or not self.forgets_calibration:
            self.registers[register] = value

    def close(self) -> None:
        self.closed = True

    def _transfer(self, address: int) -> None:
        self.time.now += self.time.transfer_s
        if address != self.address or self.time.now > self.dies_at_s:
            raise OSError(121, "Remote I/O error")

    def _convert(self) -> None:
        configuration = self.registers[0]
        average = AVERAGES[configuration >> 9 & 7]
        bus_us, shunt_us = CONVERSION_US[configuration >> 6 & 7], CONVERSION_US[configuration >> 3 & 7]
        period = average * (bus_us + shunt_us) * 1e-6 * self.slower
        now = min(self.time.now, self.stalls_at_s)
        done = int((now - self._since) / period) - 1
        if done <= self._done or configuration & 7 != 7:
            return
        self._done, self._ready = done, True
        middle = self._since + (done + 0.5) * period
        drop = self.amps(middle) * self.shunt_ohm
        shunt = max(-0x8000, min(0x7FFF, round(drop / 2.5e-6)))
        bus = max(0, min(0x7FFF, round(self.volts(middle) / 1.25e-3)))
        self._result = (shunt, bus)
