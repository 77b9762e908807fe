import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.load import load_board
from engine.energy.committed import model_path
from engine.energy.fit import features_nj, fit, nonnegative_ridge, predict_uj, terms_of
from engine.energy.judge import defeats, judge, predicted_energy
from engine.energy.predictors import FITTED_MODEL, POWER_MODEL, PREDICTORS
from engine.energy.rows import candidates
from engine.errors import RecordError, UsageError
from engine.pipeline.energy_fit import predict
from engine.records.energy_model import Coefficient, EnergyModel, Load, Term, TrainingRow, read_energy_model
from tests.builders.records import PATIENT, kws_record

LOADS = st.builds(
    Load,
    printed_ua_per_mhz=st.floats(1, 500),
    voltage_v=st.floats(0.9, 5),
    clock_mhz=st.floats(1, 1000),
    cycles=st.floats(0, 1e10),
    flash_read_bytes=st.integers(0, 10**10),
    ram_read_bytes=st.integers(0, 10**10),
    ram_write_bytes=st.integers(0, 10**10),
    macs=st.integers(0, 10**10),
)
COEFFICIENTS = st.tuples(*(st.floats(0, 1e3) for _ in Term)).map(
    lambda values: tuple(Coefficient(term=t, value=v, unit=t.unit) for t, v in zip(Term, values, strict=True))
)


@PATIENT
@given(COEFFICIENTS, LOADS, st.floats(0, 1e9), st.integers(0, 10**9))
def test_more_never_costs_less(coefficients: tuple[Coefficient, ...], load: Load, cycles: float, bytes_: int) -> None:
    more = load.model_copy(update={"cycles": load.cycles + cycles, "ram_write_bytes": load.ram_write_bytes + bytes_})
    assert predict_uj(coefficients, more) >= predict_uj(coefficients, load)


@PATIENT
@given(COEFFICIENTS, LOADS)
def test_no_traffic_costs_no_traffic_energy_and_terms_sum(coefficients: tuple[Coefficient, ...], load: Load) -> None:
    still = load.model_copy(update={"flash_read_bytes": 0, "ram_read_bytes": 0, "ram_write_bytes": 0})
    terms = {t.term: t.energy_uj for t in terms_of(coefficients, still)}
    assert [terms[t] for t in (Term.FLASH_READ, Term.RAM_READ, Term.RAM_WRITE)] == [0, 0, 0]
    assert sum(terms.values()) == predict_uj(coefficients, still)


@PATIENT
@given(st.lists(st.tuples(*(st.floats(-5, 5) for _ in range(4))), min_size=3, max_size=12), st.floats(0.01, 10))
def test_the_solver_finds_the_least_of_the_convex_problem(rows: list[tuple[float, ...]], penalty: float) -> None:
    data = np.array(rows)
    x, y = data[:, :3], data[:, 3]
    b = nonnegative_ridge(x, y, penalty)
    slope = 2 * (x.T @ (x @ b - y) + penalty * b)
    # Karush-Kuhn-Tucker: no way down that keeps b >= 0
    assert (b >= 0).all()
    scale = 1 + np.abs(x).max() * np.abs(data).max() * len(rows)
    assert (slope >= -1e-6 * scale).all()
    assert np.abs(slope * b).max() < 1e-6 * scale * (1 + b.max())


def made_row(i: int, board: str, load: Load, energy_uj: float) -> TrainingRow:
    return TrainingRow(
        id=str(i), board=board, firmware=f"f{i % 4}", model=f"m{i % 3}", kernels="cmsis-nn", load=load, stand_in=False,
        simulated_cycles=None, energy_uj=energy_uj, source="a test",
    )  # fmt: skip


def test_coefficients_of_a_made_up_board_are_found_again() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for i in range(60):
        cycles, flash = rng.uniform(1e6, 1e8), int(rng.integers(10**5, 10**8))
        load = Load(
            printed_ua_per_mhz=100, voltage_v=1.8, clock_mhz=120, cycles=cycles, flash_read_bytes=flash, ram_read_bytes=0,
            ram_write_bytes=0, macs=1,
        )  # fmt: skip
        rows.append(made_row(i, "b", load, (1.5 * features_nj(load)[Term.CYCLES] + 0.2 * flash) / 1000))
    found = {c.term: c.value for c in fit(rows, 1e-6)}
    # cycles and time cannot be told apart at one clock: together they are the power
    power_mw = found[Term.CYCLES] * 0.18 * 120 + found[Term.STATIC]
    assert power_mw == pytest.approx(1.5 * 0.18 * 120, rel=1e-2)
    assert found[Term.FLASH_READ] == pytest.approx(0.2, rel=1e-2)


def test_rows_are_used_or_excluded_with_a_reason() -> None:
    used, excluded = candidates()
    assert {r.board for r in used} == {"nucleo-l4r5zi", "nucleo-u575zi"}
    assert all(e.reason for e in excluded)
    assert len(used) + len(excluded) == 98
    assert {e.reason for e in excluded if "neuralSPOT" in e.id} == {
        "no printed current per MHz of apollo510-evb was found"
    }


@pytest.fixture(scope="module")
def kept() -> EnergyModel:
    return read_energy_model(model_path())


def test_the_kept_model_is_what_its_rows_give(kept: EnergyModel) -> None:
    assert [c.value for c in fit(kept.training)] == pytest.approx([c.value for c in kept.coefficients])
    for name in (FITTED_MODEL, POWER_MODEL):
        again = judge(name, PREDICTORS[name], kept.training, "board")
        found = next(j for j in kept.judgements if (j.predictor, j.held_out) == (name, "board"))
        assert again.mape == pytest.approx(found.mape)


def test_the_power_model_beats_every_baseline_on_held_out_rows(kept: EnergyModel) -> None:
    for held in ("model", "firmware", "board"):
        by = {j.predictor: j for j in kept.judgements if j.held_out == held}
        ours = by.pop(POWER_MODEL)
        by.pop(FITTED_MODEL)
        assert len(by) == 4
        for other in by.values():
            assert ours.cmsis_nn_mape < other.cmsis_nn_mape
            assert ours.mape < other.mape


def test_where_a_model_does_not_beat_a_baseline_is_said(kept: EnergyModel) -> None:
    assert defeats(kept, POWER_MODEL) == ()
    lost = defeats(kept, FITTED_MODEL)
    # a build that takes more than its board's usual power: the fitted model knows no builds
    assert {d.column for d in lost} == {"simulated latency"}
    assert {d.held_out for d in lost} == {"model", "firmware"}
    assert all(d.theirs <= d.ours for d in lost)


def test_only_the_term_of_cycles_is_found_with_any_small_penalty(kept: EnergyModel) -> None:
    """Zeros are the data's: no penalty makes them, and their slopes point away from 0."""
    for penalty in (0.0, 1e-6, 1e-3, 0.1):
        found = {c.term: c.value for c in fit(kept.training, penalty)}
        assert [t for t, v in found.items() if v > 0] == [Term.CYCLES]
        assert found[Term.CYCLES] == pytest.approx(2.05, rel=0.01)


def test_a_run_is_predicted_with_an_interval(kept: EnergyModel) -> None:
    record = kws_record(board="nucleo-l4r5zi", clock_mhz=120.0)
    found = predict(kept, record, load_board("nucleo-l4r5zi"))
    low, high = found.interval_uj
    assert low < found.energy_uj < high
    assert found.held_out == "firmware"
    assert predict(kept, record, load_board("nucleo-l4r5zi"), 3.6).energy_uj == pytest.approx(2 * found.energy_uj)
    assert found.notes == ("supply 1.8 V: as published or printed for this board",)
    assert "says nothing of 3.6 V" in predict(kept, record, load_board("nucleo-l4r5zi"), 3.6).notes[0]
    other = predicted_energy(kept, "x", "a board nobody knows", found.load, ())
    assert other.held_out == "board"
    assert other.interval_uj[1] - other.interval_uj[0] > high - low


def test_a_board_without_a_printed_current_is_refused(kept: EnergyModel) -> None:
    with pytest.raises(UsageError, match="no printed current"):
        predict(kept, kws_record(), load_board("nrf5340-dk"))


def test_a_broken_model_file_is_one_message(tmp_path) -> None:
    path = tmp_path / "model.json"
    path.write_text("{}")
    with pytest.raises(RecordError, match="cannot be read"):
        read_energy_model(path)
