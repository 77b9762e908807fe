"""This machine from end to end: what is missing is absent with a reason, and on the real machine counts are exact and repeatable."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.errors import CheckFailedError, ExecutionError, ModelError, ToolError, UsageError
from engine.explain.host import classify
from engine.firmware.host import build_host
from engine.firmware.toolchain.host import check_host
from engine.models.inputs import make_inputs
from engine.models.library import resolve_model
from engine.models.oracle import Verdict, oracle_status
from engine.models.reader import read_graph
from engine.pipeline import host as module
from engine.pipeline.host import HostSettings, draw_flamegraph, find_host_record, known_hosts, measure_host, repeats_for
from engine.records.host_store import host_problems
from engine.targets.host import program as program_module
from engine.targets.host.callgrind import simulate
from engine.targets.host.process import quiet_cpu
from engine.targets.host.program import outputs_of, time_program
from tests.builders.tflite_builder import ModelBuilder


@pytest.fixture(scope="module", autouse=True)
def _x86_linux() -> None:
    try:
        check_host()
    except ToolError as error:
        pytest.skip(error.message)


@pytest.fixture
def model(tmp_path: Path) -> str:
    b = ModelBuilder(seed=3)
    y = b.conv_2d(b.input((1, 8, 8, 3)), 4, kernel=(3, 3))
    b.output(b.average_pool_2d(y, (2, 2), stride=(2, 2)))
    path = tmp_path / "small.tflite"
    path.write_bytes(b.build())
    return str(path)


@pytest.fixture
def _own_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of the test's own; objects stay in the shared cache."""
    monkeypatch.setattr(module, "host_dir", lambda: tmp_path / "host")


@pytest.fixture
def _no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ToolError("it is not installed", hint="install it")

    monkeypatch.setattr(module, "time_litert", absent)
    monkeypatch.setattr(module, "find_valgrind", absent)
    # any size will do, and memory of this machine's size takes seconds
    monkeypatch.setattr(program_module, "probed_bytes", lambda _: (1 << 16, 1 << 17, 1 << 18))


@pytest.mark.usefixtures("_own_records", "_no_tools")
def test_without_litert_and_valgrind_the_times_of_our_kernels_stand(model: str, tmp_path: Path) -> None:
    record = measure_host(HostSettings(model))
    assert record.id == "small_host_o2"
    assert (record.runtime, record.runtime_note) == (None, "it is not installed; install it")
    assert record.reference.simulation is None
    assert record.reference.simulation_note == "it is not installed; install it"
    assert record.reference.latency.repeats >= 100
    if oracle_status().found:
        assert record.reference.output_matches_oracle is True
    assert host_problems(tmp_path / "host" / record.id / "record.json") == ()
    assert find_host_record(record.id) == record
    assert known_hosts() == (record,)
    (tmp_path / "host" / record.id / "record.json").write_text("{}")
    assert known_hosts() == ()
    with pytest.raises(ToolError, match="no flame graph: it is not installed"):
        draw_flamegraph(model, record, tmp_path / "f.svg")
    assert find_host_record("kws_nucleo-l4r5zi") is None


@pytest.mark.usefixtures("_own_records", "_no_tools")
def test_a_wrong_output_has_no_numbers(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "check_outputs", lambda *_: Verdict(False, "byte 3 differs"))
    with pytest.raises(CheckFailedError, match="byte 3 differs"):
        measure_host(HostSettings(model))
    assert known_hosts() == ()


def test_what_cannot_be_built(tmp_path: Path, model: str) -> None:
    with pytest.raises(UsageError):
        measure_host(HostSettings(model, "O9"))
    with pytest.raises((ModelError, UsageError)):
        measure_host(HostSettings(str(tmp_path / "absent.tflite")))


def test_a_program_that_was_changed_or_given_nonsense(model: str, tmp_path: Path) -> None:
    graph = read_graph(Path(model))
    program = build_host(graph, "small")
    assert build_host(graph, "small").sha256 == program.sha256
    data = make_inputs(graph, count=1)[0]
    cpu = quiet_cpu()
    with pytest.raises(ExecutionError, match="exit code 3"):
        outputs_of(program, [data[:-1]], cpu)
    with pytest.raises(ExecutionError, match=r"no answer in 0\.2 s"):
        time_program(program, data, cpu, warm_up=10**9, repeats=1, timeout_s=0.2)
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)
    mute = type(program)(**{**program.__dict__, "path": silent})
    with pytest.raises(ExecutionError, match="wrote 0 bytes"):
        outputs_of(mute, [data], cpu)
    with pytest.raises(ExecutionError, match="0 bytes of times"):
        time_program(mute, data, cpu, warm_up=0, repeats=1)


def test_fast_models_are_timed_more_often() -> None:
    assert repeats_for(50.0) == 100
    assert repeats_for(0.5) == 200
    assert repeats_for(0.0001) == 1000


@pytest.mark.slow
@pytest.mark.usefixtures("_own_records")
def test_kws_on_this_machine_counts_the_same_again() -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    record = measure_host(HostSettings("kws"))
    found = record.reference.simulation
    assert found is not None, record.reference.simulation_note
    assert record.reference.latency.repeats >= 100
    # LiteRT is an extra: here with its times, or with the reason
    assert (record.runtime is None) == bool(record.runtime_note)
    for layer in found.layers:
        # SSE2 multiplies eight at a time, and an instruction reads and writes one operand each
        assert layer.instructions > layer.macs / 8
        assert 0 < layer.reads + layer.writes <= 2 * layer.instructions
    bound = classify(record)
    assert bound is not None
    assert all(s.high is None or s.low <= s.high for s in bound.shares)
    path = resolve_model("kws").path
    graph, cpu = read_graph(path), quiet_cpu()
    program = build_host(graph, "kws")
    assert program.sha256 == record.reference.program_sha256
    again = simulate(program, make_inputs(graph, count=1)[0], record.machine, cpu)
    assert again.layers == found.layers
