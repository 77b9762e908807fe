"""A run and its analysis, made and kept together; what was kept before and is still right is not made again."""

from __future__ import annotations

from engine.explain.analysis import Analysis, analyse
from engine.pipeline.fingerprint import analysis_key
from engine.pipeline.local import fresh_analysis, fresh_record, save, save_analysis
from engine.pipeline.measure import record_of
from engine.pipeline.on_renode import confirm, unconfirmed
from engine.pipeline.placements import placement_effects
from engine.pipeline.prepare import Follower, Prepared, Progress, prepare
from engine.pipeline.rethink import block_profile, retiming_of
from engine.pipeline.settings import ResolvedRun
from engine.records.run import RunRecord
from engine.timing.sensitivity import sensitivity


def kept(run: ResolvedRun) -> RunRecord | None:
    """The record of this run if both it and its analysis are kept and up to date, and Renode, if there is one, has confirmed it."""
    record = fresh_record(run)
    return record if record is not None and fresh_analysis(run) is not None and not unconfirmed(run) else None


def make(
    run: ResolvedRun,
    progress: Progress = lambda _: None,
    *,
    again: bool = False,
    follower: Follower | None = None,
) -> RunRecord:
    """Measure a run, analyse it, keep both; where Renode is installed, count it there too.

    With ``again``, or to be followed, it is measured anyway.

    Raises what ``measure``, ``analysis_of`` and ``confirm`` raise; a record that was measured is kept even if its analysis fails.
    """
    record = None if again or follower else fresh_record(run)
    made: Prepared | None = None
    if record is None:
        made = prepare(run, progress, again=again, follower=follower)
        record = record_of(made, progress)
        save(run, record)
    analysis_of(run, progress, made)
    confirm(run, progress, made)
    return record


def analysis_of(run: ResolvedRun, progress: Progress = lambda _: None, made: Prepared | None = None) -> Analysis:
    """The analysis of a run: the kept one if it is up to date, else made anew from the stored execution, and kept.

    Raises any WhycyclesError that preparing the run raises, and CheckFailedError where blocks and cycle stacks disagree.
    """
    found = fresh_analysis(run)
    if found is not None:
        return found
    made = made or prepare(run, progress)
    progress("analysing")
    rests_on = sensitivity(made.stored)
    analysis = analyse(run.id, analysis_key(run), retiming_of(made), block_profile(made), rests_on)
    record = fresh_record(run)
    if record is not None:
        analysis = analysis.model_copy(update={"placements": placement_effects(made, record)})
    save_analysis(run, analysis)
    return analysis
