"""The table of ``run --live --port``: what a reader sees of a board before there is one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from engine.cli import board_live
from engine.cli.board_live import live_view
from engine.pipeline.board_live import SimulatedLayers, simulated_layers, so_far
from engine.pipeline.settings import RunSettings, resolve
from engine.targets.board.answers import LayerRuns, TimedRun
from tests.builders.measured import measured_record
from tests.builders.records import kws_record

RUN = resolve(RunSettings("kws", "nucleo-l4r5zi"))
SIMULATED: SimulatedLayers = simulated_layers(kws_record(), RUN)
N = len(SIMULATED.layers)


def runs(*factors: int) -> LayerRuns:
    """One inference per factor, each layer that many times 1000 cycles."""
    return LayerRuns(
        tuple(f"x_{i}" for i in range(N)),
        "cycles",
        9,
        tuple(TimedRun(f * 1000 * N + 50, (f * 1000,) * N) for f in factors),
    )


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    shown = Console(file=out, width=100, height=200, force_terminal=True, color_system=None, markup=False)
    monkeypatch.setattr(board_live, "console", lambda: shown)
    return out


def plain(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(board_live, "console", lambda: Console(file=out, width=100, markup=False))
    return out


def test_the_median_so_far_is_the_records() -> None:
    now = so_far(runs(1, 5, 3), 8)
    assert (now.done, now.of, now.counter, now.marker) == (3, 8, "cycles", 9)
    assert (now.whole, now.layers) == (3000 * N + 50, (3000,) * N)


def test_plain_lines_say_what_moved_and_double_the_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    out = plain(monkeypatch)
    view = live_view(RUN, emulated=False, as_json=False)
    with view.open():
        view.tell(SIMULATED)
        assert "bound by" not in out.getvalue(), "nothing is measured yet"
        view.tell(so_far(runs(*[1] * 8), 100))
        for done in (16, 24, 32, 100):
            view.tell(so_far(runs(*[1] * 8, *[2] * (done - 8)), 100))
    view.close(measured_record())
    text = out.getvalue()
    assert "p50: measured" in text
    assert "cycles, p50 of 8" in text
    assert text.count("bound by") == 1
    assert "p50 of 16: " in text
    assert "no layer moved by more than 1 %" in text.split("p50 of 16: ")[1].split("p50 of 32")[0]
    assert "p50 of 24" not in text
    assert "layer 0 1,000 → 2,000" in text.split("p50 of 32: ")[1]
    assert "p50 of 100: " in text


def test_a_terminal_has_one_table_that_moves(screen: io.StringIO) -> None:
    view = live_view(RUN, emulated=False, as_json=False)
    with view.open():
        view.progress("connecting")
        view.tell(SIMULATED)
        view.tell(so_far(runs(*[1] * 8), 16))
        view.tell(so_far(runs(*[1] * 16), 16))
    last = screen.getvalue().split("p50 of 16")[-1]
    assert last.count("1,000") == N
    assert "→ " in last
    assert "inference" in last


def test_a_measurement_that_fails_leaves_no_empty_table(screen: io.StringIO) -> None:
    view = live_view(RUN, emulated=True, as_json=False)
    with pytest.raises(RuntimeError), view.open():
        raise RuntimeError
    assert "bound by" not in screen.getvalue()


def test_another_firmware_has_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    out = plain(monkeypatch)
    view = live_view(RUN, emulated=False, as_json=False)
    with view.open():
        pass
    view.close(measured_record(plain=True))
    assert "it has no layers to show" in out.getvalue()
