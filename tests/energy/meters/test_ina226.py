from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.energy.integrate import NJ, energy_of
from engine.energy.meters.ina226 import Ina226, LinuxBus
from engine.energy.meters.ina226_registers import AVERAGES, CONVERSION_US, Ina226Settings, reading_of, signed
from engine.energy.trace import PowerTrace, quality_of
from engine.energy.windows import windows_of_markers
from engine.errors import BadInputError, ExecutionError, ToolError, UsageError
from tests.energy.meters.fake_ina226 import FakeIna226, Time

SETTINGS = Ina226Settings(shunt_ohm=0.5, max_current_a=0.1)


def chip(**more: object) -> FakeIna226:
    return FakeIna226(Time(), lambda _: 0.02, lambda _: 3.3, 0.5, **more)  # type: ignore[arg-type]


def sample(fake: FakeIna226, until_s: float, settings: Ina226Settings = SETTINGS) -> PowerTrace:
    meter = Ina226(lambda: fake, settings, clock=fake.time)
    meter.open()
    while fake.time.now < until_s:
        meter.fetch()
    meter.close()
    return meter.trace()


def test_the_datasheets_own_example() -> None:
    """SBOS547, table "Configure/Measure/Calculate Example": 10 A over 2 mohm are 8000 in the shunt voltage register, 10000 in that of the current."""
    settings = Ina226Settings(shunt_ohm=0.002, max_current_a=2**15 * 1e-3, conversion_us=1100)
    assert settings.ampere_per_step == pytest.approx(1.25e-3)
    assert settings.calibration == 0x0A00
    assert settings.current_lsb_a == pytest.approx(1e-3)
    assert 8000 * settings.calibration // 2048 == 10_000
    reading = reading_of(settings, shunt=8000, bus=9584)
    assert reading.current_a == pytest.approx(10.0)
    assert reading.bus_v == pytest.approx(11.98)
    assert not reading.saturated


def test_the_configuration_at_power_on() -> None:
    """4127h: average of 1, 1.1 ms both, shunt and bus continuously."""
    assert Ina226Settings(0.1, 0.5, conversion_us=1100, averages=1).configuration == 0x4127


@given(st.floats(1e-4, 50), st.floats(1e-4, 20))
def test_the_largest_current_is_within_range_and_well_resolved_or_refused(
    shunt_ohm: float, max_current_a: float
) -> None:
    try:
        settings = Ina226Settings(shunt_ohm, max_current_a)
    except UsageError:
        return
    assert 99 <= max_current_a / settings.ampere_per_step <= 0x7FFF * (1 + 1e-6)
    assert 1 <= settings.calibration <= 0x7FFF


@given(st.integers(-0x8000, 0x7FFF))
def test_twos_complement(value: int) -> None:
    assert signed(value & 0xFFFF) == value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shunt_ohm": 0.0}, "shunt of 0 ohm"),
        ({"shunt_ohm": -1.0}, "shunt of -1 ohm"),
        ({"max_current_a": 0.0}, "for 0 A"),
        ({"averages": 3}, "average 3"),
        ({"conversion_us": 100}, "100 µs"),
        ({"max_current_a": 1.0}, "500 mV"),
        ({"max_current_a": 1e-4, "shunt_ohm": 1e-3}, "0.1 µV.*steps of 2.5 µV"),
    ],
)
def test_what_the_chip_cannot_do_is_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(SETTINGS, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("averages", AVERAGES[:3])
@pytest.mark.parametrize("conversion_us", CONVERSION_US[:4])
def test_it_samples_at_the_rate_of_its_settings(conversion_us: int, averages: int) -> None:
    settings = Ina226Settings(0.5, 0.1, conversion_us, averages)
    fake = chip()
    fake.time.transfer_s = settings.period_s / 20
    trace = sample(fake, 50 * settings.period_s, settings)
    assert quality_of(trace).rate_hz == pytest.approx(1 / (2e-6 * conversion_us * averages), rel=0.2)
    np.testing.assert_allclose(trace.power_w, 0.02 * 3.3, rtol=2e-3)
    assert trace.saturated is not None
    assert not trace.saturated.any()


def test_more_than_a_thousand_samples_a_second_over_a_fast_bus() -> None:
    assert quality_of(sample(chip(), 0.5)).rate_hz > 1000


WORD_S = 48 / 100e3
"""A word of a register at 100 kHz: four bytes and two more of addresses and starts."""


@pytest.mark.parametrize("slower", [0.9, 1.0, 1.1])
@pytest.mark.parametrize(("transfer_s", "least_hz"), [(WORD_S, 1000), (WORD_S / 4, 1500)])
def test_the_rate_that_a_bus_allows_and_every_sample_at_its_time(
    transfer_s: float, least_hz: float, slower: float
) -> None:
    fake = FakeIna226(Time(transfer_s=transfer_s), lambda t: 0.05 + 0.01 * t, lambda _: 3.3, 0.5, slower=slower)
    trace = sample(fake, 3.0)
    quality = quality_of(trace)
    assert quality.rate_hz > least_hz
    assert quality.missing <= 6, "two for each look whether the chip still converts"
    # the current tells the time: a step of the shunt register is 0.5 ms of this ramp
    off_s = (trace.power_w / 3.3 - 0.05) / 0.01 - trace.time_s
    assert np.abs(off_s).max() < 0.25e-3 + SETTINGS.longest_period_s / 2 + 0.1e-3
    assert abs(float(off_s.mean())) < 0.1e-3


def test_what_was_not_seen_to_be_new_is_dropped_when_the_chip_has_stopped() -> None:
    fake = chip(stalls_at_s=1.5)
    fake.time.transfer_s = WORD_S
    meter = Ina226(lambda: fake, SETTINGS, clock=fake.time)
    meter.open()

    def fetch() -> None:
        while fake.time.now < 5:
            meter.fetch()

    with pytest.raises(ExecutionError, match=r"gave no result for 1\.\d s"):
        fetch()
    assert fake.time.now < 2.7
    assert 0.9 < meter.trace().time_s[-1] < 1.5


def test_energy_of_a_pulse_through_every_register() -> None:
    """20 mA for 80 ms over 2 mA idle at 3.3 V: 4.752 mJ net."""
    fake = FakeIna226(Time(transfer_s=50e-6), lambda t: 0.02 if 0.1 <= t < 0.18 else 0.002, lambda _: 3.3, 0.5)
    trace = sample(fake, 0.3)
    found = energy_of(trace, windows_of_markers([(0.1, 0.18)], 0.0))
    truth = 0.018 * 3.3 * 0.08 * NJ
    assert abs(found.net.energy_nj - truth) <= found.net.error_nj + 2e-3 * truth  # quantisation: 5 uA of 18 mA
    assert found.net.error_nj < 0.05 * truth


def test_a_bus_too_slow_for_the_chip_shows_as_missing_samples() -> None:
    fake = chip()
    times = iter([20e-6] * 400 + [3e-3] * 3 + [20e-6] * 100_000)

    class Slow(Time):
        def __call__(self) -> float:
            self.now += next(times)
            return self.now

    fake.time = Slow(transfer_s=10e-6)
    quality = quality_of(sample(fake, 0.1))
    assert quality.missing >= 20
    assert any("missing" in c for c in quality.complaints)


def test_saturation_is_marked() -> None:
    fake = FakeIna226(Time(), lambda t: 0.3 if t > 0.05 else 0.02, lambda _: 3.3, 0.5)  # 150 mV over the shunt
    trace = sample(fake, 0.1)
    assert trace.saturated is not None
    assert trace.saturated[-1]
    assert not trace.saturated[0]
    assert any("range" in c for c in quality_of(trace).complaints)


def test_more_than_the_expected_current_is_measured_where_the_shunt_allows_it() -> None:
    settings = Ina226Settings(0.5, 0.011)
    trace = sample(FakeIna226(Time(), lambda _: 0.06, lambda _: 3.3, 0.5), 0.05, settings)
    np.testing.assert_allclose(trace.power_w, 0.06 * 3.3, rtol=1e-3)
    assert trace.saturated is not None
    assert not trace.saturated.any()
    assert "more than 0.011 A (overflow flag)" in trace.meter.settings


def test_the_chip_is_calibrated_so_that_its_own_current_is_ours() -> None:
    fake = chip()
    trace = sample(fake, 0.05)
    assert fake.registers[5] == SETTINGS.calibration == 3355
    assert fake.read(0x40, 4) * SETTINGS.current_lsb_a == pytest.approx(0.02, rel=1e-3)
    assert "overflow" not in trace.meter.settings


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"forgets_calibration": True}, "calibration holds 0000h after 0d1bh"),
        ({"ids": (0x5449, 0x1234)}, "no INA226.*1234h"),
        ({"address": 0x41}, "nothing answers at 0x40"),
        ({"forgets_configuration": True}, "configuration holds 4127h after 4007h"),
    ],
)
def test_the_wrong_chip_is_refused_and_the_bus_let_go(more: dict[str, object], words: str) -> None:
    fake = chip(**more)
    with pytest.raises(ToolError, match=words):
        Ina226(lambda: fake, SETTINGS, clock=fake.time).open()
    assert fake.closed


def test_a_meter_that_goes_away_is_one_message() -> None:
    fake = chip(dies_at_s=0.05)
    with pytest.raises(ExecutionError, match=r"went away after \d+ samples"):
        sample(fake, 1.0)


def test_a_meter_that_stops_converting_is_one_message() -> None:
    with pytest.raises(ExecutionError, match="gave no result"):
        sample(chip(stalls_at_s=0.05), 1.0)


def test_too_short_is_one_message() -> None:
    with pytest.raises(BadInputError, match="0 samples"):
        sample(chip(), 0.0)


def test_start_and_stop_in_its_thread() -> None:
    fake = chip()
    meter = Ina226(lambda: fake, SETTINGS, clock=fake.time)
    meter.start()
    while fake.time.now < 0.2:
        pass
    assert len(meter.stop().time_s) > 100
    assert fake.closed


def test_stop_tells_what_happened_in_the_thread() -> None:
    fake = chip(dies_at_s=0.05)
    meter = Ina226(lambda: fake, SETTINGS, clock=fake.time)
    meter.start()
    while fake.time.now < 0.05:
        pass
    with pytest.raises(ExecutionError, match="went away"):
        meter.stop()


def test_a_machine_without_the_bus_says_so() -> None:
    with pytest.raises(ToolError, match=r"smbus2|no I2C bus"):
        LinuxBus(97)
