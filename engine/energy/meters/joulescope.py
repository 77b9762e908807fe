"""A Joulescope through its own library: current, voltage and a digital input (gpi0, the gate) at one rate; missing samples arrive as NaN.

The last sample is taken to be of the moment the stream was stopped; the library keeps only the last seconds of a long measurement.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.energy.trace import MeterInfo, PowerTrace
from engine.errors import BadInputError, ExecutionError, ToolError


class Joulescope:
    """The one Joulescope that is connected, sampling at ``rate_hz``. ``connect`` opens the library's device, so that tests can give their own."""

    name = "Joulescope"

    def __init__(self, rate_hz: int = 100_000, connect: Callable[[], Any] | None = None) -> None:
        self._rate_hz, self._connect, self._device = rate_hz, connect or _connect, None
        self._stopped: str | None = None
        self._ended: float | None = None
        self._kept: PowerTrace | None = None

    @property
    def failed(self) -> bool:
        """Whether it has stopped by itself."""
        return self._stopped is not None

    def start(self) -> None:
        """Begin to sample. Raises ToolError."""
        device: Any = None
        try:
            device = self._connect()
            device.open()
            device.parameter_set("sampling_frequency", self._rate_hz)
            device.parameter_set("current_lsb", "gpi0")
            self._stopped = self._ended = self._kept = None
            device.start(stop_fn=self._on_stop)
        except ToolError:
            raise
        except Exception as error:  # the library raises what its driver raises
            if device is not None:
                with contextlib.suppress(Exception):
                    device.close()
            raise ToolError(
                f"no Joulescope can be used: {error}", hint="connect one and close other programs that use it"
            ) from None
        self._device = device

    def stop(self) -> PowerTrace:
        """End sampling and give what was seen. Raises ExecutionError if the meter went away, BadInputError if it saw too little."""
        device, self._device = self._device, None
        if device is None:
            raise ExecutionError("the Joulescope was never started", hint="call start first")
        stopped, ended = self._stopped, self._ended
        failure: ExecutionError | None = None
        try:
            if stopped is None:
                ended = time.monotonic()
                device.stop()
        except Exception as error:  # the library raises what its driver raises
            failure = _gone(error)
        else:
            if stopped is not None:
                failure = ExecutionError(
                    f"the Joulescope stopped by itself: {stopped}", hint="check the cable; measure again"
                )
        try:
            self._kept = self._read(device, ended or time.monotonic())
        except BadInputError:
            if failure is None:
                raise
        except Exception as error:  # the same
            failure = failure or _gone(error)
        finally:
            with contextlib.suppress(Exception):
                device.close()
        if failure is not None:
            raise failure
        return self.trace()

    def trace(self) -> PowerTrace:
        """What the library still held when it ended. Raises BadInputError if that was too little."""
        if self._kept is None:
            raise BadInputError("the Joulescope gave no samples", hint="measure for longer")
        return self._kept

    def _read(self, device: Any, ended: float) -> PowerTrace:
        first, last = device.stream_buffer.sample_id_range
        data = device.stream_buffer.samples_get(first, last, fields=["current", "voltage", "current_lsb"])
        signals = data["signals"]
        current = np.asarray(signals["current"]["value"], np.float64)
        voltage = np.asarray(signals["voltage"]["value"], np.float64)
        gate = np.asarray(signals["current_lsb"]["value"]).astype(np.bool_)
        there = np.isfinite(current) & np.isfinite(voltage)
        if int(there.sum()) < 2:
            raise BadInputError(f"the Joulescope gave {int(there.sum())} samples", hint="measure for longer")
        times = ended - np.arange(len(current), 0, -1) / self._rate_hz
        return PowerTrace(
            times[there],
            (current * voltage)[there],
            MeterInfo(self.name, f"{self._rate_hz} Hz", integration_s=1 / self._rate_hz),
            gate=gate[there],
            lost=int((~there).sum()),
        )

    def _on_stop(self, event: int, message: str) -> None:
        if event:
            self._ended = time.monotonic()
            self._stopped = message or f"event {event}"


def _gone(error: Exception) -> ExecutionError:
    return ExecutionError(f"the Joulescope went away: {error}", hint="check the cable; measure again")


def _connect() -> Any:
    try:
        import joulescope
    except ImportError:
        raise ToolError("a Joulescope needs the package joulescope", hint="pip install -e '.[power]'") from None
    return joulescope.scan_require_one(config="auto")
