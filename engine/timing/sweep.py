"""Latency over a board's clocks: wait states follow the clock, so a higher one does not always buy time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from engine.catalog.board import Board
from engine.timing.retime import REAL, Retiming
from engine.timing.table import End

WORTH_IT = 0.01
"""A higher clock that saves a smaller share of the latency buys nothing."""


class Step(StrEnum):
    """What a clock buys against the fastest lower clock of the sweep."""

    FIRST = "first"
    FASTER = "faster"
    UNCERTAIN = "uncertain"
    NOTHING = "nothing"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self]


_LABELS = {
    Step.FIRST: "lowest clock",
    Step.FASTER: "faster",
    Step.UNCERTAIN: "a higher clock may buy nothing",
    Step.NOTHING: "a higher clock buys nothing",
}


@dataclass(frozen=True)
class SweepPoint:
    """The run at one clock, warm. ``wait_states`` are flash bus cycles, ``bus_ratio`` core cycles each.

    ``interval`` bounds ``cycles`` as in ``TimedRun``, ``latency_ms_interval`` the same in time. ``saving`` is the share of latency
    saved against the fastest lower clock (0.1: a tenth; negative: slower), ``saving_interval`` its range with all figures of both
    clocks at the value, at the low and at the high end. ``step`` is NOTHING where the saving is less than ``WORTH_IT`` and
    UNCERTAIN where it is more, but one of those ends saves no time at all.
    """

    clock_mhz: float
    wait_states: int
    bus_ratio: int
    cycles: int
    latency_ms: float
    interval: tuple[int, int]
    latency_ms_interval: tuple[float, float]
    saving: float
    saving_interval: tuple[float, float]
    step: Step


def sweep_clocks(board: Board) -> tuple[float, ...]:
    """Clocks worth looking at, rising: the ends of the flash ladder's steps up to the maximum, the default and the maximum clock,
    half of the lowest of them, and the middle between neighbours."""
    top = min(board.max_clock_mhz.value, board.flash.ladder[-1].up_to_mhz)
    edges = {float(s.up_to_mhz) for s in board.flash.ladder if s.up_to_mhz <= top}
    ends = sorted(edges | {float(top), float(board.default_clock_mhz)})
    return tuple(sorted({*ends, *((a + b) / 2 for a, b in pairwise([0.0, *ends]))}))


def sweep_of(retiming: Retiming, clocks: Sequence[float] | None = None) -> tuple[SweepPoint, ...]:
    """Time a stored run at many clocks (MHz; default: ``sweep_clocks``), rising; its own does not matter.

    Raises UsageError for a clock that the board's flash ladder does not cover.
    """
    points: list[SweepPoint] = []
    fastest: tuple[float, ...] | None = None
    for clock in sorted(set(sweep_clocks(retiming.run.board) if clocks is None else clocks)):
        at = retiming.at(clock)
        latency = tuple(sum(at.cycles(REAL, end)) / clock / 1000 for end in End)
        points.append(_point(at, latency, fastest))
        if fastest is None or latency[0] < fastest[0]:
            fastest = latency
    return tuple(points)


def _point(at: Retiming, latency_ms: tuple[float, ...], fastest_ms: tuple[float, ...] | None) -> SweepPoint:
    """``latency_ms`` at the ends in the order of ``End``: the value first; ``fastest_ms`` likewise of the fastest lower clock."""
    cycles, interval = sum(at.cycles(REAL, End.VALUE)), at.interval()
    savings = [1 - new / old if old else 0.0 for new, old in zip(latency_ms, fastest_ms or latency_ms, strict=True)]
    if fastest_ms is None:
        step = Step.FIRST
    elif savings[0] < WORTH_IT:
        step = Step.NOTHING
    else:
        step = Step.FASTER if min(savings) > 0 else Step.UNCERTAIN
    clock_mhz = at.run.clock_mhz
    flash = at.run.board.flash.step(clock_mhz)
    to_ms = clock_mhz * 1000
    return SweepPoint(
        clock_mhz=clock_mhz,
        wait_states=flash.wait_states,
        bus_ratio=flash.bus_ratio,
        cycles=cycles,
        latency_ms=cycles / to_ms,
        interval=interval,
        latency_ms_interval=(interval[0] / to_ms, interval[1] / to_ms),
        saving=savings[0],
        saving_interval=(min(savings), max(savings)),
        step=step,
    )
