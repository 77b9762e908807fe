"""``whycycles energy sweep|battery|check``: what energies are good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from engine.cli.shell import Finite, console, json_option, print_json, progress_console
from engine.firmware.types import CompilerName, KernelLibrary
from engine.pipeline.settings import OPTS, RunSettings, resolve
from engine.site.text import significant
from engine.words import share_text

if TYPE_CHECKING:
    from engine.energy.battery import BatteryLife
    from engine.energy.sweep import EnergySweep

_MOST_UA = 1e7
"""10 A: beyond it a current asleep is in another unit."""


@click.command("sweep")
@click.argument("model")
@click.option("--board", "-b", required=True, help="Board name, or a path to a board TOML.")
@click.option("--kernels", type=click.Choice([k.value for k in KernelLibrary]), default="cmsis-nn", show_default=True)
@click.option("--compiler", type=click.Choice([c.value for c in CompilerName]), default="clang", show_default=True)
@click.option("--opt", type=click.Choice(OPTS), default="O2", show_default=True)
@click.option("--sleep-ua", type=Finite(0, _MOST_UA), metavar="UA", help="Current asleep; the board's own if absent.")
@json_option
def sweep(model: str, board: str, kernels: str, compiler: str, opt: str, sleep_ua: float | None, as_json: bool) -> None:
    """Latency, power, energy and energy-delay product of MODEL over a board's clocks, and the clock of least energy."""
    from engine.energy.published import published_power
    from engine.energy.sweep import Timed, energy_sweep
    from engine.errors import UsageError
    from engine.pipeline.keep import analysis_of
    from engine.records.run_energy import NoEnergy

    run = resolve(RunSettings(model, board, kernels=KernelLibrary(kernels), compiler=CompilerName(compiler), opt=opt))
    with progress_console().status(run.id) as status:
        clocks = analysis_of(run, lambda step: status.update(f"{run.id}: {step}")).clocks
    timed = [
        Timed(c.clock_mhz, c.wait_states * c.bus_ratio, c.cycles, c.latency_ms, c.latency_ms_interval) for c in clocks
    ]
    code = run.board.memory(run.board.placement.code).kind
    found = energy_sweep(run.board, run.model.name, code, timed, published_power(), sleep_ua)
    if isinstance(found, NoEnergy):
        raise UsageError(
            f"{run.board.name} has no energy: {found.reason}",
            hint="add [[current_ua_per_mhz]] to a board file of your own",
        )
    if as_json:
        print_json(found)
    else:
        _show_sweep(found, console())


@click.command("battery")
@click.argument("record")
@click.option("--every", "every_s", type=Finite(0, 1e9, min_open=True), required=True, metavar="SECONDS", help="Time from one inference to the next.")  # fmt: skip
@click.option("--capacity", "capacity_mah", type=Finite(0, 1e9, min_open=True), default=220.0, show_default=True, metavar="MAH")  # fmt: skip
@click.option("--battery-v", type=Finite(0, 1000, min_open=True), default=3.0, show_default=True, metavar="V")
@click.option("--sleep-ua", type=Finite(0, _MOST_UA), metavar="UA", help="Current asleep; the board's own if absent.")
@click.option(
    "--keeps-ram/--loses-ram",
    default=None,
    help="With --sleep-ua: whether RAM survives, or waking is a reset.  [default: keeps-ram]",
)
@click.option("--wake-ms", type=Finite(0, 1e9), default=0.0, show_default=True, metavar="MS", help="At run power, before each inference.")  # fmt: skip
@json_option
def battery(
    record: str,
    every_s: float,
    capacity_mah: float,
    battery_v: float,
    sleep_ua: float | None,
    keeps_ram: bool | None,
    wake_ms: float,
    as_json: bool,
) -> None:
    """How long a battery lasts with one inference of a run every so often, asleep in between.

    RECORD is a record file or a run id. Where sleep loses RAM, waking is a reset and the cold inference counts. Power the board from
    a 1.8 V regulator behind the battery, or directly: the charge is the same.
    """
    from engine.energy.attribute import energy_of
    from engine.energy.battery import Duty, battery_life
    from engine.errors import UsageError
    from engine.pipeline.local import find_record
    from engine.pipeline.rerun import hardware_for
    from engine.records.run_energy import NoEnergy

    if keeps_ram is not None and sleep_ua is None:
        raise UsageError(
            "--keeps-ram and --loses-ram say something of --sleep-ua, which is missing",
            hint="give that sleep's current; without one the board's own sleep counts, of which its source says whether RAM survives",
        )
    found = find_record(record)
    board = hardware_for(found).board
    energy = energy_of(found, board)
    if isinstance(energy, NoEnergy) or board is None:
        reason = energy.reason if isinstance(energy, NoEnergy) else ""
        raise UsageError(
            f"{found.id} has no energy: {reason}",
            hint="run it on a board file of your own with [[current_ua_per_mhz]], or measure it",
        )
    if sleep_ua is None:
        if not board.sleep_current_ua:
            raise UsageError(f"no sleep current of {board.name} was found", hint="add --sleep-ua, in microamperes")
        printed = min(board.sleep_current_ua, key=lambda s: s.value)
        sleep_ua, keeps_ram = float(printed.value), printed.keeps_ram
    life = battery_life(
        found, energy, Duty(every_s, sleep_ua, keeps_ram is not False, wake_ms, capacity_mah, battery_v)
    )
    if as_json:
        print_json(life)
    else:
        _show_battery(life, console())


@click.command("check")
@click.argument("records", nargs=-1)
@json_option
def check(records: tuple[str, ...], as_json: bool) -> None:
    """Check energies: their range, the board's power, and that energy goes with latency. RECORDS: all known runs and measurements if absent.

    Exit code 1 if a check failed that nothing explains.
    """
    import dataclasses
    import json

    from engine.energy.published import published_power
    from engine.energy.sanity import correlation_issues, issues_of
    from engine.errors import CheckFailedError
    from engine.pipeline.energies import inferences

    known = inferences(records)
    issues = [*(i for x in known for i in issues_of(x, published_power())), *correlation_issues(known)]
    out = console()
    if as_json:
        click.echo(json.dumps([{**dataclasses.asdict(i), "meaning": i.code.label} for i in issues], indent=1))
    else:
        for i in issues:
            why = f" (explained: {i.explained})" if i.explained else ""
            out.print(f"{i.code} {i.code.label}: {i.run}: {i.message}{why}", soft_wrap=True)
        out.print(f"{len(known)} energies checked, {len(issues)} issues")
    wrong = [i for i in issues if not i.explained]
    if wrong:
        raise CheckFailedError(
            f"{len(wrong)} energies are not believable: {', '.join(sorted({i.run for i in wrong}))}",
            hint="for a measured energy look at the meter's range, rate and markers; else at the board's current",
        )


def _show_sweep(found: EnergySweep, out: Console) -> None:
    volts = "" if found.voltage_v is None else f", {found.voltage_v:g} V"
    out.print(
        f"{found.model} on {found.board}{volts} (simulated); {found.rests_on.label}: {found.how}",
        soft_wrap=True,
    )
    table = Table(
        "clock MHz",
        "wait states",
        "ms",
        "mW",
        "mJ",
        "interval mJ",
        "mJ x ms",
        "with sleep, mJ",
        "",
        box=None,
        pad_edge=False,
    )
    for column in table.columns[:8]:
        column.justify = "right"
    table.columns[5].no_wrap = True  # an interval reads as one
    for p in found.points:
        low, high = p.interval_uj
        period = "-" if p.period_uj is None else significant(p.period_uj / 1000)
        table.add_row(
            f"{p.clock_mhz:g}", str(p.wait_states), significant(p.latency_ms), significant(p.power_mw), significant(p.energy_uj / 1000),
            f"{significant(low / 1000)} to {significant(high / 1000)}", significant(p.edp_uj_ms / 1000), period, ", ".join(found.marks(p)),
        )  # fmt: skip
    out.print(table)
    sleep = "no sleep current" if found.sleep_ua is None else f"asleep {found.sleep_ua:g} µA"
    out.print(f"{sleep}: {found.sleep_source}", soft_wrap=True)
    verdict = "" if found.strategy is None else f"{found.strategy.label}: "
    out.print(f"{verdict}{found.reason}.", soft_wrap=True)


def _show_battery(life: BatteryLife, out: Console) -> None:
    low, high = life.life_hours_interval
    out.print(
        f"{life.run}: {life.life_hours / 24:,.1f} days ({low / 24:,.1f} to {high / 24:,.1f}), {life.years:,.2f} years, "
        f"{life.inferences:,} {'cold' if life.cold else 'warm'} inferences",
        soft_wrap=True,
    )
    total = life.inference_uc + life.wake_uc + life.sleep_uc
    for name, charge in (("inference", life.inference_uc), ("waking", life.wake_uc), ("sleep", life.sleep_uc)):
        out.print(f"  {name}: {_uc(charge)} µC every {life.every_s:g} s ({share_text(charge / total)})")
    out.print(f"  average current {life.average_ua:,.4g} µA")
    for note in life.notes:
        out.print(f"note: {note}", soft_wrap=True)


def _uc(charge: float) -> str:
    return f"{charge:,.0f}" if charge >= 1000 else f"{charge:.3g}"
