"""``whycycles validate``: our error against published silicon."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.table import Table

from engine.cli.shell import console, json_option, print_json, progress_console
from engine.firmware.types import CompilerName


@click.command()
@click.option(
    "--against", type=click.Path(path_type=Path), help="Reference CSV; the published points of the project if absent."
)
@click.option(
    "--compiler", type=click.Choice([c.value for c in CompilerName]), help="Overrule the compiler of every row."
)
@click.option("--update", is_flag=True, help="Rewrite the committed result of this compiler, which the website shows.")
@json_option
def validate(against: Path | None, compiler: str | None, update: bool, as_json: bool) -> None:
    """Run every published result that can be run and print the error of each point. No figure is computed from them.

    Exit code 1 if a bound does not hold.
    """
    from engine.errors import CheckFailedError, UsageError
    from engine.paths import measurements_dir
    from engine.pipeline.local import validations_path
    from engine.validate.keep import keep
    from engine.validate.points import validate as run_points
    from engine.validate.reference import read_reference

    if update and against is not None:
        raise UsageError("--update keeps the error against the project's own points", hint="leave --against out")
    path = against or measurements_dir() / "published" / "validation.csv"
    rows = read_reference(path)
    with progress_console().status("validating") as status:
        chosen = CompilerName(compiler) if compiler else None
        found = run_points(rows, chosen, lambda t: status.update(f"validating {t}"))
    if update:
        keep(found, chosen, validations_path())
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found.bounds_hold:
        broken = [f"{p.model} on {p.board}" for p in found.points if p.use == "bound" and p.holds is False]
        raise CheckFailedError(f"bounds do not hold: {', '.join(broken)}", hint="a timing rule is wrong, or the row is")


def _print(found: object) -> None:
    from engine.records.validation import Validation

    assert isinstance(found, Validation)
    out = console()
    table = Table(box=None, pad_edge=False)
    for name in ("board", "model", "use"):
        table.add_column(name, no_wrap=True)
    for name in ("published", "simulated", "error", "interval, ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("holds")
    for p in found.points:
        if p.simulated_ms is None or p.interval_ms is None or p.error is None:
            table.add_row(p.board, p.model, p.use, f"{p.published_ms:.2f}", "-", "-", "-", "-")
            continue
        interval = "{:.2f} - {:.2f}".format(*p.interval_ms)
        simulated, holds = f"{p.simulated_ms:.2f}", "yes" if p.holds else "no"
        table.add_row(p.board, p.model, p.use, f"{p.published_ms:.2f}", simulated, f"{p.error:+.1%}", interval, holds)
    out.print(table)
    exact = [p for p in found.points if p.use == "exact" and p.error is not None]
    if found.mape is not None and found.worst is not None:
        out.print(f"{len(exact)} exact points: mean absolute error {found.mape:.1%}, worst {found.worst:.1%}")
    for e in found.energy:
        out.print(
            f"energy of {e.points} {e.what}: mean absolute error {e.mape:.1%}, worst {e.worst:.1%}; {e.inside_share:.0%} within intervals of "
            f"±{e.median_half_width:.0%} (median)",
            soft_wrap=True,
        )
    for why, count in Counter(p.notes[-1].splitlines()[0] for p in found.points if p.simulated_ms is None).items():
        out.print(f"{count} points {why}", soft_wrap=True)
