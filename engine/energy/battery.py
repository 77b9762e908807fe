"""How long a battery lasts: an inference now and then, sleep in between, a wake-up before each."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from engine.energy.units import MS, MW, NJ, UA, UC, S, V
from engine.errors import UsageError
from engine.records.base import Record
from engine.records.run import RunRecord
from engine.records.run_energy import RunEnergy

_HOURS_PER_YEAR = 24 * 365.25


@dataclass(frozen=True)
class Duty:
    """What a battery is asked for. ``keeps_ram`` False: waking is a reset, so every inference is a cold one.

    ``wake_ms``: time at run power between waking and the inference (start-up, clocks, sensor).
    """

    every_s: float
    sleep_ua: float
    keeps_ram: bool
    wake_ms: float
    capacity_mah: float
    battery_v: float


class BatteryLife(Record):
    """Life of a battery and where its charge goes; charges per period at the supply's voltage, behind a linear regulator or none.

    ``life_hours_interval``: with the energy of an inference at the ends of its interval.
    """

    run: str
    every_s: float
    active_ms: float
    cold: bool
    inference_uc: float = Field(description="charge of one inference in microcoulombs")
    wake_uc: float
    sleep_uc: float
    average_ua: float
    life_hours: float
    life_hours_interval: tuple[float, float]
    inferences: int
    notes: tuple[str, ...]

    @property
    def years(self) -> float:
        """The life in years."""
        return self.life_hours / _HOURS_PER_YEAR


def battery_life(record: RunRecord, energy: RunEnergy, duty: Duty) -> BatteryLife:
    """Raises UsageError for a supply that is not known or above the battery, or a period that is shorter than waking and inferring."""
    if energy.voltage_v is None:
        raise UsageError(
            f"the supply that the power of {record.board} was measured at is not known, so neither is the charge it draws",
            hint="run it on a board file of your own with [[current_ua_per_mhz]] and its voltage_v",
        )
    if duty.battery_v < energy.voltage_v:
        raise UsageError(
            f"a battery of {duty.battery_v:g} V cannot supply {energy.voltage_v:g} V without a step-up converter",
            hint=f"give one of at least {energy.voltage_v:g} V",
        )
    cold = not duty.keeps_ram
    cycles = record.cycles.cold if cold else record.cycles.warm
    active_ms = duty.wake_ms + cycles / record.clock_mhz / 1000
    if active_ms > duty.every_s * 1000:
        raise UsageError(
            f"waking and one inference take {active_ms:.4g} ms, longer than {duty.every_s:g} s",
            hint="infer less often, or at a higher clock",
        )
    # a linear regulator draws the current it gives
    energy_nj = energy.cold_nj if cold else energy.energy_nj
    supply = energy.voltage_v * V
    inference_uc = ((energy_nj * NJ) / supply).to(UC)
    wake_uc = ((energy.power_mw * MW) * (duty.wake_ms * MS) / supply).to(UC)
    sleep_uc = ((duty.sleep_ua * UA) * (duty.every_s * S - active_ms * MS)).to(UC)
    average = (inference_uc + wake_uc + sleep_uc) / duty.every_s
    ends = []
    for end_nj in energy.interval_nj:
        share = end_nj / energy.energy_nj if energy.energy_nj else 1.0
        ends.append(duty.capacity_mah * 1000 * duty.every_s / ((inference_uc + wake_uc) * share + sleep_uc))
    hours = duty.capacity_mah * 1000 / average
    return BatteryLife(
        run=record.id,
        every_s=duty.every_s,
        active_ms=active_ms,
        cold=cold,
        inference_uc=inference_uc,
        wake_uc=wake_uc,
        sleep_uc=sleep_uc,
        average_ua=average,
        life_hours=hours,
        life_hours_interval=(min(ends), max(ends)),
        inferences=int(hours * 3600 / duty.every_s),
        notes=_notes(duty, cold),
    )


def _notes(duty: Duty, cold: bool) -> tuple[str, ...]:
    notes = ["the microcontroller alone: sensors, radio, regulator and self-discharge are not in it"]
    if cold:
        notes.append("this sleep loses RAM, so every inference is the first after a reset")
    if not duty.wake_ms:
        notes.append("waking takes no time here (--wake-ms)")
    return tuple(notes)
