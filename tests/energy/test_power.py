import dataclasses

import pytest

from engine.energy.power import EnergyEstimate, NoEnergy, PublishedPower, estimate_energy, published_power
from engine.errors import RecordError
from tests.builders.records import kws_record


def power(**changes: object) -> PublishedPower:
    base = PublishedPower("nucleo-l4r5zi", 120.0, 1.8, 40.0, "KWS", "TFLM", "cmsis-nn", "somebody", "a test")
    return dataclasses.replace(base, **changes)


def test_energy_is_power_times_latency() -> None:
    record = kws_record(board="nucleo-l4r5zi", clock_mhz=120.0)
    estimate = estimate_energy(record, (power(power_mw=40.0), power(power_mw=60.0)))
    assert isinstance(estimate, EnergyEstimate)
    assert estimate.energy_uj == pytest.approx(50.0 * record.latency_ms)
    low, high = record.cycles_interval
    assert estimate.low_uj == pytest.approx(40.0 * low / 120_000)
    assert estimate.high_uj == pytest.approx(60.0 * high / 120_000)


@pytest.mark.parametrize("other", [{"board": "x"}, {"clock_mhz": 80.0}, {"kernels": "reference"}])
def test_power_of_something_else_is_no_basis(other: dict[str, object]) -> None:
    record = kws_record(board="nucleo-l4r5zi", clock_mhz=120.0)
    answer = estimate_energy(record, (power(**other),))
    assert isinstance(answer, NoEnergy)
    assert "nucleo-l4r5zi" in answer.reason


def test_every_published_row_has_a_source() -> None:
    rows = published_power()
    assert rows
    assert all(r.source.startswith("MLPerf Tiny") and 1 < r.power_mw < 1000 for r in rows)


def test_a_broken_row_names_file_and_line(tmp_path) -> None:
    bad = tmp_path / "power.csv"
    bad.write_text("board,clock_mhz\nx,fast\n")
    with pytest.raises(RecordError, match=r"power\.csv line 2"):
        published_power(bad)


def test_a_board_with_set_figures_has_no_published_power():
    record = kws_record().model_copy(update={"overrides": ("flash.wait_states=3",)})
    found = estimate_energy(record)
    assert isinstance(found, NoEnergy)
    assert "flash.wait_states=3" in found.reason
