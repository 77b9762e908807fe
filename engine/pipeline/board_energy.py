"""The energy of inferences on a board: a meter samples while it idles, infers and idles again, and each inference is found in the trace."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.energy.meters.meter import Meter, sample
from engine.energy.trace import PowerTrace, quality_of
from engine.energy.windows import Window, windows_of_gate, windows_of_markers
from engine.errors import BadInputError, ExecutionError
from engine.pipeline.prepare import Progress
from engine.targets.board.measure import WARMUPS, ClockCheck, Measurement
from engine.targets.board.session import Session

WINDOWS = 10
_BUDGET_S = 20.0
"""Of inferences in all: one Joulescope keeps 30 s, and what idles comes on top."""

_TRY_S = 0.5
_IDLE_S, _PAUSE_S = 0.5, 0.2
_LEAST_S = 1.0
"""A window between two time stamps of this machine, whose ends a serial port blurs by milliseconds."""

_LEAST_SAMPLES = 100
"""In a window between two edges of the marker pin, each known to half a sample."""

_PORT_S = 0.01
"""What the port may add to either end of the comparison of the device's clock with this machine's."""

_APART_S = 0.05
"""How far the times of a meter that streams may lie from this machine's; less than half a pause."""


@dataclass(frozen=True)
class Reach:
    """What a meter can do: its usual rate, and whether it has an input for the marker pin (``gated``)."""

    rate_hz: float
    gated: bool


@dataclass(frozen=True, eq=False)
class Metered:
    """A trace, the windows in it that inferences filled, and all stretches in which the board did not idle."""

    trace: PowerTrace
    windows: tuple[Window, ...]
    busy: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Command:
    """A loop of inferences: when it was sent and answered by this machine's clock, and how long it took by the device's."""

    sent_s: float
    answered_s: float
    micros: int
    clean: bool

    @property
    def busy(self) -> tuple[float, float]:
        """Where the board does not idle."""
        return self.sent_s - _APART_S, self.answered_s + _APART_S


def try_meter(meter: Meter) -> Reach:
    """Sample for a moment, so that a meter that is not there is told before anything is measured. Raises what the meter raises."""
    try:
        _, trace = sample(meter, lambda: time.sleep(_TRY_S))
    except BadInputError as error:  # hardly a sample in half a second
        raise ExecutionError(
            f"{error.message} in {_TRY_S:g} s", hint="let the meter sample faster: fewer averages, shorter conversions"
        ) from None
    return Reach(quality_of(trace).rate_hz, trace.gate is not None)


def meter_inferences(
    session: Session, meter: Meter, reach: Reach, found: Measurement, marker_pin: str, progress: Progress
) -> Metered:
    """Let a device with its input loaded infer while the meter samples. ``found``: how long an inference takes, by which clock.

    A window is one inference between the edges of the marker pin, or where the meter sees no pin, a loop of at least a second.

    Raises what the meter and the session raise, and BadInputError where the inferences cannot be found in the trace.
    """
    each_s = found.loop.each_us / 1e6 / found.clock.ratio
    inferences = max(1, math.ceil((_LEAST_SAMPLES / reach.rate_hz if reach.gated else _LEAST_S) / each_s))
    wanted = max(1, min(WINDOWS, int(_BUDGET_S / (inferences * each_s))))
    session.loop(1, WARMUPS)

    def work() -> tuple[_Command, ...]:
        progress(f"{meter.name}: the idle board")
        time.sleep(_IDLE_S)
        done: list[_Command] = []
        while sum(c.clean for c in done) < wanted:
            if len(done) == 2 * wanted:
                raise ExecutionError(
                    f"{len(done)} times the port disturbed an inference that power was measured of",
                    hint="check the cable and close what else uses the port",
                )
            progress(f"{meter.name}: {sum(c.clean for c in done)} of {wanted} windows of {inferences}")
            # talking over the port has filled the caches; without a pin one more inference would blur the window
            done.append(_loop(session, inferences, 1 if reach.gated else 0))
            time.sleep(_PAUSE_S)
        time.sleep(_IDLE_S)
        return tuple(done)

    commands, trace = sample(meter, work)
    clean = [c for c in commands if c.clean]
    windows = (
        _by_pin(trace, clean, inferences, marker_pin)
        if reach.gated
        else [_by_stamps(c, inferences, found.clock) for c in clean]
    )
    return Metered(trace, tuple(windows), tuple(c.busy for c in commands))


def _loop(session: Session, inferences: int, warmups: int) -> _Command:
    before = session.device.retries, session.device.restarts
    sent = time.monotonic()
    micros = session.loop(inferences, warmups)
    answered = time.monotonic()
    # what had to be asked again ran more than once
    clean = (session.device.retries, session.device.restarts) == before
    return _Command(sent, answered, micros, clean)


def _by_stamps(command: _Command, inferences: int, clock: ClockCheck) -> Window:
    """The device says how long it took, not when: anywhere between question and answer, so it is put in the middle."""
    lasted = min(command.micros / 1e6 / clock.ratio, command.answered_s - command.sent_s)
    slack = (command.answered_s - command.sent_s - lasted) / 2
    jitter = slack + lasted * _PORT_S / clock.seconds
    return windows_of_markers(((command.sent_s + slack, command.answered_s - slack),), jitter, inferences)[0]


def _by_pin(trace: PowerTrace, commands: Sequence[_Command], inferences: int, marker_pin: str) -> list[Window]:
    pin = f"marker pin {marker_pin}" if marker_pin else "marker pin (this port has none)"
    hint = (
        f"connect the board's {pin} to the meter's gate input (D0 of a PPK2, input 0 of a Joulescope), and the grounds"
    )
    if trace.gate is None or not trace.gate.any():
        raise BadInputError(f"the meter saw no edge of the marker pin in {len(commands)} inferences", hint=hint)
    seen = windows_of_gate(trace, inferences)
    found = []
    for command in commands:
        begin, end = command.busy
        within = [w for w in seen if w.end_s > begin and w.start_s < end]
        if len(within) != 1:
            raise BadInputError(
                f"the meter saw {len(within)} pulses of the marker pin where one window of inferences ran", hint=hint
            )
        found += within
    return found
