"""Synthetic power traces whose energy is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.energy.trace import MeterInfo, PowerTrace
from engine.energy.windows import Window


@dataclass(frozen=True)
class Truth:
    """A board that takes ``idle_w``, and in each inference ``layer_w`` for ``layer_s`` seconds, layer after layer."""

    idle_w: float
    layer_w: tuple[float, ...]
    layer_s: tuple[float, ...]
    begins_s: tuple[float, ...]
    drift_w_per_s: float = 0.0
    offset_w: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(self.layer_s)

    @property
    def net_layers_j(self) -> tuple[float, ...]:
        return tuple((p - self.idle_w) * s for p, s in zip(self.layer_w, self.layer_s, strict=True))

    @property
    def net_j(self) -> float:
        return sum(self.net_layers_j)

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(s / self.seconds for s in self.layer_s)

    def windows(self, jitter_s: float = 0.0, rng: np.random.Generator | None = None) -> tuple[Window, ...]:
        """Windows as markers with jitter would give them."""
        moved = (
            np.zeros((len(self.begins_s), 2))
            if rng is None
            else rng.uniform(-jitter_s, jitter_s, (len(self.begins_s), 2))
        )
        return tuple(
            Window(b + m[0], b + self.seconds + m[1], jitter_s)
            for b, m in zip(self.begins_s, moved.tolist(), strict=True)
        )

    def energy_j(self, t: np.ndarray) -> np.ndarray:
        """Integral of power from 0 to each time, exactly."""
        total = (self.idle_w + self.offset_w) * t + self.drift_w_per_s * t**2 / 2
        for begin in self.begins_s:
            at = begin
            for power, seconds in zip(self.layer_w, self.layer_s, strict=True):
                total = total + (power - self.idle_w) * np.clip(t - at, 0, seconds)
                at += seconds
        return total

    def trace(self, rate_hz: float, seconds: float, *, averaging: bool = False, start_s: float = 0.0) -> PowerTrace:
        """Sampled at moments, or (``averaging``) as means over the sampling period about each time."""
        t = start_s + np.arange(int(seconds * rate_hz)) / rate_hz
        width = 1 / rate_hz if averaging else 1e-12 * max(1.0, seconds)
        edges = t - width / 2, t + width / 2
        if averaging:
            power = (self.energy_j(edges[1]) - self.energy_j(edges[0])) / width
        else:
            power = self.idle_w + self.offset_w + self.drift_w_per_s * t
            for begin in self.begins_s:
                at = begin
                for watts, lasts in zip(self.layer_w, self.layer_s, strict=True):
                    power = np.where((t >= at) & (t < at + lasts), power + watts - self.idle_w, power)
                    at += lasts
        gate = np.zeros(len(t), np.bool_)
        for begin in self.begins_s:
            gate |= (t >= begin) & (t < begin + self.seconds)
        return PowerTrace(t, power, MeterInfo("synthetic", integration_s=width if averaging else 0.0), gate)
