"""Energy over a board's clocks: the clock that takes the least energy, and whether to race to idle or to go slow and low."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from engine.catalog.board import Board, MemoryKind, SleepCurrent
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower
from engine.energy.units import MS, UA, UJ, V, energy_uj
from engine.records.base import Record
from engine.records.run_energy import NoEnergy, PowerKind
from engine.words import share_text

AS_GOOD = 0.005
"""Energies that differ by less than this share are the same; of such clocks the fastest is the best."""


class Strategy(StrEnum):
    """What takes the least energy over the time that the slowest clock of the sweep needs."""

    RACE_TO_IDLE = "race_to_idle"
    SLOW_AND_LOW = "slow_and_low"
    SAME = "same"

    @property
    def label(self) -> str:
        """What it is, for people."""
        return _STRATEGIES[self]


_STRATEGIES = {
    Strategy.RACE_TO_IDLE: "race to idle",
    Strategy.SLOW_AND_LOW: "slow and low",
    Strategy.SAME: "no clock is better than another",
}


@dataclass(frozen=True)
class Timed:
    """An inference at one clock, warm."""

    clock_mhz: float
    wait_states: int
    cycles: int
    latency_ms: float
    latency_ms_interval: tuple[float, float]


class EnergyPoint(Record):
    """An inference at one clock. ``edp_uj_ms`` is energy times latency. ``period_uj``: with sleep until the slowest clock were done."""

    clock_mhz: float
    wait_states: int
    cycles: int
    latency_ms: float
    power_mw: float
    energy_uj: float
    interval_uj: tuple[float, float]
    edp_uj_ms: float
    period_uj: float | None


class EnergySweep(Record):
    """All clocks, rising. ``sleep_ua`` null: no source, and none was given; then no period has an energy, and there is no strategy.

    ``breakeven_fixed_share``: if more than this share of the current at the highest clock did not follow the clock, racing would win in any
    case; null where the highest clock needs the fewest cycles, so that it never loses.
    """

    board: str
    model: str
    rests_on: PowerKind
    how: str
    voltage_v: float | None
    points: tuple[EnergyPoint, ...] = Field(min_length=1)
    least_energy_mhz: float
    least_edp_mhz: float
    fastest_mhz: float
    sleep_ua: float | None
    sleep_source: str
    strategy: Strategy | None
    breakeven_fixed_share: float | None
    reason: str

    def marks(self, point: EnergyPoint) -> tuple[str, ...]:
        """In what a clock of the sweep is the best."""
        best = (
            ("least energy", self.least_energy_mhz),
            ("least EDP", self.least_edp_mhz),
            ("fastest", self.fastest_mhz),
        )
        return tuple(name for name, clock in best if clock == point.clock_mhz)


def energy_sweep(
    board: Board,
    model: str,
    code: MemoryKind,
    timed: Sequence[Timed],
    rows: Sequence[PublishedPower],
    sleep_ua: float | None = None,
) -> EnergySweep | NoEnergy:
    """Energy at every clock. ``sleep_ua`` overrules the board's own, of which the deepest counts. ``timed`` holds at least one clock."""
    ordered = sorted(timed, key=lambda t: t.clock_mhz)
    found = [power_of(board, Operation(t.clock_mhz, code), rows) for t in ordered]
    powers = [p for p in found if isinstance(p, Power)]
    if len(powers) < len(found):
        return next(p for p in found if isinstance(p, NoEnergy))
    printed = min(board.sleep_current_ua, key=lambda s: s.value, default=None)
    sleep = sleep_ua if sleep_ua is not None else float(printed.value) if printed else None
    # a current has no power without a voltage
    sleep = None if powers[-1].voltage_v is None else sleep
    period_ms = max(t.latency_ms for t in ordered)
    points = tuple(_point(t, p, sleep, period_ms) for t, p in zip(ordered, powers, strict=True))
    best = _least([p.energy_uj for p in points])
    strategy = _strategy(points)
    share = _breakeven(points)
    # the power of the highest clock is the one that is known best
    return EnergySweep(
        board=board.name,
        model=model,
        rests_on=powers[-1].kind,
        how=powers[-1].how,
        voltage_v=powers[-1].voltage_v,
        points=points,
        least_energy_mhz=points[best].clock_mhz,
        least_edp_mhz=min(points, key=lambda p: p.edp_uj_ms).clock_mhz,
        fastest_mhz=min(points, key=lambda p: p.latency_ms).clock_mhz,
        sleep_ua=sleep,
        sleep_source=_sleep_source(sleep_ua, printed, board.name)
        if powers[-1].voltage_v is not None
        else "the supply is not known, so a current asleep gives no power",
        strategy=strategy,
        breakeven_fixed_share=share,
        reason=_reason(points, best, strategy, share),
    )


def _point(t: Timed, power: Power, sleep_ua: float | None, period_ms: float) -> EnergyPoint:
    energy = energy_uj(power.power_mw, t.latency_ms)
    low, high = t.latency_ms_interval
    idle = None
    if sleep_ua is not None and power.voltage_v is not None:
        idle = ((sleep_ua * UA) * (power.voltage_v * V) * ((period_ms - t.latency_ms) * MS)).to(UJ)
    return EnergyPoint(
        clock_mhz=t.clock_mhz,
        wait_states=t.wait_states,
        cycles=t.cycles,
        latency_ms=t.latency_ms,
        power_mw=power.power_mw,
        energy_uj=energy,
        interval_uj=(energy_uj(power.low_mw, low), energy_uj(power.high_mw, high)),
        edp_uj_ms=energy * t.latency_ms,
        period_uj=None if idle is None else energy + idle,
    )


def _least(values: Sequence[float]) -> int:
    """Index of the least value; the last of those that are as good."""
    limit = min(values) * (1 + AS_GOOD)
    return max(i for i, v in enumerate(values) if v <= limit)


def _strategy(points: Sequence[EnergyPoint]) -> Strategy | None:
    periods = [p.period_uj for p in points if p.period_uj is not None]
    if len(periods) < len(points):
        return None
    if max(periods) <= min(periods) * (1 + AS_GOOD):
        return Strategy.SAME
    return Strategy.RACE_TO_IDLE if _least(periods) == len(points) - 1 else Strategy.SLOW_AND_LOW


def _breakeven(points: Sequence[EnergyPoint]) -> float | None:
    """From which fixed share of the highest clock's current on the clock of least energy would lose to the highest one.

    With a fixed share s, energy at a clock f is cycles * ((1 - s) + s * f_max / f): equal to cycles at f_max when s is the returned value.
    """
    top, best = points[-1], min(points, key=lambda p: p.energy_uj)
    if best.clock_mhz == top.clock_mhz or top.energy_uj <= best.energy_uj * (1 + AS_GOOD):
        return None
    return (top.energy_uj / best.energy_uj - 1) / (top.clock_mhz / best.clock_mhz - 1)


def _sleep_source(given: float | None, printed: SleepCurrent | None, board: str) -> str:
    if given is not None:
        return "given"
    if printed is None:
        return f"no sleep current of {board} was found"
    return f"{printed.mode} ({printed.source or printed.inferred})"


def _reason(points: Sequence[EnergyPoint], best: int, strategy: Strategy | None, share: float | None) -> str:
    top, least = points[-1], points[best]
    if share is None:
        text = (
            f"{top.clock_mhz:g} MHz needs as few cycles as any lower clock, and the current per MHz is taken to be the same at all: "
            "racing costs no energy"
        )
    else:
        text = (
            f"{least.clock_mhz:g} MHz needs {share_text(1 - least.cycles / top.cycles)} fewer cycles than {top.clock_mhz:g} MHz "
            f"({least.wait_states} against {top.wait_states} wait states), and the current per MHz is taken to be the same; if more than "
            f"{share_text(share)} of the current at {top.clock_mhz:g} MHz did not follow the clock, the highest clock would win"
        )
    if strategy is None:
        return f"{text}. Without a sleep current nothing is said of the time after the inference"
    if strategy is Strategy.SLOW_AND_LOW and share is None:
        text += ". But what the board takes asleep until the slowest clock were done costs more than that"
    saved = max(p.period_uj or 0 for p in points) - min(p.period_uj or 0 for p in points)
    return f"{text}. Sleep included, the best clock saves {saved:,.1f} µJ against the worst in the same time"
