"""How runs of one model are set up, in words: what tells them apart, and which of them are of hardware that exists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from engine.explain.sentences import board_as_set
from engine.records.run import RunRecord

_CHOICES: tuple[Callable[[RunRecord], str], ...] = (
    lambda r: f"{r.clock_mhz:g} MHz",
    lambda r: f"{r.compiler} {r.opt}",
    lambda r: f"{r.lowering} lowering",
    lambda r: f"code in {r.placement.code}",
    lambda r: f"weights in {r.placement.weights}",
    lambda r: f"activations in {r.placement.activations}",
    lambda r: f"stack in {r.placement.stack}",
)


def as_built(record: RunRecord) -> bool:
    """Whether the board is the one that can be bought: no figure of it was set for the run."""
    return not record.overrides


def setups(records: Sequence[RunRecord]) -> dict[str, tuple[str, ...]]:
    """By run id: what tells a run from those of its model with the same board and kernels, and no more; the id if nothing does."""
    found: dict[str, tuple[str, ...]] = {r.id: () for r in records}

    def alike() -> list[list[RunRecord]]:
        groups: dict[tuple[str, str, tuple[str, ...]], list[RunRecord]] = defaultdict(list)
        for r in records:
            groups[board_as_set(r), r.kernels, found[r.id]].append(r)
        return [g for g in groups.values() if len(g) > 1]

    for choice in _CHOICES:
        for group in alike():
            if len({choice(r) for r in group}) > 1:
                found |= {r.id: (*found[r.id], choice(r)) for r in group}
    for group in alike():
        found |= {r.id: (*found[r.id], r.id) for r in group}
    return found


def difference(a: RunRecord, b: RunRecord) -> tuple[str, str]:
    """What each of two runs of one board and kernel library has that the other has not; never empty."""
    choices = (lambda r: ", ".join(r.overrides) or "as built", *_CHOICES)
    apart = [c for c in choices if c(a) != c(b)] or [lambda r: r.id]
    return ", ".join(c(a) for c in apart), ", ".join(c(b) for c in apart)
