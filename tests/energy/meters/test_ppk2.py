from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from engine.energy.meters.ppk2 import RATE_HZ, Ppk2
from engine.energy.trace import PowerTrace, quality_of
from engine.errors import BadInputError, ExecutionError, ToolError


class Kit:
    """What ppk2-api's object does, sample by sample: four bytes each; ``drops`` of every hundred are out of range."""

    def __init__(self, chunks: int = 10, drops: int = 0, dies: bool = False) -> None:
        self.calls: list[str] = []
        self.chunks, self.drops, self.dies = chunks, drops, dies
        self.n = 0

    def __getattr__(self, name: str) -> Any:
        return lambda *a: self.calls.append(f"{name}{a}" if a else name) or True

    def get_data(self) -> bytes:
        if self.chunks == 0:
            if self.dies:
                raise OSError("device reports readiness to read but returned no data")
            return b""
        self.chunks -= 1
        return bytes(400)

    def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
        n = len(data) // 4
        print("Measurement outside of range!" * self.drops, end="")
        self.n += n
        return [1000.0] * (n - self.drops), [1 if self.n > 500 else 0] * (n - self.drops)


def run(kit: Kit, *, source: bool = True) -> PowerTrace:
    meter = Ppk2("/dev/ttyACM0", 3.0, source=source, connect=lambda _: kit)
    meter.start()
    while kit.chunks:
        time.sleep(0.001)
    time.sleep(0.01)
    return meter.stop()


def test_power_gate_and_rate() -> None:
    kit = Kit()
    trace = run(kit)
    np.testing.assert_allclose(trace.power_w, 1000e-6 * 3.0)
    assert trace.gate is not None
    assert trace.gate.tolist() == [False] * 500 + [True] * 500
    assert quality_of(trace).rate_hz == pytest.approx(RATE_HZ)
    assert kit.calls == [
        "get_modifiers",
        "use_source_meter",
        "set_source_voltage(3000,)",
        "toggle_DUT_power('ON',)",
        "start_measuring",
        "stop_measuring",
    ]


def test_as_an_ampere_meter_it_switches_no_supply() -> None:
    kit = Kit()
    assert "ampere" in run(kit, source=False).meter.settings
    assert not any("toggle" in c for c in kit.calls)


def test_samples_out_of_range_count_as_lost(capfd: pytest.CaptureFixture[str]) -> None:
    trace = run(Kit(drops=2))
    assert trace.lost == 20
    assert any("20 samples are missing" in c for c in quality_of(trace).complaints)
    assert capfd.readouterr().out == ""


def test_unplugged_is_one_message() -> None:
    with pytest.raises(ExecutionError, match="went away after 1000 samples"):
        run(Kit(dies=True))


def test_no_sample_is_one_message() -> None:
    with pytest.raises(BadInputError, match="gave 0 samples"):
        run(Kit(chunks=0))


def test_a_port_that_cannot_be_opened_is_one_message() -> None:
    def refuse(_: str) -> Any:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(ToolError, match="Permission denied"):
        Ppk2("/dev/ttyACM0", 3.0, source=True, connect=refuse).start()


def test_an_impossible_supply_is_refused() -> None:
    with pytest.raises(BadInputError, match="12 V"):
        Ppk2("/dev/ttyACM0", 12.0, source=True)


def test_the_library_is_given_whole_samples_only() -> None:
    class Splitting(Kit):
        lengths: list[int]

        def get_data(self) -> bytes:
            self.chunks -= self.chunks > 0
            return bytes(3) if self.chunks else b""

        def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
            self.lengths.append(len(data))
            return super().get_samples(data)

    kit = Splitting(chunks=401)
    kit.lengths = []
    trace = run(kit)
    assert len(trace.power_w) == 300, "400 reads of 3 bytes"
    assert trace.lost == 0
    assert {n % 4 for n in kit.lengths} == {0}


def test_what_the_library_cannot_read_is_a_message_and_no_shorter_trace() -> None:
    class Garbage(Kit):
        def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
            if not self.chunks:
                raise IndexError("list index out of range")
            return super().get_samples(data)

    with pytest.raises(ExecutionError, match="list index out of range"):
        run(Garbage(chunks=1))


def test_a_port_where_something_else_streams() -> None:
    class Streaming(Kit):
        def get_modifiers(self) -> bool:
            bytes([0xFF]).decode("utf-8")
            return True

    with pytest.raises(ToolError, match="does not speak as a PPK2"):
        run(Streaming())
