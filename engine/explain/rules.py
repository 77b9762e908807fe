"""The bottleneck rules: a tree from coarse to fine, as data, and the walk over it. Published on the Method page through ``rule_table``.

How the tree is read. A rule fires when its formula reaches its threshold. Among siblings that fire, the one that exceeds
its threshold by the largest factor wins and its children are looked at; a child below its threshold never blames its
parent, so the answer is then the parent itself. A ``decisive`` rule that fires wins outright. If no group under the root
fires, or another group comes within 10 % of the strongest (fired or not), the answer is *mixed*; a region without cycles is *unknown*.

Thresholds are conventions, chosen once for readers and not fitted to any result; each rule says why its number is sensible.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import Facts
from engine.explain.rule import Rule
from engine.explain.rules_compute import COMPUTE_RULES
from engine.explain.rules_memory import MEMORY_RULES
from engine.records.cause import Cause

TIE_FACTOR = 1.10
"""Two groups whose value/threshold differ by less than this factor are called mixed."""

ROOT = Rule(
    name="cycles",
    parent=None,
    title="Cycles",
    measure=lambda facts: float(facts.cycles),
    formula="cycles",
    threshold=1,
    why_threshold="a region without cycles has no bottleneck",
    prose="All cycles of the region, split into computing, moving data and waiting for memories.",
    evidence=tuple(c.value for c in Cause),
    next_look="the three groups below",
    says="has no single bottleneck: {compute} of its {cycles} cycles compute, {movement} move data and {waiting} wait "
    "for memories{per_unit}",
    advice="Look at its largest causes one by one: {largest}.",
)

TREE: tuple[Rule, ...] = (ROOT, *MEMORY_RULES, *COMPUTE_RULES)
"""Every rule, the root first."""


@dataclass(frozen=True)
class Firing:
    """A rule that reached its threshold, with the value it had."""

    rule: Rule
    value: float

    @property
    def factor(self) -> float:
        """How far above its threshold."""
        return self.value / self.rule.threshold


@dataclass(frozen=True)
class Diagnosis:
    """``path`` leads from the root to the rule that answers (empty: unknown); ``fired`` are all rules that fired under fired parents."""

    verdict: Bottleneck
    path: tuple[Firing, ...]
    fired: tuple[Firing, ...]


def diagnose(facts: Facts) -> Diagnosis:
    """Walk the tree over a region."""
    root = TREE[0]
    value = root.measure(facts)
    if value is None or value < root.threshold:
        return Diagnosis(Bottleneck.UNKNOWN, (), ())
    path = [Firing(root, value)]
    seen = list(path)
    verdict = Bottleneck.MIXED
    while True:
        firing = _fired_children(path[-1].rule.name, facts)
        seen += firing
        if not firing:
            break
        best = next((f for f in firing if f.rule.decisive), firing[0])
        if len(path) == 1 and not best.rule.decisive and _rivalled(best, facts):
            break
        path.append(best)
        verdict = best.rule.verdict or verdict
    return Diagnosis(verdict, tuple(path), tuple(seen))


def _rivalled(best: Firing, facts: Facts) -> bool:
    """Whether another group under the root is almost as far up its threshold: 51 % against 49 % is no clear answer."""
    groups = (r for r in TREE if r.parent == ROOT.name and not r.decisive and r is not best.rule)
    factors = ((r.measure(facts) or 0.0) / r.threshold for r in groups)
    return any(best.factor < TIE_FACTOR * factor for factor in factors)


def _fired_children(parent: str, facts: Facts) -> list[Firing]:
    """Children at or above their threshold, strongest first."""
    found = []
    for rule in TREE:
        value = rule.measure(facts) if rule.parent == parent else None
        if value is not None and value >= rule.threshold:
            found.append(Firing(rule, value))
    return sorted(found, key=lambda f: -f.factor)


@dataclass(frozen=True)
class RuleRow:
    """A rule and how deep it lies in the tree (the root: 0), as the Method page prints it."""

    rule: Rule
    depth: int


def rule_table() -> tuple[RuleRow, ...]:
    """The tree as rows, each parent directly before its children (depth first)."""
    rows: list[RuleRow] = []

    def add(rule: Rule, depth: int) -> None:
        rows.append(RuleRow(rule, depth))
        for child in TREE:
            if child.parent == rule.name:
                add(child, depth + 1)

    add(TREE[0], 0)
    return tuple(rows)
