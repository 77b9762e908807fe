"""One figure at a time at the ends of its interval: by hand, and equal to timing the changed description from scratch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from engine.catalog.assumptions import uncertain
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.catalog.load import load_board, load_core
from engine.catalog.walk import figures, with_figure
from engine.targets.memory_system import counted_bytes
from engine.targets.types import MemoryEvents, MemoryProfile
from engine.timing.memory import counted, memory_cost
from engine.timing.sensitivity import Sensitivities, Sensitivity, sensitivity
from engine.timing.stored import StoredRun
from engine.timing.table import End
from engine.timing.timing import time_execution
from tests.timing import events
from tests.timing.test_counterfactual import SEEN, runs
from tests.timing.test_timing import NO_MEMORY, stored


def asked(board: Board, memory: MemoryProfile = NO_MEMORY) -> Sensitivities:
    return sensitivity(stored(board, memory))


def of(found: Sensitivities, key: str) -> Sensitivity:
    (one,) = (s for s in found.figures if s.assumption.key == key)
    return one


def effects(found: Sensitivities, key: str) -> tuple[int, int]:
    one = of(found, key)
    assert (one.low_cycles, one.high_cycles) == (
        found.cycles + one.low_effect_cycles,
        found.cycles + one.high_effect_cycles,
    )
    return one.low_effect_cycles, one.high_effect_cycles


def test_core_figures_by_hand() -> None:
    found = asked(load_board("nucleo-l4r5zi"))
    assert effects(found, "core.issue.divide") == (-5, 5)  # one sdiv: 7, from 2 to 12
    assert effects(found, "core.branch.direct") == (0, 9)  # nine taken bne
    assert effects(found, "core.latency.fp") == (0, 0)  # no FP instruction was executed
    largest = [s.largest for s in found.figures]
    assert largest == sorted(largest, reverse=True)


def test_memory_figures_by_hand() -> None:
    board = load_board("nucleo-l4r5zi")
    slow = Figure(value=1, low=0, high=4, inferred="test")
    ram = next(m for m in board.memories if m.kind.value == "sram")
    memories = tuple(m.model_copy(update={"wait_states": slow}) if m == ram else m for m in board.memories)
    flash = board.flash.model_copy(update={"miss_extra_cycles": Figure(value=2, low=1, high=5, source="test")})
    board = board.model_copy(update={"memories": memories, "flash": flash})
    memory = events.memory(MemoryEvents(1, ram.name, 10, 40, 5, 20), events.flash(0, 100, 0, 10, 30, 5, 6))
    found = asked(board, memory)
    assert effects(found, f"board.memories.{ram.name}.wait_states") == (-15, 45)
    assert effects(found, "board.flash.miss_extra_cycles") == (-21, 63)
    assert of(found, "board.flash.miss_extra_cycles").assumption.reason == "test"


def test_the_width_of_the_flash() -> None:
    # 10 fetch and 11 read misses of 5 wait states, counted in lines of one read of 8 bytes: from 4 bytes each takes two reads, the
    # second 1 + 5 cycles; of 16 bytes at best half of them is left, which the execution does not say
    board = load_board("nucleo-l4r5zi")
    width = Figure(value=8, low=4, high=16, inferred="test")
    wide = board.model_copy(update={"flash": board.flash.model_copy(update={"width_bytes": width})})
    assert effects(asked(wide, SEEN), "board.flash.width_bytes") == (21 * 6, -52)
    # a line of its own size stays: then the wider flash only spares the second read, and none is spared here
    assert board.flash.icache is not None
    own = board.flash.icache.model_copy(update={"line_bytes": 8, "ways": 128})
    flash = wide.flash.model_copy(update={"icache": own, "dcache": own})
    fixed = wide.model_copy(update={"flash": flash})
    assert effects(asked(fixed, SEEN), "board.flash.width_bytes") == (21 * 6, 0)


def test_constants_without_a_cache_depend_on_the_width() -> None:
    board = load_board("nrf52840-dk")  # 16 bytes, from 8: eleven misses of 1 wait state take a second read of 1 + 1
    low, high = effects(asked(board, events.memory(events.flash(0, 100, 0, 0, 30, 5, 6))), "board.flash.width_bytes")
    assert (low, high) == (11 * 2, 0)


def test_overlap_is_what_a_prefetcher_hides() -> None:
    board = events.l4r5(prefetch=True)
    memory = events.memory(events.flash(0, 10, 10, 0, 0, 0, 0))
    # region 0 spends 52 + 9 cycles on 10 lines: of 5 wait states 6.1 cycles hide all
    found = asked(board, memory)
    assert effects(found, "timing.overlap") == (0, 50)
    assert of(found, "timing.overlap").assumption.value is None
    assert effects(asked(board, SEEN), "timing.overlap") == (0, 0)


@pytest.mark.parametrize("board", events.boards(), ids=lambda b: b.name)
def test_no_interval_of_a_board_is_void(board: Board) -> None:
    core = load_core(board.core)
    for a in uncertain(board, core):
        if a.key.startswith("board.") and a.key != "board.max_clock_mhz" and a.low is not None and a.high is not None:
            costs = [
                memory_cost(changed(board, core, a.key, value)[0], board.default_clock_mhz, End.VALUE, counted(board))
                for value in (a.low, a.high)
            ]
            low, high = ([x.tolist() for x in vars(cost).values()] for cost in costs)
            assert low != high, a.key


@pytest.mark.parametrize("board", events.boards(), ids=lambda b: b.name)
def test_all_that_is_uncertain_is_asked_once(board: Board) -> None:
    core = load_core(board.core)
    keys = [s.assumption.key for s in asked(board).figures]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {a.key for a in uncertain(board, core)} | {"timing.overlap"}
    wide = {f"core.{k}" for k, f in core.figures() if f.lowest < f.highest}
    assert {k for k in keys if k.startswith("core.")} == wide
    assert not any("price" in k or "current" in k for k in keys)


def changed(board: Board, core: Core, key: str, value: float | int) -> tuple[Board, Core]:
    sure = {"value": value, "low": None, "high": None}
    room, _, rest = key.partition(".")
    if room == "board":
        return with_figure(board, rest, dict(figures(board))[rest].model_copy(update=sure)), core
    return board, with_figure(core, rest, dict(core.figures())[rest].model_copy(update=sure))


def lines(board: Board) -> list[tuple[int, int]]:
    return [counted_bytes(m, board.flash) for m in board.memories]


@settings(max_examples=25, deadline=None)
@given(runs())
def test_every_effect_is_that_of_a_run_timed_from_scratch(run: StoredRun) -> None:
    board, core = run.board, run.core
    found = sensitivity(run)
    assert found.cycles == time_execution(run).warm_cycles
    for s in found.figures:
        a = s.assumption
        if a.low is None or a.high is None:
            continue
        for value, cycles in ((a.low, s.low_cycles), (a.high, s.high_cycles)):
            other_board, other_core = changed(board, core, a.key, value)
            if lines(other_board) != lines(board):
                continue  # other lines would have been counted: see test_the_width_of_the_flash
            assert time_execution(run.on(other_board, other_core)).warm_cycles == cycles
