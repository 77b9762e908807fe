"""Nordic's Power Profiler Kit II through ``ppk2-api``: 100,000 samples a second, eight digital inputs, D0 is the gate.

Its stream carries no time: a sample's time is its number divided by the rate, counted from the start. Each sample carries its number
modulo 64, so that what was lost on the way is known and leaves its gap in time (unless it was a multiple of 64).
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.energy.meters.meter import SampledMeter
from engine.energy.trace import MeterInfo, PowerTrace
from engine.errors import BadInputError, ExecutionError, ToolError

RATE_HZ = 100_000.0
"""Samples per second: "100 samples per millisecond" (ppk2-api, example.py)."""
_SAMPLE_BYTES = 4
_COUNTER_SHIFT, _COUNTER_VALUES = 18, 64
"""Bits 18 to 23 of a sample count samples (NordicSemiconductor/pc-nrfconnect-ppk, src/device/serialDevice.ts, MEAS_COUNTER)."""
_BELIEVED = 5
"""A count that does not follow is an error of that sample, unless so many go on from it (ibid.: "more than 4")."""
_SILENCE_S = 2.0
_NAP_S = 0.002
_SETTLE_S = 0.05
_GATE_BIT = 24  # D0 (ibid., MEAS_LOGIC)


class Ppk2(SampledMeter):
    """A PPK2 that supplies the board (``source=True``) or measures in its supply line; ``supply_v`` in volts, 0.8 to 5.

    ``connect`` opens the library's object, so that tests can give their own.
    """

    def __init__(
        self, port: str, supply_v: float, *, source: bool, connect: Callable[[str], Any] | None = None
    ) -> None:
        super().__init__()
        if not 0.8 <= supply_v <= 5.0:
            raise BadInputError(f"a PPK2 cannot supply {supply_v:g} V", hint="give a supply of 0.8 to 5 V")
        self.name = f"PPK2 at {port}"
        self._port, self._supply_v, self._source = port, supply_v, source
        self._connect = connect or _connect
        self._device: Any = None
        self._rest = b""
        self._words: list[NDArray[np.uint32]] = []
        self._ua: list[NDArray[np.float64]] = []

    def open(self) -> None:
        """Connect, read the calibration, choose the mode; the second time only sample again. Raises ToolError."""
        self._rest = b""
        self._words.clear()
        self._ua.clear()
        try:
            # one that is let go takes the board's supply away
            device = self._connect(self._port) if self._device is None else self._device
            # what an earlier stream left is no answer, and no sample of this one
            device.stop_measuring()
            time.sleep(_SETTLE_S)
            device.get_data()
            if self._device is None:
                self._set_up(device)
                self._device = device
            device.start_measuring()
        except (
            OSError,
            UnicodeDecodeError,
        ) as error:  # serial errors are OSErrors; an answer that is no text is not its own
            raise ToolError(
                f"{self._port} cannot be used as a PPK2: {error}",
                hint="check the port (`whycycles doctor`) and its permissions",
            ) from None
        self._begun = self._heard = time.monotonic()

    def fetch(self) -> None:
        """Take what has arrived. Raises ExecutionError when the meter is gone."""
        try:
            data = self._device.get_data()
        except OSError as error:
            raise ExecutionError(
                f"{self.name} went away after {sum(map(len, self._ua))} samples: {error}",
                hint="check the cable; measure again",
            ) from None
        now = time.monotonic()
        if not data:
            if now - self._heard > _SILENCE_S:
                raise ExecutionError(
                    f"{self.name} was silent for {_SILENCE_S:g} s", hint="check the cable; measure again"
                )
            time.sleep(_NAP_S)
            return
        self._heard = now
        data = self._rest + data
        whole = len(data) - len(data) % _SAMPLE_BYTES
        data, self._rest = data[:whole], data[whole:]
        if not data:  # the library takes less than a sample for one
            return
        words = np.frombuffer(data, "<u4")
        with contextlib.redirect_stdout(io.StringIO()):  # the library prints when it drops a sample
            samples, _ = self._device.get_samples(data)
        self._words.append(words)
        # which of them it dropped it does not say: none has a place in time
        self._ua.append(np.array(samples if len(samples) == len(words) else np.full(len(words), np.nan)))

    def _set_up(self, device: Any) -> None:
        if not device.get_modifiers():
            raise ToolError(f"{self.name} gave no calibration", hint="unplug it, plug it in and measure again")
        if self._source:
            device.use_source_meter()
        else:
            device.use_ampere_meter()
        device.set_source_voltage(round(self._supply_v * 1000))
        if self._source:
            device.toggle_DUT_power("ON")

    def close(self) -> None:
        """Stop the stream; the board stays supplied."""
        with contextlib.suppress(Exception):
            self._device.stop_measuring()

    def trace(self) -> PowerTrace:
        """What was fetched. Raises BadInputError if it is too little."""
        words = np.concatenate([np.empty(0, np.uint32), *self._words])
        ua = np.concatenate([np.empty(0), *self._ua])
        there = np.isfinite(ua)
        n = int(there.sum())
        if n < 2:
            raise BadInputError(
                f"{self.name} gave {n} samples", hint="measure for longer; in source mode check the board's supply"
            )
        mode = "source" if self._source else "ampere"
        numbers = _numbers((words >> _COUNTER_SHIFT).astype(np.int64) % _COUNTER_VALUES)
        return PowerTrace(
            self._begun + numbers[there] / RATE_HZ,
            ua[there] * 1e-6 * self._supply_v,
            MeterInfo(self.name, f"{mode} meter, {self._supply_v:g} V", integration_s=1 / RATE_HZ),
            gate=((words >> _GATE_BIT) & 1).astype(np.bool_)[there],
            lost=int(numbers[-1]) + 1 - n,
        )


def _numbers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each sample from the first one on, of counts modulo 64 in the order of arrival."""
    order = np.arange(len(counts), dtype=np.int64)
    ahead = (counts - order) % _COUNTER_VALUES
    starts = np.flatnonzero(np.diff(ahead, prepend=-1))
    lengths = np.diff(starts, append=len(counts))
    skipped = np.zeros(len(counts), np.int64)
    before: int | None = None
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if length >= _BELIEVED:
            now = int(ahead[start])
            if before is not None:
                skipped[start] = (now - before) % _COUNTER_VALUES
            before = now
    return order + np.cumsum(skipped)


def _connect(port: str) -> Any:
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        raise ToolError("a PPK2 needs the package ppk2-api", hint="pip install -e '.[power]'") from None
    return PPK2_API(port, timeout=1, write_timeout=1, exclusive=True)
