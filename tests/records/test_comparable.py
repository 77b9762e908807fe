"""May two runs be compared? One test per reason, and none without one."""

import pytest

from engine.records.cause import Evidence
from engine.records.comparable import Choice, choices_that_differ, comparable, intervals_overlap
from tests.builders.records import kws_record, make_layer, make_record, make_stack


def changed(record, **provenance):
    return record.model_copy(update={"provenance": record.provenance.model_copy(update=provenance)})


def other_layers():
    return make_record([make_layer(0, op="ADD", stack=make_stack(mac=10**9))])


FAST, SLOW = kws_record(), kws_record(kernels="reference")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (changed(SLOW, model_sha256="9" * 64), "different models"),
        (SLOW.model_copy(update={"evidence": Evidence.MEASURED}), "simulated and the other measured"),
        (SLOW.model_copy(update={"output_matches_oracle": False}), "output of B is wrong"),
        (SLOW.model_copy(update={"schema_version": 2}), "schemas"),
        (other_layers(), "layers do not correspond"),
        (SLOW.model_copy(update={"layers": SLOW.layers[::-1]}), "layers do not correspond"),
    ],
)
def test_what_forbids_a_comparison(other, reason):
    for found in (comparable(FAST, other), comparable(other, FAST)):
        assert not found.comparable
        assert len(found.reasons) == 1
    assert reason in comparable(FAST, other).reasons[0]


@pytest.mark.parametrize(
    "other",
    [
        SLOW,
        kws_record(kernels="reference", board="nucleo-h743zi", core="cortex-m7", clock_mhz=100.0),
        kws_record(clock_mhz=16.0),
        SLOW.model_copy(update={"opt": "Os", "compiler": "gcc"}),
    ],
)
def test_what_a_comparison_is_about_is_no_reason(other):
    found = comparable(FAST, other)
    assert found.comparable
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("other", "warning"),
    [
        (changed(SLOW, engine_version="0.2.0"), "engine versions"),
        (changed(SLOW, input_sha256="9" * 64), "inputs"),
        (changed(SLOW, board_sha256="9" * 64), "descriptions of the board"),
        (changed(SLOW, core_sha256="9" * 64), "tables of the core"),
        (SLOW.model_copy(update={"output_matches_oracle": None}), "output of B was not checked"),
        (SLOW.model_copy(update={"target": "qemu"}), "targets"),
        (FAST, "tie"),
    ],
)
def test_what_the_reader_must_know_first(other, warning):
    found = comparable(FAST, other)
    assert found.comparable
    assert [warning in r for r in found.reasons] == [True]


def test_intervals_are_compared_as_times():
    # the same cycles at twice the clock: intervals of cycles overlap, those of times do not
    fast = kws_record(clock_mhz=240.0)
    assert not intervals_overlap(FAST, fast)
    assert intervals_overlap(FAST, FAST)
    touching = FAST.model_copy(update={"cycles_interval": (FAST.cycles.warm, FAST.cycles_interval[1])})
    below = FAST.model_copy(update={"cycles_interval": (0, FAST.cycles.warm)})
    assert intervals_overlap(below, touching)
    assert intervals_overlap(touching, below)


def test_choices():
    assert choices_that_differ(FAST, FAST) == set()
    assert choices_that_differ(FAST, SLOW) == {Choice.KERNELS}
    assert choices_that_differ(FAST, changed(FAST, kernels_version="7")) == {Choice.KERNELS}
    assert choices_that_differ(FAST, changed(FAST, compiler_version="7")) == {Choice.COMPILER}
    assert choices_that_differ(FAST, changed(FAST, board_sha256="9" * 64)) == {Choice.BOARD}
    moved = FAST.model_copy(update={"placement": FAST.placement.model_copy(update={"code": "sram1"})})
    assert choices_that_differ(FAST, moved) == {Choice.PLACEMENT}


def test_what_was_set_is_said_instead_of_another_description():
    here = changed(FAST, board_sha256="1" * 64).model_copy(update={"overrides": ("flash.wait_states=3",)})
    found = comparable(FAST, here)
    assert found.comparable
    assert any("set for the run alone: flash.wait_states=3 in B" in reason for reason in found.reasons)
    assert not any("different descriptions" in reason for reason in found.reasons)
    assert Choice.BOARD in choices_that_differ(FAST, here)
