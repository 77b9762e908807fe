"""Checks that an energy must pass, or be explained: its range, its power, and that it goes with time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import correlation, median

from engine.energy.published import PublishedPower

RANGE_UJ = (1_000.0, 100_000.0)
"""1 to 100 mJ: what an inference on a microcontroller takes, as a rule."""
_SMALL_MACS, _LARGE_MACS = 1_000_000, 50_000_000
_FEWEST, _LEAST_CORRELATION = 4, 0.9
_APART = 2.0  # a power this many times the board's highest or below its lowest is of something else


class IssueCode(StrEnum):
    """What is wrong with an energy."""

    RANGE = "E001"
    POWER = "E002"
    CORRELATION = "E003"

    @property
    def label(self) -> str:
        """What it is, for people."""
        return _LABELS[self]


_LABELS = {
    IssueCode.RANGE: "energy outside of 1 to 100 mJ",
    IssueCode.POWER: "power outside of what the board takes",
    IssueCode.CORRELATION: "energy does not go with latency",
}


@dataclass(frozen=True)
class Inference:
    """An energy to be checked, whatever it comes from.

    ``macs`` None: of a firmware that is not known. ``modelled_mw``: lowest and highest power that the power model gives the board; None
    where nothing is known of it.
    """

    run: str
    board: str
    clock_mhz: float
    energy_uj: float
    latency_ms: float
    macs: int | None
    modelled_mw: tuple[float, float] | None = None


@dataclass(frozen=True)
class EnergyIssue:
    """A check that failed. ``explained``: why that is to be expected; "" where nothing explains it."""

    code: IssueCode
    run: str
    message: str
    explained: str = ""


def issues_of(one: Inference, rows: Sequence[PublishedPower]) -> tuple[EnergyIssue, ...]:
    """What is wrong with one energy."""
    found = []
    low, high = RANGE_UJ
    if not low <= one.energy_uj <= high:
        found.append(EnergyIssue(IssueCode.RANGE, one.run, f"{one.energy_uj / 1000:.4g} mJ per inference", _why(one)))
    powers = [r.power_at(one.clock_mhz, r.voltage_v) for r in rows if r.board == one.board]
    limits = (min(powers), max(powers)) if powers else one.modelled_mw
    if limits is not None and one.latency_ms:
        mw = one.energy_uj / one.latency_ms
        if not limits[0] / _APART <= mw <= limits[1] * _APART:
            who = "others measured" if powers else "the data sheet's current gives"
            message = f"{mw:.4g} mW; {who} {limits[0]:.4g} to {limits[1]:.4g} mW at this clock"
            found.append(EnergyIssue(IssueCode.POWER, one.run, message))
    return tuple(found)


def correlation_issues(many: Sequence[Inference]) -> tuple[EnergyIssue, ...]:
    """Boards (at one clock) whose energies do not go with latencies: sampling too slow, or the meter saw something else."""
    found = []
    for board, clock in dict.fromkeys((x.board, x.clock_mhz) for x in many):
        here = [x for x in many if (x.board, x.clock_mhz) == (board, clock)]
        times, energies = [x.latency_ms for x in here], [x.energy_uj for x in here]
        if len(here) < _FEWEST or min(times) <= 0 or len(set(times)) == 1 or len(set(energies)) == 1:
            continue
        r = correlation(times, energies)
        if r < _LEAST_CORRELATION:
            usual = median(e / t for e, t in zip(energies, times, strict=True))
            worst = max(here, key=lambda x: abs(x.energy_uj / x.latency_ms / usual - 1))
            message = f"correlation {r:.2f} over {len(here)} runs of {board} at {clock:g} MHz; furthest off is this one"
            found.append(EnergyIssue(IssueCode.CORRELATION, worst.run, message))
    return tuple(found)


def _why(one: Inference) -> str:
    if one.macs is None:
        return ""
    if one.energy_uj < RANGE_UJ[0] and one.macs < _SMALL_MACS:
        return f"a small model: {one.macs:,} MACs"
    if one.energy_uj > RANGE_UJ[1] and one.macs > _LARGE_MACS:
        return f"a large model: {one.macs:,} MACs"
    per_mac = one.energy_uj * 1000 / one.macs if one.macs else 0.0
    if one.energy_uj > RANGE_UJ[1] and per_mac:
        return (
            f"slow kernels: {per_mac:.1f} nJ and {one.latency_ms * one.clock_mhz * 1000 / one.macs:.1f} cycles per MAC"
        )
    if one.energy_uj < RANGE_UJ[0]:
        return f"an efficient board: {per_mac:.2f} nJ per MAC" if one.macs else "a model without MACs"
    return ""
