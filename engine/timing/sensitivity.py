"""What a result rests on: every figure with an interval, re-timed alone at its two ends while all others stay at their values, and every
other design that the board may have (``timing.geometry``).

The stored execution is timed again, not executed again: a figure changes what a miss costs, not what misses (of the width of the
flash, where lines are as wide, that is a bound: see ``timing.memory``). Only what a figure can change is computed anew. A passage
through a block that never asked the core table for a figure costs the same whatever the figure is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from engine.catalog.assumptions import Assumption, uncertain
from engine.catalog.board import Board
from engine.catalog.walk import figures, with_figure
from engine.timing.geometry import AlternativeTime, Described, OneCycle, alternative_times, one_cycle_each
from engine.timing.pipeline import Ticks, passes_of
from engine.timing.static_cost import Entry, Passage, pass_through
from engine.timing.stored import StoredRun
from engine.timing.table import CYCLE, CoreTicks, End, core_ticks, ticks
from engine.timing.timing import by_cause, pipeline_ticks, stalls_of

_CORE, _BOARD = "core.", "board."
_OVERLAP = Assumption(
    "timing.overlap",
    None,
    None,
    None,
    "how much of a memory's stalls is hidden behind the core's work, as by a prefetcher: all that can be, or nothing",
)


@dataclass(frozen=True)
class Sensitivity:
    """The run's warm cycles with one figure at the low and at the high end of its interval, and what that is more than at its value.

    ``timing.overlap`` is no figure but the one rule of the model that has an interval of its own; it has no numbers.
    """

    assumption: Assumption
    low_cycles: int
    high_cycles: int
    low_effect_cycles: int
    high_effect_cycles: int

    @property
    def largest(self) -> int:
        """The larger of the two effects, without its sign, in cycles."""
        return max(abs(self.low_effect_cycles), abs(self.high_effect_cycles))


@dataclass(frozen=True)
class Sensitivities:
    """Every uncertain figure of a run, and every other design its board may have, by effect, the largest first.

    ``cycles`` is the run's warm cycles at the values on the board as described. ``left_out``: what one cycle of each figure that the
    board leaves out, and that is taken as none, would add.
    """

    cycles: int
    figures: tuple[Sensitivity, ...]
    alternatives: tuple[AlternativeTime, ...] = ()
    left_out: tuple[OneCycle, ...] = ()


def sensitivity(run: StoredRun) -> Sensitivities:
    """Re-time a stored run with each uncertain figure of board and core at its ends; warm cycles."""
    timed, wide = _Run(run), uncertain(run.board, run.core)
    found = [_effect(a, timed.cycles, *(timed.with_figure(a.key, end) for end in _ends(a))) for a in wide]
    found.append(_effect(_OVERLAP, timed.cycles, *(timed.with_overlap(end) for end in (End.LOW, End.HIGH))))
    others = alternative_times(timed.described(), run.execution.alternatives)
    return Sensitivities(
        timed.cycles,
        tuple(sorted(found, key=lambda s: -s.largest)),
        tuple(sorted(others, key=lambda t: -abs(t.effect_cycles))),
        tuple(sorted(one_cycle_each(timed.described()), key=lambda x: -x.effect_cycles)),
    )


def _ends(assumption: Assumption) -> tuple[float | int, float | int]:
    if assumption.low is None or assumption.high is None:
        raise ValueError(f"{assumption.key} has no interval")
    return assumption.low, assumption.high


def _effect(assumption: Assumption, cycles: int, low: int, high: int) -> Sensitivity:
    return Sensitivity(assumption, low, high, low - cycles, high - cycles)


class _Watched:
    """A core table that remembers which of its figures were asked for."""

    def __init__(self, table: CoreTicks) -> None:
        self._table = table
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        return getattr(self._table, name)

    @property
    def table(self) -> CoreTicks:
        """Itself, to be passed for a table."""
        return cast(CoreTicks, self)


class _Run:
    """The run at the values, with what each passage of a block and the rest of the model asked of the core table."""

    def __init__(self, run: StoredRun) -> None:
        self._board, self._clock_mhz = run.board, run.clock_mhz
        self._events = run.warm_events()
        self._table = core_ticks(run.core, End.VALUE)
        self._work = run.work()
        self._passages: dict[tuple[int, Entry], tuple[Passage, frozenset[str]]] = {}
        rest = _Watched(self._table)
        self._pipeline = pipeline_ticks(self._work, rest.table, self._watched_passage)
        self.cycles = self._total(self._pipeline, rest.table, run.board)
        self._asked_by_rest = rest.asked
        self._asked = frozenset().union(*(asked for _, asked in self._passages.values()))

    def _watched_passage(self, index: int, entry: Entry) -> Passage:
        known = self._passages.get((index, entry))
        if known is None:
            watched = _Watched(self._table)
            passage = pass_through(self._work.operations[index], watched.table, entry)
            known = self._passages[index, entry] = passage, frozenset(watched.asked)
        return known[0]

    def _total(self, pipeline: Ticks, table: CoreTicks, board: Board, end: End = End.VALUE) -> int:
        """Whole cycles of the run, each region rounded to nearest as in a record."""
        stalls = stalls_of(self._events, pipeline, table, board, self._clock_mhz, end)
        return sum((int(x) + CYCLE // 2) // CYCLE for x in (pipeline + by_cause(stalls)).sum(axis=1))

    def with_figure(self, key: str, value: float | int) -> int:
        """Cycles of the run with one figure changed."""
        if key.startswith(_CORE):
            return self._with_core_figure(key.removeprefix(_CORE).replace(".", "_"), ticks(value))
        return self._total(self._pipeline, self._table, _at(self._board, key.removeprefix(_BOARD), value))

    def _with_core_figure(self, name: str, value: int) -> int:
        if name not in self._asked and name not in self._asked_by_rest:
            return self.cycles
        changes: dict[str, Any] = {name: value}
        table = replace(self._table, **changes)
        anew = passes_of(self._work, table)

        def passage(index: int, entry: Entry) -> Passage:
            known = self._passages.get((index, entry))
            return anew(index, entry) if known is None or name in known[1] else known[0]

        return self._total(pipeline_ticks(self._work, table, passage), table, self._board)

    def described(self) -> Described:
        """The run on the board as described."""
        return Described(self._events, self._board, self._pipeline, self._table, self._clock_mhz)

    def with_overlap(self, end: End) -> int:
        """Cycles of the run with all figures at their values and the rule of overlap at an end."""
        board = self._board
        for key, figure in figures(board):
            if figure.lowest < figure.highest:
                board = _at(board, key, figure.value)
        return self._total(self._pipeline, self._table, board, end)


def _at(board: Board, key: str, value: float | int) -> Board:
    """The board with one figure that is sure to be ``value``."""
    figure = dict(figures(board))[key]
    return with_figure(board, key, figure.model_copy(update={"value": value, "low": None, "high": None}))
