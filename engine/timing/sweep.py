"""Latency over a board's clocks: wait states follow the clock, so a higher one does not always buy time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.counters.types import Block
from engine.firmware.types import Firmware
from engine.targets.types import Execution
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


def sweep(
    blocks: Mapping[int, Block],
    execution: Execution,
    firmware: Firmware,
    board: Board,
    core: Core,
    clocks: Sequence[float] | None = None,
) -> tuple[SweepPoint, ...]:
    """Time a stored execution at many clocks (MHz; default: ``sweep_clocks``), rising.

    Raises UsageError for a clock that the board's flash ladder does not cover.
    """
    chosen = sorted(set(sweep_clocks(board) if clocks is None else clocks))
    if not chosen:
        return ()
    return sweep_of(Retiming(blocks, execution, firmware, board, core, chosen[0]), chosen)


def sweep_of(retiming: Retiming, clocks: Sequence[float] | None = None) -> tuple[SweepPoint, ...]:
    """The same from a prepared re-timing; its own clock does not matter."""
    points: list[SweepPoint] = []
    fastest: tuple[float, ...] | None = None
    for clock in sorted(set(sweep_clocks(retiming.board) if clocks is None else clocks)):
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
    flash = at.board.flash.step(at.clock_mhz)
    to_ms = at.clock_mhz * 1000
    return SweepPoint(
        clock_mhz=at.clock_mhz,
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
