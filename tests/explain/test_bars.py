import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.explain.bars import whole_percents
from engine.explain.explain import bar_of
from engine.explain.terminal import _cells
from tests.builders.records import PATIENT, ZERO_STACK, make_stack, stacks

PARTS = st.lists(st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 10**12)), min_size=1, max_size=12)


@given(PARTS)
@PATIENT
def test_percents_sum_to_exactly_100_and_stay_near(parts):
    found = whole_percents(parts)
    total = sum(parts)
    assert sum(found) == (100 if total else 0)
    for part, percent in zip(parts, found, strict=True):
        assert abs(percent * total - 100 * part) < max(total, 1)
        assert part or not percent


def test_largest_remainders_win_and_ties_go_to_the_first():
    assert whole_percents([1, 1, 1]) == (34, 33, 33)
    assert whole_percents([667, 333]) == (67, 33)
    assert whole_percents([996, 2, 2]) == (100, 0, 0)
    assert whole_percents([]) == ()


def test_negative_parts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        whole_percents([1, -1])


@given(stacks())
@PATIENT
def test_a_bar_holds_all_cycles_of_its_stack(stack):
    bar = bar_of(stack)
    assert sum(p.cycles for p in bar) == stack.cycles
    assert sum(p.percent for p in bar) == (100 if stack.cycles else 0)
    assert all(p.cycles for p in bar)


def test_no_cycles_no_bar():
    assert bar_of(ZERO_STACK) == ()
    assert [p.percent for p in bar_of(make_stack(mac=3))] == [100]


@given(PARTS.filter(any), st.integers(10, 200))
@PATIENT
def test_the_strip_is_always_full(parts, cells):
    lengths = _cells(parts, cells)
    assert sum(lengths) == cells
    assert min(lengths) >= 0
