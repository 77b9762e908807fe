"""Nordic's Power Profiler Kit II through ``ppk2-api``: 100,000 samples a second, eight digital inputs, D0 is the gate.

Its stream carries no time: a sample's time is its number divided by the rate, counted from the start. Samples the library drops ("outside
of range") keep their place in time and count as lost.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.energy.meters.meter import SampledMeter
from engine.energy.trace import MeterInfo, PowerTrace
from engine.errors import BadInputError, ExecutionError, ToolError

RATE_HZ = 100_000.0
"""Samples per second: "100 samples per millisecond" (ppk2-api, example.py)."""
_SAMPLE_BYTES = 4
_SILENCE_S = 2.0
_NAP_S = 0.002


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
        self._ua: list[float] = []
        self._gate: list[bool] = []
        self._bytes = 0
        self._rest = b""

    def open(self) -> None:
        """Connect, read the calibration, choose the mode. Raises ToolError."""
        self._ua.clear()
        self._gate.clear()
        self._bytes = 0
        self._rest = b""
        try:
            self._device = self._connect(self._port)
            if not self._device.get_modifiers():
                raise ToolError(f"{self.name} gave no calibration", hint="unplug it, plug it in and measure again")
            if self._source:
                self._device.use_source_meter()
            else:
                self._device.use_ampere_meter()
            self._device.set_source_voltage(round(self._supply_v * 1000))
            if self._source:
                self._device.toggle_DUT_power("ON")
            self._device.start_measuring()
        except OSError as error:  # serial errors are OSErrors
            raise ToolError(
                f"{self._port} cannot be used as a PPK2: {error}",
                hint="check the port (`whycycles doctor`) and its permissions",
            ) from None
        except ToolError:
            raise
        except (
            Exception
        ) as error:  # the library decodes what comes: another device, or a PPK2 that still streams, sends no text
            raise ToolError(
                f"what answers at {self._port} does not speak as a PPK2: {error}",
                hint="check the port; if it is a PPK2, unplug it and plug it in again",
            ) from None
        self._begun = self._heard = time.monotonic()

    def fetch(self) -> None:
        """Take what has arrived. Raises ExecutionError when the meter is gone."""
        try:
            data = self._device.get_data()
        except OSError as error:
            raise ExecutionError(
                f"{self.name} went away after {len(self._ua)} samples: {error}", hint="check the cable; measure again"
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
        self._bytes += len(data)
        # whole samples only: of a read shorter than one, the library makes a false sample and misreads all that follow
        data = self._rest + data
        whole = len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES
        data, self._rest = data[:whole], data[whole:]
        if not data:
            return
        with contextlib.redirect_stdout(io.StringIO()):  # the library prints when it drops a sample
            samples, digital = self._device.get_samples(data)
        self._ua += samples
        self._gate += [bool(bits & 1) for bits in digital]

    def close(self) -> None:
        """Stop the stream; the board stays supplied."""
        with contextlib.suppress(Exception):
            self._device.stop_measuring()

    def trace(self) -> PowerTrace:
        """What was fetched. Raises BadInputError if it is too little."""
        n = len(self._ua)
        if n < 2:
            raise BadInputError(
                f"{self.name} gave {n} samples", hint="measure for longer; in source mode check the board's supply"
            )
        mode = "source" if self._source else "ampere"
        return PowerTrace(
            self._begun + np.arange(n) / RATE_HZ,
            np.array(self._ua) * 1e-6 * self._supply_v,
            MeterInfo(self.name, f"{mode} meter, {self._supply_v:g} V", integration_s=1 / RATE_HZ),
            gate=np.array(self._gate[:n], np.bool_) if len(self._gate) >= n else None,
            lost=max(0, self._bytes // _SAMPLE_BYTES - n),
        )


def _connect(port: str) -> Any:
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        raise ToolError("a PPK2 needs the package ppk2-api", hint="pip install 'whycycles[power]'") from None
    return PPK2_API(port, timeout=1, write_timeout=1, exclusive=True)
