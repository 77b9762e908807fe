"""A recorded inference, replayed: the events of the memory run come back, and only they."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.catalog.load import load_board, load_core
from engine.errors import CheckFailedError
from engine.firmware.types import Firmware
from engine.targets import unicorn_target
from engine.targets.image import Image
from engine.targets.replay import Move, Replayed, replay
from engine.targets.store import load_execution, load_trace, save_execution
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.targets.keyword_spotting import DATA, keyword_spotting

KEY = "0123456789abcdef"
Ran = tuple[Firmware, Execution]


def ran(name: str) -> Ran:
    board = load_board(name)
    firmware = keyword_spotting(board)
    return firmware, UnicornTarget(board).run(firmware, [DATA])


def again(name: str, made: Ran, trace: np.typing.NDArray[np.int64] | None = None) -> Replayed:
    board = load_board(name)
    words = made[1].trace if trace is None else trace
    assert words is not None
    moves = [Move(m.origin, m.end, 0) for m in board.memories]
    return replay(words, made[0], Image(made[0].elf), board, load_core(board.core), moves)


@pytest.fixture(scope="module")
def small() -> Ran:
    return ran("nucleo-l4r5zi")


@pytest.mark.parametrize(
    "board",
    [
        "nucleo-l4r5zi",  # a fully associative cache of the flash's own lines
        pytest.param("nucleo-h743zi", marks=pytest.mark.slow),  # caches in front of RAM too, written back, random
        pytest.param("raspberry-pi-pico", marks=pytest.mark.slow),  # one cache for code and constants
        pytest.param("nrf52840-dk", marks=pytest.mark.slow),
    ],
)
def test_on_the_board_it_was_recorded_on_the_events_come_back(board: str, small: Ran) -> None:
    made = small if board == "nucleo-l4r5zi" else ran(board)
    found = again(board, made)
    assert (found.cold, found.warm, found.alternatives) == (made[1].cold, made[1].warm, made[1].alternatives)


def test_the_trace_is_stored_beside_the_execution(small: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path))
    assert load_trace(KEY) is None
    path = save_execution(KEY, small[1])
    assert small[1].trace is not None
    assert np.array_equal(load_trace(KEY), small[1].trace)
    assert load_execution(KEY) is not None
    path.write_bytes(path.read_bytes()[:-200])
    assert load_trace(KEY) is None
    save_execution(KEY, dataclasses.replace(small[1], trace=None))
    assert load_trace(KEY) is None


def test_it_is_far_shorter_than_its_events(small: Ran) -> None:
    events = int(small[1].profile.count.sum()) + sum(e.reads + e.writes for e in small[1].warm.events)
    assert small[1].trace is not None
    assert small[1].trace.size < events / 8


def test_a_trace_that_is_too_long_is_left_out(small: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unicorn_target, "TRACE_WORDS", 1000)
    made = ran("nucleo-l4r5zi")
    assert made[1].trace is None
    # emulated again instead of replayed: the same events, of the alternatives too
    assert (made[1].cold, made[1].warm) == (small[1].cold, small[1].warm)
    assert made[1].alternatives == small[1].alternatives != ()


def test_a_trace_that_gives_other_events_is_no_result(small: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.targets import watch

    other = dataclasses.replace(small[1].cold, events=small[1].cold.events[:-1])
    monkeypatch.setattr(watch, "replay", lambda *_: Replayed(other, other, ()))
    with pytest.raises(CheckFailedError, match="does not give the memory events"):
        UnicornTarget(load_board("nucleo-l4r5zi")).run(small[0], [DATA])


@pytest.mark.parametrize("what", ["half", "elsewhere", "empty"])
def test_a_trace_of_something_else_is_refused(what: str, small: Ran) -> None:
    trace = small[1].trace
    assert trace is not None
    wrong = {
        "half": trace[: trace.size // 2],
        "elsewhere": np.append(np.int64(0x30000000), trace),
        "empty": trace[:0],
    }[what]
    with pytest.raises(CheckFailedError, match="does not fit the firmware"):
        again("nucleo-l4r5zi", small, wrong)
