from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.energy.meters import ppk2
from engine.energy.meters.ppk2 import RATE_HZ, Ppk2
from engine.energy.trace import PowerTrace, quality_of
from engine.errors import BadInputError, ExecutionError, ToolError


class Kit:
    """What ppk2-api's object does, a hundred samples at a time; ``drops``: the library finds two of the third hundred out of range.

    ``stream`` is what arrives in all, in pieces of ``piece`` bytes.
    """

    def __init__(self, stream: bytes = b"", piece: int = 400, drops: bool = False, dies: bool = False) -> None:
        self.calls: list[str] = []
        self.pieces = [stream[i : i + piece] for i in range(0, len(stream), piece)]
        self.drops, self.dies = drops, dies
        self.calls_of_get_samples = 0

    def __getattr__(self, name: str) -> Any:
        return lambda *a: self.calls.append(f"{name}{a}" if a else name) or True

    def get_data(self) -> bytes:
        if "start_measuring" not in self.calls:
            return b"samples of before"
        if not self.pieces:
            if self.dies:
                raise OSError("device reports readiness to read but returned no data")
            return b""
        return self.pieces.pop(0)

    def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
        assert len(data) % 4 == 0
        self.calls_of_get_samples += 1
        dropped = 2 if self.drops and self.calls_of_get_samples == 3 else 0
        print("Measurement outside of range!" * dropped, end="")
        n = len(data) // 4 - dropped
        return [1000.0] * n, [0] * n


def stream(numbers: Iterable[int], gate_from: int = 500) -> bytes:
    """Samples with these numbers, and D0 high from one of them on."""
    return b"".join(struct.pack("<I", n % 64 << 18 | (n >= gate_from) << 24) for n in numbers)


THOUSAND = stream(range(1000))


def run(kit: Kit, *, source: bool = True) -> PowerTrace:
    meter = Ppk2("/dev/ttyACM0", 3.0, source=source, connect=lambda _: kit)
    meter.start()
    while kit.pieces:
        time.sleep(0.001)
    time.sleep(0.01)
    return meter.stop()


def test_power_gate_and_rate() -> None:
    kit = Kit(THOUSAND)
    trace = run(kit)
    np.testing.assert_allclose(trace.power_w, 1000e-6 * 3.0)
    assert trace.gate is not None
    assert trace.gate.tolist() == [False] * 500 + [True] * 500
    assert quality_of(trace).rate_hz == pytest.approx(RATE_HZ)
    assert kit.calls == [
        "stop_measuring",
        "get_modifiers",
        "use_source_meter",
        "set_source_voltage(3000,)",
        "toggle_DUT_power('ON',)",
        "start_measuring",
        "stop_measuring",
    ]


def test_the_second_time_the_board_stays_supplied_and_old_samples_are_dropped() -> None:
    kit = Kit(THOUSAND)
    connected = []
    meter = Ppk2("/dev/ttyACM0", 3.0, source=True, connect=lambda port: connected.append(port) or kit)
    for samples in (1000, 500):
        meter.start()
        if samples == 500:
            kit.pieces = [stream(range(500))]
        while kit.pieces:
            time.sleep(0.001)
        time.sleep(0.01)
        assert len(meter.stop().time_s) == samples
        kit.pieces = [stream(range(7))]  # what was under way when the stream was stopped
    assert connected == ["/dev/ttyACM0"]
    assert kit.calls.count("toggle_DUT_power('ON',)") == 1
    assert kit.calls.count("start_measuring") == 2


def test_as_an_ampere_meter_it_switches_no_supply() -> None:
    kit = Kit(THOUSAND)
    assert "ampere" in run(kit, source=False).meter.settings
    assert not any("toggle" in c for c in kit.calls)


def test_samples_out_of_range_count_as_lost(capfd: pytest.CaptureFixture[str]) -> None:
    trace = run(Kit(THOUSAND, drops=True))
    assert trace.lost == 100
    assert any("100 samples are missing" in c for c in quality_of(trace).complaints)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("piece", [1, 3, 64, 4096])
def test_samples_are_put_together_from_pieces_of_any_size(piece: int) -> None:
    trace = run(Kit(THOUSAND, piece=piece))
    assert (len(trace.time_s), trace.lost) == (1000, 0)


def test_samples_lost_on_the_way_leave_their_gap() -> None:
    kit = Kit(stream([*range(300), *range(340, 700), *range(763, 1000)]))
    trace = run(kit)
    assert trace.lost == 40 + 63
    numbers = np.rint((trace.time_s - trace.time_s[0]) * RATE_HZ)
    assert numbers.tolist() == [*range(300), *range(340, 700), *range(763, 1000)]
    assert trace.gate is not None
    np.testing.assert_array_equal(trace.gate, numbers >= 500)


@given(st.lists(st.integers(0, 999), max_size=20), st.integers(0, 63))
def test_a_count_that_was_damaged_on_the_way_loses_nothing(damaged: list[int], value: int) -> None:
    counts = np.arange(1000, dtype=np.int64) % 64
    # damage in a row long enough would be believed
    alone = [n for n in damaged if not {*range(n - 5, n)} & {*damaged}]
    counts[alone] = value
    assert ppk2._numbers(counts).tolist() == [*range(1000)]


def test_an_answer_that_is_no_text_is_one_message() -> None:
    kit = Kit()

    def measuring() -> None:
        b"\xff".decode()

    kit.get_modifiers = measuring
    with pytest.raises(ToolError, match="cannot be used as a PPK2"):
        Ppk2("/dev/ttyACM0", 3.0, source=True, connect=lambda _: kit).start()


def test_unplugged_is_one_message() -> None:
    with pytest.raises(ExecutionError, match="went away after 1000 samples"):
        run(Kit(THOUSAND, dies=True))


def test_no_sample_is_one_message() -> None:
    with pytest.raises(BadInputError, match="gave 0 samples"):
        run(Kit())


def test_a_port_that_cannot_be_opened_is_one_message() -> None:
    def refuse(_: str) -> Any:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(ToolError, match="Permission denied"):
        Ppk2("/dev/ttyACM0", 3.0, source=True, connect=refuse).start()


def test_an_impossible_supply_is_refused() -> None:
    with pytest.raises(BadInputError, match="12 V"):
        Ppk2("/dev/ttyACM0", 12.0, source=True)


def test_what_the_library_cannot_read_is_a_message_and_no_shorter_trace() -> None:
    class Garbage(Kit):
        def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
            if not self.pieces:
                raise IndexError("list index out of range")
            return super().get_samples(data)

    with pytest.raises(ExecutionError, match="list index out of range"):
        run(Garbage(THOUSAND))
