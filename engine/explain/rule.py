"""One node of the rule tree, and what several nodes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.explain.bottleneck import Bottleneck
from engine.explain.facts import Facts
from engine.records.cause import Cause


@dataclass(frozen=True)
class Rule:
    """One node. ``measure`` gives the value that ``threshold`` judges (None: not applicable here).

    ``says`` and ``advice`` are templates over ``engine.explain.phrases.Phrases``. ``evidence`` names causes and counters of the
    record. ``verdict`` is None for the root alone.
    """

    name: str
    parent: str | None
    title: str
    measure: Callable[[Facts], float | None]
    formula: str
    threshold: float
    why_threshold: str
    prose: str
    evidence: tuple[str, ...]
    next_look: str
    says: str
    advice: str
    verdict: Bottleneck | None = None
    decisive: bool = False


def share_of(*causes: Cause) -> Callable[[Facts], float | None]:
    """Measure: the share of the cycles that these causes hold."""
    return lambda facts: facts.share(*causes)


def sum_text(causes: tuple[Cause, ...]) -> str:
    """The formula of ``share_of`` in words."""
    return f"({' + '.join(c.value for c in causes)}) / cycles"
