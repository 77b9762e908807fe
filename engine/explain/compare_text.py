"""The paragraph about two runs: may they be compared, how much, why, where, how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.explain.compare_split import Mechanism
from engine.explain.sentences import capital, join, milliseconds, op_title
from engine.explain.ties import interval_ms
from engine.records.cause import Cause
from engine.records.comparable import Choice, choices_that_differ, intervals_overlap
from engine.records.run import Layer, RunRecord

_WORTH_NAMING = Fraction(1, 20)


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
    joint: Mapping[tuple[Mechanism, ...], Fraction]
    by_cause: Mapping[Cause, int]
    layers: tuple[LayerDifference, ...]
    glue: int


def refusal(reasons: Sequence[str]) -> str:
    """The paragraph where two runs may not be compared."""
    return f"These two runs may not be compared: {'; '.join(reasons)}. No difference was computed."


def paragraph(d: Difference) -> str:
    """The whole paragraph."""
    sentences = (_opening(d), _how_much(d), _mechanisms(d), _joint(d), _work(d), _causes(d), _where(d), _sure(d))
    return " ".join(s for s in sentences if s)


def signed_time(microseconds: Fraction) -> str:
    """A difference in time with its sign: "+297 ms", "−12.3 µs"."""
    return f"{_sign(microseconds)}{milliseconds(float(abs(microseconds)) / 1000)}"


def signed_cycles(cycles: int) -> str:
    """A difference in cycles with its sign and three digits: "+5.14 M", "−812"."""
    return f"{_sign(cycles)}{count(abs(cycles))}"


def count(value: int) -> str:
    """A large count with three significant digits: "8.63 M"."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if value * 1000 >= unit * 999.5:
            scaled = value / unit
            return (
                f"{scaled:.{max(0, 2 - len(str(int(scaled))) + 1)}f}{name}"
                if scaled < 999.5
                else f"{scaled:,.0f}{name}"
            )
    return f"{value:,}"


def what_differs(a: RunRecord, b: RunRecord) -> tuple[str, ...]:
    """The choices that differ, in words: "clock (64 → 120 MHz)"."""
    found = choices_that_differ(a, b)
    said: list[str] = []
    if a.board != b.board:
        said.append(f"board ({a.board}, {a.core} → {b.board}, {b.core})")
    elif a.overrides != b.overrides:
        one, two = (", ".join(r.overrides) or "nothing" for r in (a, b))
        said.append(f"what is set of {a.board} ({one} → {two})")
    elif Choice.BOARD in found or Choice.CORE in found:
        said.append(f"the description of {a.board} or its core")
    if Choice.CLOCK in found:
        said.append(f"clock ({a.clock_mhz:g} → {b.clock_mhz:g} MHz)")
    if Choice.PLACEMENT in found:
        said.append(f"placement ({_placement(a, b)})")
    if Choice.KERNELS in found:
        said.append(
            f"kernels ({_change(a.kernels, b.kernels, a.provenance.kernels_version, b.provenance.kernels_version)})"
        )
    if Choice.COMPILER in found:
        one, two = (f"{r.compiler} -{r.opt.lstrip('-')}" for r in (a, b))
        said.append(f"compiler ({_change(one, two, a.provenance.compiler_version, b.provenance.compiler_version)})")
    return tuple(said)


def _change(a: str, b: str, detail_a: str, detail_b: str) -> str:
    if a != b:
        return f"{a} → {b}"
    return f"{a} {detail_a} → {detail_b}" if detail_a != detail_b else f"{a}, other options"


def _placement(a: RunRecord, b: RunRecord) -> str:
    moved = [
        f"{part}: {one} → {two}"
        for part in type(a.placement).model_fields
        if (one := getattr(a.placement, part)) != (two := getattr(b.placement, part))
    ]
    return ", ".join(moved)


def _opening(d: Difference) -> str:
    differing = what_differs(d.a, d.b)
    about = f"they differ in {join(differing)}" if differing else "they differ in nothing that a user chooses"
    checked = " with checked outputs" if d.a.output_matches_oracle and d.b.output_matches_oracle else ""
    careful = [w for w in d.warnings if not w.startswith("a tie")]
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
    if a_ms and b_ms >= 2 * a_ms:
        return f"{takes}: {size} more, {_times(b_ms / a_ms)} times as long."
    if b_ms and a_ms >= 2 * b_ms:
        return f"{takes}: {size} less, {_times(a_ms / b_ms)} times as fast."
    change = f" ({percent_of(abs(b_ms - a_ms), a_ms)})" if a_ms else ""
    return f"{takes}: {size}{change} {more}."


def percent_of(part: float, whole: float) -> str:
    """A relative change with one decimal: "19.3 %"."""
    return f"{100 * part / whole:.1f} %" if part >= 0.0005 * whole else "<0.1 %"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 20 else f"{ratio:,.0f}"


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
    if sum(bool(x) for x in d.by_mechanism.values()) == 1:
        return f"All of it is due to {_the(named[0])}."
    text = ""
    if along:
        items = [f"{_the(m)} ({signed_time(d.by_mechanism[m])})" for m in along]
        text = f"That is due to {join(items)}"
    if against:
        items = [f"{_the(m)} ({signed_time(d.by_mechanism[m])})" for m in against]
        plural = len(items) > 1 or against[0] in (Mechanism.WAIT_STATES, Mechanism.CACHES)
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
    items = join([f"{c.label} ({signed_cycles(d.by_cause[c])})" for c in top])
    if not delta:
        return f"The number of cycles is the same, differently spent: {items}."
    lead = "mostly" if len(top) < len(changed) else "in"
    return f"In cycles it is {count(abs(delta))} {'more' if delta > 0 else 'fewer'}, {lead} {items}."


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
        return f", {_times(after / before)} times as many"
    return f", {_sign(after - before)}{percent_of(abs(after - before), before)}"


def _sure(d: Difference) -> str:
    if d.a.id == d.b.id and d.a == d.b:
        return "A and B are the same record."
    (low_a, high_a), (low_b, high_b) = interval_ms(d.a), interval_ms(d.b)
    span_a, span_b = (
        f"{milliseconds(low_a)} to {milliseconds(high_a)}",
        f"{milliseconds(low_b)} to {milliseconds(high_b)}",
    )
    if intervals_overlap(d.a, d.b):
        return f"Treat it as a tie: their intervals overlap (A {span_a}, B {span_b}), so nothing here proves which one is faster."
    faster = "B" if d.microseconds < 0 else "A"
    return f"That {faster} is the faster one is safe: the intervals do not overlap (A {span_a}, B {span_b})."


def _sign(value: Fraction | int) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""
