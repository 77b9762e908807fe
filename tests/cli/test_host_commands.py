"""This machine on the command line, with a record made by hand in place of a measurement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.pipeline import host as pipeline
from engine.pipeline.host import host_dir
from engine.records.host import HostRecord
from engine.records.host_store import write_host
from tests.builders.host_records import host_record
from tests.cli.kit import invoke, refused


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostRecord:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    made = host_record()
    write_host(made, host_dir() / made.id / "record.json")
    monkeypatch.setattr(pipeline, "measure_host", lambda *_: made)
    return made


def test_run_prints_a_card_or_a_record(record: HostRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke("run", "kws", "--board", "host")
    assert result.exit_code == 0, result.output
    assert "Bound by compute" in result.stdout
    assert "record.json" in result.stdout
    found = json.loads(invoke("run", "kws", "--board", "host", "--target", "host", "--json").stdout)
    assert (found["kind"], found["id"]) == ("host", record.id)
    drawn: list[Path] = []
    monkeypatch.setattr(pipeline, "draw_flamegraph", lambda _model, _record, out: drawn.append(out))
    assert "flame graph: " in invoke("run", "kws", "--board", "host", "--flamegraph", str(tmp_path / "f.svg")).stdout
    assert drawn == [tmp_path / "f.svg"]


def test_explain_compare_and_check_know_it(record: HostRecord) -> None:
    assert "Bound by compute" in invoke("explain", record.id).stdout
    assert json.loads(invoke("explain", record.id, "--json").stdout)["kind"] == "host"
    refused(invoke("explain", record.id, "--mca"), "no run on a board")
    refused(invoke("compare", record.id, "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz"), "is of this machine")
    path = host_dir() / record.id / "record.json"
    assert invoke("record", "check", str(path)).exit_code == 0
    path.write_text(path.read_text().replace('"least_ms": 1.0', '"least_ms": 9.0'))
    refused(invoke("record", "check", str(path)), "are not valid", code=1)


def test_options_that_make_no_sense() -> None:
    refused(invoke("run", "kws", "--board", "host", "--clock", "3000"), "--clock has no meaning on this machine")
    refused(invoke("run", "kws", "--board", "host", "--kernels", "cmsis-nn"), "--kernels has no meaning")
    refused(invoke("run", "kws", "--board", "host", "--set", "a=1"), "--set has no meaning")
    refused(invoke("run", "kws", "--board", "host", "--host-board", "nucleo-l4r5zi"), "--host-board belongs to an NPU")
    refused(invoke("run", "kws", "--board", "host", "--target", "unicorn"), "do not belong together")
    refused(invoke("run", "kws", "--board", "nucleo-l4r5zi", "--target", "host"), "do not belong together")
    refused(invoke("run", "kws", "--board", "nucleo-l4r5zi", "--flamegraph", "f.svg"), "belongs to the board host")


def test_doctor_lists_the_tools() -> None:
    assert {"ai-edge-litert", "valgrind", "perf"} <= {f["name"] for f in json.loads(invoke("doctor", "--json").stdout)}
