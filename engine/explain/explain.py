"""Records become explanations: verdict, sentence, bar, the rule that fired, advice, roofline; per layer and per run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.catalog.board import Board
from engine.explain.bars import whole_percents
from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import Facts, layer_facts, ratio, run_facts, shifted_stacks
from engine.explain.hardware import Hardware, hardware_of
from engine.explain.helium import helium_text
from engine.explain.measured_roofs import measured_roofs
from engine.explain.phrases import phrases_of
from engine.explain.roofline import Ceilings, ceilings_of, point_of
from engine.explain.rules import Diagnosis, Firing, diagnose
from engine.explain.sentences import (
    capital,
    caveat_sentence,
    certainty_sentence,
    cold_sentence,
    correctness_sentence,
    families,
    glue_sentence,
    headline,
    numbered,
    where_sentence,
)
from engine.explain.types import BarPart, Explanation, FiredRule, LayerExplanation, Observation
from engine.records.cause import Cause
from engine.records.run import Layer, RunRecord, Stack
from engine.words import layer_title, op_title

_RUN_INTERVAL_ONLY = "the record keeps an interval for the whole run, not for a layer"


@dataclass(frozen=True)
class _Told:
    """A diagnosis put into words."""

    verdict: Bottleneck
    predicate: str
    advice: tuple[str, ...]
    rules: tuple[FiredRule, ...]


def explain_run(record: RunRecord, hardware: Hardware | None = None) -> Explanation:
    """Explain a run and each of its layers.

    ``hardware`` is looked up in the catalogue unless given; without it caches are not judged and the roofline is absent, and
    ``notes`` say so. Raises nothing for any valid record.
    """
    known = hardware_of(record) if hardware is None else hardware
    ceilings = _ceilings(known, record)
    layers = tuple(
        explain_layer(x, ratio(x.cycles, record.cycles.warm), record.clock_mhz, known.board, ceilings)
        for x in record.layers
    )
    facts = run_facts(record, known.board)
    told = _tell(facts, "takes no cycles, so there is nothing to explain")
    others = _other_verdicts(facts, record, told.verdict)
    groups = families(tuple((x, bound_by(e)) for x, e in zip(record.layers, layers, strict=True)))
    low, high = record.cycles_interval
    return Explanation(
        verdict=told.verdict,
        verdict_label=told.verdict.label,
        sentence=headline(record, told.predicate),
        cycles=facts.cycles,
        bar=bar_of(facts.stack),
        rules=told.rules,
        advice=_run_advice(layers, facts.cycles),
        ipc=ratio(facts.counters.instructions, facts.cycles),
        cpi=ratio(facts.cycles, facts.counters.instructions),
        macs_per_cycle=ratio(record.macs, facts.cycles),
        instructions_per_mac=ratio(facts.counters.instructions, record.macs),
        run_id=record.id,
        model=record.model,
        board=record.board,
        core=record.core,
        clock_mhz=record.clock_mhz,
        evidence=record.evidence,
        latency_ms=record.latency_ms,
        latency_interval_ms=(low / record.clock_mhz / 1000.0, high / record.clock_mhz / 1000.0),
        cycles_interval=record.cycles_interval,
        holds_over_interval=not others,
        could_also_be=others,
        where=where_sentence(record, groups),
        certainty=certainty_sentence(record, told.verdict, others),
        glue=glue_sentence(record),
        caveat=caveat_sentence(record, known.board),
        cold=cold_sentence(record, known.board),
        correctness=correctness_sentence(record),
        glue_cycles=record.glue.cycles,
        glue_share=ratio(record.glue.cycles, record.cycles.warm),
        ceilings=ceilings,
        notes=(*record.notes, *known.notes),
        layers=layers,
    )


def bar_of(stack: Stack) -> tuple[BarPart, ...]:
    """The bar of a stack: causes that have cycles, in the enum's order, whole percents that sum to 100 (empty: no cycles)."""
    percents = whole_percents([stack.of(c) for c in Cause])
    return tuple(
        BarPart(cause=c, label=c.label, cycles=stack.of(c), percent=p)
        for c, p in zip(Cause, percents, strict=True)
        if stack.of(c)
    )


def bound_by(explained: LayerExplanation | Explanation) -> str:
    """Class and rule in few words: "compute-bound: overhead instructions" (the class alone where its name says it all)."""
    said = explained.rules[-1] if len(explained.rules) > 2 else None
    return f"{explained.verdict_label}: {said.title.lower()}" if said is not None else explained.verdict_label


def _ceilings(known: Hardware, record: RunRecord) -> Ceilings | None:
    """Measured roofs where they bound this run, else those of the core's table."""
    if known.core is None:
        return None
    figures = " with the figures that were set" if record.overrides else ""
    why = f"no micro-benchmarks of this board{figures} at {record.clock_mhz:g} MHz are known"
    if known.measured is not None and known.board is not None:
        roofs = measured_roofs(known.measured, known.board, record.placement)
        if isinstance(roofs, Ceilings):
            return roofs
        why = roofs
    return ceilings_of(known.core, why)


def explain_layer(
    layer: Layer, share: float | None, clock_mhz: float, board: Board | None, ceilings: Ceilings | None
) -> LayerExplanation:
    """Explain one layer of a run at a clock; ``share``: of the run's cycles, where they are known."""
    facts = layer_facts(layer, board)
    told = _tell(facts, "takes no cycles: there is nothing to explain")
    point = point_of(layer, clock_mhz, ceilings) if ceilings is not None else None
    return LayerExplanation(
        verdict=told.verdict,
        verdict_label=told.verdict.label,
        sentence=capital(f"{layer_title(layer.op, layer.index)} {told.predicate}."),
        cycles=layer.cycles,
        bar=bar_of(layer.stack),
        rules=told.rules,
        advice=told.advice,
        ipc=ratio(layer.counters.instructions, layer.cycles),
        cpi=ratio(layer.cycles, layer.counters.instructions),
        macs_per_cycle=ratio(layer.macs, layer.cycles),
        instructions_per_mac=ratio(layer.counters.instructions, layer.macs),
        index=layer.index,
        name=layer.name,
        title=layer_title(layer.op, layer.index),
        op=layer.op,
        kernel=layer.kernel,
        library=layer.library,
        macs=layer.macs,
        share_of_run=share,
        cold_cycles=layer.cold_cycles,
        arithmetic_intensity=layer.arithmetic_intensity,
        roofline=point,
        roofline_note=_roofline_note(layer, ceilings is not None, point is not None),
        helium=helium_text(layer.counters),
        interval=None,
        interval_note=_RUN_INTERVAL_ONLY,
    )


def _roofline_note(layer: Layer, ceilings: bool, point: bool) -> str:
    if point:
        return ""
    if not ceilings:
        return "the core's ceilings are not known"
    if not layer.macs:
        return "no multiply-accumulates, so no operations to place"
    return "no cycles or no data accesses were counted"


def _tell(facts: Facts, nothing: str) -> _Told:
    found = diagnose(facts)
    if not found.path:
        return _Told(found.verdict, nothing, (), ())
    words = phrases_of(facts)
    answer = found.path[-1].rule
    return _Told(
        verdict=found.verdict,
        predicate=words.fill(answer.says),
        advice=(words.fill(answer.advice),),
        rules=tuple(_fired(f, facts) for f in found.path),
    )


def _fired(firing: Firing, facts: Facts) -> FiredRule:
    rule = firing.rule
    return FiredRule(
        name=rule.name,
        title=rule.title,
        formula=rule.formula,
        value=firing.value,
        threshold=rule.threshold,
        prose=rule.prose,
        evidence=tuple(Observation(name=n, value=_observed(n, facts)) for n in rule.evidence),
        next_look=rule.next_look,
    )


def _observed(name: str, facts: Facts) -> int:
    causes = {c.value for c in Cause}
    return facts.stack.of(Cause(name)) if name in causes else int(getattr(facts.counters, name))


def _other_verdicts(facts: Facts, record: RunRecord, verdict: Bottleneck) -> tuple[Bottleneck, ...]:
    """Classes that the run could have if its whole interval fell on a single cause."""
    low, high = record.cycles_interval
    more, fewer = high - record.cycles.warm, record.cycles.warm - low

    def at(stack: Stack) -> Diagnosis:
        return diagnose(replace(facts, stack=stack))

    seen = {at(stack).verdict for stack in shifted_stacks(facts.stack, more, fewer)}
    return tuple(b for b in Bottleneck if b in seen and b is not verdict)


def _run_advice(layers: tuple[LayerExplanation, ...], run_cycles: int) -> tuple[str, ...]:
    """Advice for layers that hold at least 1 % of the run, largest first, each piece once and naming its layers; three at most."""
    gathered: dict[str, list[LayerExplanation]] = {}
    for layer in sorted(layers, key=lambda x: -x.cycles):
        if layer.cycles * 100 >= run_cycles:
            for advice in layer.advice:
                gathered.setdefault(advice, []).append(layer)
    ranked = sorted(gathered.items(), key=lambda item: -sum(x.cycles for x in item[1]))
    return tuple(f"{_subject(who)}: {advice}" for advice, who in ranked[:3])


def _subject(who: list[LayerExplanation]) -> str:
    """Layers by operator: "Conv2d #0 and #2; depthwise conv2d #1"."""
    by_op: dict[str, list[int]] = {}
    for layer in sorted(who, key=lambda x: x.index):
        by_op.setdefault(layer.op, []).append(layer.index)
    return capital("; ".join(f"{op_title(op)} {numbered(found)}" for op, found in by_op.items()))
