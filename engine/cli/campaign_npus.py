"""The part of ``whycycles campaign`` that asks Vela."""

from __future__ import annotations

from dataclasses import dataclass

import click

from engine.catalog.campaign import Campaign
from engine.cli.shell import progress_console
from engine.errors import ToolError


@dataclass(frozen=True)
class Estimates:
    """What became of a campaign's estimates: those that are not the committed ones, and what failed, each with its name."""

    changed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def make_estimates(campaign: Campaign, *, update: bool) -> Estimates:
    """Estimate where something changed, and say what was left out. Without Vela nothing is estimated: the committed records stand."""
    from engine.pipeline.npu_campaign import npu_estimates, run_estimates
    from engine.targets.npu.vela import find_vela

    total = len(npu_estimates(campaign))
    if not total:
        return Estimates()
    try:
        vela = find_vela()
    except ToolError as error:
        click.echo(f"no estimates of NPUs: {error.message}; the committed ones stand ({error.hint})", err=True)
        return Estimates()
    results = []
    with progress_console().status("") as status:
        for result in run_estimates(campaign, vela, update=update):
            results.append(result)
            status.update(f"NPUs: {len(results)} of {total}")
    for reason in dict.fromkeys(r.skipped for r in results if r.skipped):
        click.echo(f"no estimate: {reason}; committed ones stand", err=True)
    return Estimates(
        changed=tuple(r.name for r in results if r.differences and not update),
        failed=tuple(f"{r.name}: {r.error}" for r in results if r.error),
    )
