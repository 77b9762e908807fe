import string
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import COMPUTE, MOVEMENT, WAITING, Facts
from engine.explain.phrases import Phrases, phrases_of
from engine.explain.rules import TIE_FACTOR, TREE, diagnose, rule_table
from engine.records.cause import Cause
from engine.records.counters import Counters
from tests.builders.records import PATIENT, ZERO_COUNTERS, counters, make_counters, make_stack, stacks

FLASH_READS = make_counters(flash_read_bytes=400, flash_read_lines=100, flash_read_misses=50)


def facts_of(counts=ZERO_COUNTERS, *, macs=0, fetch_cached=None, read_cached=None, **cycles):
    return Facts(make_stack(**cycles), counts, macs, 10, 1000, fetch_cached, read_cached)


@st.composite
def any_facts(draw):
    known = st.sampled_from((None, False, True))
    return Facts(
        draw(stacks()), draw(counters()), draw(st.integers(0, 10**7)), draw(st.integers(0, 10**5)),
        draw(st.integers(0, 10**6)), draw(known), draw(known),
    )  # fmt: skip


def test_the_three_groups_partition_the_causes():
    assert sorted((*COMPUTE, *MOVEMENT, *WAITING)) == sorted(Cause)


@pytest.mark.parametrize(
    ("facts", "verdict", "rule"),
    [
        (facts_of(), Bottleneck.UNKNOWN, None),
        (facts_of(other_alu=60, load_store_issue=40), Bottleneck.COMPUTE_BOUND, "overhead"),
        (facts_of(mac=35, other_alu=20, load_store_issue=45), Bottleneck.COMPUTE_BOUND, "useful_macs"),
        (facts_of(branch_refill=40, other_alu=20, load_store_issue=40), Bottleneck.COMPUTE_BOUND, "branches"),
        (facts_of(multiply_divide_latency=50, other_alu=30, load_use=20), Bottleneck.COMPUTE_BOUND, "latency"),
        (facts_of(load_store_issue=60, mac=40), Bottleneck.MEMORY_BOUND_BANDWIDTH, "load_store_issue"),
        (facts_of(load_store_issue=30, load_use=30, mac=40), Bottleneck.MEMORY_BOUND_BANDWIDTH, "load_use"),
        (facts_of(instruction_fetch=50, mac=50), Bottleneck.MEMORY_BOUND_FLASH, "instruction_fetch"),
        (facts_of(FLASH_READS, data_read=50, mac=50), Bottleneck.MEMORY_BOUND_FLASH, "constant_reads"),
        (facts_of(FLASH_READS, read_cached=False, data_read=50, mac=50), Bottleneck.MEMORY_BOUND_FLASH, "constant_reads"),
        (facts_of(FLASH_READS, read_cached=True, data_read=50, mac=50), Bottleneck.MEMORY_BOUND_CACHE, "data_cache"),
        (facts_of(data_read=50, mac=50), Bottleneck.MEMORY_BOUND_BANDWIDTH, "ram_reads"),
        (facts_of(data_write=50, mac=50), Bottleneck.MEMORY_BOUND_BANDWIDTH, "writes"),
        (facts_of(instruction_fetch=14, data_write=14, data_read=14, other_alu=58), Bottleneck.MEMORY_BOUND_FLASH, "waiting"),
        (facts_of(mac=40, load_store_issue=40, instruction_fetch=20), Bottleneck.MIXED, "cycles"),
        (facts_of(other_alu=50, load_store_issue=50), Bottleneck.MIXED, "cycles"),
    ],
)  # fmt: skip
def test_each_class_and_rule_can_be_the_answer(facts, verdict, rule):
    found = diagnose(facts)
    assert found.verdict is verdict
    assert (found.path[-1].rule.name if found.path else None) == rule


def blocked_simd_loop(**more):
    """The inner loop that the bound of "optimal" describes: 8 SMLAD, 8 unpackings, 4 loads."""
    counts = make_counters(
        simd_mac_instructions=8, alu_instructions=8, load_instructions=4, mac_lanes=16, simd_lane_slots=16
    )
    return facts_of(counts, macs=16, mac=8, other_alu=8, load_store_issue=4, **more)


def test_a_register_blocked_simd_loop_is_optimal_until_memory_waits():
    assert diagnose(blocked_simd_loop()).verdict is Bottleneck.OPTIMAL
    assert diagnose(blocked_simd_loop(instruction_fetch=2)).verdict is Bottleneck.OPTIMAL
    assert diagnose(blocked_simd_loop(instruction_fetch=3)).verdict is not Bottleneck.OPTIMAL


def test_a_simd_core_that_uses_one_lane_is_not_optimal():
    counts = make_counters(mac_instructions=8, alu_instructions=8, load_instructions=4, mac_lanes=8, simd_lane_slots=16)
    assert (
        diagnose(facts_of(counts, macs=8, mac=8, other_alu=8, load_store_issue=4)).verdict is Bottleneck.COMPUTE_BOUND
    )


def test_a_core_without_simd_is_judged_by_what_it_has():
    mla = make_counters(mac_instructions=4, load_instructions=4, mac_lanes=4, simd_lane_slots=4)
    muls = make_counters(multiply_instructions=4, alu_instructions=4, load_instructions=4, simd_lane_slots=4)
    m3 = facts_of(mla, macs=4, mac=4, multiply_divide_latency=4, load_store_issue=4)
    m0plus = facts_of(muls, macs=4, mac=4, other_alu=4, load_store_issue=8)
    assert (diagnose(m3).verdict, diagnose(m0plus).verdict) == (Bottleneck.OPTIMAL, Bottleneck.OPTIMAL)
    loaded = facts_of(muls, macs=4, mac=4, other_alu=7, load_store_issue=8)
    assert diagnose(loaded).verdict is Bottleneck.COMPUTE_BOUND


def test_only_the_models_own_macs_count_as_optimal():
    counts = make_counters(simd_mac_instructions=8, mac_lanes=16, simd_lane_slots=16)
    assert diagnose(facts_of(counts, macs=0, mac=8)).verdict is Bottleneck.COMPUTE_BOUND


@given(any_facts())
@PATIENT
def test_no_parent_is_blamed_by_a_child_below_its_threshold(facts):
    found = diagnose(facts)
    for parent, child in zip(found.path, found.path[1:], strict=False):
        assert child.rule.parent == parent.rule.name
    for firing in (*found.path, *found.fired):
        assert firing.value >= firing.rule.threshold
        assert firing.rule.measure(facts) == firing.value
    if found.path:
        last = found.path[-1].rule
        below = [r.measure(facts) for r in TREE if r.parent == last.name]
        reached = [v for r, v in zip([r for r in TREE if r.parent == last.name], below, strict=True)
                   if v is not None and v >= r.threshold]  # fmt: skip
        # only a rival group may stop above children that fired
        assert not reached or last.name == "cycles"


@given(any_facts())
@PATIENT
def test_verdicts_follow_from_the_path(facts):
    found = diagnose(facts)
    assert (found.verdict is Bottleneck.UNKNOWN) == (facts.cycles == 0)
    assert (found.verdict is Bottleneck.MIXED) == (len(found.path) == 1)
    if len(found.path) > 1:
        assert found.verdict is found.path[-1].rule.verdict


@given(any_facts())
@PATIENT
def test_a_cache_is_never_blamed_on_a_board_that_may_have_none(facts):
    if not facts.fetch_cached and not facts.read_cached:
        assert diagnose(facts).verdict is not Bottleneck.MEMORY_BOUND_CACHE


def test_two_groups_within_the_tie_factor_are_mixed():
    near, clear = (
        diagnose(facts_of(other_alu=51, load_store_issue=49)),
        diagnose(facts_of(other_alu=60, load_store_issue=40)),
    )
    assert near.verdict is Bottleneck.MIXED
    assert TIE_FACTOR < 60 / 50
    assert clear.verdict is Bottleneck.COMPUTE_BOUND


def test_every_template_has_its_placeholders_and_every_evidence_exists():
    known = {f.name for f in fields(Phrases)}
    names = {c.value for c in Cause} | set(Counters.model_fields)
    for rule in TREE:
        for template in (rule.says, rule.advice):
            assert {field for _, field, _, _ in string.Formatter().parse(template) if field} <= known, rule.name
        assert rule.evidence, rule.name
        assert set(rule.evidence) <= names, rule.name


@given(any_facts())
@PATIENT
def test_every_template_reads_well_over_any_region(facts):
    words = phrases_of(facts)
    for rule in TREE:
        for text in (words.fill(rule.says), words.fill(rule.advice)):
            assert "nan" not in text.lower().split()
            assert "inf" not in text.lower().split()
            assert "None" not in text
            assert "{" not in text
            assert "  " not in text


def test_the_table_is_the_tree_depth_first():
    rows = rule_table()
    rules = [row.rule for row in rows]
    assert sorted(r.name for r in rules) == sorted({r.name for r in TREE})
    seen = {None: -1}
    for row in rows:
        assert row.depth == seen[row.rule.parent] + 1
        seen[row.rule.name] = row.depth
    assert {r.verdict for r in rules} >= set(Bottleneck) - {Bottleneck.UNKNOWN, Bottleneck.MIXED}
    assert all(r.formula and r.prose and r.why_threshold and r.next_look for r in rules)


def test_every_class_is_defined():
    assert len({b.meaning for b in Bottleneck}) == len(Bottleneck)
    assert len({b.label for b in Bottleneck}) == len(Bottleneck)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"simd_mac_instructions": 5, "simd_lane_slots": 10, "mac_lanes": 10}, "Unpack each operand once"),
        ({"simd_mac_instructions": 5, "mac_lanes": 80, "simd_lane_slots": 80, "mve_instructions": 5, "mve_mac_instructions": 5},
         "requantise a vector of results"),
        ({"multiply_instructions": 5, "mac_lanes": 20, "simd_lane_slots": 80, "mve_instructions": 5, "mve_mac_instructions": 5},
         "4 products at a time where this core can do 16"),
    ],
)  # fmt: skip
def test_advice_on_macs_knows_vectors(counts, said):
    facts = facts_of(make_counters(**counts), macs=80, other_alu=60, mac=40)
    assert said in phrases_of(facts).simd_hint
