"""A power meter around the inferences of a board: energy that is known beforehand, and everything that may go wrong with the meter."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from engine.cli.main import main
from engine.energy.measured import measured_energy, timeline_of
from engine.energy.meters import choose
from engine.energy.meters.ina226 import Ina226
from engine.energy.meters.ina226_registers import Ina226Settings
from engine.energy.trace import quality_of, read_trace
from engine.energy.windows import windows_of_markers
from engine.errors import BadInputError, ExecutionError, ToolError
from engine.pipeline import board_energy, board_store
from engine.pipeline.board_energy import Metered, Reach, meter_inferences, try_meter
from engine.records.energy import MeasuredEnergy
from engine.records.measured import MeasuredRecord
from engine.records.run_energy import NoEnergy
from engine.targets.board.device import Device
from engine.targets.board.measure import ClockCheck, LoopTime, Measurement
from engine.targets.board.session import Session
from tests.builders.measured import measured_record
from tests.energy.powered_board import ACTIVE_W, IDLE_W, Double, PoweredBoard, live_ina226
from tests.energy.synthetic import Truth
from tests.targets.fake_board import INPUT_BYTES

needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
GONE = ExecutionError("double went away after 7 samples", hint="check the cable")


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> PoweredBoard:
    """A board whose clock is everybody's."""
    made = PoweredBoard()
    monkeypatch.setattr(board_energy, "time", SimpleNamespace(monotonic=made.clock, sleep=made.sleep))
    return made


def session_with(board: PoweredBoard) -> Session:
    session = Session(Device(board, board.clock))
    session.load(bytes(INPUT_BYTES))
    return session


def found(session: Session, board: PoweredBoard, ratio: float = 1.0) -> Measurement:
    loop = LoopTime(10, round(10 * board.each_s * 1e6 * ratio))
    return Measurement(session.identity, None, None, (), loop, ClockCheck(ratio, 100.0), None, (), 0, 0)


def metered(board: PoweredBoard, meter: Double) -> Metered:
    session = session_with(board)
    reach = Reach(meter.rate_hz, meter.gated)
    return meter_inferences(session, meter, reach, found(session, board), "PC0", lambda _: None)


def energy(board: PoweredBoard, seen: Metered) -> MeasuredEnergy:
    """Over a record whose inference takes as long as the board's."""
    record = measured_record(loop_us=board.each_s * 1e6)
    return measured_energy(record, timeline_of(record), seen.trace, seen.windows, seen.busy)


def test_one_inference_between_two_edges_of_the_pin(board: PoweredBoard) -> None:
    seen = metered(board, Double(board))
    assert [w.inferences for w in seen.windows] == [1] * 10
    result = energy(board, seen)
    truth = (ACTIVE_W - IDLE_W) * board.each_s * 1e9
    assert abs(result.net_nj - truth) <= result.error_nj < 0.05 * truth
    # the inferences that fill the caches draw power beside the windows: they are no idling
    assert result.idle_mw == pytest.approx(IDLE_W * 1e3)
    assert result.shares == "measured cycles"
    assert len([x for x in result.layers if x.net_nj is not None]) > 5
    assert sum(x.net_nj or 0 for x in result.layers) + result.unresolved_nj == result.net_nj


def test_without_a_pin_loops_of_a_second_between_time_stamps(board: PoweredBoard) -> None:
    seen = metered(board, Double(board, rate_hz=3571, gated=False))
    assert {w.inferences for w in seen.windows} == {50}
    for window, (begin, end) in zip(seen.windows, board.pulses[1:], strict=True):
        assert abs(window.start_s - begin) <= window.uncertainty_s + 1e-9
        assert abs(window.end_s - end) <= window.uncertainty_s + 1e-9
        assert window.uncertainty_s < 0.01
    result = energy(board, seen)
    truth = (ACTIVE_W - IDLE_W) * board.each_s * 1e9
    assert abs(result.net_nj - truth) <= result.error_nj < 0.05 * truth
    assert {x.reason for x in result.layers} == {
        "several inferences ran between two edges, so no edge says where a layer lies"
    }


def test_short_inferences_share_a_window_of_the_pin(board: PoweredBoard) -> None:
    board.each_s = 0.0005
    assert {w.inferences for w in metered(board, Double(board)).windows} == {10}, "100 samples at 20 kHz"


def test_long_inferences_are_fewer(board: PoweredBoard) -> None:
    board.each_s = 5.0
    assert len(metered(board, Double(board, rate_hz=1000)).windows) == 4


def test_a_device_whose_clock_is_another(board: PoweredBoard) -> None:
    """An emulator's microseconds are not this machine's: here three of them last as long as one."""
    session = session_with(board)
    timed = found(session, board, ratio=3.0)
    loop = session.loop
    session.loop = lambda count, warmups: 3 * loop(count, warmups)  # type: ignore[method-assign]
    seen = meter_inferences(session, Double(board, gated=False), Reach(20_000, False), timed, "", lambda _: None)
    assert {w.inferences for w in seen.windows} == {50}
    assert all(w.seconds == pytest.approx(1.0) for w in seen.windows)


def test_a_slow_or_saturated_meter_is_told_with_the_result(board: PoweredBoard) -> None:
    slow = energy(board, metered(board, Double(board, rate_hz=500, gated=False)))
    assert slow.meter.complaints == ("sampled at 500 Hz, less than 1000 Hz",)
    full = energy(board, metered(board, Double(board, gated=False, saturates=True)))
    assert any("the energy is too low" in x for x in full.meter.complaints)


def test_a_window_that_the_port_disturbed_is_done_again(board: PoweredBoard) -> None:
    session = session_with(board)
    loop, calls = session.loop, [0]

    def sometimes(count: int, warmups: int) -> int:
        calls[0] += 1
        session.device.retries += calls[0] == 3
        return loop(count, warmups)

    session.loop = sometimes  # type: ignore[method-assign]
    meter = Double(board)
    seen = meter_inferences(session, meter, Reach(20_000, True), found(session, board), "PC0", lambda _: None)
    assert (len(seen.windows), len(seen.busy), calls[0]) == (10, 11, 12)


def test_a_port_that_disturbs_every_window_ends(board: PoweredBoard) -> None:
    session = session_with(board)
    loop = session.loop

    def always(count: int, warmups: int) -> int:
        session.device.retries += 1
        return loop(count, warmups)

    session.loop = always  # type: ignore[method-assign]
    meter = Double(board)
    with pytest.raises(ExecutionError, match="20 times the port disturbed"):
        meter_inferences(session, meter, Reach(20_000, True), found(session, board), "PC0", lambda _: None)
    assert meter.begun is None, "and the meter is stopped"


def test_a_pin_that_is_not_connected_is_one_message(board: PoweredBoard) -> None:
    with pytest.raises(BadInputError, match="saw no edge of the marker pin in 10 inferences") as told:
        metered(board, Double(board, connected=False))
    assert "marker pin PC0" in told.value.hint


def test_a_pin_that_bounces_is_one_message(board: PoweredBoard) -> None:
    board.pulses.append((0.0, 0.0))
    meter = Double(board)
    stop = meter.stop

    def bouncing() -> object:
        begin, end = board.pulses[-1]
        middle = (begin + end) / 2
        board.pulses[-1:] = [(begin, middle - 0.002), (middle + 0.002, end)]
        return stop()

    meter.stop = bouncing  # type: ignore[method-assign, assignment]
    with pytest.raises(BadInputError, match="2 pulses of the marker pin where one window"):
        metered(board, meter)


def test_what_a_meter_can_do_is_found_out_first(board: PoweredBoard) -> None:
    reach = try_meter(Double(board, rate_hz=5000, gated=False))
    assert (reach.rate_hz, reach.gated) == (pytest.approx(5000), False)
    with pytest.raises(ExecutionError, match=r"in 0.5 s") as told:
        try_meter(Double(board, fails=BadInputError("double gave 0 samples", hint="measure for longer")))
    assert "sample faster" in told.value.hint


def test_layers_that_begin_nobody_knows_when_have_no_energy() -> None:
    truth = Truth(0.0, (0.01, 0.01), (0.9, 0.1), (1.0,))
    record = measured_record(loop_us=1e6)
    seen = truth.trace(10_000, 3.0)
    result = measured_energy(record, timeline_of(record), seen, windows_of_markers([(1.0, 2.0)], 0.07))
    assert result.layers[0].net_nj is not None, "101 ms"
    assert result.layers[1].reason == "it takes 63.1 ms, and where it begins is known to 70 ms"


def test_a_firmware_that_times_no_layers_has_none() -> None:
    truth = Truth(0.0, (0.01,), (1.0,), (1.0,))
    record = measured_record(plain=True, loop_us=1e6)
    result = measured_energy(record, timeline_of(record), truth.trace(10_000, 3.0), truth.windows())
    assert (result.layers, result.shares) == ((), None)
    assert result.net_nj == pytest.approx(1e7, rel=1e-3)


# --- the command, with QEMU's serial port as the board's and the registers of an INA226 in this machine's time


SETTINGS = Ina226Settings(shunt_ohm=0.5, max_current_a=0.1)
METER = "ina226:shunt_ohm=0.5,max_current_a=0.1"
LOW_A, HIGH_A = 0.002, 0.02


@pytest.fixture
def loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, int]]:
    """When the loops ran: from question to answer, and how many inferences. Few and short ones, in a cache of the test's own."""
    seen: list[tuple[float, float, int]] = []
    loop = Session.loop

    def watched(self: Session, count: int, warmups: int) -> int:
        begin = time.monotonic()
        seen.append((begin, float("inf"), count))
        micros = loop(self, count, warmups)
        seen[-1] = (begin, time.monotonic(), count)
        return micros

    monkeypatch.setattr(Session, "loop", watched)
    monkeypatch.setattr(board_store, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(board_energy, "WINDOWS", 3)
    monkeypatch.setattr(board_energy, "_LEAST_S", 0.4)
    return seen


def run_with(monkeypatch: pytest.MonkeyPatch, meter: object, *more: str) -> Result:
    monkeypatch.setattr(choose, "parse_meter", lambda _: meter)
    arguments = ["run", "kws", "--board", "olimex-stm32-h405", "--port", "qemu:", "--repeats", "2", "--meter", METER]
    return CliRunner().invoke(main, [*arguments, *more])


def kept(folder: Path) -> MeasuredRecord:
    (path,) = (folder / "boards").glob("*.json")
    assert CliRunner().invoke(main, ["record", "check", str(path)]).exit_code == 0
    return MeasuredRecord.model_validate_json(path.read_bytes())


@needs_qemu
def test_energy_of_a_board_is_in_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: list[tuple[float, float, int]]
) -> None:
    chip = live_ina226(lambda t: HIGH_A if any(b <= t <= e for b, e, _ in loops) else LOW_A)
    done = run_with(monkeypatch, Ina226(lambda: chip, SETTINGS), "--json")
    assert done.exit_code == 0, done.output
    record = kept(tmp_path)
    assert json.loads(done.stdout)["energy"]["net_nj"] == record.energy.net_nj  # type: ignore[union-attr]
    found = record.energy
    assert isinstance(found, MeasuredEnergy)
    assert (found.windows, found.shares, found.run) == (3, "measured microseconds", record.id)
    assert found.evidence is record.evidence, "behind QEMU nothing is measured"
    measured = [x for x in loops if x[2] == found.inferences][-3:]
    truth = (HIGH_A - LOW_A) * 3.3 * sum(e - b for b, e, _ in measured) / sum(n for *_, n in measured) * 1e9
    assert abs(found.net_nj - truth) <= found.error_nj + 2e-3 * truth
    assert found.idle_mw == pytest.approx(LOW_A * 3.3e3, rel=0.02)
    trace = read_trace(tmp_path / "boards" / f"{record.id}.npz")
    assert quality_of(trace).rate_hz == pytest.approx(found.meter.rate_hz, rel=1e-3)
    shown = CliRunner().invoke(main, ["explain", record.id]).stdout
    assert "µJ per inference (of whatever the meter is wired to" in shown


@needs_qemu
def test_a_meter_that_goes_away_leaves_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: list[tuple[float, float, int]]
) -> None:
    chip = live_ina226(lambda _: LOW_A)
    read = chip.read

    def dying(address: int, register: int) -> int:
        if len(loops) > 4:  # three to time it, one to warm up: the first window is under way
            raise OSError(121, "Remote I/O error")
        return read(address, register)

    chip.read = dying  # type: ignore[method-assign]
    done = run_with(monkeypatch, Ina226(lambda: chip, SETTINGS))
    assert done.exit_code == 1
    assert done.stderr.count("error:") == 1
    assert "went away after" in done.stderr
    record = kept(tmp_path)
    assert isinstance(record.energy, NoEnergy)
    assert "went away after" in record.energy.reason
    assert record.latency_us.count == 2
    assert "No energy: " in done.stdout
    assert list((tmp_path / "boards").glob("*.npz")) == []


@needs_qemu
def test_a_meter_that_is_not_there_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: list[tuple[float, float, int]]
) -> None:
    chip = live_ina226(lambda _: LOW_A, address=0x41)
    (tmp_path / "boards").mkdir()
    done = run_with(monkeypatch, Ina226(lambda: chip, SETTINGS))
    assert (done.exit_code, loops) == (ToolError.exit_code, [])
    assert "nothing answers at 0x40" in done.stderr
    assert list((tmp_path / "boards").iterdir()) == []


def test_a_meter_needs_a_board() -> None:
    done = CliRunner().invoke(main, ["run", "kws", "--board", "olimex-stm32-h405", "--meter", METER])
    assert (done.exit_code, "--meter has no meaning without --port" in done.stderr) == (2, True)
    done = CliRunner().invoke(main, ["run", "kws", "--board", "host", "--meter", METER])
    assert (done.exit_code, "--meter has no meaning on this machine" in done.stderr) == (2, True)
