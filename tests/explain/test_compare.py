"""Two runs against each other: exact sums, reversed signs, the right mechanism, and clean sentences."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from math import prod

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from engine.explain.compare import Comparison, compare
from engine.explain.compare_choices import what_differs
from engine.explain.compare_mechanism import Mechanism
from engine.explain.compare_shapley import effects, whole
from engine.explain.compare_split import split
from engine.explain.compare_terminal import render_comparison
from engine.records.cause import Cause
from engine.records.comparable import choices_that_differ
from tests.builders.records import (
    PATIENT,
    SIMD_CONV,
    counters,
    kws_record,
    make_counters,
    make_layer,
    make_record,
    make_region,
    make_stack,
    records,
    stacks,
)  # fmt: skip

NO_GLUE = make_region(make_stack())


@st.composite
def pairs(draw):
    """Two records of the same model by the same evidence; everything else is random."""
    one, other = draw(records(max_layers=2)), draw(records(max_layers=0))
    layers = [
        make_layer(
            x.index, op=x.op, name=x.name, macs=x.macs, output_shape=x.output_shape, stack=draw(stacks()),
            counters=draw(counters()), kernel=draw(st.sampled_from((x.kernel, "other"))),
        )
        for x in one.layers
    ]  # fmt: skip
    two = make_record(
        layers, board=other.board, core=other.core, clock_mhz=draw(st.sampled_from((16.0, 33.3, 64.0, 480.0))),
        kernels=other.kernels, compiler=draw(st.sampled_from(("clang", "gcc"))), glue=other.glue,
    )  # fmt: skip
    right = {"output_matches_oracle": True}
    return one.model_copy(update=right), two.model_copy(update=right)


def microseconds(record):
    return Fraction(record.cycles.warm) / Fraction(str(record.clock_mhz))


@given(pairs())
@PATIENT
def test_the_parts_sum_exactly(pair):
    a, b = pair
    found = compare(a, b)
    assert found.comparable
    parts = split(a, b)
    assert sum(parts.by_mechanism.values()) == microseconds(b) - microseconds(a)
    if max(map(abs, found.by_mechanism.values())) < 10**8:
        # 100 s: beyond, a float no longer holds picoseconds (random counts make parts that large, and cancel)
        assert sum(round(v * 10**6) for v in found.by_mechanism.values()) == round(found.delta_us * 10**6)
    assert abs(Fraction(found.delta_us) - (microseconds(b) - microseconds(a))) < Fraction(1, 10**5)
    assert found.delta_cycles == b.cycles.warm - a.cycles.warm
    assert set(found.by_cause) == set(Cause)
    assert set(found.by_mechanism) == set(Mechanism)
    assert sum(found.by_cause.values()) == found.delta_cycles
    assert sum(x.delta_cycles for x in found.by_layer) == found.delta_cycles
    assert [x.name for x in found.by_layer] == [*(x.name for x in a.layers), "glue"]
    for layer in found.by_layer:
        assert sum(layer.by_cause.values()) == layer.delta_cycles
    for cause in Cause:
        assert sum(x.by_cause[cause] for x in found.by_layer) == found.by_cause[cause]


@given(pairs())
@PATIENT
def test_swapping_the_runs_reverses_every_sign(pair):
    a, b = pair
    one, two = compare(a, b), compare(b, a)
    assert two.delta_us == -one.delta_us
    assert two.delta_cycles == -one.delta_cycles
    assert two.by_mechanism == {m: -v for m, v in one.by_mechanism.items()}
    assert two.by_cause == {c: -v for c, v in one.by_cause.items()}
    assert [x.by_cause for x in two.by_layer] == [{c: -v for c, v in x.by_cause.items()} for x in one.by_layer]


@given(records())
@PATIENT
def test_a_run_does_not_differ_from_itself(record):
    assume(record.output_matches_oracle is not False)
    found = compare(record, record)
    assert found.delta_us == 0
    assert not any(found.by_mechanism.values())
    assert not any(found.by_cause.values())
    assert not any(x.delta_cycles for x in found.by_layer)
    assert "same record" in found.text


@given(pairs())
@PATIENT
def test_any_two_runs_are_compared_in_clean_sentences(pair):
    found = compare(*pair)
    assert found.text.startswith("These two runs may be compared")
    for part in found.text.split("\n\n"):
        assert not re.search(r"\b(nan|inf|None)\b|[{}]|\s\s|\.\.|,,|\(\)", part), part
    assert found.text.endswith(".")
    assert Comparison.model_validate_json(found.model_dump_json()) == found
    assert max(len(line) for line in shown(found).splitlines()) <= 80


def product(before, after):
    """Effects of the factors of a product, by index."""
    factors = list(zip(before, after, strict=True))
    found = effects(range(len(factors)), lambda run: prod(pair[run(i)] for i, pair in enumerate(factors)))
    return tuple(found.values())


AMOUNTS = st.fractions(0, 9, max_denominator=20)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=4))
@PATIENT
def test_effects_sum_reverse_and_stay_within_both(factors):
    before, after = zip(*factors, strict=True)
    found = product(before, after)
    assert sum(found) == prod(after) - prod(before)
    assert product(after, before) == tuple(-e for e in found)
    assert all(e == 0 for e, (one, two) in zip(found, factors, strict=True) if one == two)
    assert all(abs(e) <= prod(before) + prod(after) for e in found)


def test_two_factors_by_hand():
    # 10 cycles at 2 us become 15 at 1: half way, (15 - 10) * 1.5 and (1 - 2) * 12.5
    assert product((Fraction(10), Fraction(2)), (Fraction(15), Fraction(1))) == (Fraction(15, 2), Fraction(-25, 2))


def test_a_mixture_is_cut_at_both_together():
    # 1 x 4 and 10 x 1: their mixtures would be 40 and 1, and 40 is cut at 4 + 10
    assert product((Fraction(1), Fraction(4)), (Fraction(10), Fraction(1))) == (Fraction(19, 2), Fraction(-7, 2))


def test_what_changes_together_is_one_player():
    found = effects(("x", "y", "x"), lambda run: Fraction((2, 3)[run("x")] * (5, 7)[run("y")] * (1, 2)[run("x")]))
    assert found == {"x": 24, "y": 8}


@given(st.lists(st.fractions(-1000, 1000, max_denominator=50), max_size=8))
@PATIENT
def test_whole_parts_sum_and_reverse(parts):
    found = whole(parts)
    total = sum(parts, Fraction(0))
    assert abs(sum(found) - total) <= Fraction(1, 2)
    assert all(abs(f - p) < 1 for f, p in zip(found, parts, strict=True))
    assert whole([-p for p in parts]) == tuple(-f for f in found)


def only(found, *mechanisms):
    """Asserts that only these mechanisms carry the difference, and that each carries some."""
    assert {m for m, v in found.by_mechanism.items() if v} == {Mechanism(m) for m in mechanisms}, found.by_mechanism


def one_layer(stack, events, **settings):
    return make_record([make_layer(0, stack=stack, counters=events)], glue=NO_GLUE, **settings)


EVENTS = make_counters(
    alu_instructions=500, load_instructions=200, read_accesses=200, flash_read_lines=50, flash_read_misses=10
)
STACK = make_stack(other_alu=500, load_store_issue=400, data_read=50)


def test_other_kernels_alone_carry_everything():
    found = compare(kws_record(), kws_record(kernels="reference"))
    only(found, "kernels")
    assert "All of it is due to the kernels" in found.text
    assert "may be compared" in found.text


def test_another_compiler_alone_carries_everything():
    other = one_layer(make_stack(other_alu=700), make_counters(alu_instructions=600), opt="O3")
    found = compare(one_layer(STACK, EVENTS), other)
    only(found, "compiler")
    assert "clang -O2 → clang -O3" in found.text


def test_another_clock_with_the_same_cycles_is_the_clock():
    stack = make_stack(other_alu=550, load_store_issue=400)
    found = compare(one_layer(stack, EVENTS, clock_mhz=60.0), one_layer(stack, EVENTS, clock_mhz=120.0))
    only(found, "clock")
    assert found.delta_us == pytest.approx(-950 / 120)
    assert found.delta_cycles == 0


def test_another_clock_with_more_wait_states():
    # 10 misses of 5 cycles become 10 misses of 2; the other 900 cycles stay
    slow = one_layer(make_stack(other_alu=500, load_store_issue=400, data_read=20), EVENTS, clock_mhz=60.0)
    found = compare(slow, one_layer(STACK, EVENTS, clock_mhz=120.0))
    only(found, "clock", "wait_states")
    assert found.by_mechanism[Mechanism.WAIT_STATES] == pytest.approx(30 * (1 / 60 + 1 / 120) / 2)
    assert found.by_mechanism[Mechanism.CLOCK] == pytest.approx((1 / 120 - 1 / 60) * (920 + 950) / 2)


BOARD = {"board": "no-such-board"}


def test_fewer_misses_on_another_board_are_the_caches():
    events = EVENTS.model_copy(update={"flash_read_misses": 2})
    stack = STACK.model_copy(update={"data_read": 10})
    found = compare(one_layer(STACK, EVENTS), one_layer(stack, events, **BOARD))
    only(found, "caches")
    assert found.by_mechanism[Mechanism.CACHES] == pytest.approx(-40 / 120)


def test_stalls_without_misses_are_not_charged_to_the_caches():
    # B has no misses that cost more than 5 cycles; 100 of its stall cycles are per access
    layers = (
        make_layer(0, stack=make_stack(data_read=105), counters=EVENTS.model_copy(update={"flash_read_misses": 1})),
        make_layer(1, stack=make_stack(data_read=50), counters=EVENTS),
    )
    one = make_record([make_layer(i, stack=make_stack(data_read=50), counters=EVENTS) for i in (0, 1)], glue=NO_GLUE)
    found = compare(one, make_record(layers, glue=NO_GLUE, **BOARD))
    only(found, "caches", "wait_states")
    assert found.by_mechanism[Mechanism.CACHES] == pytest.approx(-45 / 120)
    assert found.by_mechanism[Mechanism.WAIT_STATES] == pytest.approx(100 / 120)


def test_cycles_per_instruction_of_another_core_are_the_pipeline():
    stack = STACK.model_copy(update={"load_store_issue": 200})
    found = compare(one_layer(STACK, EVENTS), one_layer(stack, EVENTS, core="cortex-m33", **BOARD))
    only(found, "pipeline")
    assert found.by_mechanism[Mechanism.PIPELINE] == pytest.approx(-200 / 120)


def test_other_instruction_counts_of_another_core_are_the_instruction_set():
    events = make_counters(alu_instructions=1000, load_instructions=200, read_accesses=200, flash_read_misses=10)
    stack = STACK.model_copy(update={"other_alu": 1000})
    found = compare(one_layer(STACK, EVENTS), one_layer(stack, events, core="cortex-m0plus", **BOARD))
    only(found, "instruction_set")
    assert found.by_mechanism[Mechanism.INSTRUCTION_SET] == pytest.approx(500 / 120)


def test_a_layer_moved_to_another_memory_is_a_matter_of_placement():
    one = one_layer(STACK, EVENTS)
    two = one_layer(make_stack(other_alu=510, load_store_issue=400), EVENTS.model_copy(update={"flash_read_misses": 0}))
    moved = two.model_copy(update={"placement": two.placement.model_copy(update={"weights": "sram1"})})
    found = compare(one, moved)
    only(found, "placement")
    assert "weights: flash → sram1" in found.text
    assert "All of it is due to the placement" in found.text


def test_what_cannot_be_told_apart_is_said():
    one = kws_record()
    two = kws_record(kernels="reference").model_copy(update={"opt": "O3"})
    found = compare(one, two)
    only(found, "kernels", "compiler")
    assert "cannot tell them apart" in found.text
    # layers that run one kernel in both (softmax) can only differ by the compiler
    assert found.by_mechanism[Mechanism.COMPILER] == pytest.approx(found.by_mechanism[Mechanism.KERNELS], rel=0.05)


def test_cores_with_the_same_instructions_leave_the_count_to_the_kernels():
    two = kws_record(board="nrf5340-dk", core="cortex-m33", kernels="reference")
    assert "cannot tell" not in compare(kws_record(), two).text
    older = kws_record(board="nucleo-g0b1re", core="cortex-m0plus", kernels="reference")
    assert "cannot tell them apart" in compare(kws_record(), older).text


def test_causes_that_work_against_the_difference_are_named_apart():
    one = one_layer(make_stack(other_alu=500, load_store_issue=400), make_counters(alu_instructions=500))
    two = one_layer(make_stack(other_alu=300, load_store_issue=450), make_counters(alu_instructions=450), opt="O3")
    text = compare(one, two).text
    assert "In cycles it is 150 fewer, in other ALU (−200), in spite of load/store issue (+50)." in text
    back = compare(two, one).text
    assert "In cycles it is 150 more, in other ALU (+200), in spite of load/store issue (−50)." in back


def test_kernels_that_work_against_it_are_many():
    slow = kws_record(clock_mhz=16.0)
    assert "the kernels (+" in (text := compare(slow, kws_record(kernels="reference")).text)
    assert "work against it" in text


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33"])
def test_another_lowering_is_a_choice_of_kernels(core):
    """On another core too: that the first convolution takes the depthwise path is not the core's doing."""
    one = one_layer(STACK, EVENTS)
    layer = make_layer(0, stack=make_stack(other_alu=900), counters=make_counters(alu_instructions=900), kernel="other")
    two = make_record([layer], glue=NO_GLUE, core=core).model_copy(update={"lowering": "microtvm"})
    assert "lowering (tflm → microtvm)" in what_differs(one, two)
    assert not any("kernels" in said for said in what_differs(one, two))
    charged = compare(one, two).by_mechanism
    assert charged[Mechanism.KERNELS]
    assert not charged[Mechanism.INSTRUCTION_SET]


def test_a_tie_is_called_a_tie():
    near = kws_record(board="nucleo-f207zg", core="cortex-m3", conv=replace(SIMD_CONV, alu=0.46))
    found = compare(kws_record(), near)
    assert any("tie" in r for r in found.reasons)
    assert "Treat it as a tie" in found.text
    sure = compare(kws_record(), kws_record(kernels="reference"))
    assert sure.reasons == ()
    assert "A is the faster one is safe" in sure.text


def test_doubts_that_two_runs_share_make_no_tie():
    near = kws_record(conv=replace(SIMD_CONV, alu=0.46))
    text = compare(kws_record(), near).text
    assert "tie" not in text
    assert "on that as described, with every figure in doubt at its low end, A is faster by" in text
    # with a wider interval the two ends disagree
    assert "Treat it as a tie" in compare(kws_record(), near.model_copy(update={"cycles_interval": (0, 10**9)})).text


def test_other_designs_of_a_board_are_no_shared_doubt():
    a, b = kws_record(), kws_record(conv=replace(SIMD_CONV, alu=0.46))
    low, high = a.cycles_interval
    warm = a.cycles.warm
    # the design that moves A most is none that B must have: the ends are compared without it
    wide = a.model_copy(update={"cycles_interval": (low - 10**6, high), "alternatives_interval": (warm - 10**6, warm)})
    assert wide.figures_interval == a.cycles_interval
    plain, found = compare(a, b).text, compare(wide, b).text
    assert plain.split("at its low end,")[1] == found.split("at its low end,")[1]


def test_a_negligible_difference_is_not_discussed():
    near = kws_record(conv=replace(SIMD_CONV, alu=0.4501))
    text = compare(kws_record(), near).text
    assert "Both take" in text
    assert "All of it is due to" in text
    assert "In cycles" not in text
    assert "change most" not in text


def test_no_difference_is_computed_where_none_may_be():
    other = make_record(kws_record().layers, output_matches_oracle=False)
    found = compare(kws_record(), other)
    assert not found.comparable
    assert found.delta_us is None
    assert found.delta_cycles is None
    assert not found.by_mechanism
    assert not found.by_layer
    assert found.text.startswith("These two runs may not be compared: the output of B is wrong")
    assert "by mechanism" not in shown(found)


def test_the_keys_promised_to_scripts():
    data = json.loads(compare(kws_record(), kws_record(kernels="reference")).model_dump_json())
    promised = "comparable reasons delta_us by_mechanism delta_cycles by_cause by_layer text energy"
    assert set(data) == {"a", "b", *promised.split()}
    mechanisms = "clock wait_states caches pipeline instruction_set kernels compiler placement"
    assert set(data["by_mechanism"]) == {*mechanisms.split()}
    assert set(data["by_layer"][0]) == {"name", "delta_cycles", "by_cause"}


def test_the_terminal_shows_sums():
    text = shown(compare(kws_record(), kws_record(kernels="reference")))
    assert len(re.findall(r"^sum .*100 %$", text, re.MULTILINE)) == 2 + 1
    assert "load/store issue" in text


def test_names_are_never_markup():
    layer = make_layer(0, name="[red]x[/red]", stack=make_stack(mac=5))
    found = compare(make_record([layer]), make_record([make_layer(0, name="[red]x[/red]", stack=make_stack(mac=9))]))
    assert "[red]x[/red]" in shown(found)


def test_flags_that_name_the_core_are_no_choice():
    def flagged(*flags):
        record = kws_record()
        return record.model_copy(update={"provenance": record.provenance.model_copy(update={"compiler_flags": flags})})

    assert not choices_that_differ(flagged("-mcpu=cortex-m4", "-O2"), flagged("-mcpu=cortex-m33", "-O2"))
    assert choices_that_differ(flagged("-O2"), flagged("-O2", "-flto"))


def shown(found):
    console = Console(width=80, record=True, highlight=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        render_comparison(found, console)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def test_what_was_set_is_named_as_the_difference():
    one = kws_record()
    changed = one.provenance.model_copy(update={"core_sha256": "2" * 64})
    two = one.model_copy(update={"overrides": ("core.latency.load=3",), "provenance": changed})
    assert what_differs(one, two) == (
        "what was set of nucleo-l4r5zi for the run alone (nothing → core.latency.load=3)",
    )
    assert what_differs(two, two) == ()
