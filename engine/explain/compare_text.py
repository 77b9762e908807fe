"""The text about two runs: may they be compared, how much, why, where, how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.explain.compare_choices import what_differs
from engine.explain.compare_format import count, percent_of, sign, signed_cycles, signed_time, times
from engine.explain.compare_mechanism import Mechanism, Reasons
from engine.explain.compare_traffic import keeps_traffic, waits_by_memory
from engine.explain.sentences import capital, join, milliseconds
from engine.explain.ties import interval_ms
from engine.records.cause import Cause, Evidence
from engine.records.comparable import clock, intervals_overlap
from engine.records.run import Layer, RunRecord
from engine.words import op_title

_WORTH_NAMING = Fraction(1, 20)
_WORTH_MORE = Fraction(1, 1000)
"""Part of A's time below which a difference deserves no more than its size and its reason."""


@dataclass(frozen=True)
class LayerDifference:
    """One layer in both runs and the cycles it takes more in B."""

    a: Layer
    b: Layer
    cycles: int


@dataclass(frozen=True)
class Difference:
    """What the sentences are made from; B minus A, microseconds and cycles."""

    a: RunRecord
    b: RunRecord
    warnings: tuple[str, ...]
    microseconds: Fraction
    by_mechanism: Mapping[Mechanism, Fraction]
    joint: Mapping[Reasons, Fraction]
    by_cause: Mapping[Cause, int]
    layers: tuple[LayerDifference, ...]
    glue: int


def refusal(reasons: Sequence[str]) -> str:
    """The paragraph where two runs may not be compared."""
    return f"These two runs may not be compared: {'; '.join(reasons)}. No difference was computed."


def paragraphs(d: Difference) -> str:
    """Three short ones, a blank line between them: may they be compared; how much, why and how sure; where in the run."""
    much = any(abs(x) >= _WORTH_MORE * d.a.cycles.warm / clock(d.a) for x in d.by_mechanism.values())
    answer = [_how_much(d), _mechanisms(d), _joint(d) if much else "", _sure(d)]
    details = [_work(d), _causes(d), _memories(d), _where(d)] if much else []
    parts = (" ".join(s for s in part if s) for part in ([_opening(d)], answer, details))
    return "\n\n".join(p for p in parts if p)


def _opening(d: Difference) -> str:
    differing = what_differs(d.a, d.b)
    about = f"they differ in {join(differing)}" if differing else "they differ in nothing that a user chooses"
    checked = " with checked outputs" if d.a.output_matches_oracle and d.b.output_matches_oracle else ""
    said = ["a tie"]  # at the end
    if d.a.board == d.b.board and d.a.overrides != d.b.overrides:
        said.append("figures of the hardware were set")  # among what differs
    careful = [w for w in d.warnings if not w.startswith(tuple(said))]
    care = f" With care, though: {'; '.join(careful)}." if careful else ""
    return f"These two runs may be compared: both are {d.a.evidence.value} runs of {d.a.model}{checked}; {about}.{care}"


def _how_much(d: Difference) -> str:
    a_ms, b_ms = d.a.cycles.warm / d.a.clock_mhz / 1000, d.b.cycles.warm / d.b.clock_mhz / 1000
    if not d.microseconds:
        return (
            f"Both take {milliseconds(a_ms)}, to the cycle."
            if d.a.cycles.warm == d.b.cycles.warm
            else f"Both take {milliseconds(a_ms)}."
        )
    more = "more" if d.microseconds > 0 else "less"
    size = milliseconds(float(abs(d.microseconds)) / 1000)
    takes = f"B takes {milliseconds(b_ms)} where A takes {milliseconds(a_ms)}"
    if milliseconds(a_ms) == milliseconds(b_ms):
        return f"Both take {milliseconds(a_ms)}, B {size} ({percent_of(abs(b_ms - a_ms), a_ms)}) {more}."
    if a_ms and b_ms >= 2 * a_ms:
        return f"{takes}: {size} more, {times(b_ms / a_ms)} times as long."
    if b_ms and a_ms >= 2 * b_ms:
        return f"{takes}: {size} less, {times(a_ms / b_ms)} times as fast."
    change = f" ({percent_of(abs(b_ms - a_ms), a_ms)})" if a_ms else ""
    return f"{takes}: {size}{change} {more}."


def _mechanisms(d: Difference) -> str:
    """Which mechanisms carry the difference, and which work against it."""
    total = sum(abs(x) for x in d.by_mechanism.values())
    if not total:
        return ""
    named = sorted(
        (m for m in Mechanism if abs(d.by_mechanism[m]) >= _WORTH_NAMING * total), key=lambda m: -abs(d.by_mechanism[m])
    )
    up = d.microseconds >= 0
    along = [m for m in named if (d.by_mechanism[m] >= 0) == up]
    against = [m for m in named if m not in along]
    changed = sum(bool(x) for x in d.by_mechanism.values())
    if changed == 1:
        return f"All of it is due to {_the(named[0])}."
    if len(named) == 1:
        return f"Nearly all of it is due to {_the(named[0])} ({signed_time(d.by_mechanism[named[0]])})."
    text = ""
    if along:
        items = [f"{_the(m)} ({signed_time(d.by_mechanism[m])})" for m in along]
        text = f"That is {'mostly ' if len(named) < changed else ''}due to {join(items)}"
    if against:
        items = [f"{_the(m)} ({signed_time(d.by_mechanism[m])})" for m in against]
        plural = len(items) > 1 or against[0] in (Mechanism.WAIT_STATES, Mechanism.CACHES, Mechanism.KERNELS)
        verb = "work" if plural else "works"
        text = f"{text}; {join(items)} {verb} against it" if text else capital(f"{join(items)} {verb} against it")
    return f"{text}." if text else ""


def _joint(d: Difference) -> str:
    """What the two records cannot tell apart."""
    total = sum(abs(x) for x in d.by_mechanism.values())
    said = []
    for group, time in d.joint.items():
        if abs(time) >= _WORTH_NAMING * total and time:
            names = join([_the(m) for m in group])
            among = "between" if len(group) == 2 else "among"
            said.append(
                f"{capital(names)} changed at once and these two records cannot tell them apart: "
                f"{signed_time(time)} is divided equally {among} them; change one at a time to know"
            )
    return f"{'. '.join(said)}." if said else ""


def _the(mechanism: Mechanism) -> str:
    return {
        Mechanism.CLOCK: "the clock",
        Mechanism.WAIT_STATES: "wait states",
        Mechanism.CACHES: "cache misses",
        Mechanism.PIPELINE: "the pipeline",
        Mechanism.INSTRUCTION_SET: "the instruction set",
        Mechanism.KERNELS: "the kernels",
        Mechanism.COMPILER: "the compiler",
        Mechanism.PLACEMENT: "the placement",
    }[mechanism]


def _work(d: Difference) -> str:
    """Instructions and cycles per instruction."""
    a, b = d.a, d.b
    if not (a.instructions and b.instructions) or a.cycles.warm == b.cycles.warm:
        return ""
    if abs(a.instructions - b.instructions) * 1000 <= a.instructions:
        same = "exactly the same" if a.instructions == b.instructions else "practically the same"
        issued = f"Both issue {same} number of instructions ({count(b.instructions)}), B"
    else:
        issued = f"B issues {count(b.instructions)} instructions where A issues {count(a.instructions)},"
    return f"{issued} at {b.cycles.warm / b.instructions:.2f} cycles each against {a.cycles.warm / a.instructions:.2f}."


def _causes(d: Difference) -> str:
    delta = d.b.cycles.warm - d.a.cycles.warm
    changed = sorted((c for c in Cause if d.by_cause[c]), key=lambda c: -abs(d.by_cause[c]))
    if not changed:
        return "Not one cycle differs." if d.microseconds else ""
    total = sum(abs(d.by_cause[c]) for c in changed)
    top = [c for c in changed if abs(d.by_cause[c]) >= _WORTH_NAMING * total][:3] or changed[:1]
    if not delta:
        return f"The number of cycles is the same, differently spent: {_named(d, top)}."
    size = f"In cycles it is {count(abs(delta))} {'more' if delta > 0 else 'fewer'}"
    if len(changed) == 1:
        return f"{size}, all of them {changed[0].label}."
    along = [c for c in top if (d.by_cause[c] > 0) == (delta > 0)]
    against = [c for c in top if c not in along]
    text = f"{size}, {'mostly' if len(top) < len(changed) else 'in'} {_named(d, along)}" if along else size
    return f"{text}, in spite of {_named(d, against)}." if against else f"{text}."


def _named(d: Difference, causes: Sequence[Cause]) -> str:
    return join([f"{c.label} ({signed_cycles(d.by_cause[c])})" for c in causes])


def _memories(d: Difference) -> str:
    """Which memories of one board the core waits for more or less, if it waits for several and that is much of what differs."""
    if d.a.board != d.b.board or not keeps_traffic(d.a, d.b):
        return ""
    before, after = waits_by_memory(d.a), waits_by_memory(d.b)
    waits = {m: after[m] - before[m] for m in (before | after)}
    least = _WORTH_NAMING * sum(abs(x) for x in d.by_cause.values())
    named = sorted((m for m, x in waits.items() if x and abs(x) >= least), key=lambda m: -abs(waits[m]))
    if len(waits) < 2 or not named:
        return ""
    return f"The waits for memory change by {join([f'{signed_cycles(waits[m])} at {m}' for m in named])}."


def _where(d: Difference) -> str:
    """Families of layers that hold the difference in cycles: the same operator by the same kernels."""
    groups: dict[tuple[str, str, str], list[LayerDifference]] = {}
    for layer in d.layers:
        if layer.cycles:
            groups.setdefault((layer.a.op, layer.a.kernel, layer.b.kernel), []).append(layer)
    total = sum(abs(x.cycles) for x in d.layers) + abs(d.glue)
    if not groups or len(d.layers) < 2:
        return ""
    ranked = sorted(groups.values(), key=lambda g: -abs(sum(x.cycles for x in g)))
    said, held = [], 0
    for group in ranked[:3]:
        cycles = sum(x.cycles for x in group)
        held += abs(cycles)
        said.append(_family(group, cycles))
        if held >= 0.8 * total:
            break
    return f"The layers that change most: {'; '.join(said)}."


def _family(group: Sequence[LayerDifference], cycles: int) -> str:
    first = group[0]
    which = join([f"#{x.a.index}" for x in group]) if len(group) <= 5 else f"({len(group)} layers)"
    kernel = first.a.kernel if first.a.kernel == first.b.kernel else f"{first.a.kernel} → {first.b.kernel}"
    before, after = sum(x.a.cycles for x in group), sum(x.b.cycles for x in group)
    return f"{op_title(first.a.op)} {which} with {signed_cycles(cycles)} cycles{_change_of(before, after)} ({kernel})"


def _change_of(before: int, after: int) -> str:
    if not before or not after:
        return ""
    if after >= 2 * before:
        return f", {times(after / before)} times as many"
    return f", {sign(after - before)}{percent_of(abs(after - before), before)}"


def _sure(d: Difference) -> str:
    if d.a.id == d.b.id and d.a == d.b:
        return "A and B are the same record."
    (low_a, high_a), (low_b, high_b) = interval_ms(d.a), interval_ms(d.b)
    span_a = f"{milliseconds(low_a)} to {milliseconds(high_a)}"
    span_b = f"{milliseconds(low_b)} to {milliseconds(high_b)}"
    if not d.microseconds:
        return ""
    faster = "B" if d.microseconds < 0 else "A"
    if not intervals_overlap(d.a, d.b):
        return f"That {faster} is the faster one is safe: the intervals do not overlap (A {span_a}, B {span_b})."
    # the ends of the figures are one machine for both runs; the other design that moves one of them most need not be
    ends = ([c / r.clock_mhz / 1000.0 for c in r.figures_interval] for r in (d.a, d.b))
    low, high = (b - a for a, b in zip(*ends, strict=True))
    if _one_machine(d.a, d.b) and low and high and (low > 0) == (high > 0) == (d.microseconds > 0):
        return (
            f"Their intervals overlap (A {span_a}, B {span_b}), but they are of one board, and on that as described, with every figure in doubt at its low "
            f"end, {faster} is faster by {milliseconds(abs(low))}, at its high end by {milliseconds(abs(high))}."
        )
    return f"Treat it as a tie: their intervals overlap (A {span_a}, B {span_b}), so nothing here proves which one is faster."


def _one_machine(a: RunRecord, b: RunRecord) -> bool:
    """Whether both intervals come from one board and core, with all figures at their low ends and all at their high ends."""
    return (a.board, a.core) == (b.board, b.core) and a.evidence is b.evidence is Evidence.SIMULATED
