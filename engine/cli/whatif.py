"""``whycycles whatif``: the same run with one mechanism idealised, at another clock, or with a figure set otherwise."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.cli.shell import console, json_option, print_json, progress_console
from engine.site.text import signed, significant
from engine.words import change_text, share_text

if TYPE_CHECKING:
    from engine.explain.analysis import AlternativeEffect, AssumptionEffect
    from engine.pipeline.rethink import PlacementEstimate, WhatIfAnswer
    from engine.records.run import RunRecord

_WORTH_A_LINE = 0.0005
_MOST_OF_A_REASON = 110


@click.command()
@click.argument("record")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="First override a figure of the board or core, as in `run`.",
)
@click.option(
    "--ideal",
    "combinations",
    multiple=True,
    metavar="NAME,NAME",
    help="Also these mechanisms (as --json names them) idealised at once.",
)
@click.option(
    "--place",
    "places",
    multiple=True,
    metavar="PART=MEMORY",
    help="Estimate the run with code, weights, activations or stack in another memory, as in `run`.",
)
@click.option(
    "--clock", "clock_mhz", type=float, metavar="MHZ", help="First take the run to another clock of the board."
)
@json_option
def whatif(
    record: str,
    overrides: tuple[str, ...],
    combinations: tuple[str, ...],
    places: tuple[str, ...],
    clock_mhz: float | None,
    as_json: bool,
) -> None:
    """Say what a run would gain if one mechanism were ideal, what other clocks would give, and what its cycles rest on.

    RECORD is a record file or a run id. The run is re-timed from its stored profile, not executed again (unless it is not on this
    machine, or --set changes the ELF). With --place its blocks and accesses go through the memories that the parts would lie in: an
    estimate from the stored profile, without a link; `whycycles run --place weights=sram` links and runs it. All four options may
    be combined.
    """
    from engine.pipeline.local import find_record
    from engine.pipeline.prepare import prepare
    from engine.pipeline.rerun import settings_of
    from engine.pipeline.rethink import parse_ideal, what_if, what_if_placed
    from engine.pipeline.settings import parse_place, parse_set

    asked = [parse_ideal(text) for text in combinations]
    _refuse_others(record)
    found = find_record(record)
    sets = tuple(parse_set(text) for text in overrides)
    stored, run = settings_of(found), settings_of(found, sets, clock_mhz=clock_mhz)
    wanted = settings_of(found, sets, tuple(parse_place(text) for text in places), clock_mhz)
    with progress_console().status(run.id) as status:
        made = prepare(run, lambda step: status.update(f"{run.id}: {step}"), like=stored)
        if wanted.board.placement == run.board.placement:
            answer = what_if(made, asked)
            if places:
                answer = answer.model_copy(update={"notes": (*answer.notes, "All parts lie so already.")})
        else:
            answer = what_if_placed(made, wanted, asked)
    if as_json:
        print_json(answer)
        return
    out = console()
    # an id must not be broken: it is copied
    out.print(f"{answer.id}: {significant(answer.latency_ms)} ms, {answer.cycles:,} cycles (simulated)", soft_wrap=True)
    if answer.estimate is not None:
        _print_estimate(answer.estimate, out)
    elif answer.id != found.id:
        _print_change(answer, found, run.clock_mhz, out)
    energy = "no energy" if answer.energy_uj is None else f"{significant(answer.energy_uj)} µJ"
    out.print(f"{energy}: {answer.energy_note}")
    for note in answer.notes:
        out.print(note)
    out.print()
    _print_gains(answer, out)
    out.print()
    _print_clocks(answer, out)
    out.print()
    _print_assumptions(answer, out)


def _refuse_others(name: str) -> None:
    """Raise UsageError for what is known by that name and is no simulated run."""
    from engine.errors import UsageError
    from engine.pipeline.board_store import find_measured
    from engine.pipeline.host import find_host_record
    from engine.pipeline.npu_keep import find_npu_record

    for find, what in (
        (find_npu_record, "an estimate of an NPU"),
        (find_host_record, "a measurement of this machine"),
        (find_measured, "a measurement of a board"),
    ):
        if find(name) is not None:
            raise UsageError(
                f"{name} is {what}: nothing of it can be timed again",
                hint=f"`whycycles explain {name}` says what is known of it",
            )


def _print_change(answer: WhatIfAnswer, found: RunRecord, clock_mhz: float, out: Console) -> None:
    """Against the run as it is recorded: in cycles, and in time where another clock makes that something else."""
    more = answer.cycles - found.cycles.warm
    share = f" ({change_text(more / found.cycles.warm)})" if found.cycles.warm else ""
    text = f"{found.id}: {found.cycles.warm:,} cycles, so these are {'+' if more >= 0 else ''}{signed(more)}{share}"
    if clock_mhz != found.clock_mhz and found.latency_ms:
        latency = change_text(answer.latency_ms / found.latency_ms - 1)
        text += f"; latency {latency} at {clock_mhz:g} MHz instead of {found.clock_mhz:g} MHz"
    out.print(text, soft_wrap=True)


def _print_estimate(estimate: PlacementEstimate, out: Console) -> None:
    energy = "" if estimate.energy_change is None else f", energy {change_text(estimate.energy_change)}"
    out.print(
        f"{estimate.from_id}: {estimate.from_cycles:,} cycles; latency {change_text(estimate.cycles_change)}{energy}",
        soft_wrap=True,
    )
    out.print(estimate.note, highlight=False)
    out.print(f"To link and run it: {estimate.command}", soft_wrap=True, highlight=False)


def _print_gains(answer: WhatIfAnswer, out: Console) -> None:
    table = Table(
        "if only this were ideal",
        "ms",
        "gain",
        "gain, ms",
        "gain, µJ",
        "share of the gap",
        box=None,
        pad_edge=False,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    gap = answer.cycles - answer.ideal_cycles
    for g in answer.gains:
        low, high = g.gain_ms_interval
        share = "-" if g.share_cycles is None else share_text(g.share_cycles / gap if gap else 0)
        energy = "-" if g.gain_uj is None else f"{g.gain_uj:,.1f}".replace("-", "−")
        relative = share_text(g.gain_ms / answer.latency_ms) if answer.latency_ms else "-"
        table.add_row(g.label, significant(g.latency_ms, 4), relative, f"{low:.2f} to {high:.2f}", energy, share)
    out.print(table)
    for c in answer.combined:
        low, high = c.gain_ms_interval
        out.print(
            f"{c.label}: {significant(c.latency_ms, 4)} ms, {share_text(c.gain_ms / answer.latency_ms)} less "
            f"({low:.2f} to {high:.2f} ms)",
            soft_wrap=True,
        )
    out.print(
        f"All ideal at once: {answer.ideal_cycles:,} cycles. Gains overlap, so they do not add up; the shares do."
    )


def _print_clocks(answer: WhatIfAnswer, out: Console) -> None:
    table = Table("clock MHz", "wait states", "cycles", "ms", "interval ms", "step", box=None, pad_edge=False)
    for column in table.columns[:5]:
        column.justify = "right"
    for p in answer.clocks:
        low_ms, high_ms = p.latency_ms_interval
        interval = f"{significant(low_ms)} to {significant(high_ms)}"
        table.add_row(
            f"{p.clock_mhz:g}", str(p.wait_states), f"{p.cycles:,}", significant(p.latency_ms, 4), interval, p.step
        )
    out.print(table)
    out.print("step: what the higher clock buys over the lower ones (faster, uncertain within the interval, nothing).")


def _print_assumptions(answer: WhatIfAnswer, out: Console) -> None:
    shown = [a for a in answer.assumptions if _largest(a) >= _WORTH_A_LINE]
    table = Table("what the result rests on", "value", "interval", "at low", "at high", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    for a in shown:
        value = "-" if a.value is None else f"{a.value:g}"
        interval = "-" if a.low is None or a.high is None else f"{a.low:g} to {a.high:g}"
        # the reason goes under the name: a column of its own would be a few letters wide on a narrow terminal
        why = Text(textwrap.shorten(a.reason, _MOST_OF_A_REASON, placeholder=" …"), style="dim")
        name = Group(Text(a.key), Padding(why, (0, 0, 0, 2)))
        table.add_row(name, value, interval, _percent(a.low_effect_share), _percent(a.high_effect_share))
    if shown:
        out.print(table)
        out.print("Cycles gained or lost if that figure alone were at an end of its interval.")
    rest = [a.key for a in answer.assumptions if _largest(a) < _WORTH_A_LINE]
    if rest:
        out.print(f"Under {share_text(_WORTH_A_LINE, 2)} either way: {', '.join(rest)}.")
    _print_alternatives(answer, out)
    _print_left_out(answer, out)
    if answer.unvaried_assumptions:
        keys = ", ".join(a.key for a in answer.unvaried_assumptions)
        out.print(f"Inferred and not varied, for reasons that --json gives: {keys}.")


def _print_alternatives(answer: WhatIfAnswer, out: Console) -> None:
    if not answer.alternatives:
        return
    felt = [a for a in answer.alternatives if a.matters]
    others = "; ".join(f"{a.key} {a.alternative}" for a in answer.alternatives if not a.matters)
    out.print()
    if felt:
        out.print(_alternatives(felt))
        out.print("Cycles gained or lost if the board were otherwise there, and there alone.")
    if others:
        out.print(f"Not said by any source, and under {share_text(_WORTH_A_LINE, 2)} either way: {others}.")


def _alternatives(felt: Sequence[AlternativeEffect]) -> Table:
    table = Table("what no source says", "as described", "instead", "changes", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for a in felt:
        why = Text(textwrap.shorten(a.reason, _MOST_OF_A_REASON, placeholder=" …"), style="dim")
        name = Group(Text(a.key), Padding(why, (0, 0, 0, 2)))
        table.add_row(name, a.described, a.alternative, _percent(a.effect_share))
    return table


def _print_left_out(answer: WhatIfAnswer, out: Console) -> None:
    if not answer.left_out:
        return
    table = Table("left out, so taken as none", "one cycle adds", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for x in answer.left_out:
        name = Group(Text(x.key), Padding(Text(x.taken, style="dim"), (0, 0, 0, 2)))
        table.add_row(name, _percent(x.effect_share))
    out.print()
    out.print(table)
    out.print("In no interval: nothing that was opened says whether there is such a cycle.")


def _largest(effect: AssumptionEffect) -> float:
    return max(abs(effect.low_effect_share), abs(effect.high_effect_share))


def _percent(share: float) -> str:
    return change_text(share) if abs(share) >= _WORTH_A_LINE else "0"
