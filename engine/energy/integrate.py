"""Energy from a power trace: per inference and per layer, each with the most it can be wrong by, or why it cannot be had.

Energy is the integral of power by the trapezoid rule, cut at the ends of a window by linear interpolation. Everything is a difference of
one cumulative integral in whole nanojoules, so layers sum exactly to their inference.

An error bound adds what is known of the measurement, not of the board. A window's or layer's end is uncertain by half a sample or the marker's
jitter, and a sample smears power over the meter's integration time and one sample period: moving an end by that much moves at most that long times the
power seen around it (above the idle one for a net energy). A step of power between two samples inside is misjudged by at most half a period times the
step: so it is at every boundary of layers. A gap may hide as much as the range of power seen in the stretch. The meter's own gain and offset come in
where its maker states them. What a meter at the end of its range did not see is in no bound: such a layer has no energy, and the trace complains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from engine.energy.trace import Floats, PowerTrace, quality_of
from engine.energy.windows import Idle, Window, check_inside, idle_of
from engine.errors import BadInputError

NJ = 1e9
SAMPLES_PER_LAYER = 4
"""A layer shorter than this many samples (or than the meter integrates, or than its ends are uncertain) has no energy of its own."""


@dataclass(frozen=True)
class Energy:
    """Nanojoules, and how far the truth may be from it because of the measurement."""

    energy_nj: int
    error_nj: int


@dataclass(frozen=True)
class NoLayerEnergy:
    """Why a layer has no energy of its own."""

    reason: str


@dataclass(frozen=True)
class InferenceEnergy:
    """One inference, as the mean of all windows. ``gross`` includes what the idle board takes, ``net`` does not.

    ``each_net_nj``: net energy of one inference in each window. ``layers``: of the net energy, in the order of execution; those that could be
    resolved and ``unresolved`` together are exactly ``net``.
    """

    gross: Energy
    net: Energy
    seconds: float
    idle: Idle
    each_net_nj: tuple[int, ...]
    layers: tuple[Energy | NoLayerEnergy, ...]
    unresolved: Energy


def energy_of(
    trace: PowerTrace,
    windows: Sequence[Window],
    layer_shares: Sequence[float] = (),
    busy: Sequence[tuple[float, float]] = (),
) -> InferenceEnergy:
    """Energy per inference of a trace; ``layer_shares``: each layer's share of an inference's time, in the order of execution.

    ``busy``: stretches of time in which the board does not idle, whether or not an inference runs.

    Shares are of the time between the window's ends, so what runs outside of layers belongs in as a layer of its own.

    Raises BadInputError for windows outside the trace, shares that are none, or too little idle time.
    """
    if not windows:
        raise BadInputError("no inference was found in the power trace", hint="record its gate signal or give markers")
    if layer_shares and (min(layer_shares) < 0 or abs(sum(layer_shares) - 1) > 1e-6):
        raise BadInputError(
            f"shares of layers sum to {sum(layer_shares):g}, not 1", hint="give shares of one inference"
        )
    check_inside(trace, windows)
    idle = idle_of(trace, windows, busy)
    whole = _Integral(trace)
    count = sum(w.inferences for w in windows)
    seconds = sum(w.seconds for w in windows) / count
    gross_each = [whole.between(w.start_s, w.end_s) for w in windows]
    idle_each = [idle.energy_j(w) for w in windows]
    gross, net = sum(gross_each) / count, (sum(gross_each) - sum(idle_each)) / count
    inner = tuple(accumulate(layer_shares))[:-1]
    gross_error, net_error = (
        sum(whole.error_j(w, base, tuple(w.start_s + x * w.seconds for x in inner)) for w in windows) / count
        for base in (0.0, idle.power_w)
    )
    idle_error = idle.noise_w / np.sqrt(idle.samples) * seconds
    net_nj = round(net * NJ)
    layers, unresolved = _layers(whole, windows, idle, layer_shares, count, net_nj)
    return InferenceEnergy(
        gross=Energy(round(gross * NJ), _up(gross_error)),
        net=Energy(net_nj, _up(net_error + idle_error)),
        seconds=seconds,
        idle=idle,
        each_net_nj=tuple(
            round((g - i) / w.inferences * NJ) for g, i, w in zip(gross_each, idle_each, windows, strict=True)
        ),
        layers=layers,
        unresolved=unresolved,
    )


class _Integral:
    """The cumulative energy of a trace and the range of its power."""

    def __init__(self, trace: PowerTrace) -> None:
        self.t, self.p, self.meter = trace.time_s, trace.power_w, trace.meter
        self.clipped = trace.saturated
        self.steps = np.diff(self.t)
        self.sum: Floats = np.concatenate(([0.0], np.cumsum(self.steps * (self.p[1:] + self.p[:-1]) / 2)))
        self.period = 1 / quality_of(trace).rate_hz
        self.smear = max(self.period, trace.meter.integration_s)

    def at(self, when_s: float) -> float:
        """Energy in joules from the start of the trace to a moment; power beyond the ends is that of the ends."""
        if when_s <= self.t[0]:
            return float((when_s - self.t[0]) * self.p[0])
        if when_s >= self.t[-1]:
            return float(self.sum[-1] + (when_s - self.t[-1]) * self.p[-1])
        i = int(np.searchsorted(self.t, when_s, side="right")) - 1
        part = when_s - self.t[i]
        slope = (self.p[i + 1] - self.p[i]) / self.steps[i]
        return float(self.sum[i] + part * (self.p[i] + slope * part / 2))

    def between(self, start_s: float, end_s: float) -> float:
        """Energy in joules of a stretch of time."""
        return self.at(end_s) - self.at(start_s)

    def error_j(self, window: Window, base_w: float, inner_s: Sequence[float] = ()) -> float:
        """The most that the energy above ``base_w`` of a window may be wrong by, with steps of power at ``inner_s`` (see the module)."""
        reach = window.uncertainty_s + self.smear
        ends = sum(
            reach * float(np.abs(self._seen(at - 2 * reach, at + 2 * reach) - base_w).max())
            for at in (window.start_s, window.end_s)
        )
        inner = sum(self.period / 2 * self._range(at - 2 * reach, at + 2 * reach) for at in inner_s)
        first = max(int(np.searchsorted(self.t, window.start_s)) - 1, 0)
        last = int(np.searchsorted(self.t, window.end_s)) + 1
        steps = self.steps[first:last]
        gaps = float(steps[steps > 1.5 * self.period].sum()) * self._range(window.start_s, window.end_s)
        gain = (self.meter.gain_error or 0.0) * abs(self.between(window.start_s, window.end_s))
        return ends + inner + gaps + gain + (self.meter.offset_w or 0.0) * window.seconds

    def saturated(self, part: Window) -> bool:
        """Whether the meter was at the end of its range at a sample that the energy of a stretch of time is made from."""
        return self.clipped is not None and bool(self.clipped[self._around(part.start_s, part.end_s)].any())

    def _range(self, start_s: float, end_s: float) -> float:
        seen = self._seen(start_s, end_s)
        return float(seen.max() - seen.min())

    def _seen(self, start_s: float, end_s: float) -> Floats:
        return self.p[self._around(start_s, end_s)]

    def _around(self, start_s: float, end_s: float) -> slice:
        """Samples between two times and the nearest beyond."""
        first = max(int(np.searchsorted(self.t, start_s)) - 1, 0)
        return slice(first, min(int(np.searchsorted(self.t, end_s)) + 2, len(self.t)))


def _layers(
    whole: _Integral, windows: Sequence[Window], idle: Idle, shares: Sequence[float], count: int, net_nj: int
) -> tuple[tuple[Energy | NoLayerEnergy, ...], Energy]:
    """Layers in whole nanojoules: differences of the rounded cumulative energy, the last of which is the inference's."""
    if not shares:
        return (), Energy(net_nj, 0)
    if any(w.inferences != 1 for w in windows):
        many = "several inferences ran between two edges, so no edge says where a layer lies"
        return tuple(NoLayerEnergy(many) for _ in shares), Energy(net_nj, 0)
    bounds = [0.0, *accumulate(shares)]
    bounds[-1] = 1.0
    sums = [round(_net(whole, windows, idle, 0.0, b) / count * NJ) for b in bounds]
    sums[-1] = net_nj
    seconds = sum(w.seconds for w in windows) / count
    least, known = SAMPLES_PER_LAYER * whole.smear, max(w.uncertainty_s for w in windows)
    found: list[Energy | NoLayerEnergy] = []
    left_over = left_error = 0
    for (low, high), share in zip(pairwise(zip(bounds, sums, strict=True)), shares, strict=True):
        energy = high[1] - low[1]
        error = _up(sum(whole.error_j(_part(w, low[0], high[0]), idle.power_w) for w in windows) / count)
        reason = _too_short(share * seconds, least, known) if share * seconds < max(least, known) else ""
        if not reason and any(whole.saturated(_part(w, low[0], high[0])) for w in windows):
            reason = "the meter was at the end of its range, so it takes more than was seen"
        if not reason:
            found.append(Energy(energy, error))
            continue
        found.append(NoLayerEnergy(reason))
        left_over += energy
        left_error += error
    return tuple(found), Energy(left_over, left_error)


def _too_short(seconds: float, least: float, known: float) -> str:
    """Why a layer that lasts ``seconds`` has no energy."""
    if not seconds:
        return "it takes no time"
    if seconds < least:
        return f"it takes {seconds * 1e6:.3g} µs; {SAMPLES_PER_LAYER} samples of it need {SAMPLES_PER_LAYER / seconds / 1e3:.3g} kHz"
    return f"it takes {seconds * 1e3:.3g} ms, and where it begins is known to {known * 1e3:.3g} ms"


def _net(whole: _Integral, windows: Sequence[Window], idle: Idle, low: float, high: float) -> float:
    """Net joules of all windows between two shares of their time."""
    total = 0.0
    for w in windows:
        part = _part(w, low, high)
        total += whole.between(part.start_s, part.end_s) - idle.energy_j(part)
    return total


def _part(w: Window, low: float, high: float) -> Window:
    """The part of a window between two shares of its time."""
    return Window(w.start_s + low * w.seconds, w.start_s + high * w.seconds, w.uncertainty_s)


def _up(joules: float) -> int:
    return int(np.ceil(joules * NJ))
