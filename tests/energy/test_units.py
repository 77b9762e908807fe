import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.energy import units
from engine.energy.fit import features_nj
from engine.energy.units import (
    CYCLES,
    MHZ,
    MS,
    MW,
    NJ,
    NJ_PER_CYCLE,
    UA,
    UA_PER_MHZ,
    UC,
    UJ,
    Quantity,
    S,
    Unit,
    UnitError,
    V,
    energy_uj,
)
from engine.records.energy_model import Load, Term
from tests.builders.records import PATIENT

ALL = tuple(u for u in vars(units).values() if isinstance(u, Unit))
SOME = st.sampled_from(ALL)
VALUE = st.floats(1e-6, 1e9)


@pytest.mark.parametrize(("one", "two"), [p for p in itertools.permutations(ALL, 2) if p[0].kind != p[1].kind])
def test_units_of_different_kinds_cannot_be_mixed(one: Unit, two: Unit) -> None:
    for mix in (
        lambda: (1.0 * one) + (1.0 * two),
        lambda: (1.0 * one) - (1.0 * two),
        lambda: (1.0 * one).to(two),
    ):
        with pytest.raises(UnitError):
            mix()


@PATIENT
@given(VALUE, VALUE, SOME, SOME, SOME)
def test_products_and_quotients_have_the_kind_of_their_parts(x: float, y: float, a: Unit, b: Unit, c: Unit) -> None:
    product = (x * a) * (y * b)
    assert (product / (y * b)).to(a) == pytest.approx(x)
    assert ((y * b) * (x * a)).kind == product.kind
    if c.kind != product.kind:
        with pytest.raises(UnitError):
            product.to(c)
        with pytest.raises(UnitError):
            product + 1.0 * c


@PATIENT
@given(VALUE, VALUE, SOME)
def test_one_kind_adds_up_in_any_unit_of_it(x: float, y: float, a: Unit) -> None:
    for b in ALL:
        if b.kind == a.kind:
            both = (x * a) + (y * b)
            assert both.to(a) == pytest.approx(x + y * 10.0 ** (b.exponent - a.exponent))
            assert (both - y * b).to(a) == pytest.approx(x, rel=1e-6, abs=1e-9 * y * 10.0 ** (b.exponent - a.exponent))


@PATIENT
@given(VALUE, VALUE)
def test_milliwatts_times_milliseconds_are_microjoules_to_the_last_digit(mw: float, ms: float) -> None:
    assert energy_uj(mw, ms) == mw * ms
    assert ((mw * MW) / (ms * MHZ)).to(NJ_PER_CYCLE) == mw / ms


def test_what_a_data_sheet_says_becomes_power_charge_and_energy() -> None:
    # 100 uA/MHz at 120 MHz and 1.8 V: 12 mA, 21.6 mW, 0.18 nJ per cycle
    current = (100.0 * UA_PER_MHZ) * (120.0 * MHZ)
    assert current.to(UA) == 12_000
    assert (current * (1.8 * V)).to(MW) == pytest.approx(21.6)
    assert (current * (1.8 * V) / (120.0 * MHZ)).to(NJ_PER_CYCLE) == pytest.approx(0.18)
    assert (current * (2.0 * S)).to(UC) == 24_000
    assert (((1e6 * CYCLES) / (120.0 * MHZ)) - 2.0 * MS).to(MS) == pytest.approx(1e3 / 120 - 2)
    assert ((5.0 * UJ) + (7.0 * NJ)).to(NJ) == 5007


def test_every_term_of_the_fitted_model_is_an_energy() -> None:
    load = Load(
        printed_ua_per_mhz=100, voltage_v=1.8, clock_mhz=120, cycles=1.2e6, flash_read_bytes=5, ram_read_bytes=6,
        ram_write_bytes=7, macs=8,
    )  # fmt: skip
    found = features_nj(load)
    # 10 ms at 1 mW are 10 uJ; 1 nJ/byte and 1 nJ/MHz count what they are multiplied with
    assert [found[t] for t in Term] == pytest.approx([1.2e6 * 0.18, 5, 6, 7, 120, 10_000])
    assert set(found) == set(Term)


def test_a_quantity_that_is_no_energy_says_so() -> None:
    with pytest.raises(UnitError, match="volt"):
        Quantity(1.0, 0, MW.kind).to(UJ)
