"""Which energies are checked: of runs, and of boards that a meter measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.energy.measured import measured_energy
from engine.energy.trace import MeterInfo, PowerTrace
from engine.energy.windows import Window
from engine.pipeline.board_store import keep_measured, measured_path, measured_records
from engine.pipeline.energies import inferences
from engine.records.measured import MeasuredRecord
from tests.builders.measured import measured_record


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


def metered(**changes: object) -> MeasuredRecord:
    """KWS on a board that takes 40 mW while it infers."""
    record = measured_record(**changes)
    lasts = record.loop_us / 1e6
    times = np.linspace(0, 3 * lasts, 3000)
    inside = (times >= lasts) & (times <= 2 * lasts)
    trace = PowerTrace(times, np.where(inside, 0.040, 0.001), MeterInfo("double"))
    found = measured_energy(record, None, trace, [Window(lasts, 2 * lasts, 0.0)])
    return record.model_copy(update={"energy": found})


def test_a_board_that_was_measured_is_checked() -> None:
    record = metered()
    keep_measured(record)
    (one,) = inferences([record.id, record.id])
    assert one in inferences()
    assert one.energy_uj / one.latency_ms == pytest.approx(40, rel=0.01)
    assert record.simulation is not None
    assert one.macs == record.simulation.macs
    assert one.modelled_mw is not None
    assert one.modelled_mw[0] < 40 < one.modelled_mw[1]


def test_another_firmware_is_checked_without_macs() -> None:
    keep_measured(metered(plain=True))
    (one,) = inferences(["kws_nucleo-l4r5zi_board"])
    assert (one.macs, one.modelled_mw) == (None, None)


def test_a_run_brings_the_power_that_its_board_may_take() -> None:
    (one,) = inferences(["kws_nucleo-g0b1re_cmsis-nn_clang-o2_64mhz"])
    assert one.modelled_mw is not None
    low, high = one.modelled_mw
    assert low < one.energy_uj / one.latency_ms < high


@pytest.mark.parametrize("changes", [{"emulator": "qemu"}, {}])
def test_what_no_meter_measured_is_left_out(changes: dict[str, object]) -> None:
    record = metered(**changes) if changes else measured_record()
    keep_measured(record)
    assert inferences([record.id]) == ()


def test_a_broken_file_of_this_machine_is_passed_over() -> None:
    record = metered()
    path = keep_measured(record)
    measured_path("broken").write_text("{")
    assert path.is_file()
    assert [r.id for r in measured_records() if r.id == record.id] == [record.id]
