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
