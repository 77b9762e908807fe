"""Sessions of MLPerf Tiny against devices that are wrong, without any emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import BadInputError, ExecutionError
from engine.pipeline.mlperf import _against_labels, _window
from engine.pipeline.mlperf_data import Labelled, read_labelled
from engine.targets.board.device import Device
from engine.targets.board.session import Session
from tests.targets.fake_board import INPUT_BYTES, FakeBoard


class Timed(FakeBoard):
    """Each inference takes ``each_s`` here; its own timer runs ``rate`` times as fast."""

    rate = 1.0
    each_s = 0.01

    def _work(self, words: list[str]) -> list[str]:
        if words[0] != "infer":
            return super()._work(words)
        count, warmups = int(words[1]), int(words[2])
        self.now += (count + warmups) * self.each_s
        start = 17
        lap = start + round(count * self.each_s * self.rate * 1e6)
        return [f"m-lap-us-{start}", f"m-lap-us-{lap}", "m-results-[1,2]"]


def loaded(board: FakeBoard) -> Session:
    session = Session(Device(board, board.clock))
    session.load(bytes(INPUT_BYTES))
    return session


@pytest.mark.parametrize("plain", [False, True])
def test_a_window_lasts_as_long_as_asked_for(plain: bool) -> None:
    board = Timed(plain=plain)
    window = _window(loaded(board), 1.0)
    assert window.seconds >= 1.0
    assert window.per_second == pytest.approx(100)
    asked = [c for c in board.commands if c.startswith("infer")]
    assert asked[0] == "infer 1 0", "how long to wait is learned from one inference"
    assert all(c.endswith(" 10") for c in asked[1:])


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_a_timer_that_stands_still_ends_the_session(rate: float) -> None:
    board = Timed()
    board.rate = rate
    with pytest.raises(ExecutionError, match="by the device's timer"):
        _window(loaded(board), 10.0)
    assert board.now < 60


@pytest.mark.parametrize("results", [[[()]], [[(1.0,)], [(1.0, 2.0)]]])
def test_results_that_are_none_or_differ_in_number(results: list[list[tuple[float, ...]]]) -> None:
    labelled = [Labelled(str(i), (b"x",), 0) for i in range(len(results))]
    with pytest.raises(BadInputError, match="results per inference"):
        _against_labels({"label": "measured", "device": "x", "profile": "", "model": ""}, labelled, results)


@pytest.mark.parametrize("text", [b"\xff\xfe\x00a", b"a.bin,2,1\r" + b"x" * 200_000])
def test_labels_that_are_no_table(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    (tmp_path / "y_labels.csv").write_bytes(text)
    with pytest.raises(BadInputError, match="y_labels"):
        read_labelled(tmp_path, 1)
