"""``whycycles whatif``: the same run with one mechanism idealised, or at another clock."""

from __future__ import annotations

import click
from rich.table import Table

from engine.cli.shell import console, json_option, print_json, progress_console


@click.command()
@click.argument("record")
@json_option
def whatif(record: str, as_json: bool) -> None:
    """Say what a run would gain if one mechanism were ideal, and what other clocks would give.

    RECORD is a record file or a run id. The run is re-timed, not executed again (unless its profile is not on this machine).
    """
    from engine.pipeline.local import find_record
    from engine.pipeline.prepare import prepare
    from engine.pipeline.rerun import settings_of
    from engine.pipeline.rethink import what_if

    found = find_record(record)
    with progress_console().status(found.id) as status:
        made = prepare(settings_of(found), lambda step: status.update(f"{found.id}: {step}"))
        answer = what_if(made)
    if as_json:
        print_json(answer)
        return
    out = console()
    out.print(f"{answer.id}: {answer.latency_ms:.3f} ms, {answer.cycles:,} cycles (simulated)")
    out.print()
    table = Table(
        "if only this were ideal",
        "ms",
        "gain",
        "gain, ms",
        "share of the gap",
        box=None,
        pad_edge=False,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    gap = answer.cycles - answer.ideal_cycles
    for g in answer.gains:
        low, high = g.gain_ms_interval
        share = "-" if g.share_cycles is None else f"{g.share_cycles / gap:.1%}" if gap else "0.0%"
        relative = f"{g.gain_ms / answer.latency_ms:.1%}" if answer.latency_ms else "-"
        table.add_row(g.label, f"{g.latency_ms:.3f}", relative, f"{low:.2f} to {high:.2f}", share)
    out.print(table)
    out.print(
        f"All ideal at once: {answer.ideal_cycles:,} cycles. Gains overlap, so they do not add up; the shares do."
    )
    out.print()
    table = Table("clock MHz", "wait states", "cycles", "ms", "interval ms", "step", box=None, pad_edge=False)
    for column in table.columns[:5]:
        column.justify = "right"
    for p in answer.clocks:
        low_ms, high_ms = p.latency_ms_interval
        interval = f"{low_ms:.2f} to {high_ms:.2f}"
        table.add_row(f"{p.clock_mhz:g}", str(p.wait_states), f"{p.cycles:,}", f"{p.latency_ms:.3f}", interval, p.step)
    out.print(table)
    out.print("step: what the higher clock buys over the lower ones (faster, uncertain within the interval, nothing).")
