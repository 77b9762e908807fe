"""``whycycles compare``: text, JSON, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from engine.records.store import write_record
from tests.builders.records import kws_record, make_record


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, str]:
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    write_record(kws_record(), one)
    write_record(kws_record(kernels="reference"), two)
    return str(one), str(two)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["compare", *args])


def test_the_paragraph_comes_first_then_the_tables(paths: tuple[str, str]) -> None:
    result = invoke(*paths)
    assert result.exit_code == 0, result.output
    text = result.stdout
    order = ["may be compared", "by mechanism", "by cause", "by layer"]
    assert [text.index(x) for x in order] == sorted(text.index(x) for x in order)


def test_json(paths: tuple[str, str]) -> None:
    data = json.loads(invoke(*paths, "--json").stdout)
    assert data["comparable"] is True
    assert data["delta_cycles"] > 0
    assert sum(x["delta_cycles"] for x in data["by_layer"]) == data["delta_cycles"] == sum(data["by_cause"].values())
    assert sum(data["by_mechanism"].values()) == pytest.approx(data["delta_us"], abs=1e-6)


def test_not_comparable_is_a_check_that_failed(paths: tuple[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    write_record(make_record(kws_record().layers, output_matches_oracle=False), wrong)
    result = invoke(paths[0], str(wrong))
    assert result.exit_code == 1
    assert "may not be compared: the output of B is wrong" in " ".join(result.stdout.split())
    result = invoke(paths[0], str(wrong), "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert data["comparable"] is False
    assert data["reasons"]
    assert data["delta_us"] is None


def test_different_models_are_not_compared() -> None:
    ids = [f"{m}_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz" for m in ("kws", "ic")]
    result = invoke(*ids)
    assert result.exit_code == 1
    assert "they run different models (kws and ic)" in " ".join(result.stdout.split())
    lines = result.stderr.strip().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]


def test_committed_runs_by_id() -> None:
    ids = [f"kws_nucleo-l4r5zi_{k}_clang-o2_120mhz" for k in ("cmsis-nn", "reference")]
    data = json.loads(invoke(*ids, "--json").stdout)
    assert (data["a"], data["b"]) == tuple(ids)
    assert data["delta_us"] > 0


@pytest.mark.parametrize("bad", ["no-such-run", "missing.json"])
def test_what_is_missing_is_one_message_and_a_hint(bad: str, paths: tuple[str, str]) -> None:
    for args in ((bad, paths[1]), (paths[0], bad)):
        result = invoke(*args)
        assert result.exit_code == 2
        lines = result.stderr.strip().splitlines()
        assert lines[-2].startswith("error: ")
        assert lines[-1].startswith("hint: ")
    assert invoke(paths[0]).exit_code == 2
