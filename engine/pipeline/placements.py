"""What the placements that advice may name would bring to a run, from the trace of an inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from engine.catalog.alternatives import without_alternatives
from engine.errors import DoesNotFitError, UsageError
from engine.explain.analysis import PlacementEffect
from engine.explain.remedies import candidates
from engine.pipeline.placed import placed
from engine.pipeline.prepare import Prepared
from engine.pipeline.rethink import retiming_of
from engine.pipeline.settings import ResolvedRun
from engine.records.run import RunRecord
from engine.timing.retime import REAL
from engine.timing.table import End

_ENDS = (End.VALUE, End.LOW, End.HIGH)


def placement_effects(made: Prepared, record: RunRecord) -> tuple[PlacementEffect, ...]:
    """Every candidate of ``remedies`` that the trace of the executed run ``made`` can tell of; ``record`` is of that run."""
    return tuple(_found(made, record))


def _found(made: Prepared, record: RunRecord) -> Iterator[PlacementEffect]:
    wanted = candidates(record, made.run.board)
    before = _cycles(made) if wanted else ()
    for part, memory in wanted:
        try:
            estimate = placed(made, _elsewhere(made.run, part, memory))
        except (UsageError, DoesNotFitError):
            continue  # only a link can tell
        change = [b - a for a, b in zip(before, _cycles(estimate.made), strict=True)]
        value, *ends = (x / a if a else 0.0 for x, a in zip(change, before, strict=True))
        yield PlacementEffect(
            part=part,
            memory=memory,
            effect_cycles=change[0],
            effect_share=value,
            effect_shares=(ends[0], ends[1]),
        )


def _elsewhere(run: ResolvedRun, part: str, memory: str) -> ResolvedRun:
    place = run.board.placement.model_copy(update={part: memory})
    others = tuple(pair for pair in run.settings.place if pair[0] != part)
    return dataclasses.replace(
        run,
        settings=dataclasses.replace(run.settings, place=(*others, (part, memory))),
        board=without_alternatives(run.board).model_copy(update={"placement": place}),
    )


def _cycles(made: Prepared) -> tuple[int, ...]:
    """Warm cycles with all figures at their values, at their low and at their high ends."""
    retiming = retiming_of(made)
    return tuple(sum(retiming.cycles(REAL, end)) for end in _ENDS)
