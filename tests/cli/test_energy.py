"""``whycycles energy`` on committed records: nothing is simulated."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import main

KWS = "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz"


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


def ask(*words: str) -> object:
    done = CliRunner().invoke(main, ["energy", *words, "--json"], catch_exceptions=True)
    assert done.exit_code == 0, done.output + done.stderr
    return json.loads(done.stdout)


def test_predict_and_battery() -> None:
    predicted = ask("predict", KWS)
    assert predicted["interval_uj"][0] < predicted["energy_uj"] < predicted["interval_uj"][1]
    life = ask("battery", KWS, "--every", "10")
    assert life["cold"]
    assert life["life_hours_interval"][0] < life["life_hours"]


def test_check() -> None:
    assert ask("check", KWS) == []


def test_a_run_that_is_named_twice_counts_once() -> None:
    done = CliRunner().invoke(main, ["energy", "check", KWS, KWS], catch_exceptions=True)
    assert "1 energies checked" in done.stdout


def test_help_shows_no_bound_where_there_is_none() -> None:
    assert "None" not in CliRunner().invoke(main, ["energy", "import", "--help"]).stdout
    done = CliRunner().invoke(main, ["energy", "import", "x.csv", "--run", KWS, "--supply-v", "nan"])
    assert "not a finite number" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "1e308", "--sleep-ua", "0"], "not in the range"),
        (["--every", "10", "--sleep-ua", "1e308"], "not in the range"),
        (["--every", "10", "--capacity", "1e308"], "not in the range"),
        (["--every", "10", "--battery-v", "1e308"], "not in the range"),
        (["--every", "10", "--wake-ms", "1e308"], "not in the range"),
        (["--every", "10", "--keeps-ram"], "--sleep-ua, which is missing"),
        (["--every", "10", "--loses-ram"], "--sleep-ua, which is missing"),
    ],
)
def test_a_battery_of_impossible_figures_is_refused(words: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["energy", "battery", KWS, *words])
    assert message in done.stderr


def test_a_sleep_of_ones_own_keeps_ram_unless_it_is_said_not_to() -> None:
    asked = ("battery", KWS, "--every", "1e9", "--capacity", "1e9", "--sleep-ua", "1")
    assert not ask(*asked)["cold"]
    assert ask(*asked, "--loses-ram")["cold"]
