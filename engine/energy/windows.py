"""When inferences ran in a power trace, and what the board takes when it idles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.energy.trace import Flags, Floats, PowerTrace, quality_of
from engine.errors import BadInputError

_GUARD = 0.1  # of a window: power settles after an inference, so this long beside it counts as neither
_MIN_IDLE = 10


@dataclass(frozen=True)
class Window:
    """One stretch of time in which ``inferences`` ran back to back. ``uncertainty_s`` holds for either end."""

    start_s: float
    end_s: float
    uncertainty_s: float
    inferences: int = 1

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Idle:
    """Power between inferences: ``at_s`` seconds of the trace it is ``power_w``, and it drifts by ``drift_w_per_s``.

    ``noise_w`` is the standard deviation of the idle samples about that line; ``samples`` how many there were.
    """

    power_w: float
    at_s: float
    drift_w_per_s: float
    noise_w: float
    samples: int

    def energy_j(self, window: Window) -> float:
        """What the board would have taken in the window without an inference."""
        middle = (window.start_s + window.end_s) / 2
        return (self.power_w + self.drift_w_per_s * (middle - self.at_s)) * window.seconds


def windows_of_gate(trace: PowerTrace, inferences: int = 1) -> tuple[Window, ...]:
    """Windows in which the gate pin was high. An edge lies halfway between the samples that saw it; half a window at an end is left out.

    Raises BadInputError for a trace without a gate, or whose gate never rises and falls.
    """
    if trace.gate is None:
        raise BadInputError(
            "the power trace has no gate signal", hint="record the pin too, or give the times of the inferences"
        )
    change = np.diff(trace.gate.astype(np.int8))
    rise, fall = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    if len(rise) and len(fall):
        fall = fall[fall > rise[0]]
        rise = rise[: len(fall)]
    if not len(rise) or not len(fall):
        raise BadInputError(
            "the gate signal never rises and falls again",
            hint="check the pin, its threshold and the recording's length",
        )
    t = trace.time_s
    found = []
    for r, f in zip(rise.tolist(), fall.tolist(), strict=True):
        blur = max(t[r + 1] - t[r], t[f + 1] - t[f]) / 2
        found.append(Window(float(t[r] + t[r + 1]) / 2, float(t[f] + t[f + 1]) / 2, float(blur), inferences))
    return tuple(found)


def windows_of_markers(
    times_s: Sequence[tuple[float, float]], jitter_s: float, inferences: int = 1
) -> tuple[Window, ...]:
    """Windows between time stamps of begin and end, each known to ``jitter_s``.

    Raises BadInputError for an end that is not after its begin, and for inferences that overlap: their energy would count twice.
    """
    for begin, end in times_s:
        # written so that NaN is refused too
        if not begin < end:
            raise BadInputError(
                f"a marker ends at {end:g} s, which is not after it begins ({begin:g} s)", hint="give begin, end"
            )
    for (_, end), (begin, _) in pairwise(sorted(times_s)):
        if begin < end:
            raise BadInputError(
                f"two inferences overlap: one begins at {begin:g} s, before another ends ({end:g} s)",
                hint="give each inference once; one core runs one at a time",
            )
    return tuple(Window(begin, end, jitter_s, inferences) for begin, end in times_s)


def idle_of(trace: PowerTrace, windows: Sequence[Window], busy: Sequence[tuple[float, float]] = ()) -> Idle:
    """The idle power as a line through all samples outside the windows, their neighbourhood and what is ``busy`` (begin, end) besides.

    Raises BadInputError where fewer than ten samples are left.
    """
    quiet = _outside(trace.time_s, windows)
    for begin, end in busy:
        quiet &= (trace.time_s < begin) | (trace.time_s > end)
    if trace.saturated is not None:
        quiet &= ~trace.saturated
    t, p = trace.time_s[quiet], trace.power_w[quiet]
    if len(t) < _MIN_IDLE:
        raise BadInputError(
            f"only {len(t)} samples of the power trace lie outside the inferences",
            hint="record some idle time before and after",
        )
    middle = float(t.mean())
    spread = float(((t - middle) ** 2).sum())
    slope = float(((t - middle) * (p - p.mean())).sum() / spread) if spread else 0.0
    rest = p - p.mean() - slope * (t - middle)
    return Idle(float(p.mean()), middle, slope, float(rest.std()), len(t))


def check_inside(trace: PowerTrace, windows: Sequence[Window]) -> None:
    """Raise BadInputError if a window reaches beyond the trace."""
    step = 1 / quality_of(trace).rate_hz
    first, last = float(trace.time_s[0]), float(trace.time_s[-1])
    for w in windows:
        if w.start_s < first - step or w.end_s > last + step:
            raise BadInputError(
                f"inferences from {w.start_s:g} to {w.end_s:g} s lie outside the trace ({first:g} to {last:g} s)",
                hint="use one clock for trace and markers, and record longer than the inferences run",
            )


def _outside(t: Floats, windows: Sequence[Window]) -> Flags:
    quiet = np.ones(len(t), np.bool_)
    for w in windows:
        guard = _GUARD * w.seconds + w.uncertainty_s
        quiet &= (t < w.start_s - guard) | (t > w.end_s + guard)
    return quiet
