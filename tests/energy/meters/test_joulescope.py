from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.energy.meters.joulescope import Joulescope
from engine.energy.trace import PowerTrace, quality_of
from engine.errors import BadInputError, ExecutionError, ToolError


class Device:
    """What the library's device does: a stream buffer with NaN where samples are missing."""

    def __init__(self, n: int = 1000, missing: int = 0, stops: str = "", dies: bool = False) -> None:
        current = np.full(n, 0.01, np.float32)
        current[10 : 10 + missing] = np.nan
        self._signals = {
            "current": {"value": current},
            "voltage": {"value": np.full(n, 3.0, np.float32)},
            "current_lsb": {"value": (np.arange(n) >= n // 2).astype(np.uint8)},
        }
        self.stream_buffer = SimpleNamespace(sample_id_range=(0, n), samples_get=self._get)
        self.parameters: dict[str, object] = {}
        self.closed, self._stops, self._dies = False, stops, dies

    def _get(self, first: int, last: int, fields: list[str]) -> dict[str, Any]:
        assert (first, last) == self.stream_buffer.sample_id_range
        return {"signals": {f: self._signals[f] for f in fields}}

    def open(self) -> None:
        pass

    def parameter_set(self, name: str, value: object) -> None:
        self.parameters[name] = value

    def start(self, stop_fn: Any) -> None:
        if self._stops:
            stop_fn(2, self._stops)

    def stop(self) -> None:
        if self._dies:
            raise RuntimeError("device removed")

    def close(self) -> None:
        self.closed = True


def run(device: Device) -> PowerTrace:
    meter = Joulescope(10_000, connect=lambda: device)
    meter.start()
    return meter.stop()


def test_power_gate_and_rate() -> None:
    device = Device()
    trace = run(device)
    np.testing.assert_allclose(trace.power_w, 0.03, rtol=1e-6)
    assert trace.gate is not None
    assert trace.gate.sum() == 500
    assert quality_of(trace).rate_hz == pytest.approx(10_000)
    assert device.parameters == {"sampling_frequency": 10_000, "current_lsb": "gpi0"}
    assert device.closed


def test_missing_samples_leave_a_gap_in_time() -> None:
    trace = run(Device(missing=25))
    assert len(trace.time_s) == 975
    assert quality_of(trace).missing == 25
    assert quality_of(trace).longest_gap_s == pytest.approx(26e-4)


@pytest.mark.parametrize(
    ("device", "error", "words"),
    [
        (Device(stops="USB"), ExecutionError, "stopped by itself: USB"),
        (Device(dies=True), ExecutionError, "device removed"),
        (Device(n=1), BadInputError, "gave 1 samples"),
    ],
)
def test_what_goes_wrong_is_one_message(device: Device, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(device)
    assert device.closed


@pytest.mark.parametrize("device", [Device(stops="USB"), Device(dies=True)])
def test_what_the_library_held_when_it_went_away_is_kept(device: Device) -> None:
    meter = Joulescope(10_000, connect=lambda: device)
    meter.start()
    assert meter.failed == bool(device._stops)
    with pytest.raises(ExecutionError):
        meter.stop()
    assert len(meter.trace().time_s) == 1000


def test_none_connected_is_one_message() -> None:
    def scan() -> Any:
        raise RuntimeError("no devices found")

    with pytest.raises(ToolError, match="no devices found"):
        Joulescope(connect=scan).start()
