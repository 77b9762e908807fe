import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.energy.attribute import apply
from engine.energy.battery import Duty, battery_life
from engine.energy.power import Power
from engine.errors import UsageError
from engine.records.run_energy import PowerKind, RunEnergy
from tests.builders.records import PATIENT, kws_record

RECORD = kws_record(board="nucleo-l4r5zi", clock_mhz=120.0)
POWER = Power(36.0, 18.0, 54.0, 1.8, PowerKind.OTHER_FIRMWARE, "a test", ("a test",))
DUTY = Duty(every_s=10, sleep_ua=5, keeps_ram=True, wake_ms=0, capacity_mah=220, battery_v=3.0)


def energy() -> RunEnergy:
    return apply(POWER, RECORD)


def test_a_life_worked_out_by_hand() -> None:
    found = battery_life(RECORD, energy(), DUTY)
    # 36 mW at 1.8 V are 20 mA while the inference lasts
    ms = RECORD.latency_ms
    average_ua = (20_000 * ms / 1000 + 5 * (10 - ms / 1000)) / 10
    assert found.average_ua == pytest.approx(average_ua, rel=1e-3)
    assert found.life_hours == pytest.approx(220_000 / average_ua, rel=1e-3)
    assert found.inferences == int(found.life_hours * 360)
    low, high = found.life_hours_interval
    assert low < found.life_hours < high
    assert not found.cold


def test_a_sleep_that_loses_ram_makes_inferences_cold_and_waking_costs() -> None:
    cold = battery_life(RECORD, energy(), dataclasses.replace(DUTY, keeps_ram=False))
    assert cold.cold
    assert cold.active_ms == pytest.approx(RECORD.cycles.cold / 120_000)
    woken = battery_life(RECORD, energy(), dataclasses.replace(DUTY, wake_ms=5))
    assert woken.wake_uc == pytest.approx(20_000 * 5 / 1000)


@pytest.mark.parametrize(
    ("changes", "message"), [({"battery_v": 1.5}, "cannot supply 1.8 V"), ({"every_s": 1e-6}, "longer than")]
)
def test_what_cannot_be_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        battery_life(RECORD, energy(), dataclasses.replace(DUTY, **changes))


def test_without_a_supply_a_power_has_no_charge() -> None:
    unknown = apply(dataclasses.replace(POWER, voltage_v=None), RECORD)
    with pytest.raises(UsageError, match="supply"):
        battery_life(RECORD, unknown, DUTY)


@PATIENT
@given(st.floats(1, 1e5), st.floats(0, 1e4), st.floats(0, 100), st.floats(0.1, 1e5))
def test_more_of_anything_that_draws_never_lasts_longer(every: float, sleep: float, wake: float, more: float) -> None:
    duty = dataclasses.replace(DUTY, every_s=every, sleep_ua=sleep, wake_ms=wake)
    life = battery_life(RECORD, energy(), duty).life_hours
    # waking draws more than sleep only below the current of running
    assert battery_life(RECORD, energy(), dataclasses.replace(duty, sleep_ua=sleep + more)).life_hours <= life
    assert battery_life(RECORD, energy(), dataclasses.replace(duty, capacity_mah=220 + more)).life_hours >= life
    assert battery_life(RECORD, energy(), dataclasses.replace(duty, every_s=every + more)).life_hours >= life
