"""The meters against the real libraries of their vendors, fed with what a device would send (extra 'power')."""

from __future__ import annotations

import struct
import time
from typing import Any

import numpy as np
import pytest

from engine.energy.meters.joulescope import Joulescope
from engine.energy.meters.ppk2 import Ppk2

RANGE, RESISTOR_OHM = 2, 10.0


class Wire:
    """A serial port with a PPK2 behind it: calibration on request, then samples of one current, D0 high from the 300th on."""

    def __init__(self, port: str, **options: object) -> None:
        assert options["exclusive"]
        self.port, self.baudrate, self.n = port, 0, 0
        self._answer = b"\xff\xfe left over"
        self.written: list[bytes] = []

    @property
    def in_waiting(self) -> int:
        return len(self._answer)

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if data == b"\x19":  # GET_META_DATA
            rows = [f"{what}{i}: {value}" for what, value in (("R", RESISTOR_OHM), ("GS", 0)) for i in range(5)]
            self._answer = "\n".join(["Calibrated: 0", *rows, "HW: 9173", "IA: 56", "END"]).encode()
        if data == b"\x06":  # AVERAGE_START
            self._answer = b"".join(
                struct.pack("<I", 1000 | RANGE << 14 | n % 64 << 18 | (n >= 300) << 24) for n in range(500)
            )

    def read(self, count: int) -> bytes:
        # a USB packet at a time, none of them whole samples
        given, self._answer = self._answer[: min(count, 63)], self._answer[min(count, 63) :]
        if given.startswith(b"Calibrated"):
            given, self._answer = given + self._answer, b""
        return given

    def close(self) -> None:
        pass


def test_ppk2(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("ppk2_api.ppk2_api", reason="ppk2-api is not installed")
    wires: list[Wire] = []
    monkeypatch.setattr(library.serial, "Serial", lambda *a, **k: wires.append(Wire(*a, **k)) or wires[-1])
    meter = Ppk2("/dev/ttyACM7", 3.0, source=True)
    meter.start()
    while wires[0].in_waiting:
        time.sleep(0.001)
    time.sleep(0.02)
    trace = meter.stop()
    assert (len(trace.time_s), trace.lost) == (500, 0)
    # the converter's value times four, 1.8 V over 163840 steps, over the resistor of its range
    np.testing.assert_allclose(trace.power_w, 4 * 1000 * 1.8 / 163840 / RESISTOR_OHM * 3.0)
    assert trace.gate is not None
    assert trace.gate.sum() == 200


def test_joulescope() -> None:
    buffers = pytest.importorskip("joulescope.v1.stream_buffer", reason="joulescope is not installed")
    parameters = pytest.importorskip("joulescope.parameters_v1")
    rate_hz, n = 100_000, 20_000

    class Device:
        """The library's stream buffer at two million samples a second, as a JS220 fills it, with a hole in it."""

        def open(self) -> None:
            self.set: dict[str, object] = {}

        def parameter_set(self, name: str, value: object) -> None:
            self.set[name] = parameters.name_to_value(name, value)

        def start(self, stop_fn: object) -> None:
            step = 2_000_000 // rate_hz
            self.stream_buffer = buffers.StreamBuffer(10, 2_000_000, "", rate_hz)
            for first in range(0, n, 1000):
                if first == 5000:
                    continue
                high = np.arange(first, first + 1000) >= n // 2
                signals: list[tuple[tuple[int, int], Any]] = [
                    ((1, 0), np.full(1000, 0.01, np.float32)),
                    ((2, 0), np.full(1000, 3.0, np.float32)),
                    ((3, 0), np.full(1000, 0.03, np.float32)),
                    ((4, 0), np.zeros(1000, np.uint8)),
                    ((5, 0), np.packbits(high, bitorder="little")),
                    ((5, 1), np.packbits(high, bitorder="little")),
                ]
                for (field, index), data in signals:
                    message = {"field_id": field, "index": index, "sample_id": first * step, "data": data}
                    self.stream_buffer.insert("", message | {"sample_rate": 2_000_000, "decimate_factor": step})

        def stop(self) -> None:
            pass

        def close(self) -> None:
            pass

    meter = Joulescope(rate_hz, connect=Device)
    meter.start()
    trace = meter.stop()
    assert (len(trace.time_s), trace.lost) == (n - 1000, 1000)
    np.testing.assert_allclose(trace.power_w, 0.03, rtol=1e-6)
    assert trace.gate is not None
    assert trace.gate.sum() == n // 2
    assert trace.time_s[-1] - trace.time_s[0] == pytest.approx((n - 1) / rate_hz)
