"""The whole path to a board without hardware: QEMU's serial port on a pty, driven through pyserial as a board's would be."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("serial")

from engine.catalog.load import load_core
from engine.cli.main import main
from engine.errors import CheckFailedError, UsageError
from engine.explain.measured import explain_measured
from engine.firmware.build import build
from engine.firmware.mps2 import mps2_board, mps2_machine
from engine.firmware.ports import board_port
from engine.firmware.stimulus import stimulus
from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.inputs import make_inputs, output_bytes
from engine.models.oracle import check_outputs, expected_outputs
from engine.models.reader import read_graph
from engine.pipeline import board_store
from engine.pipeline.board import QEMU, board_firmware, connected, measure_on_board
from engine.pipeline.board_verdict import check_clock
from engine.pipeline.mlperf import accuracy_session, performance_session
from engine.pipeline.settings import RunSettings, parse_set, resolve
from engine.records.cause import Evidence
from engine.records.measured import EMULATED, MeasuredRecord
from engine.targets.board.answers import DeviceFacts
from engine.targets.board.device import Device
from engine.targets.board.link import SerialLink
from engine.targets.board.measure import ClockCheck, LoopTime, Measurement, measure_device
from engine.targets.board.qemu import qemu_pty
from engine.targets.board.session import Identity, Session
from tests.models.small import reference

needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
RUN = resolve(RunSettings("kws", "olimex-stm32-h405"))


@pytest.fixture(scope="module")
def record() -> MeasuredRecord:
    return measure_on_board(RUN, QEMU, repeats=20).record


@needs_qemu
def test_a_run_over_a_serial_port(record: MeasuredRecord) -> None:
    assert record.by_layer is not None
    assert record.simulation is not None
    graph = read_graph(RUN.model.path)
    assert len(record.by_layer.layers) == len(graph.main.operators) == len(record.simulation.layers)
    assert [x.name for x in record.by_layer.layers] == [x.name for x in record.simulation.layers]
    assert (record.by_layer.warm.count, record.by_layer.cold.count) == (20, 3)
    assert record.firmware_verified
    assert record.output_matches_oracle is not False
    assert record.latency_us.count == 20


@needs_qemu
def test_nothing_in_qemu_is_called_measured(record: MeasuredRecord) -> None:
    assert record.evidence is Evidence.SIMULATED
    assert record.label == EMULATED
    assert record.by_layer is not None
    assert record.by_layer.counter == "us", "QEMU counts no cycles"
    assert (record.provenance.emulator or "").startswith("qemu-system-arm")
    assert record.clock.problem is not None, "QEMU has no clock registers, and the firmware said so"
    assert explain_measured(record).unexplained is None


@needs_qemu
def test_the_command_keeps_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_store, "cache_dir", lambda: tmp_path)
    arguments = ["run", "kws", "--board", "olimex-stm32-h405", "--port", "qemu:", "--repeats", "2"]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert EMULATED in " ".join(shown.stdout.split())
    (kept,) = (tmp_path / "boards").glob("*.json")
    assert CliRunner().invoke(main, ["record", "check", str(kept)]).exit_code == 0
    refused = CliRunner().invoke(main, [*arguments, "--update"])
    assert (refused.exit_code, "nothing emulated is committed" in refused.stderr) == (2, True)


@needs_qemu
def test_another_build_on_the_device_is_noticed() -> None:
    graph, port = read_graph(RUN.model.path), board_port(RUN.board)
    flashed = board_firmware(resolve(RunSettings("kws", "olimex-stm32-h405", kernels=KernelLibrary.REFERENCE)), graph)
    with connected(flashed, port, QEMU) as session:
        session.verify(flashed)
        with pytest.raises(CheckFailedError, match="another build is flashed"):
            session.verify(board_firmware(RUN, graph))


@needs_qemu
@pytest.mark.parametrize("core", ["cortex-m0plus", pytest.param("cortex-m33", marks=pytest.mark.slow)])
def test_machines_of_other_cores_by_the_path_of_their_pty(core: str) -> None:
    described = load_core(core)
    graph = read_graph(RUN.model.path)
    firmware = build(
        graph,
        model="kws",
        library=KernelLibrary.CMSIS_NN,
        board=mps2_board(described),
        core=described,
        compiler=CompilerName.CLANG,
        opt="O2",
        port="mps2",
    )
    inputs = make_inputs(graph, count=2)
    with qemu_pty(firmware.elf, mps2_machine(described)) as pty:
        session = Session(Device(SerialLink(pty)))
        session.verify(firmware)
        found = measure_device(session, stimulus(firmware, inputs), output_bytes(graph), 3)
    assert found.outputs is not None
    assert check_outputs(graph, RUN.model.path, inputs, found.outputs).matches is not False
    assert found.warm is not None
    assert len(found.warm.runs) == 3


@needs_qemu
def test_sessions_of_mlperf_tiny(tmp_path: Path) -> None:
    fast = performance_session(RUN, QEMU, baud=115200, seconds=0.1)
    assert len(fast.windows) == 5
    assert all(w.seconds >= 0.1 for w in fast.windows)
    assert fast.label == EMULATED
    right = accuracy_session(RUN, QEMU, baud=115200, data=None, count=4)
    assert right.score == 1.0
    assert "no accuracy of the model" in right.notes[0]
    # a folder of inputs, labelled with what the oracle says, and one label wrong
    graph = read_graph(RUN.model.path)
    inputs = make_inputs(graph, count=4)
    outputs = expected_outputs(graph, RUN.model.path, inputs).outputs
    if outputs is None:
        return
    with (tmp_path / "y_labels.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        for i, (data, raw) in enumerate(zip(inputs, outputs, strict=True)):
            (tmp_path / f"{i}.bin").write_bytes(data)
            best = max(range(len(raw)), key=lambda k, raw=raw: (raw[k] ^ 0x80, -k))
            rows.writerow([f"{i}.bin", 12, (best + (i == 0)) % 12])
    labelled = accuracy_session(RUN, QEMU, baud=115200, data=tmp_path, count=4)
    assert (labelled.score, labelled.score_is) == (0.75, "top-1 accuracy")


@pytest.mark.slow
@needs_qemu
@pytest.mark.parametrize("file", ["pretrainedResnet_quant.tflite", "vww_96_int8.tflite", "ad01_int8.tflite"])
def test_sessions_with_the_suites_other_models(file: str) -> None:
    run = resolve(RunSettings(str(reference(file)), "olimex-stm32-h405"))
    assert len(performance_session(run, QEMU, baud=115200, seconds=0.1).windows) == 5
    assert accuracy_session(run, QEMU, baud=115200, data=None, count=2).score == 1.0


def test_boards_without_a_port_or_a_machine_are_refused() -> None:
    graph = read_graph(RUN.model.path)
    with pytest.raises(UsageError, match="names no port"):
        board_firmware(resolve(RunSettings("kws", "nucleo-g0b1re")), graph)
    with pytest.raises(UsageError, match="QEMU has no machine"):
        measure_on_board(resolve(RunSettings("kws", "nucleo-l4r5zi")), QEMU)
    with pytest.raises(UsageError, match="0 repeats"):
        measure_on_board(RUN, QEMU, repeats=0)


def test_a_board_is_what_it_is() -> None:
    """What --set describes would set the board's wait states, and no measurement is of it."""
    other = resolve(RunSettings("kws", "olimex-stm32-h405", set=(parse_set("flash.prefetch=false"),)))
    with pytest.raises(
        UsageError, match=r"--set flash\.prefetch=false describes other hardware than the board"
    ) as told:
        measure_on_board(other, QEMU)
    assert "--port" in told.value.hint


@needs_qemu
def test_layers_are_told_while_the_board_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_store, "cache_dir", lambda: tmp_path)
    arguments = ["run", "kws", "--board", "olimex-stm32-h405", "--port", "qemu:", "--repeats", "12", "--live"]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    start, *events, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert (start["event"], start["target"], start["replayed"]) == ("start", "board", False)
    layers = [x for x in events if x["event"] == "layer"]
    blocks = [x for x in events if x["event"] == "measured"]
    assert events == [*layers, *blocks]
    # a record that is the command's without --live, and the last block is what it holds
    record = MeasuredRecord.model_validate(last["record"])
    (kept,) = (tmp_path / "boards").glob("*.json")
    assert json.loads(kept.read_bytes()) == last["record"]
    assert record.simulation is not None
    assert record.by_layer is not None
    assert [x["layer"] for x in layers] == [x.model_dump(mode="json", by_alias=True) for x in record.simulation.layers]
    assert all(x["verdict"] for x in layers)
    assert [(x["inferences"], x["of"], x["counter"], x["label"]) for x in blocks] == [
        (8, 12, "us", EMULATED),
        (12, 12, "us", EMULATED),
    ]
    assert blocks[-1]["layers"] == [x.warm.p50 for x in record.by_layer.layers]
    assert blocks[-1]["inference"] == record.by_layer.warm.p50


@needs_qemu
def test_live_lines_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_store, "cache_dir", lambda: tmp_path)
    arguments = ["run", "kws", "--board", "olimex-stm32-h405", "--port", "qemu:", "--repeats", "9", "--live"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    assert "µs, p50 of 8" in done.stdout
    assert "p50 of 9: " in done.stdout
    assert "bound by" in done.stdout
    assert "→ " in done.stdout, "advice"
    assert EMULATED in " ".join(done.stdout.split())
    assert "measured" not in done.stdout.split("p50 of 9: ")[0], "nothing in QEMU is called measured"


@pytest.mark.parametrize(
    ("problem", "ratio", "seconds", "match"),
    [
        ("crystal not ready", 1.0, 9.0, "could not set 168 MHz: crystal not ready"),
        (None, 0.9, 9.0, "its clock is not 168 MHz"),
        (None, 0.0, 9.0, "its timer stands still"),
        (None, 1.01, 9.0, None),
        (None, 0.9, 0.5, None),
    ],
)
def test_a_board_at_another_clock_gives_no_numbers(
    problem: str | None, ratio: float, seconds: float, match: str | None
) -> None:
    facts = DeviceFacts("kws", "", "olimex-stm32-h405", 168_000_000, "HSE", problem)
    found = Measurement(
        Identity("x", "p", "m", facts), None, None, (), LoopTime(10, 100), ClockCheck(ratio, seconds), None, (), 0, 0
    )
    check_clock(RUN, found, "QEMU")
    if match is None:
        check_clock(RUN, found, None)
    else:
        with pytest.raises(CheckFailedError, match=match):
            check_clock(RUN, found, None)
