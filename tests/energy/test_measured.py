from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from engine.cli.main import main
from engine.energy.measured import measured_energy, timeline_of
from engine.energy.meters.choose import parse_meter
from engine.energy.meters.ina226 import Ina226
from engine.energy.meters.ina226_registers import Ina226Settings
from engine.energy.trace import MeterInfo, PowerTrace, read_trace
from engine.energy.windows import windows_of_gate
from engine.errors import CheckFailedError, UsageError
from engine.paths import measurements_dir
from engine.pipeline.board_store import keep_measured
from engine.records.energy import MeasuredEnergy
from engine.records.measured import read_measured
from engine.records.store import read_record
from tests.builders.measured import measured_record
from tests.energy.meters.fake_ina226 import FakeIna226, Time
from tests.energy.synthetic import Truth

RECORD = read_record(measurements_dir() / "simulated" / "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz.json")
_CYCLES = (*(x.cycles for x in RECORD.layers), RECORD.glue.cycles)
SECONDS = tuple(c / RECORD.clock_mhz / 1e6 for c in _CYCLES)
BOARD = Truth(0.004, tuple(np.linspace(0.03, 0.05, len(SECONDS))), SECONDS, (0.05, 0.15, 0.25))


def trace(rate_hz: float = 200_000) -> PowerTrace:
    return BOARD.trace(rate_hz, 0.35)


def test_layers_of_a_run_from_a_trace_of_known_energy() -> None:
    samples = trace()
    found = measured_energy(RECORD, timeline_of(RECORD), samples, windows_of_gate(samples))
    assert found.energy_uj == pytest.approx(BOARD.net_j * 1e6, rel=0.01)
    assert found.idle_mw == pytest.approx(4.0)
    assert found.windows == 3
    by_name = dict(zip((x.name for x in found.layers), BOARD.net_layers_j, strict=True))
    resolved = [x for x in found.layers if x.net_nj is not None]
    assert len(resolved) > 5
    for layer in resolved:
        assert layer.error_nj is not None
        assert abs(layer.net_nj - by_name[layer.name] * 1e9) <= layer.error_nj + 1
    assert sum(x.net_nj for x in resolved) + found.unresolved_nj == found.net_nj
    assert MeasuredEnergy.model_validate_json(found.model_dump_json(by_alias=True)) == found


def test_a_slow_meter_gets_an_inference_but_no_short_layer() -> None:
    samples = trace(2000)
    found = measured_energy(RECORD, timeline_of(RECORD), samples, windows_of_gate(samples))
    assert abs(found.net_nj - BOARD.net_j * 1e9) <= found.error_nj
    assert any(x.reason and "kHz" in x.reason for x in found.layers)


def test_a_trace_of_another_run_is_refused() -> None:
    samples = trace()
    with pytest.raises(CheckFailedError, match="lasts"):
        measured_energy(RECORD, timeline_of(RECORD), samples, windows_of_gate(samples, inferences=10))


@pytest.mark.parametrize("factor", [-1.0, 0.0])
def test_a_trace_that_gives_energy_or_takes_none_is_refused(factor: float) -> None:
    samples = trace()
    turned = replace(samples, power_w=factor * samples.power_w)
    with pytest.raises(CheckFailedError, match="no board takes nothing"):
        measured_energy(RECORD, timeline_of(RECORD), turned, windows_of_gate(turned))


def write_csv(path: Path) -> Path:
    samples = trace(20_000)
    assert samples.gate is not None
    rows = "\n".join(
        f"{t * 1e3:.6f},{p / 3.3 * 0.5 * 1e3:.9f},{int(g)}"
        for t, p, g in zip(samples.time_s, samples.power_w, samples.gate, strict=True)
    )
    path.write_text(f"ms,drop_mv,pin\n{rows}\n")
    return path


COLUMNS = ["--time", "ms:ms", "--shunt", "drop_mv:mV", "--shunt-ohm", "0.5", "--supply-v", "3.3", "--gate", "pin"]


def test_import_prints_and_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    call = ["energy", "import", str(write_csv(tmp_path / "a.csv")), "--run", RECORD.id, *COLUMNS]
    done = CliRunner().invoke(main, [*call, "--json"])
    assert done.exit_code == 0, done.output
    found = MeasuredEnergy.model_validate_json(done.stdout)
    assert found.energy_uj == pytest.approx(BOARD.net_j * 1e6, rel=0.02)
    assert "0.5 ohm" in found.meter.settings
    kept = tmp_path / "cache" / "runs" / RECORD.id
    assert MeasuredEnergy.model_validate_json((kept / "energy.json").read_bytes()) == found
    assert len(read_trace(kept / "trace.npz").time_s) == 7000
    text = CliRunner().invoke(main, call).output
    assert "µJ per inference (measured)" in text
    again = CliRunner().invoke(main, ["energy", "import", str(kept / "trace.npz"), "--run", RECORD.id, "--json"])
    assert MeasuredEnergy.model_validate_json(again.stdout).net_nj == found.net_nj


def test_import_over_a_measurement_cuts_by_what_the_board_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    board = measured_record()
    keep_measured(board)
    trace_file = write_csv(tmp_path / "a.csv")
    done = CliRunner().invoke(main, ["energy", "import", str(trace_file), "--run", board.id, *COLUMNS, "--json"])
    assert done.exit_code == 0, done.output
    found = MeasuredEnergy.model_validate_json(done.stdout)
    assert (found.shares, found.run) == ("measured cycles", board.id)
    kept = tmp_path / "cache" / "boards"
    assert read_measured(kept / f"{board.id}.json") == board.model_copy(update={"energy": found})
    assert len(read_trace(kept / f"{board.id}.npz").time_s) == 7000
    # what is measured anew has no energy of what was before
    keep_measured(board)
    assert not (kept / f"{board.id}.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--marker", "0.1"], "no marker"),
        (["--marker", "nan,0.1"], "no marker"),
        (["--marker", "0.1,9"], "outside the trace"),
        (["--power", "p"], "say it twice"),
    ],
)
def test_import_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    done = CliRunner().invoke(
        main, ["energy", "import", str(write_csv(tmp_path / "a.csv")), "--run", RECORD.id, *COLUMNS, *arguments]
    )
    assert done.exit_code == 2
    assert words in done.output
    assert "hint:" in done.output
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ina219:bus=1", "no meter 'ina219'"),
        ("ina226", "shunt_ohm, max_current_a is missing"),
        ("ina226:shunt_ohm=0.1", "max_current_a is missing"),
        ("ina226:shunt_ohm=0.1,max_current_a=lots", "no number"),
        ("ina226:shunt_ohm=0.1,colour=red", "no setting of ina226"),
        ("ina226:shunt_ohm=0.1,shunt_ohm=0.2", "given twice"),
        ("joulescope:rate_hz", "no setting"),
        ("joulescope:rate_hz=nan", "no number"),
        ("ina226:shunt_ohm=0.1,max_current_a=0.5,conversion_us=1e999", "no number"),
        ("ina226:shunt_ohm=0.1,max_current_a=0.5,averages=1.5", "averages cannot be 1.5"),
        ("ina226:shunt_ohm=0.1,max_current_a=0.5,address=0x60", "address cannot be 96"),
    ],
)
def test_meters_that_are_described_wrongly(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_meter(text)


def test_meters_by_name() -> None:
    assert parse_meter("ina226:shunt_ohm=0.1,max_current_a=0.5,address=0x41").name == "INA226 at 0x41"
    assert parse_meter("ppk2:port=/dev/ttyACM9,supply_v=1.8,source=yes").name == "PPK2 at /dev/ttyACM9"
    assert parse_meter("joulescope").name == "Joulescope"


def test_a_meter_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["energy", "record", str(tmp_path / "a.npz"), "--meter", "ina226:shunt_ohm=0.1,max_current_a=0.5,bus=97"]
    )
    assert done.exit_code == 2
    assert "error:" in done.output
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300"])
def test_a_time_that_is_none(tmp_path: Path, seconds: str) -> None:
    done = CliRunner().invoke(
        main, ["energy", "record", str(tmp_path / "a.npz"), "--meter", "joulescope", "--seconds", seconds]
    )
    assert done.exit_code == 2
    assert "--seconds" in done.output


def test_what_was_sampled_until_ctrl_c_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Meter:
        name = "fake"
        failed = False

        def start(self) -> None: ...

        def stop(self) -> PowerTrace:
            return PowerTrace(np.arange(10) / 1e4, np.ones(10), MeterInfo("fake"))

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.energy.meters.choose.parse_meter", lambda _: Meter())
    monkeypatch.setattr("engine.cli.energy.time.sleep", interrupted)
    done = CliRunner().invoke(main, ["energy", "record", str(tmp_path / "new" / "a.npz"), "--meter", "fake"])
    assert done.exit_code == 130
    assert len(read_trace(tmp_path / "new" / "a.npz").time_s) == 10


def _record(monkeypatch: pytest.MonkeyPatch, meter: object, out: Path) -> Result:
    monkeypatch.setattr("engine.energy.meters.choose.parse_meter", lambda _: meter)
    return CliRunner().invoke(main, ["energy", "record", str(out), "--meter", "fake", "--seconds", "3600"])


@pytest.mark.parametrize("how", [{"dies_at_s": 0.05}, {"stalls_at_s": 0.05}])
def test_a_meter_that_dies_early_is_told_at_once(
    how: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeIna226(Time(), lambda _: 0.02, lambda _: 3.3, 0.5, **how)  # type: ignore[arg-type]
    done = _record(monkeypatch, Ina226(lambda: fake, Ina226Settings(0.5, 0.1), clock=fake.time), tmp_path / "a.npz")
    assert done.exit_code == 1
    assert re.match(r"error: INA226 at 0x40 (went away after \d+ samples|gave no result for .* s)", done.stderr)
    assert "hint: check its" in done.stderr
    kept = read_trace(tmp_path / "a.npz")
    assert f"a.npz: {len(kept.time_s)} samples" in done.stdout.replace("\n", "")
    assert 0.02 < kept.time_s[-1] < 0.05


def test_a_meter_that_dies_before_its_second_sample_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeIna226(Time(), lambda _: 0.02, lambda _: 3.3, 0.5, dies_at_s=0.0009)
    done = _record(monkeypatch, Ina226(lambda: fake, Ina226Settings(0.5, 0.1), clock=fake.time), tmp_path / "a.npz")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "went away after" in done.stderr
    assert list(tmp_path.iterdir()) == []
