"""How well one published power predicts another: the intervals that kinds of sources have earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from statistics import mean

import numpy as np

from engine.catalog.load import list_boards
from engine.energy.published import PublishedPower
from engine.records.run_energy import PowerKind

INSIDE = (0.05, 0.95)
"""Quantiles of errors that an interval lies between."""

_ENOUGH = 8  # errors that an interval can be read from; with fewer, those of the next wider kind count too
_MEASURED = (PowerKind.SAME_FIRMWARE, PowerKind.SAME_PLATFORM, PowerKind.OTHER_FIRMWARE)  # the closest first


@dataclass(frozen=True)
class Band:
    """A value with its interval."""

    value: float
    low: float
    high: float

    def __mul__(self, other: Band) -> Band:
        """Product of positive values, end by end."""
        return Band(self.value * other.value, self.low * other.low, self.high * other.high)

    def widened(self, share: float) -> Band:
        """The same with its ends further out by a share of the value, never below a tenth of it."""
        return Band(self.value, max(self.low - share * self.value, self.value / 10), self.high + share * self.value)

    @property
    def relative(self) -> Band:
        """The same with a value of 1."""
        return Band(1.0, self.low / self.value, self.high / self.value)


def nearest(
    here: Sequence[PublishedPower], voltage_v: float | None, firmware: str, platform: str
) -> tuple[PowerKind, tuple[PublishedPower, ...]]:
    """Of one board's rows the closest to what is wanted, all at one voltage, and how close they are.

    The voltage asked for, else the one most rows have. Rows of another voltage only where that voltage has none, and rows without one only
    where no row of the board has one.
    """
    volts = [r.voltage_v for r in here if r.voltage_v is not None]
    rows = tuple(here)
    if volts:
        wanted_v = max(volts, key=volts.count) if voltage_v is None else voltage_v
        closest = min(volts, key=lambda v: abs(v - wanted_v))
        rows = tuple(r for r in here if r.voltage_v == closest)
    same = tuple(r for r in rows if firmware and r.firmware == firmware)
    if same:
        return PowerKind.SAME_FIRMWARE, same
    system = tuple(r for r in rows if platform and r.platform == platform)
    return (PowerKind.SAME_PLATFORM, system) if system else (PowerKind.OTHER_FIRMWARE, rows)


def measured_mw(rows: Sequence[PublishedPower], clock_mhz: float, voltage_v: float | None) -> float:
    """Mean over firmwares of the mean power of each, in mW, at a clock and voltage."""
    ordered = sorted(rows, key=lambda r: r.firmware)
    return mean(
        mean(r.power_at(clock_mhz, voltage_v) for r in group) for _, group in groupby(ordered, lambda r: r.firmware)
    )


@lru_cache(maxsize=256)
def measured_band(kind: PowerKind, rows: tuple[PublishedPower, ...], without: str = "") -> Band:
    """Interval of a factor of 1 on powers of a kind: between the 5 % and 95 % quantile of measured over predicted.

    Every row is predicted from the others as the kind does. ``without``: a firmware that is being judged, whose errors do not count. A
    kind is never narrower than a closer one. Raises ValueError where no board has two powers.
    """
    used = tuple(r for r in rows if r.firmware != without)
    at = _MEASURED.index(kind)
    ratios = _ratios(kind, used)
    for wider in _MEASURED[at + 1 :]:
        if len(ratios) < _ENOUGH:
            ratios = [*ratios, *_ratios(wider, used)]
    if not ratios:
        raise ValueError("no board has two published powers to learn an interval from")
    low, high = (float(x) for x in np.quantile(ratios, INSIDE))
    closer = measured_band(_MEASURED[at - 1], rows, without) if at else Band(1.0, 1.0, 1.0)
    return Band(1.0, min(low, closer.low), max(high, closer.high))


def _ratios(kind: PowerKind, rows: tuple[PublishedPower, ...]) -> list[float]:
    found = []
    for row in rows:
        one_model = kind is PowerKind.SAME_FIRMWARE
        others = [r for r in rows if r.board == row.board and (r != row if one_model else r.firmware != row.firmware)]
        if row.voltage_v is None or not any(r.voltage_v == row.voltage_v for r in others):
            continue
        platform = row.platform if kind is PowerKind.SAME_PLATFORM else ""
        is_kind, used = nearest(others, row.voltage_v, row.firmware if one_model else "", platform)
        if is_kind is kind:
            found.append(row.power_mw / measured_mw(used, row.clock_mhz, row.voltage_v))
    return found


@lru_cache(maxsize=64)
def headline_band(rows: tuple[PublishedPower, ...], without_board: str) -> Band:
    """How many times its data sheet's headline current a board draws in inference: mean over boards, ends as measured.

    The ends are the lowest and highest ratio of a row, and as much further as one firmware is off from others on a board.
    """
    by_board = []
    for board in list_boards():
        headline = next((c for c in board.current_ua_per_mhz if c.clock_mhz is None), None)
        if headline is None or board.name == without_board:
            continue
        printed = [
            r.power_mw / (headline.value * r.clock_mhz * r.voltage_v / 1000)
            for r in rows
            if r.board == board.name and r.voltage_v is not None
        ]
        if printed:
            by_board.append(printed)
    if not by_board:
        raise ValueError("no board has both a headline current and a published power")
    every = [x for printed in by_board for x in printed]
    middle = mean(map(mean, by_board))
    firmware = measured_band(PowerKind.OTHER_FIRMWARE, rows)
    return Band(middle, min(every), max(every)) * firmware
