"""Latency over the clock ladder."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from engine.catalog.board import Board
from engine.catalog.figure import Figure
from engine.catalog.flash import ClockStep
from engine.catalog.load import load_board
from engine.errors import UsageError
from engine.targets.types import MemoryProfile
from engine.timing.retime import Retiming
from engine.timing.stored import StoredRun
from engine.timing.sweep import Step, SweepPoint, sweep_clocks, sweep_of
from engine.timing.timing import time_execution
from tests.timing import events
from tests.timing.test_counterfactual import runs
from tests.timing.test_timing import NO_MEMORY, stored


def with_ladder(*steps: tuple[float, int], prefetch: bool = False) -> Board:
    """A board of the catalogue without caches, with a ladder of (up to MHz, wait states)."""
    board = load_board("nucleo-l4r5zi")
    ladder = tuple(ClockStep(up_to_mhz=mhz, wait_states=states) for mhz, states in steps)
    update = {"ladder": ladder, "prefetch": prefetch, "icache": None, "dcache": None, "miss_extra_cycles": None}
    return board.model_copy(
        update={
            "flash": board.flash.model_copy(update=update),
            "default_clock_mhz": steps[-1][0],
            "max_clock_mhz": Figure(value=steps[-1][0], source="test"),
        }
    )


def points(
    board: Board, memory: MemoryProfile = NO_MEMORY, clocks: list[float] | None = None
) -> tuple[SweepPoint, ...]:
    return sweep_of(Retiming(stored(board, memory)), clocks)


def test_the_clocks_of_a_ladder() -> None:
    assert sweep_clocks(with_ladder((40, 0), (80, 1))) == (20, 40, 60, 80)
    board = with_ladder((40, 0), (80, 1), (120, 2))
    slower = board.model_copy(update={"max_clock_mhz": Figure(value=100, source="test"), "default_clock_mhz": 50})
    assert sweep_clocks(slower) == (20, 40, 45, 50, 65, 80, 90, 100)  # an edge beyond the maximum is no clock


@pytest.mark.parametrize("board", events.boards(), ids=lambda b: b.name)
def test_every_board_has_clocks(board: Board) -> None:
    clocks = sweep_clocks(board)
    assert len(clocks) >= 2
    assert list(clocks) == sorted(set(clocks))
    assert board.default_clock_mhz in clocks
    assert 0 < clocks[0] <= clocks[-1] <= board.flash.ladder[-1].up_to_mhz


def test_without_misses_the_cycles_stay_and_the_time_is_divided() -> None:
    one, two = points(with_ladder((40, 0), (80, 4)), clocks=[40, 80])
    assert one.cycles == two.cycles
    assert two.latency_ms == pytest.approx(one.latency_ms / 2)
    assert (one.step, two.step) == (Step.FIRST, Step.FASTER)
    assert (one.wait_states, two.wait_states) == (0, 4)
    assert two.saving == pytest.approx(0.5)


def test_a_higher_clock_that_buys_nothing_by_hand() -> None:
    # 1000 jumps that miss: 0, 1 and 2 wait states cost 0, 1000 and 2000 cycles beside a pipeline of under 100
    memory = events.memory(events.flash(0, 1000, 0, 1000, 0, 0, 0))
    board = with_ladder((40, 0), (48, 1), (64, 2))
    low, mid, high = points(board, memory, [40, 48, 64])
    assert (mid.cycles - low.cycles, high.cycles - mid.cycles) == (1000, 1000)
    assert [p.step for p in (low, mid, high)] == [Step.FIRST, Step.NOTHING, Step.NOTHING]
    assert high.latency_ms > low.latency_ms
    assert high.saving == pytest.approx(1 - (low.cycles + 2000) / 64 / (low.cycles / 40), rel=1e-3)


def test_under_one_percent_is_nothing() -> None:
    board = with_ladder((100, 0))
    assert [p.step for p in points(board, clocks=[99.5, 100])] == [Step.FIRST, Step.NOTHING]
    assert [p.step for p in points(board, clocks=[98, 100])] == [Step.FIRST, Step.FASTER]


def test_faster_only_if_so_at_both_ends() -> None:
    # with a prefetch that may hide all or nothing, the higher clock wins at the value and at the low end (all 12 misses hidden) and
    # loses at the high end (48 cycles more on less than 100)
    memory = events.memory(events.flash(0, 12, 12, 0, 0, 0, 0))
    board = with_ladder((40, 0), (55, 4), prefetch=True)
    low, high = points(board, memory, [40, 55])
    assert high.saving_interval[0] < 0 < 0.01 < high.saving <= high.saving_interval[1]
    assert high.latency_ms < low.latency_ms
    assert high.step is Step.UNCERTAIN


def test_the_fastest_lower_clock_is_the_measure() -> None:
    # 45 MHz falls behind 40 MHz; 50 MHz beats 45 but not 40
    memory = events.memory(events.flash(0, 1000, 0, 1000, 0, 0, 0))
    board = with_ladder((40, 0), (50, 1))
    *_, mid, last = points(board, memory, [40, 45, 50])
    assert last.latency_ms < mid.latency_ms
    assert last.step is Step.NOTHING


def test_every_step_has_a_label() -> None:
    assert len({step.label for step in Step}) == len(Step)


def test_no_clocks_no_points() -> None:
    assert points(load_board("nucleo-l4r5zi"), clocks=[]) == ()


@pytest.mark.parametrize("clock", [0.0, -4.0, 121.0, float("inf")])
def test_a_clock_off_the_ladder_is_refused(clock: float) -> None:
    with pytest.raises(UsageError, match="cannot run at"):
        points(load_board("nucleo-l4r5zi"), clocks=[80, clock])


@settings(max_examples=30, deadline=None)
@given(runs())
def test_every_point_is_the_timed_run(run: StoredRun) -> None:
    seen = sweep_of(Retiming(run))
    assert [p.clock_mhz for p in seen] == list(sweep_clocks(run.board))
    for point in seen:
        timed = time_execution(run.at(point.clock_mhz))
        assert (point.cycles, point.interval) == (timed.warm_cycles, timed.interval)
        assert point.latency_ms == pytest.approx(timed.warm_cycles / point.clock_mhz / 1000)
        assert point.latency_ms_interval[0] <= point.latency_ms <= point.latency_ms_interval[1]
        assert point.saving_interval[0] <= point.saving <= point.saving_interval[1]
    best = seen[0].latency_ms
    for point in seen[1:]:
        if point.step is not Step.NOTHING:
            assert point.latency_ms < best
            assert (point.step is Step.FASTER) == (point.saving_interval[0] > 0)
        best = min(best, point.latency_ms)
