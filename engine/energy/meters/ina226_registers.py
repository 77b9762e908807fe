"""Registers of the INA226, after its datasheet (Texas Instruments SBOS547: section Register Maps and "Programming the INA226").

Pure arithmetic: what to write for a shunt and a conversion time, and what readings mean. The chip is calibrated, so that its current register and its
overflow flag mean what the datasheet says; samples come from the shunt's voltage, which the chip's current is a truncated multiple of.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from engine.errors import UsageError


class Register(IntEnum):
    """Pointer addresses (table "Register Set Summary")."""

    CONFIGURATION = 0x00
    SHUNT_VOLTAGE = 0x01
    BUS_VOLTAGE = 0x02
    CURRENT = 0x04
    CALIBRATION = 0x05
    MASK_ENABLE = 0x06
    MANUFACTURER_ID = 0xFE
    DIE_ID = 0xFF


MANUFACTURER_ID, DIE_ID = 0x5449, 0x2260
RESET = 1 << 15
CONVERSION_READY = 1 << 3
"""CVRF in Mask/Enable: set when all conversions, averages and multiplications are done, cleared by reading the register."""
MATH_OVERFLOW = 1 << 2
"""OVF in Mask/Enable: an arithmetic operation overflowed, the chip's own current and power may be wrong."""

SHUNT_LSB_V = 2.5e-6
BUS_LSB_V = 1.25e-3
_SCALING = 0.00512  # "internal fixed value", equation 1
_CALIBRATION_MAX = 0x7FFF  # FS14..FS0: bit 15 is not there
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)
CONVERSION_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)
_SHUNT_AND_BUS_CONTINUOUS = 0b111
_RESERVED = 0x4000  # bit 14 reads 1 at power-on (4127h)
FULL_SCALE_SHUNT_V = 0x7FFF * SHUNT_LSB_V
_LEAST_V = 100 * SHUNT_LSB_V  # a largest current of fewer steps is known to worse than 1 %


@dataclass(frozen=True)
class Ina226Settings:
    """How an INA226 is set up: shunt in ohms, the largest current expected in amperes, conversion times in microseconds, averages.

    Raises UsageError for what the chip cannot do, and for a current whose drop over the shunt exceeds its input range.
    """

    shunt_ohm: float
    max_current_a: float
    conversion_us: int = 140
    averages: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.shunt_ohm < 100 or not 0 < self.max_current_a < 1000:
            raise UsageError(
                f"an INA226 with a shunt of {self.shunt_ohm:g} ohm for {self.max_current_a:g} A",
                hint="give the shunt's value in ohms and the largest expected current in amperes, both above 0",
            )
        if self.averages not in AVERAGES:
            raise UsageError(f"an INA226 does not average {self.averages} samples", hint=f"it can {_list(AVERAGES)}")
        if self.conversion_us not in CONVERSION_US:
            raise UsageError(
                f"an INA226 has no conversion time of {self.conversion_us} µs", hint=f"it has {_list(CONVERSION_US)} µs"
            )
        if self.max_current_a * self.shunt_ohm > FULL_SCALE_SHUNT_V * (1 + 1e-9):
            raise UsageError(
                f"{self.max_current_a:g} A drop {self.max_current_a * self.shunt_ohm * 1e3:.4g} mV over {self.shunt_ohm:g} ohm; "
                f"an INA226 measures up to {FULL_SCALE_SHUNT_V * 1e3:.2f} mV",
                hint=f"use a shunt of at most {FULL_SCALE_SHUNT_V / self.max_current_a:.3g} ohm",
            )
        if self.max_current_a * self.shunt_ohm < _LEAST_V:
            raise UsageError(
                f"{self.max_current_a:g} A drop {self.max_current_a * self.shunt_ohm * 1e6:.3g} µV over {self.shunt_ohm:g} ohm; "
                f"an INA226 measures in steps of {SHUNT_LSB_V * 1e6:g} µV",
                hint=f"use a shunt of at least {_LEAST_V / self.max_current_a:.3g} ohm",
            )

    @property
    def ampere_per_step(self) -> float:
        """Amperes per bit of the shunt voltage register."""
        return SHUNT_LSB_V / self.shunt_ohm

    @property
    def calibration(self) -> int:
        """What the calibration register gets: equation 1 for the largest current in 2^15 steps (equation 2), truncated as the datasheet does."""
        return min(_CALIBRATION_MAX, int(_SCALING / (self.max_current_a / 2**15 * self.shunt_ohm)))

    @property
    def current_lsb_a(self) -> float:
        """Amperes per bit of the chip's current register, which the truncated calibration really gives."""
        return _SCALING / (self.calibration * self.shunt_ohm)

    @property
    def configuration(self) -> int:
        """What the configuration register gets: averages, both conversion times, shunt and bus continuously."""
        time = CONVERSION_US.index(self.conversion_us)
        return _RESERVED | AVERAGES.index(self.averages) << 9 | time << 6 | time << 3 | _SHUNT_AND_BUS_CONTINUOUS

    @property
    def period_s(self) -> float:
        """Seconds from one result to the next: shunt and bus are converted one after the other, each as often as averaged."""
        return 2 * self.conversion_us * self.averages * 1e-6

    @property
    def longest_period_s(self) -> float:
        """The same of the slowest chip: 140 µs take at most 154 µs, 2.116 ms 2.328 ms (Electrical Characteristics, tCT), and a margin."""
        return 1.11 * self.period_s

    @property
    def text(self) -> str:
        """The settings as a person writes them."""
        return f"shunt {self.shunt_ohm:g} ohm, {self.conversion_us} µs, average of {self.averages}"


@dataclass(frozen=True)
class Reading:
    """One result: amperes and volts, whether the chip was at the end of its range."""

    current_a: float
    bus_v: float
    saturated: bool

    @property
    def power_w(self) -> float:
        """Power of the load."""
        return self.current_a * self.bus_v


def reading_of(settings: Ina226Settings, shunt: int, bus: int) -> Reading:
    """Turn raw 16-bit register values into a reading."""
    return Reading(
        current_a=signed(shunt) * settings.ampere_per_step,
        bus_v=(bus & 0x7FFF) * BUS_LSB_V,
        saturated=signed(shunt) in (0x7FFF, -0x8000),
    )


def signed(word: int) -> int:
    """A 16-bit two's complement register value."""
    return word - 0x10000 if word & 0x8000 else word


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
