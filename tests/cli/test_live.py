"""``whycycles run --live``: the order of layers, numbers that are the record's, plain and JSON lines, replays, refusals."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from engine.errors import CheckFailedError
from engine.pipeline import keep, local
from engine.targets.unicorn_target import UnicornTarget
from tests.builders.tflite_builder import ModelBuilder

# one that times regions apart, and one that does not
BOARD, DUAL_ISSUE = "nucleo-l4r5zi", "nucleo-h743zi"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small model; its runs are kept for this test alone, objects and firmware in the common cache."""
    monkeypatch.setattr(local, "runs_dir", lambda: tmp_path / "runs")
    builder = ModelBuilder()
    builder.output(builder.softmax(builder.fully_connected(builder.fully_connected(builder.input((1, 8)), 6), 3)))
    path = tmp_path / "small.tflite"
    path.write_bytes(builder.build())
    return str(path)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["run", *args])


def events(*args: str) -> list[dict[str, Any]]:
    result = invoke(*args, "--live", "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("board", [BOARD, pytest.param(DUAL_ISSUE, marks=pytest.mark.slow)])
def test_layers_come_in_order_and_are_the_records(model: str, board: str) -> None:
    start, *layers, last = events(model, "--board", board)
    assert (start["event"], start["replayed"], last["event"]) == ("start", False, "record")
    assert [x["position"] for x in layers] == [0, 1, 2]
    assert [x["layer"] for x in layers] == last["record"]["layers"]
    assert last["record"]["output_matches_oracle"] is True
    # the record of the command without --live, the energy that is derived from it included
    assert last["record"] == json.loads(invoke(model, "--board", board, "--json").stdout)
    assert "energy" in last["record"]
    again, *replayed, kept = events(model, "--board", board)
    assert again["replayed"] is True
    assert (replayed, kept) == (layers, last)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_qemu_is_followed_too(model: str) -> None:
    _, *layers, last = events(model, "--board", BOARD, "--target", "qemu")
    assert [x["layer"] for x in layers] == last["record"]["layers"]


def test_plain_lines_where_there_is_no_terminal(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = invoke(model, "--board", BOARD, "--live")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    assert "live on unicorn" in result.stdout
    rows = re.findall(r"^ +(\d) +(?:fully connected|softmax) +([\d,]+) +([\d,]+) ", result.stdout, re.M)
    (record,) = local.local_runs()
    assert rows == [(str(x.index), f"{x.counters.instructions:,}", f"{x.cycles:,}") for x in record.record.layers]
    assert (
        result.stdout.count("fully connected") == 3
    )  # the card behind it has no second table, its energy names an operator
    assert "replayed from the kept record" in invoke(model, "--board", BOARD, "--live").stdout


def test_a_run_that_fails_at_the_end_says_so(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise CheckFailedError("the output differs", hint="none")

    monkeypatch.setattr(keep, "record_of", wrong)
    result = invoke(model, "--board", BOARD, "--live")
    assert result.exit_code == 1
    assert "softmax" in result.stdout
    assert "between layers" not in result.stdout
    assert result.stderr.endswith("error: the output differs\nhint: none\n")


def test_an_interrupt_in_the_middle_ends_it(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(UnicornTarget, "count", interrupted)
    result = invoke(model, "--board", BOARD, "--live")
    assert result.exit_code == 130
    assert "softmax" not in result.stdout
    assert "Traceback" not in result.output
    assert local.local_runs() == ()


@pytest.mark.parametrize("options", [("--board", "host"), ("--board", "ethos-u55-128")])
def test_it_is_refused_where_nothing_is_followed(model: str, options: tuple[str, ...]) -> None:
    result = invoke(model, "--live", *options)
    assert result.exit_code == 2
    assert "--live has no meaning on" in result.stderr


@pytest.mark.parametrize("option", ["--repeats=5", "--baud=9600", "--emulated", "--update", "--meter=ina226:bus=1"])
def test_options_of_a_board_need_its_port(option: str) -> None:
    result = invoke("kws", "--board", "nucleo-l4r5zi", option)
    assert result.exit_code == 2
    assert f"{option.partition('=')[0]} has no meaning without --port" in result.stderr
