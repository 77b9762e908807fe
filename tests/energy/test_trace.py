from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.energy.trace import MeterInfo, PowerTrace, quality_of, read_trace, write_trace
from engine.errors import BadInputError, RecordError

METER = MeterInfo("test", "as set", 1e-4, 0.01, 1e-6)


def ramp(n: int = 2000, rate_hz: float = 10_000) -> PowerTrace:
    t = np.arange(n) / rate_hz
    return PowerTrace(t, t + 1.0, METER, gate=t > 0.1, saturated=t > 0.19)


def test_a_trace_comes_back_as_it_was(tmp_path: Path) -> None:
    trace = replace(ramp(), lost=3)
    write_trace(trace, tmp_path / "a.npz")
    back = read_trace(tmp_path / "a.npz")
    assert back.meter == METER
    assert back.lost == 3
    for name in ("time_s", "power_w", "gate", "saturated"):
        np.testing.assert_array_equal(getattr(back, name), getattr(trace, name))


def test_the_same_trace_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_trace(ramp(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda _: b"", lambda _: b"PK\x03\x04junk", lambda b: b[:200] + b"\0" * 50 + b[250:]],
)
def test_a_damaged_file_is_one_message(tmp_path: Path, damage: object) -> None:
    write_trace(ramp(), tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(damage((tmp_path / "a.npz").read_bytes()))  # type: ignore[operator]
    with pytest.raises(RecordError, match=r"a\.npz"):
        read_trace(tmp_path / "a.npz")
    with pytest.raises(RecordError, match="No such file"):
        read_trace(tmp_path / "b.npz")


def test_dropped_samples_are_counted_and_told() -> None:
    whole = ramp()
    keep = np.ones(2000, np.bool_)
    keep[500:540] = keep[1000] = False
    part = PowerTrace(whole.time_s[keep], whole.power_w[keep], METER)
    found = quality_of(part)
    assert (found.missing, round(found.longest_gap_s * 1e4)) == (41, 41)
    assert found.rate_hz == pytest.approx(10_000)
    assert any("41 samples are missing" in c for c in found.complaints)
    assert quality_of(whole).missing == 0


def test_what_the_meter_lost_counts_though_the_times_hide_it() -> None:
    assert quality_of(replace(ramp(), lost=7)).missing == 7


def test_slow_and_saturated_traces_are_told() -> None:
    found = quality_of(ramp(400, 500))
    assert any("500 Hz" in c for c in found.complaints)
    assert any("end of the meter's range" in c for c in found.complaints)
    fine = ramp()
    assert quality_of(replace(fine, saturated=None)).complaints == ()


def test_1000_hz_written_in_microseconds_is_not_too_slow() -> None:
    one = ramp()
    times = np.array([float(f"{i / 1000:.6f}") for i in range(len(one.time_s))])
    assert quality_of(replace(one, time_s=times, saturated=None)).complaints == ()


@pytest.mark.parametrize(
    ("times", "powers", "words"),
    [
        ([0.0], [1.0], "1 times"),
        ([0.0, 1.0], [1.0], "2 times"),
        ([0.0, 0.0], [1.0, 1.0], "do not increase"),
        ([1.0, 0.0], [1.0, 1.0], "do not increase"),
        ([0.0, 1.0], [1.0, np.nan], "no number"),
        ([0.0, np.inf], [1.0, 1.0], "no number"),
    ],
)
def test_what_is_no_trace_is_refused(times: list[float], powers: list[float], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        PowerTrace(np.array(times), np.array(powers), METER)


@pytest.mark.parametrize(
    ("about", "wrong"),
    [
        ({"lost": "abc"}, "lost"),
        ({"lost": -1}, "lost"),
        ({"format": 2}, "format"),
        ({"meter": {"name": "x", "gain_error": float("nan")}}, "meter.gain_error"),
        ({"meter": {"name": "x", "offset_w": 1e308}}, "meter.offset_w"),
        ({"meter": {"name": "x", "integration_s": "x"}}, "meter.integration_s"),
    ],
)
def test_a_file_that_says_nonsense_of_its_meter_is_one_message(
    tmp_path: Path, about: dict[str, object], wrong: str
) -> None:
    whole = {"format": 1, "lost": 0, "meter": {"name": "x"}, **about}
    arrays = {"time_s": np.arange(4.0), "power_w": np.ones(4)}
    np.savez_compressed(tmp_path / "a.npz", about=np.frombuffer(json.dumps(whole).encode(), np.uint8), **arrays)
    with pytest.raises(RecordError, match=wrong):
        read_trace(tmp_path / "a.npz")


@pytest.mark.parametrize("power", [1e308, -1e300, 2e6])
def test_a_power_that_nothing_measures_is_refused(power: float) -> None:
    with pytest.raises(BadInputError, match="sample 3 of the power trace") as caught:
        PowerTrace(np.arange(4.0), np.array([1.0, 1.0, power, 1.0]), METER)
    assert "units" in caught.value.hint


def test_times_that_no_clock_tells_apart_and_columns_of_columns_are_refused() -> None:
    with pytest.raises(BadInputError, match="do not increase at sample 2"):
        PowerTrace(np.array([0.0, 5e-324]), np.ones(2), METER)
    with pytest.raises(BadInputError, match="power trace of 4 times"):
        PowerTrace(np.arange(4.0).reshape(4, 1), np.ones((4, 1)), METER)
