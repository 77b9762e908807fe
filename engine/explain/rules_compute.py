"""Rules for regions that compute."""

from __future__ import annotations

from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import COMPUTE, WAITING, Facts
from engine.explain.rule import Rule, share_of, sum_text
from engine.records.cause import Cause

# an int8 2x2 register block: 8 SMLAD, 4 word loads and 8 SXTB16 for 16 products; without SIMD 4 MLA of 2 cycles and 4 loads;
# without MLA 4 MULS, 4 ADDS and 4 loads of 2 cycles; with Helium 4 VMLADAV and 1 VADDV beside 5 loads on a pipe of their own, 10 cycles for
# 64 products: the same share as with SMLAD
_BLOCKED_MAC_SHARE_SIMD = 8 / 20
_BLOCKED_MAC_SHARE_MLA = 4 / 12
_BLOCKED_MAC_SHARE_MUL = 4 / 16


def blocked_mac_rate(facts: Facts) -> float | None:
    """MAC share x lane use, over what a 2x2 register-blocked int8 loop reaches; 0 where memory waits are 10 % or more."""
    if facts.lane_use is None or facts.lanes_offered is None or not facts.macs:
        return None
    if facts.share(*WAITING) >= 0.10:
        return 0.0
    if facts.lanes_offered > 1:
        return facts.share(Cause.MAC) * facts.lane_use / _BLOCKED_MAC_SHARE_SIMD
    # one lane is always used; where nothing accumulates, a product is a plain multiply
    bound = _BLOCKED_MAC_SHARE_MLA if facts.counters.mac_instructions else _BLOCKED_MAC_SHARE_MUL
    return facts.share(Cause.MAC) / bound


COMPUTE_RULES: tuple[Rule, ...] = (
    Rule(
        name="optimal",
        parent="cycles",
        title="Near what the instruction set allows",
        measure=blocked_mac_rate,
        formula="(mac / cycles) * (mac_lanes that take part / simd_lane_slots) / bound, 0 where waiting >= 10 %; "
        "bound 8/20; with one lane mac / cycles / bound, bound 4/12 with MLA, 4/16 with MULS alone",
        threshold=0.9,
        why_threshold="within 10 % of the bound. The bound is our reasoning, not Arm's: an int8 inner loop blocked 2x2 in "
        "registers issues 8 SMLAD beside 4 loads and 8 unpackings (20 cycles), without SIMD 4 MLA of "
        "2 cycles beside 4 loads (12), without MLA 4 MULS and 4 ADDS beside 4 loads of 2 cycles (16); with Helium "
        "4 VMLADAV and 1 VADDV beside 5 loads (10 cycles, the same share as with SMLAD)",
        prose="MACs fill the cycles about as densely as the registers and the instruction set permit.",
        evidence=("mac", "mac_lanes", "simd_lane_slots"),
        next_look="the number of MACs itself: a smaller model, or a core with wider MACs",
        says="is optimal: {mac} of its {cycles} cycles issue MACs{lanes_text}{per_unit}, about as "
        "dense as the instruction set allows",
        advice="Only fewer MACs or a core with wider MACs will make it much faster.",
        verdict=Bottleneck.OPTIMAL,
        decisive=True,
    ),
    Rule(
        name="compute",
        parent="cycles",
        title="Computing",
        measure=share_of(*COMPUTE),
        formula=sum_text(COMPUTE),
        threshold=0.50,
        why_threshold="the majority of the cycles",
        prose="Arithmetic and control flow take most of the time.",
        evidence=tuple(c.value for c in COMPUTE),
        next_look="which of them: MACs, other instructions, latency or branches",
        says="is compute-bound: {compute} of its {cycles} cycles compute{mac_part}{per_unit}",
        advice="{simd_hint}",
        verdict=Bottleneck.COMPUTE_BOUND,
    ),
    Rule(
        name="useful_macs",
        parent="compute",
        title="The MACs themselves",
        measure=share_of(Cause.MAC),
        formula="mac / cycles",
        threshold=0.30,
        why_threshold="three quarters of the 40 % that a register-blocked int8 SIMD loop reaches",
        prose="Useful work is a large part of the time.",
        evidence=("mac", "mac_instructions", "simd_mac_instructions", "mac_lanes", "simd_lane_slots"),
        next_look="lane use: are both halves of every SIMD MAC used?",
        says="is compute-bound by its MACs: they take {mac} of its {cycles} cycles{lanes_text}{per_unit}",
        advice="{simd_hint}",
        verdict=Bottleneck.COMPUTE_BOUND,
    ),
    Rule(
        name="overhead",
        parent="compute",
        title="Overhead instructions",
        measure=share_of(Cause.OTHER_ALU),
        formula="other_alu / cycles",
        threshold=0.25,
        why_threshold="a quarter of the cycles spent on neither MACs nor data",
        prose="Unpacking, addresses, loop counters, requantisation and clamping take the time, not MACs.",
        evidence=("other_alu", "alu_instructions", "branch_instructions", "instructions"),
        next_look="the hottest block: which of its instructions are not MACs, loads or stores",
        says="is compute-bound by overhead instructions: {other_alu} of its {cycles} cycles do other ALU work "
        "(addresses, loops, branches, requantisation){mac_part}{per_unit}",
        advice="{simd_hint}",
        verdict=Bottleneck.COMPUTE_BOUND,
    ),
    Rule(
        name="branches",
        parent="compute",
        title="Branch refills",
        measure=share_of(Cause.BRANCH_REFILL),
        formula="branch_refill / cycles",
        threshold=0.15,
        why_threshold="with a refill of 2 cycles, a taken branch about every 13 cycles",
        prose="Loops are so short that refilling the pipeline after each taken branch counts.",
        evidence=("branch_refill", "taken_branches", "branch_instructions", "blocks"),
        next_look="instructions per taken branch",
        says="is compute-bound by branches: {branch} of its {cycles} cycles refill the pipeline after {taken} taken "
        "branches{per_branch}",
        advice="Unroll the innermost loop, or give it a fixed trip count that the compiler can unroll.",
        verdict=Bottleneck.COMPUTE_BOUND,
    ),
    Rule(
        name="latency",
        parent="compute",
        title="Multiply and divide latency",
        measure=share_of(Cause.MULTIPLY_DIVIDE_LATENCY),
        formula="multiply_divide_latency / cycles",
        threshold=0.15,
        why_threshold="one cycle in seven: worth removing on its own",
        prose="Results of multiplications or divisions are needed before they are ready.",
        evidence=("multiply_divide_latency", "divide_instructions", "multiply_instructions", "mac_instructions"),
        next_look="divisions; chains of MACs into one accumulator",
        says="is compute-bound by multiply and divide latency: {latency} of its {cycles} cycles wait for results "
        "({divides} divisions)",
        advice="Replace divisions by multiplications with a reciprocal, and spread MACs over several accumulators.",
        verdict=Bottleneck.COMPUTE_BOUND,
    ),
)
