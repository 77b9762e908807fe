"""NPUs on the command line, with a program that stands in for Vela."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog.campaign import NpuMatrix, load_campaign
from engine.catalog.npu import npu_names
from engine.cli.campaign_npus import Estimates, make_estimates
from engine.pipeline import npu_campaign
from engine.records.npu_store import committed_npus, npu_measurements_dir
from engine.targets.npu import vela as module
from tests.builders.vela import FakeVela, install, small_model
from tests.cli.kit import invoke, refused

KWS = "kws_ethos-u55-{}_ethos-u55-high-end-embedded_shared-sram"


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no Vela but the one that stands in for it."""
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    return str(path)


@pytest.fixture
def vela(tmp_path: Path) -> None:
    install(FakeVela(), tmp_path / "vela")


@pytest.mark.usefixtures("vela")
def test_run_prints_a_card_or_a_record(model: str) -> None:
    result = invoke("run", model, "--board", "ethos-u55-128")
    assert result.exit_code == 0, result.output
    assert "off-chip flash" in result.stdout
    assert "record.json" in result.stdout
    record = json.loads(invoke("run", model, "--board", "ethos-u55-128", "--json").stdout)
    assert (record["kind"], record["evidence"], record["cycles"]) == ("npu", "predicted", 502)
    assert json.loads(invoke("explain", record["id"], "--json").stdout) == record
    assert record["id"] in invoke("explain", record["id"]).stdout
    refused(invoke("explain", record["id"], "--layer", "0"), "no blocks behind it")


def test_without_vela(model: str) -> None:
    refused(invoke("run", model, "--board", "ethos-u55-128"), "not installed")
    doctor = {f["name"]: f for f in json.loads(invoke("doctor", "--json").stdout)}
    assert doctor["vela"]["found"] is False
    assert "pip install" in doctor["vela"]["detail"]


@pytest.mark.usefixtures("vela")
def test_options_that_make_no_sense(model: str) -> None:
    refused(invoke("run", model, "--board", "ethos-u55-128", "--clock", "100"), "--clock has no meaning on an NPU")
    refused(invoke("run", model, "--board", "ethos-u55-128", "--kernels", "cmsis-nn"), "--kernels has no meaning")
    refused(invoke("run", model, "--board", "ethos-u55-128", "--target", "unicorn"), "is an NPU")
    refused(invoke("run", model, "--board", "nucleo-l4r5zi", "--target", "npu"), "unknown NPU 'nucleo-l4r5zi'")
    refused(invoke("run", model, "--board", "nucleo-l4r5zi", "--host-board", "x"), "belongs to an NPU")
    refused(invoke("run", model, "--board", "ethos-u55-12"), "unknown NPU 'ethos-u55-12'")
    refused(invoke("run", model, "--board", "ethos-u55-128", "--set", "memory_mode"), "is not understood")
    refused(invoke("run", model, "--board", "ethos-u55-128", "--set", "a=b"), "no key 'a'")


def test_the_catalogue_lists_and_shows_npus() -> None:
    assert "ethos-u85-2048" in invoke("boards").stdout
    assert "nucleo-l4r5zi" not in invoke("boards", "--npus").stdout
    assert {b["name"] for b in json.loads(invoke("boards", "--npus", "--json").stdout)} == set(npu_names())
    assert "Ethos_U85_SYS_DRAM_Mid" in invoke("boards", "show", "ethos-u85-512").stdout
    assert json.loads(invoke("boards", "show", "ethos-u85-512", "--json").stdout)["macs_per_cycle"]["value"] == 512


def test_compare() -> None:
    a, b = KWS.format(32), KWS.format(256)
    assert "B is A" in invoke("compare", a, b).stdout
    answer = json.loads(invoke("compare", a, b, "--json").stdout)
    assert answer["comparable"] is True
    assert answer["cycles"] < 0
    other = next(r.id for r in committed_npus() if r.model == "kws" and r.npu == "ethos-u85-512")
    answer = json.loads(invoke("compare", a, other, "--json").stdout)
    assert answer["comparable"] is False
    assert answer["cycles"] is None
    refused(invoke("compare", a, "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz"), "would be the methods'")


def test_record_check_knows_the_kind(tmp_path: Path) -> None:
    path = npu_measurements_dir() / f"{KWS.format(32)}.json"
    assert invoke("record", "check", str(path)).exit_code == 0
    broken = tmp_path / "x.json"
    broken.write_text(path.read_text("utf-8").replace('"clock_mhz": 500.0', '"clock_mhz": 50.0'), "utf-8")
    result = invoke("record", "check", str(broken))
    refused(result, "1 of 1 records are not valid", code=1)
    assert "npu_latency_ms is not the cycles divided by the clock" in result.stdout


@pytest.mark.usefixtures("vela")
def test_record_verify(model: str) -> None:
    # the stand-in's tables are of another model
    refused(invoke("record", "verify", KWS.format(128)), "was not reproduced", code=1)
    record = json.loads(invoke("run", model, "--board", "ethos-u55-128", "--json").stdout)
    refused(invoke("record", "verify", record["id"]), "has no name here")


def test_campaign_without_vela_leaves_the_committed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_estimates(load_campaign("default"), update=True) == Estimates()
    assert "the committed ones stand" in capsys.readouterr().err


@pytest.mark.usefixtures("vela")
def test_campaign_says_what_changed(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npu_campaign, "npu_measurements_dir", lambda: tmp_path / "npu")
    matrix = load_campaign("default").model_copy(
        update={"estimates": (NpuMatrix(models=(model,), npus=("ethos-u55-128",)),)}
    )
    assert make_estimates(matrix, update=True) == Estimates()
    path = next((tmp_path / "npu").glob("*.json"))
    before = path.read_text("utf-8")
    path.write_text(before.replace('"notes": [', '"notes": [\n  "another",'), "utf-8")
    changed = make_estimates(matrix, update=False)
    assert changed.changed == (path.stem,)
    path.write_text("{}", "utf-8")
    assert make_estimates(matrix, update=False).changed == (path.stem,)
    assert make_estimates(matrix, update=True) == Estimates()
    assert path.read_text("utf-8") == before
