"""``whycycles ceilings``: what a board multiplies and moves at most, by micro-benchmarks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.table import Table

from engine.cli.shell import console, json_option, print_json, progress_console
from engine.errors import CheckFailedError

if TYPE_CHECKING:
    from engine.records.ceilings import MeasuredCeilings


@click.command(short_help="Measure what boards multiply and move at most.")
@click.option(
    "--board", "names", multiple=True, metavar="B", help="Board name or TOML; may be repeated. All boards unless given."
)
@click.option("--clock", "clock_mhz", type=float, metavar="MHZ", help="Core clock [default: the board's].")
@click.option("--update", is_flag=True, help="Write the results to measurements/ceilings/.")
@click.option("--fresh", is_flag=True, help="Measure again even if nothing changed.")
@json_option
def ceilings(names: tuple[str, ...], clock_mhz: float | None, update: bool, fresh: bool, as_json: bool) -> None:
    """Run micro-benchmarks on boards: the roofs that layers are placed under.

    MACs per cycle of every instruction that multiplies, bytes per cycle of every memory, from a cache and beyond it. Results are
    compared with the committed ones; a difference is a failed check unless --update takes it over.
    """
    from engine.catalog.load import list_boards
    from engine.pipeline.ceilings import ceilings_of_board, different_from_committed, update_committed

    wanted = names or tuple(b.name for b in list_boards())
    found: list[MeasuredCeilings] = []
    with progress_console().status("") as status:
        for name in wanted:
            status.update(f"ceilings of {name}")
            found.append(ceilings_of_board(name, clock_mhz, fresh=fresh))
    changed = [x.id for x in found if different_from_committed(x)]
    if update:
        for x in found:
            update_committed(x)
    if as_json:
        if len(names) == 1:
            print_json(found[0])
        else:
            click.echo(json.dumps([x.model_dump(mode="json", by_alias=True) for x in found], indent=1))
    else:
        for x in found:
            _show(x)
    if changed and not update:
        raise CheckFailedError(
            f"{', '.join(changed)}: not the committed ceilings",
            hint="if the change is meant, run the command again with --update and commit measurements/",
        )


def _show(x: MeasuredCeilings) -> None:
    out = console()
    out.print(f"{x.board} ({x.core}) at {x.clock_mhz:g} MHz, {x.evidence.value}")
    table = Table("benchmark", "with", "working set", "cycles", "per cycle", "interval", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for b in x.benchmarks:
        low, high = b.per_cycle_interval
        size = f"{b.working_set_bytes:,} B" if b.working_set_bytes else ""
        table.add_row(
            b.name, b.instructions, size, f"{b.cycles:,}", f"{b.per_cycle:.3f} {b.unit}", f"{low:.3f} to {high:.3f}"
        )
    out.print(table)
    for s in x.skipped:
        out.print(f"absent: {s.name}: {s.reason}", soft_wrap=True)
    out.print()
