"""What a result rests on: every figure with an interval, re-timed alone at its two ends while all others stay at their values.

The stored execution is timed again, not executed again: a figure changes what a miss costs, not what misses. Only what a figure can
change is computed anew. A block whose cost never asked the core table for a figure costs the same whatever the figure is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from engine.catalog.assumptions import Assumption, uncertain
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.walk import figures, with_figure
from engine.counters.types import Block
from engine.errors import UsageError
from engine.firmware.types import Firmware
from engine.targets.types import Execution
from engine.timing.static_cost import operations_ticks
from engine.timing.table import CYCLE, CoreTicks, End, core_ticks, ticks
from engine.timing.timing import Ticks, _memory, _pipeline, _prepare

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
    """Every uncertain figure of a run by its effect, the largest first; ``cycles`` is the run's warm cycles at the values."""

    cycles: int
    figures: tuple[Sensitivity, ...]


def sensitivity(
    blocks: Mapping[int, Block],
    execution: Execution,
    firmware: Firmware,
    board: Board,
    core: Core,
    clock_mhz: float,
) -> Sensitivities:
    """Re-time a stored execution with each uncertain figure of board and core at its ends; warm cycles.

    ``blocks`` as for ``time_execution``. Raises UsageError for a clock that the board's flash ladder does not cover.
    """
    top = board.flash.ladder[-1].up_to_mhz
    if not 0 < clock_mhz <= top:
        raise UsageError(f"{board.name} cannot run at {clock_mhz:g} MHz", hint=f"choose a clock up to {top:g} MHz")
    run = _Run(blocks, execution, firmware, board, core, clock_mhz)
    found = [_effect(a, run.cycles, *(run.with_figure(a.key, end) for end in _ends(a))) for a in uncertain(board, core)]
    found.append(_effect(_OVERLAP, run.cycles, *(run.with_overlap(end) for end in (End.LOW, End.HIGH))))
    return Sensitivities(run.cycles, tuple(sorted(found, key=lambda s: -s.largest)))


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
    """The run at the values, with what each block and the rest of the model asked of the core table."""

    def __init__(
        self,
        blocks: Mapping[int, Block],
        execution: Execution,
        firmware: Firmware,
        board: Board,
        core: Core,
        clock_mhz: float,
    ) -> None:
        self._board, self._clock_mhz, self._events = board, clock_mhz, execution.warm
        self._table = core_ticks(core, End.VALUE)
        self._work = _prepare(blocks, execution.profile, len(firmware.layers) + 1)
        self._asked: list[set[str]] = []
        costs = []
        for ops in self._work.operations:
            watched = _Watched(self._table)
            costs.append(operations_ticks(ops, watched.table))
            self._asked.append(watched.asked)
        self._costs = np.array(costs, dtype=np.int64)
        rest = _Watched(self._table)
        self._pipeline = _pipeline(self._work, rest.table, self._costs)
        self.cycles = self._total(self._pipeline, rest.table, board)
        self._asked_by_rest = rest.asked

    def _total(self, pipeline: Ticks, table: CoreTicks, board: Board, end: End = End.VALUE) -> int:
        """Whole cycles of the run, each region rounded to nearest as in a record."""
        spent = pipeline + _memory(self._events, pipeline, table, board, self._clock_mhz, end)
        return sum((int(x) + CYCLE // 2) // CYCLE for x in spent.sum(axis=1))

    def with_figure(self, key: str, value: float | int) -> int:
        """Cycles of the run with one figure changed."""
        if key.startswith(_CORE):
            return self._with_core_figure(key.removeprefix(_CORE).replace(".", "_"), ticks(value))
        return self._total(self._pipeline, self._table, _at(self._board, key.removeprefix(_BOARD), value))

    def _with_core_figure(self, name: str, value: int) -> int:
        concerned = [i for i, asked in enumerate(self._asked) if name in asked]
        if not concerned and name not in self._asked_by_rest:
            return self.cycles
        changes: dict[str, Any] = {name: value}
        table = replace(self._table, **changes)
        costs = self._costs
        if concerned:
            costs = costs.copy()
            for i in concerned:
                costs[i] = operations_ticks(self._work.operations[i], table)
        return self._total(_pipeline(self._work, table, costs), table, self._board)

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
