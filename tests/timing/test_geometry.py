"""The run on the other designs that a board may have: each timed like a run on that board, and all of them in the interval."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.access_waits import used_figures
from engine.catalog.alternatives import alternatives, simulated_alternatives
from engine.catalog.board import Board
from engine.catalog.left_out import taken_as_zero, taken_for_granted
from engine.catalog.load import load_board
from engine.catalog.walk import value_at
from engine.targets.types import Execution, MemoryEvents
from engine.timing.geometry import span, widened
from engine.timing.retime import Retiming
from engine.timing.sensitivity import sensitivity
from engine.timing.stored import StoredRun
from engine.timing.timing import TimedRun, time_execution
from tests.timing import events
from tests.timing.test_counterfactual import SEEN, runs
from tests.timing.test_timing import EDGES, execution, profile, stored

FEWER, MORE = events.memory(events.flash(0, 100, 0, 2, 30, 5, 6)), events.memory(events.flash(0, 100, 0, 30, 30, 5, 6))


def seen(board: Board) -> Execution:
    """Ten fetch and eleven read misses as described, eight and more on the first two alternatives."""
    others = [FEWER, MORE, *[SEEN] * len(simulated_alternatives(board))]
    made = execution(profile(EDGES), SEEN)
    return replace(made, alternatives=tuple(others[: len(simulated_alternatives(board))]))


def timed(board: Board, executed: Execution) -> TimedRun:
    return time_execution(replace(stored(board), execution=executed))


def test_by_hand() -> None:
    board = load_board("nucleo-l4r5zi")  # 5 wait states, nothing else
    bare = timed(board, execution(profile(EDGES), SEEN))
    assert bare.alternatives == ()
    assert bare.alternatives_interval is None
    found = timed(board, seen(board))
    assert found.warm_cycles == bare.warm_cycles
    assert [t.effect_cycles for t in found.alternatives] == [-8 * 5, 20 * 5, 0, 0, 0, 0]
    assert found.alternatives_interval == (bare.warm_cycles - 40, bare.warm_cycles + 100)
    assert found.interval == (bare.interval[0] - 40, bare.interval[1] + 100)


def test_a_prefetcher_and_a_ladder_need_no_other_execution() -> None:
    board = load_board("apollo510-evb").model_copy(update={"core": "cortex-m4"})
    found = {
        (t.alternative.key, t.alternative.value): t.effect_cycles
        for t in timed(board, execution(profile(EDGES), SEEN)).alternatives
    }
    # 21 misses of two reads of 16 bytes per line: 6 wait states, from 3 to 12
    halves, doubles = "1 up to 96 MHz, 3 up to 250 MHz", "4 up to 96 MHz, 12 up to 250 MHz"
    assert found == {
        ("flash.prefetch", "true"): 0,
        ("flash.ladder", halves): -21 * 6,
        ("flash.ladder", doubles): 21 * 12,
    }


def test_one_cycle_of_what_is_left_out_by_hand() -> None:
    board = load_board("nucleo-l4r5zi")
    memory = events.memory(MemoryEvents(1, "sram1", 10, 40, 5, 20), events.flash(0, 100, 0, 10, 30, 5, 6))
    run = stored(board, memory)
    found = sensitivity(run)
    effects = {x.left_out.key: x.effect_cycles for x in found.left_out}
    assert effects.pop("flash.miss_extra_cycles") == 21
    assert effects.pop("memories.sram1.wait_states") == 15
    assert set(effects.values()) == {0}
    before = time_execution(run)
    for x in found.left_out:
        after = time_execution(run.on(x.left_out.board, run.core))
        assert after.warm_cycles - before.warm_cycles == x.effect_cycles
        assert value_at(board, x.left_out.key) is None
        assert x.left_out.what in " ".join(taken_for_granted(board))


@pytest.mark.parametrize("board", events.boards(), ids=lambda b: b.name)
def test_all_that_is_taken_as_nothing_is_asked(board: Board) -> None:
    keys = {x.key.rpartition(".")[2] for x in taken_as_zero(board)}
    said = {text.split(" of ")[0] for text in taken_for_granted(board) if " of " in text and "uncached" not in text}
    used = "flash.miss_extra_cycles" in used_figures(board)
    assert keys == {key for key in said if " " not in key} - (set() if used else {"miss_extra_cycles"})


def test_only_the_largest_change_either_way_counts() -> None:
    times = timed(load_board("nucleo-l4r5zi"), seen(load_board("nucleo-l4r5zi"))).alternatives
    assert widened((30, 200), times) == (0, 300)  # not below nothing
    assert widened((50, 200), ()) == (50, 200)
    assert span(10, ()) is None


@pytest.mark.parametrize("board", events.boards(), ids=lambda b: b.name)
def test_every_alternative_is_a_run_on_its_board(board: Board) -> None:
    executed = seen(board)
    found = timed(board, executed)
    profiles = iter(executed.alternatives)
    assert [t.alternative for t in found.alternatives] == list(alternatives(board))
    for t in found.alternatives:
        memory = next(profiles) if t.alternative.misses else executed.warm
        other = timed(t.alternative.board, execution(profile(EDGES), memory))
        assert (t.cycles, t.effect_cycles) == (other.warm_cycles, other.warm_cycles - found.warm_cycles)
        assert found.interval[0] <= t.cycles <= found.interval[1]


@settings(max_examples=30, deadline=None)
@given(runs(), st.data())
def test_all_questions_get_the_same_answer(run: StoredRun, data: st.DataObject) -> None:
    executed, count = run.execution, len(simulated_alternatives(run.board))
    others = data.draw(st.lists(st.sampled_from([executed.warm, FEWER, MORE]), min_size=count, max_size=count))
    run = replace(run, execution=replace(executed, alternatives=tuple(others)))
    whole = time_execution(run)
    assert Retiming(run).interval() == whole.interval
    asked = sensitivity(run).alternatives
    assert sorted(asked, key=str) == sorted(whole.alternatives, key=str)
    assert [abs(t.effect_cycles) for t in asked] == sorted((abs(t.effect_cycles) for t in asked), reverse=True)
    assert all(whole.interval[0] <= t.cycles <= whole.interval[1] for t in asked)
