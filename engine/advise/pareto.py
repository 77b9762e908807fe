"""Pareto fronts over latency, flash and RAM: the runs that no other run beats in everything."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from engine.errors import UsageError
from engine.records.run import RunRecord


class Objective(StrEnum):
    """What is minimised. Values compare as recorded; intervals are the business of ``engine.explain.ties``."""

    LATENCY_MS = "latency_ms"
    FLASH_BYTES = "flash_bytes"
    RAM_BYTES = "ram_bytes"

    def of(self, record: RunRecord) -> float:
        """The value of a run."""
        match self:
            case Objective.LATENCY_MS:
                return record.latency_ms
            case Objective.FLASH_BYTES:
                return record.memory.flash_bytes
            case Objective.RAM_BYTES:
                return record.memory.ram_bytes


ALL_OBJECTIVES = tuple(Objective)


def dominates(a: RunRecord, b: RunRecord, objectives: Sequence[Objective] = ALL_OBJECTIVES) -> bool:
    """Whether ``a`` is nowhere worse than ``b`` and somewhere better."""
    pairs = [(o.of(a), o.of(b)) for o in objectives]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def pareto_front(
    records: Sequence[RunRecord], objectives: Sequence[Objective] = ALL_OBJECTIVES
) -> tuple[RunRecord, ...]:
    """The runs that no other run dominates, by the first objective, then the others, then id.

    Equal runs stay together: all are on the front or none. Raises UsageError without objectives or for runs of several models.
    """
    if not objectives:
        raise UsageError("a Pareto front needs an objective", hint=f"choose among {', '.join(Objective)}")
    models = sorted({r.model for r in records})
    if len(models) > 1:
        raise UsageError(
            f"runs of different models have no common front: {', '.join(models)}", hint="take one model at a time"
        )
    front = [r for r in records if not any(dominates(other, r, objectives) for other in records)]
    return tuple(sorted(front, key=lambda r: (*(o.of(r) for o in objectives), r.id)))
