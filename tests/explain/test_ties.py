import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.explain.ties import interval_ms, rank
from tests.builders.records import PATIENT, make_record, make_region, make_stack


def run(name, low, warm, high):
    glue = make_region(make_stack(mac=warm))
    record = make_record(id=name, glue=glue, interval=(1, 1), clock_mhz=1.0)
    return record.model_copy(update={"cycles_interval": (low, high)})


def shape(groups):
    return [(g.rank, [m.record.id for m in g.members]) for g in groups]


@st.composite
def runs(draw):
    found = []
    for i in range(draw(st.integers(0, 8))):
        low, warm, high = sorted(draw(st.tuples(*[st.integers(1, 60)] * 3)))
        found.append(run(f"r{i}", low, warm, high))
    return found


def test_disjoint_intervals_are_ranked_and_overlapping_ones_tie():
    a, b, c = run("a", 9, 10, 11), run("b", 19, 20, 21), run("c", 20, 22, 24)
    groups = rank([c, a, b])
    assert shape(groups) == [(1, ["a"]), (2, ["b", "c"])]
    assert [g.tied for g in groups] == [False, True]
    assert shape(rank([a, c, b, run("d", 30, 30, 30)]))[-1] == (4, ["d"])


def test_overlap_is_not_transitive_and_the_ranking_says_so():
    a, b, c = run("a", 10, 12, 14), run("b", 13, 15, 18), run("c", 16, 18, 20)
    groups = rank([a, b, c])
    assert shape(groups) == [(1, ["a", "b"]), (2, ["c"])]
    assert [m.ties_with for g in groups for m in g.members] == [("b",), ("a", "c"), ("b",)]


def test_touching_intervals_tie():
    assert shape(rank([run("a", 1, 2, 3), run("b", 3, 4, 5)])) == [(1, ["a", "b"])]


@given(runs(), st.randoms(use_true_random=False))
@PATIENT
def test_ranks_respect_what_is_sure_and_ties_what_is_not(found, shuffler):
    groups = rank(found)
    members = [(g.rank, m) for g in groups for m in g.members]
    assert sorted(m.record.id for _, m in members) == sorted(r.id for r in found)
    for (rank_a, a), (rank_b, b) in itertools.permutations(members, 2):
        surely_faster = a.high_ms < b.low_ms
        if surely_faster:
            assert rank_a < rank_b
        if rank_a == rank_b:
            assert b.record.id in a.ties_with
        assert (b.record.id in a.ties_with) == (a.record.id in b.ties_with)
    assert [g.rank for g in groups] == sorted({g.rank for g in groups})
    shuffled = list(found)
    shuffler.shuffle(shuffled)
    assert rank(shuffled) == groups


def test_the_interval_is_in_milliseconds():
    assert interval_ms(run("a", 1000, 2000, 3000)) == (1.0, 3.0)


def test_models_are_never_ranked_against_each_other():
    with pytest.raises(UsageError, match="different models"):
        rank([make_record(model="kws"), make_record(model="ic")])
