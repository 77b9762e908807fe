import pytest
from hypothesis import given

from engine.catalog.board import MemoryKind
from engine.catalog.load import load_board
from engine.energy.attribute import energy_of
from engine.explain.compare_energy import energy_delta
from engine.explain.energy_card import energy_change, energy_sentences, with_energy_card
from engine.explain.explain import explain_run
from engine.explain.hardware import Hardware
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy, RunEnergy
from tests.builders.records import PATIENT, kws_record, records

L4, H7, NRF = (load_board(name) for name in ("nucleo-l4r5zi", "nucleo-h743zi", "nrf5340-dk"))


def record(**changes: object) -> RunRecord:
    return kws_record(board="nucleo-l4r5zi", clock_mhz=120.0).model_copy(update=changes)


def test_the_card_says_how_much_what_it_rests_on_and_where_it_goes() -> None:
    r = record()
    found = with_energy_card(explain_run(r, Hardware(L4, None)), r, L4)
    assert isinstance(found.energy, RunEnergy)
    head, where = found.energy_text
    assert "mJ per inference" in head
    assert "simulated" in head
    assert "other firmware on the same board" in head
    assert "conv2d 75 % and depthwise conv2d 25 %" in where
    assert "waiting for memory" in where


def test_a_card_without_energy_says_why() -> None:
    (line,) = energy_sentences(record(), energy_of(record(), NRF.model_copy(update={"name": "x"})))
    assert line.startswith("Energy: none, no published power measurement of x")


@PATIENT
@given(records())
def test_every_run_has_sentences(r: RunRecord) -> None:
    for energy in (energy_of(r, None), NoEnergy(reason="none")):
        assert energy_sentences(r, energy)


def test_data_elsewhere_saves_as_much_energy_as_time_and_code_elsewhere_another_power() -> None:
    r = kws_record(board="nucleo-h743zi", clock_mhz=480.0)
    assert energy_change(r, H7, 0.1) == pytest.approx(-0.1)
    itcm = H7.memories[0].model_copy(update={"name": "itcm", "kind": MemoryKind.ITCM, "origin": 0})
    with_itcm = H7.model_copy(update={"memories": (*H7.memories, itcm)})
    # an STM32H743 draws 177.5 instead of 262.5 uA/MHz with code in ITCM
    assert energy_change(r, with_itcm, 0.1, "itcm") == pytest.approx(177.5 / 262.5 * 0.9 - 1)
    assert energy_change(r, NRF.model_copy(update={"placement": H7.placement, "memories": H7.memories}), 0.1) is None


def test_a_difference_is_divided_between_time_and_power_exactly() -> None:
    a, b = record(), kws_record(board="nucleo-h743zi", clock_mhz=480.0)
    found = energy_delta(a, b, energy_of(a, L4), energy_of(b, H7))
    assert found.delta_uj is not None
    assert found.by_time_uj + found.by_power_uj == pytest.approx(found.delta_uj)
    assert found.delta_uj == pytest.approx(found.b_uj - found.a_uj)
    back = energy_delta(b, a, energy_of(b, H7), energy_of(a, L4))
    assert (back.delta_uj, back.by_power_uj) == (pytest.approx(-found.delta_uj), pytest.approx(-found.by_power_uj))


def test_two_runs_of_one_power_differ_by_their_cycles() -> None:
    a, b = record(), kws_record(board="nucleo-l4r5zi", clock_mhz=120.0, kernels="reference")
    found = energy_delta(a, b, energy_of(a, L4), energy_of(b, L4))
    assert found.by_power_uj == 0
    assert found.tie is False
    assert found.delta_uj / found.a_uj == pytest.approx(b.cycles.warm / a.cycles.warm - 1, rel=1e-3)


def test_two_runs_of_one_power_are_tied_where_their_latencies_are() -> None:
    a = record()
    low, high = a.cycles_interval
    energy = energy_of(a, L4)
    close = a.model_copy(update={"id": "close", "cycles_interval": (low, high + 1)})
    apart = a.model_copy(update={"id": "apart", "cycles_interval": (high + 1, 2 * high)})
    assert energy_delta(a, close, energy, energy).tie is True
    assert energy_delta(a, apart, energy, energy).tie is False


def test_a_run_without_energy_has_no_difference() -> None:
    found = energy_delta(record(), record(), energy_of(record(), L4), NoEnergy(reason="nobody measured it"))
    assert found.delta_uj is None
    assert "B has none" in found.text
