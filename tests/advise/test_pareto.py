import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.advise.pareto import Objective, dominates, pareto_front
from engine.errors import UsageError
from tests.builders.records import PATIENT, make_record, make_region, make_stack


def run(name, cycles, flash, ram):
    return make_record(id=name, glue=make_region(make_stack(mac=cycles)), flash_bytes=flash, ram_bytes=ram)


SMALL = st.integers(0, 4)


@st.composite
def runs(draw):
    return [run(f"r{i}", draw(SMALL), draw(SMALL), draw(SMALL)) for i in range(draw(st.integers(0, 9)))]


OBJECTIVES = st.lists(st.sampled_from(Objective), min_size=1, max_size=3, unique=True)


def test_a_front_of_three_by_hand():
    fast, small, middle, bad = run("fast", 1, 9, 9), run("small", 9, 1, 1), run("middle", 5, 5, 5), run("bad", 6, 5, 5)
    assert [r.id for r in pareto_front([bad, small, middle, fast])] == ["fast", "middle", "small"]
    assert [r.id for r in pareto_front([bad, small, middle, fast], [Objective.LATENCY_MS])] == ["fast"]


def test_equal_runs_stay_together():
    assert [r.id for r in pareto_front([run("b", 1, 1, 1), run("a", 1, 1, 1)])] == ["a", "b"]


@given(runs(), OBJECTIVES)
@PATIENT
def test_the_front_is_exactly_what_nothing_dominates(found, objectives):
    front = pareto_front(found, objectives)
    kept = {r.id for r in front}
    for a, b in itertools.permutations(front, 2):
        assert not dominates(a, b, objectives)
    for left_out in (r for r in found if r.id not in kept):
        # and one that is on the front itself beats it
        assert any(dominates(a, left_out, objectives) for a in front)
    assert bool(front) == bool(found)


@given(runs())
@PATIENT
def test_the_best_in_each_objective_is_on_the_front(found):
    front = pareto_front(found)
    for objective in Objective:
        if found:
            assert min(objective.of(r) for r in front) == min(objective.of(r) for r in found)


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="objective"):
        pareto_front([], [])
    with pytest.raises(UsageError, match="different models"):
        pareto_front([make_record(model="kws"), make_record(model="ic")])
