"""``whycycles campaign``: a matrix of runs, incremental."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from engine.catalog.campaign import load_campaign
from engine.cli.campaign_npus import make_estimates
from engine.cli.shell import json_option, progress_console
from engine.errors import CheckFailedError, WhycyclesError

_SHOWN = 10


@click.command(short_help="Measure a matrix of runs, incrementally.")
@click.argument("name", default="default")
@click.option("--update", is_flag=True, help="Rewrite the committed records where they differ.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="cores", help="Runs at a time."
)
@json_option
def campaign(name: str, update: bool, jobs: int, as_json: bool) -> None:
    """Measure every run of a campaign (a name, or a path to a TOML); runs whose inputs did not change are not repeated, so after an
    interruption the same command goes on where it stopped.

    Results are compared with the committed records; a difference fails the campaign unless --update takes it over.
    """
    import json

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from engine.pipeline.campaign import Outcome, RunResult, campaign_runs, run_campaign

    matrix = load_campaign(name)
    total = len(campaign_runs(matrix))
    err = progress_console()
    results: list[RunResult] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task(f"campaign {matrix.name}", total=total)
        for result in run_campaign(matrix, jobs=jobs, update=update):
            results.append(result)
            bar.advance(task)
            if result.outcome is not Outcome.UNCHANGED:
                bar.console.print(_line(result, len(results), total), soft_wrap=True)
    changed = _ceilings(matrix.boards, update=update)
    estimates = make_estimates(matrix, update=update)
    failed = [r for r in results if r.outcome is Outcome.FAILED]
    different = [r for r in results if r.differences and not update]
    if as_json:
        click.echo(json.dumps([_plain(r) for r in sorted(results, key=lambda r: r.id)], indent=1))
    else:
        unchanged = sum(r.outcome is Outcome.UNCHANGED for r in results)
        skipped = sum(r.outcome is Outcome.SKIPPED for r in results)
        also = f", {skipped} skipped" if skipped else ""
        click.echo(f"campaign {matrix.name}: {total} runs, {unchanged} unchanged, {len(failed)} failed{also}")
        for r in different:
            click.echo(f"{r.id} differs from its committed record:", err=True)
            for d in r.differences[:_SHOWN]:
                click.echo(f"  {d}", err=True)
            if len(r.differences) > _SHOWN:
                click.echo(f"  … {len(r.differences) - _SHOWN} more", err=True)
        new = [r for r in results if r.record is not None and not r.committed]
        if new:
            click.echo(f"{len(new)} runs have no committed record yet; --update writes them", err=True)
    if failed:
        raise CheckFailedError(f"{len(failed)} of {total} runs failed: {failed[0].error}", hint=failed[0].hint)
    if different:
        raise CheckFailedError(
            f"{len(different)} of {total} runs differ from their committed records",
            hint=f"if the change is meant, run `whycycles campaign {name} --update` and commit measurements/",
        )
    if estimates.failed:
        raise CheckFailedError(f"estimates failed: {'; '.join(estimates.failed)}", hint="try one with `whycycles run`")
    if changed or estimates.changed:
        raise CheckFailedError(
            f"not the committed ceilings or estimates: {', '.join((*changed, *estimates.changed))}",
            hint=f"if the change is meant, run `whycycles campaign {name} --update` and commit measurements/",
        )


def _ceilings(boards: Sequence[str], *, update: bool) -> list[str]:
    """Measure the ceilings of a campaign's boards where something changed; names of those that are not the committed ones."""
    from engine.pipeline.ceilings import ceilings_of_board, different_from_committed, update_committed

    changed = []
    for board in boards:
        try:
            found = ceilings_of_board(board)
        except WhycyclesError as error:
            # the runs count without: their roofline falls back to the core's table
            click.echo(f"no ceilings of {board}: {error.message}", err=True)
            continue
        if update:
            update_committed(found)
        elif different_from_committed(found):
            changed.append(found.id)
    return changed


def _line(result: object, done: int, total: int) -> str:
    from engine.pipeline.campaign import RunResult

    assert isinstance(result, RunResult)
    if result.record is None:
        return f"{done}/{total} {result.id}: {result.outcome.value.upper()}: {result.error}"
    return f"{done}/{total} {result.id}: {result.record.latency_ms:.3f} ms simulated"


def _plain(result: object) -> dict[str, object]:
    from engine.pipeline.campaign import RunResult

    assert isinstance(result, RunResult)
    return {
        "id": result.id,
        "outcome": result.outcome.value,
        "latency_ms": None if result.record is None else result.record.latency_ms,
        "committed": result.committed,
        "differences": [str(d) for d in result.differences],
        "error": result.error or None,
        "hint": result.hint or None,
    }
