"""Measured records: percentiles, what contradicts itself, the store, and which boards count as tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.cli.main import main
from engine.errors import RecordError, UsageError
from engine.pipeline.board_store import find_measured, keep_measured
from engine.records.cause import Evidence
from engine.records.measured import (
    EMULATED,
    boards_dir,
    measured_problems,
    percentiles,
    read_measured,
    silicon_status,
    write_measured,
)
from tests.builders.measured import measured_record
from tests.builders.records import kws_record


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=300))
def test_percentiles_are_numbers_that_occurred_and_rise(values: list[int]) -> None:
    p = percentiles(values)
    assert {p.min, p.p50, p.p90, p.p95, p.p99, p.max} <= set(values)
    for percent, value in ((50, p.p50), (90, p.p90), (95, p.p95), (99, p.p99)):
        assert 100 * sum(v <= value for v in values) >= percent * len(values)
        assert 100 * sum(v < value for v in values) < percent * len(values)


def test_percentiles_of_one_to_a_hundred() -> None:
    p = percentiles(range(1, 101))
    assert (p.min, p.p50, p.p90, p.p95, p.p99, p.max, p.count) == (1, 50, 90, 95, 99, 100, 100)


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    record = measured_record()
    write_measured(record, tmp_path / "a.json")
    assert read_measured(tmp_path / "a.json") == record
    assert measured_problems(tmp_path / "a.json") == ()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"evidence": Evidence.SIMULATED}, "contradict"),
        ({"evidence": Evidence.PREDICTED, "emulator": "QEMU"}, "cannot give predicted"),
        ({"emulator": "QEMU", "evidence": Evidence.MEASURED}, "only a board measures"),
        ({"simulation": kws_record(kernels="reference", clock_mhz=99)}, "another ELF"),
        ({"by_layer": None}, "exactly where the ELF is"),
        ({"plain": True, "firmware_verified": True}, "not known cannot be verified"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_records_that_contradict_themselves_are_refused(changes: dict[str, object], match: str) -> None:
    if "simulation" in changes:
        sim = kws_record(kernels="reference")
        changes = {
            "simulation": sim.model_copy(
                update={"provenance": sim.provenance.model_copy(update={"elf_sha256": "f" * 64})}
            )
        }
    with pytest.raises(ValidationError, match=match):
        measured_record(**changes)  # type: ignore[arg-type]


def test_an_emulated_device_is_never_labelled_measured() -> None:
    assert measured_record(emulator="qemu-system-arm 7.2 netduinoplus2").label == EMULATED
    assert measured_record().label == "measured"


def test_a_board_is_tested_once_a_measurement_with_our_firmware_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(folder: str, *records: object) -> str:
        monkeypatch.setattr("engine.records.measured.boards_dir", lambda: tmp_path / folder)
        for i, record in enumerate(records):
            write_measured(record, tmp_path / folder / f"{i}.json")  # type: ignore[arg-type]
        return silicon_status("nucleo-l4r5zi")

    assert status("none") == "untested"
    assert status("emulated", measured_record(emulator="QEMU")) == "untested"
    assert status("plain", measured_record(plain=True)) == "untested"
    assert status("silicon", measured_record()) == "tested"


def test_what_is_committed_claims_no_silicon_that_was_not_measured() -> None:
    for path in boards_dir().glob("*.json"):
        assert read_measured(path).evidence is Evidence.MEASURED


def test_keeping_and_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path))
    record = measured_record()
    assert find_measured(record.id) is None
    path = keep_measured(record)
    assert find_measured(record.id) == record
    assert find_measured(str(path)) == record
    with pytest.raises(UsageError, match="not measured on a board"):
        keep_measured(measured_record(emulator="QEMU"), update=True)
    path.write_text(path.read_text("utf-8").replace('"warmups": 10', '"warmups": -1'), "utf-8")
    with pytest.raises(RecordError, match="warmups"):
        find_measured(record.id)


def test_record_check_and_explain_take_measurements(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_measured(measured_record(), path)
    assert CliRunner().invoke(main, ["record", "check", str(path)]).exit_code == 0
    shown = CliRunner().invoke(main, ["explain", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "unexplained" in shown.stdout
    refused = CliRunner().invoke(main, ["explain", str(path), "--layer", "1"])
    assert refused.exit_code == 2
    path.write_text(path.read_text("utf-8").replace('"marker": 9', '"marker": -9'), "utf-8")
    assert CliRunner().invoke(main, ["record", "check", str(path)]).exit_code == 1
