"""Which overrides of an executed run made no difference to it: an option that does nothing must say so."""

from __future__ import annotations

from engine.catalog.override_keys import CORE, only_times
from engine.catalog.override_notes import without_effect
from engine.catalog.override_text import Override
from engine.catalog.overrides import override
from engine.pipeline.prepare import Prepared
from engine.pipeline.settings import overrides_of
from engine.timing.timing import TimedRun, time_execution


def idle_notes(made: Prepared, timed: TimedRun | None = None) -> tuple[str, ...]:
    """A sentence for every override without which the run would take the same time, with the reason where one is known.

    An override that decides what is executed or what misses is judged by the description alone: without it the run would have to be
    executed again. ``timed``: the run, where it was timed already.
    """
    run = timed or time_execution(made.stored)
    found = []
    for o in overrides_of(made.run.settings):
        reason = _reason(made, run, o)
        if reason is not None:
            found.append(f"{o} makes no difference to this run: {reason}.")
    return tuple(found)


def _reason(made: Prepared, timed: TimedRun, o: Override) -> str | None:
    run = made.run
    board, core = run.catalogued
    if o.key == "default_clock_mhz" and run.settings.clock_mhz is not None:
        return "a clock was asked for"
    known = without_effect(board, core, run.board, o)
    if known is not None:
        return known
    of_core = o.key.startswith(CORE)
    if not only_times(type(core) if of_core else type(board), o.key.removeprefix(CORE)):
        return None
    others = [other for other in overrides_of(run.settings) if other.key != o.key]
    bare_board, bare_core = override(board, core, others)
    placed = bare_board.model_copy(update={"placement": run.board.placement})
    if run.clock_mhz > placed.flash.ladder[-1].up_to_mhz:
        return None  # without it there would be no such run
    bare = time_execution(made.stored.on(placed, bare_core))
    if bare.regions != timed.regions:
        return None
    return "its cycles are the same without it" + (
        "" if bare.interval == timed.interval else ", only their interval is not"
    )
