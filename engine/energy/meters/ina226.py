"""The INA226 on a Linux I2C bus (smbus2): set up, wait for a result, stamp, collect.

On a bus that is quicker than the chip, "conversion ready" is polled; a result averages the two conversions before it, so its time is the moment it
was seen minus half of that. A slower bus finds a new result whenever it comes: it asks only now and then whether the chip still converts, and a
result that ended at some moment of the last period is taken to have ended in its middle. What is missed shows as a gap in the times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from engine.energy.meters.ina226_registers import (
    CONVERSION_READY,
    DIE_ID,
    MANUFACTURER_ID,
    MATH_OVERFLOW,
    RESET,
    Ina226Settings,
    Reading,
    Register,
    reading_of,
)
from engine.energy.meters.meter import SampledMeter
from engine.energy.trace import MeterInfo, PowerTrace
from engine.errors import BadInputError, ExecutionError, ToolError

_PATIENCE = 100  # periods without a result before the meter counts as gone
_LEAST_PATIENCE_S = 0.1
_TRUST_S = 1.0  # how long results are taken as new without asking


class Bus(Protocol):
    """Words of a chip on an I2C bus; may raise OSError."""

    def read(self, address: int, register: int) -> int:
        """A 16-bit register, most significant byte first on the wire."""

    def write(self, address: int, register: int, value: int) -> None:
        """Set a 16-bit register."""

    def close(self) -> None:
        """Let the bus go."""


class LinuxBus:
    """``/dev/i2c-N`` through smbus2."""

    def __init__(self, number: int) -> None:
        """Open the bus. Raises ToolError: smbus2 missing, no such bus, no permission."""
        try:
            from smbus2 import SMBus
        except ImportError:
            raise ToolError("an INA226 needs the package smbus2", hint="pip install -e '.[power]'") from None
        try:
            self._bus = SMBus(number)
        except FileNotFoundError:
            raise ToolError(f"there is no I2C bus /dev/i2c-{number}", hint="enable I2C, or name another bus") from None
        except PermissionError:
            raise ToolError(
                f"no permission to use /dev/i2c-{number}",
                hint="join the group that owns it (often 'i2c') and log in again",
            ) from None
        except OSError as error:
            raise ToolError(f"/dev/i2c-{number} cannot be opened: {error.strerror}", hint="name another bus") from None

    def read(self, address: int, register: int) -> int:
        """SMBus words come with the low byte first, the INA226's with the high byte first."""
        word = int(self._bus.read_word_data(address, register))
        return (word & 0xFF) << 8 | word >> 8

    def write(self, address: int, register: int, value: int) -> None:
        """See ``read``."""
        self._bus.write_word_data(address, register, (value & 0xFF) << 8 | value >> 8)

    def close(self) -> None:
        """Let the bus go."""
        self._bus.close()


class Ina226(SampledMeter):
    """An INA226. ``bus`` opens its bus; ``clock`` is the host's monotonic clock in seconds."""

    def __init__(
        self,
        bus: Callable[[], Bus],
        settings: Ina226Settings,
        address: int = 0x40,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.name = f"INA226 at 0x{address:02x}"
        self._open_bus, self._settings, self._address, self._clock = bus, settings, address, clock
        self._bus: Bus | None = None
        self._times: list[float] = []
        self._readings: list[Reading] = []
        self._overflowed = False

    def open(self) -> None:
        """Reset, identify, calibrate, configure. Raises ToolError."""
        self._bus = self._open_bus()
        self._times.clear()
        self._readings.clear()
        try:
            ids = (
                self._bus.read(self._address, Register.MANUFACTURER_ID),
                self._bus.read(self._address, Register.DIE_ID),
            )
            if ids != (MANUFACTURER_ID, DIE_ID):
                raise ToolError(
                    f"what answers at 0x{self._address:02x} is no INA226: its identity is {ids[0]:04x}h, {ids[1]:04x}h",
                    hint="give the meter's own address (set by its pins A0 and A1: 0x40 to 0x4f)",
                )
            self._bus.write(self._address, Register.CONFIGURATION, RESET)
            for register, wanted in (
                (Register.CALIBRATION, self._settings.calibration),
                (Register.CONFIGURATION, self._settings.configuration),
            ):
                self._bus.write(self._address, register, wanted)
                found = self._bus.read(self._address, register)
                if found != wanted:
                    raise ToolError(
                        f"{self.name}: register {register.name.lower()} holds {found:04x}h after {wanted:04x}h was written",
                        hint="check the wiring and the pull-ups of the I2C bus",
                    )
        except OSError as error:
            self.close()
            raise ToolError(
                f"nothing answers at 0x{self._address:02x} on the I2C bus: {error.strerror or error}",
                hint="check wiring, supply and address (`i2cdetect -y BUS`)",
            ) from None
        except ToolError:
            self.close()
            raise
        self._last = self._clock()
        self._seen, self._proven = self._last, 0
        self._cleared, self._waiting = -math.inf, True
        self._overflowed = False

    def fetch(self) -> None:
        """Wait for one result and keep it. Raises ExecutionError when the meter is gone."""
        assert self._bus is not None
        try:
            now = self._clock()
            surely_new = not self._waiting and now - self._last >= self._settings.longest_period_s
            if not surely_new or now - self._seen >= _TRUST_S:
                mask = self._bus.read(self._address, Register.MASK_ENABLE)
                ready = mask & CONVERSION_READY
                self._overflowed = self._overflowed or bool(ready and mask & MATH_OVERFLOW)
                now = self._clock()
                cleared, self._cleared, self._waiting = self._cleared, now, not ready
                if not ready:
                    self._check_patience(now)
                    return
                if now - cleared < self._patience_s:  # the flag of a chip that stopped stays until it is read
                    self._seen, self._proven = now, len(self._times)
            shunt = self._bus.read(self._address, Register.SHUNT_VOLTAGE)
            read = self._clock()
            bus = self._bus.read(self._address, Register.BUS_VOLTAGE)
        except OSError as error:
            raise ExecutionError(
                f"{self.name} went away after {len(self._times)} samples: {error.strerror or error}",
                hint="check its wiring; measure again",
            ) from None
        self._last = read
        ended = read - self._settings.period_s / 2 if surely_new else now
        self._times.append(ended - self._settings.period_s / 2)
        self._readings.append(reading_of(self._settings, shunt, bus))

    @property
    def _patience_s(self) -> float:
        return max(_PATIENCE * self._settings.period_s, _LEAST_PATIENCE_S)

    def _check_patience(self, now: float) -> None:
        """Raise ExecutionError when the last result is too long ago; what was taken as new meanwhile is dropped."""
        if now - self._last > self._patience_s:
            del self._times[self._proven :], self._readings[self._proven :]
            raise ExecutionError(
                f"{self.name} gave no result for {now - self._seen:.2g} s",
                hint="check its supply; measure again",
            )

    def close(self) -> None:
        """Let the bus go."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def trace(self) -> PowerTrace:
        """What was fetched. Raises BadInputError if it is too little."""
        if len(self._times) < 2:
            raise BadInputError(f"{self.name} gave {len(self._times)} samples", hint="measure for longer")
        # the samples hold: they come from the shunt's voltage, not from what the chip multiplied
        beyond = f", more than {self._settings.max_current_a:g} A (overflow flag)" if self._overflowed else ""
        return PowerTrace(
            np.array(self._times),
            np.array([r.power_w for r in self._readings]),
            MeterInfo(self.name, self._settings.text + beyond, integration_s=self._settings.period_s),
            saturated=np.array([r.saturated for r in self._readings]),
        )
