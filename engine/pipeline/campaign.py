"""A campaign: every run of a matrix, measured where something changed, compared with the committed records."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import FrameType

from engine.catalog.campaign import Campaign
from engine.errors import RecordError, WhycyclesError
from engine.firmware.types import CompilerName, KernelLibrary
from engine.interrupt import EXIT_CODE, be_quiet, kill_descendants
from engine.pipeline.keep import kept, make
from engine.pipeline.local import fresh_record, simulated_dir
from engine.pipeline.settings import RunSettings, resolve
from engine.records.diff import Difference, diff_results
from engine.records.run import RunRecord
from engine.records.store import read_record, write_record
from engine.scratch import remove_stale
from engine.targets.choose import lacking

_GRACE_S = 2.0


class Outcome(StrEnum):
    """What became of one run."""

    MEASURED = "measured"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class RunResult:
    """One run of a campaign; ``differences`` are against the committed record, ``committed`` says whether there is one.

    A run is skipped where its target is not on this machine, but its record is committed. ``error`` says why it failed or was skipped.
    """

    id: str
    outcome: Outcome
    record: RunRecord | None
    committed: bool
    differences: tuple[Difference, ...] = ()
    error: str = ""
    hint: str = ""


def campaign_runs(campaign: Campaign) -> tuple[RunSettings, ...]:
    """The matrix of a campaign, in the order of its lists."""
    return tuple(
        RunSettings(model, board, KernelLibrary(kernels), CompilerName(compiler), opt)
        for model, board, kernels, compiler, opt in product(
            campaign.models, campaign.boards, campaign.kernels, campaign.compilers, campaign.opts
        )
    )


def run_campaign(campaign: Campaign, *, jobs: int, update: bool) -> Iterator[RunResult]:
    """Run a campaign and yield each result as it is finished; finished runs survive an interruption.

    With ``update`` the committed records are rewritten where they differ.
    """
    settings = campaign_runs(campaign)
    todo: list[RunSettings] = []
    for s in settings:
        result = _fresh(s)
        if result is None:
            todo.append(s)
        else:
            yield _settle(result, update)
    if not todo:
        return
    if jobs <= 1 or len(todo) == 1:
        yield from (_settle(_run(s), update) for s in todo)
        return
    # fork would copy the emulator's and numba's threads; spawn starts clean
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(todo)), mp_context=context)
    try:
        with _interrupts_kept_from_children():
            futures = [pool.submit(_work, s) for s in todo]
        for future in as_completed(futures):
            yield _settle(future.result(), update)
    except BaseException:
        # stop at once: every finished run has been kept by its worker
        pool.shutdown(wait=False, cancel_futures=True)
        _end(multiprocessing.active_children())
        raise
    pool.shutdown()


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Processes started here never get Ctrl-C, from their first instruction on: the parent ends them. It gets its own at the end."""
    # else it is started, and unblocks the signal, with the first process
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(workers: Sequence[BaseProcess]) -> None:
    """End worker processes: SIGTERM lets them end their compilers and remove their folders."""
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + _GRACE_S
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
        if worker.is_alive() and worker.pid is not None:
            kill_descendants(worker.pid)
            worker.kill()
            worker.join()
    # of one that was too slow, or that had not come so far that it could clean up
    remove_stale()


def _stop_once(_signal: int, _frame: FrameType | None) -> None:
    """The pool ends workers too, once one of them has gone: a second SIGTERM must not disturb the cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _work(settings: RunSettings) -> RunResult:
    """One run in a worker process, where SIGTERM is what Ctrl-C is elsewhere."""
    be_quiet()
    signal.signal(signal.SIGTERM, _stop_once)
    try:
        return _run(settings)
    except KeyboardInterrupt:
        # the pool would send it to the parent and begin the next run
        os._exit(EXIT_CODE)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _fresh(settings: RunSettings) -> RunResult | None:
    try:
        run = resolve(settings)
    except WhycyclesError:
        return None
    record = kept(run)
    return None if record is None else RunResult(run.id, Outcome.UNCHANGED, record, committed=False)


def _run(settings: RunSettings) -> RunResult:
    name = f"{settings.model} on {settings.board} with {settings.kernels.value}"
    try:
        run = resolve(settings)
        name = run.id
        absent = lacking(run.target, run.core)
        if absent is not None and (simulated_dir() / f"{name}.json").is_file():
            why = f"{absent} is not on this machine; the committed record stands"
            return RunResult(name, Outcome.SKIPPED, None, committed=True, error=why)
        outcome = Outcome.MEASURED if fresh_record(run) is None else Outcome.UNCHANGED
        record = make(run)
    except WhycyclesError as error:
        return RunResult(name, Outcome.FAILED, None, committed=False, error=error.message, hint=error.hint)
    return RunResult(run.id, outcome, record, committed=False)


def _settle(result: RunResult, update: bool) -> RunResult:
    """Compare a result with the committed record, or rewrite that record."""
    record = result.record
    if record is None:
        return result
    path = simulated_dir() / f"{record.id}.json"
    differences: tuple[Difference, ...] = ()
    if path.is_file():
        try:
            differences = diff_results(read_record(path), record)
        except RecordError as error:
            # a record of an older schema differs as a whole; it must not stop the campaign
            differences = (Difference("committed record", error.message, "a valid record", "none"),)
    committed = path.is_file()
    if update and (differences or not committed):
        write_record(record, path)
    return RunResult(result.id, result.outcome, record, committed or update, differences)
