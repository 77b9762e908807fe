"""``whycycles validate``: our error against published silicon."""

from __future__ import annotations

import os
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from engine.cli.shell import console, json_option, plural, print_json, progress_console
from engine.errors import CheckFailedError, UsageError
from engine.firmware.types import CompilerName
from engine.words import change_text, share_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.records.validation import Point, RefusedRow, Validation

_WIDEST_NAME = 30
_YES_NO = {True: "yes", False: "no", None: "-"}


@click.command()
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Reference CSV; the published points of the project if absent.",
)
@click.option(
    "--compiler", type=click.Choice([c.value for c in CompilerName]), help="Overrule the compiler of every row."
)
@click.option("--update", is_flag=True, help="Rewrite the committed result of this compiler, which the website shows.")
@click.option("--layers", is_flag=True, help="Compare the counters of a real Cortex-M55 layer by layer instead.")
@click.option(
    "--note",
    default="",
    metavar="TEXT",
    help="With --update and CMSIS_NN_PATH: the name of these kernels. With --layers --update: what is special about them.",
)
@json_option
def validate(against: Path | None, compiler: str | None, update: bool, layers: bool, note: str, as_json: bool) -> None:
    """Run every published result that can be run and print the error of each point. No figure is computed from them.

    A reference CSV has the columns board, model, clock_mhz and latency_ms (blank or absent where a row has an energy), and may have
    kernels, framework, compiler, use (exact, bound, report), bound_side (simulated_at_most, simulated_at_least), energy_uj,
    voltage_v, reason and source; others are ignored. Board and model may be paths, from here or from where the CSV lies.

    Only exact rows enter the mean and the worst error. A row that names other kernels than cmsis-nn or reference, no kernels at
    all, or a compiler that is neither gcc nor clang, is run with what stands in and shown as report; its notes (--json) say so. No
    compiler named means gcc -O2.

    With other kernels than the project's own (CMSIS_NN_PATH), --update runs the exact rows alone and keeps them beside the
    committed result, under the name that --note gives.

    A row with a cell that cannot be read is named by line, column and value, and the others are validated.

    Exit code 1 if a bound does not hold, or if no row could be run; else 2 if a row could not be read.
    """
    from engine.firmware.cmsis_nn import CMSIS_NN_PATH
    from engine.paths import measurements_dir
    from engine.pipeline.local import other_kernels_path, validations_path
    from engine.records.validation import FileValidation, Use
    from engine.validate.keep import keep, keep_other_kernels
    from engine.validate.points import validate as run_points
    from engine.validate.reference import read_reference, refusal

    if update and against is not None:
        raise UsageError("--update keeps the error against the project's own points", hint="leave --against out")
    other = update and not layers and bool(os.environ.get(CMSIS_NN_PATH))
    if note and not (other or (layers and update)):
        raise UsageError(
            "--note is kept with a result of --layers, or of the kernels that CMSIS_NN_PATH names",
            hint="give --update as well",
        )
    if other and not note:
        raise UsageError(
            f"{CMSIS_NN_PATH} names other kernels than those of the committed result",
            hint="give --note with their name: they are kept beside it; or unset it",
        )
    if layers:
        from engine.cli.validate_layers import validate_layers

        validate_layers(against, CompilerName(compiler) if compiler else CompilerName.GCC, update, note, as_json)
        return
    path = against or measurements_dir() / "published" / "validation.csv"
    reference = read_reference(path)
    if update and reference.refused:  # the website would show a result of fewer points
        raise refusal(path, len(reference.rows), reference.refused)
    rows = tuple(row for row in reference.rows if row.use is Use.EXACT) if other else reference.rows
    with progress_console().status("validating") as status:
        chosen = CompilerName(compiler) if compiler else None
        found = run_points(rows, chosen, lambda t: status.update(f"validating {t}"))
    if other:
        keep_other_kernels(found, note, other_kernels_path())
    elif update:
        keep(found, chosen, validations_path())
    if as_json:
        print_json(FileValidation(**dict(found), refused=reference.refused))
    else:
        _print(found)
        _print_refused(reference.refused)
    _check(found)
    if reference.refused:
        raise refusal(path, len(reference.rows), reference.refused)


def _check(found: Validation) -> None:
    """Raises CheckFailedError if a bound is broken or nothing was run."""
    if all(p.simulated_ms is None for p in found.points):
        (why, _), *_ = _why_not_run(found).most_common(1)
        raise CheckFailedError(
            f"no point could be run: {why.removeprefix('not run: ')}",
            hint="name boards of `whycycles boards` and models of `whycycles models`, or give paths; `whycycles doctor` says what is missing",
        )
    if not found.bounds_hold:
        broken = [
            f"{_short(p.model)} on {_short(p.board)}" for p in found.points if p.use == "bound" and p.holds is False
        ]
        raise CheckFailedError(f"bounds do not hold: {', '.join(broken)}", hint="a timing rule is wrong, or the row is")


def _print(found: Validation) -> None:
    out = console()
    table = _table("published", "simulated", "interval, ms")
    for p in _by_board(found.points, table):
        names = (f" {_short(p.model)}", p.use.value, "-" if p.published_ms is None else f"{p.published_ms:.2f}")
        if p.simulated_ms is None or p.interval_ms is None:
            table.add_row(*names, "-", "-", "-", "-")
            continue
        error = "-" if p.error is None else _percents(p.error)
        table.add_row(
            *names, f"{p.simulated_ms:.2f}", error, "{:.2f} - {:.2f}".format(*p.interval_ms), _YES_NO[p.holds]
        )
    out.print(table)
    _print_alternatives(found, out)
    _print_energies([p for p in found.points if p.published_uj is not None], out)
    _print_summary(found, out)


def _print_alternatives(found: Validation, out: Console) -> None:
    """How far the points move on other designs that their boards may have."""
    moved = [
        (max(high / p.simulated_ms - 1, 1 - low / p.simulated_ms), p)
        for p in found.points
        if p.alternatives_ms is not None and p.simulated_ms
        for low, high in [p.alternatives_ms]
    ]
    if not moved:
        return
    most, p = max(moved, key=lambda one: one[0])
    out.print(
        f"{plural(len(moved), 'point')} on boards with caches, prefetchers or wait states that no source gives; other designs of them, in the "
        f"intervals, move {_short(p.model)} on {_short(p.board)} most, by {share_text(most)}"
    )


def _print_refused(refused: Sequence[RefusedRow]) -> None:
    out = console()
    for row in refused:
        out.print(f"not used: {row.problem} ({row.wanted})")


def _table(published: str, ours: str, interval: str) -> Table:
    """A table of points: where it is too wide, names are broken, never numbers."""
    table = Table(box=None, pad_edge=False)
    table.add_column("board and model", overflow="fold", max_width=_WIDEST_NAME)
    table.add_column("use", no_wrap=True)
    for name in (published, ours, "off, %", interval):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("holds", no_wrap=True)
    return table


def _by_board(points: Iterable[Point], table: Table) -> Iterator[Point]:
    """The points, with a row for each board before its own."""
    for board, those in groupby(points, lambda p: p.board):
        table.add_row(_short(board))
        yield from those


def _print_energies(points: Sequence[Point], out: Console) -> None:
    """Points with a published energy, and why some have none of ours."""
    if not points:
        return
    table = _table("published", "ours", "interval, mJ")
    for p in _by_board(points, table):
        names = (f" {_short(p.model)}", p.use.value, _mj(p.published_uj))
        if p.energy_interval_uj is None or p.energy_error is None:
            table.add_row(*names, "-", "-", "-", "-")
            continue
        low, high = p.energy_interval_uj
        table.add_row(
            *names, _mj(p.energy_uj), _percents(p.energy_error), f"{_mj(low)} - {_mj(high)}", _YES_NO[p.energy_holds]
        )
    out.print()
    out.print(table)
    without = Counter(p.energy_note for p in points if p.energy_uj is None)
    for why, count in without.items():
        out.print(f"{plural(count, 'point')} without an energy of ours: {why}")
    out.print()


def _percents(error: float) -> str:
    """An error under a heading that says percent."""
    return change_text(error).removesuffix(" %")


def _mj(microjoules: float | None) -> str:
    return "-" if microjoules is None else f"{microjoules / 1000:,.3f}"


def _print_summary(found: Validation, out: Console) -> None:
    exact = sum(p.use == "exact" and p.error is not None for p in found.points)
    if found.mape is not None and found.worst is not None:
        out.print(
            f"{plural(exact, 'exact point')}: mean absolute error {share_text(found.mape)}, worst {share_text(found.worst)}"
        )
    else:
        out.print("no exact point was run, so there is no mean error")
    for e in found.energy:
        out.print(f"energy of {e.title}:")
        r2 = "" if e.telling_r2 is None else f"; R² {e.telling_r2:.3f}"
        line = (
            f"mean absolute error {share_text(e.mape)}, worst {share_text(e.worst)}; {share_text(e.inside_share, 0)} within "
            f"±{share_text(e.median_half_width, 0)} (median){r2}"
        )
        out.print(Padding(line, (0, 0, 0, 2)))
    from engine.validate.points import IN_MS

    as_report = Counter(n for p in found.points for n in p.notes if n.endswith(("shown as report", IN_MS)))
    for why, count in (as_report + _why_not_run(found)).items():
        out.print(f"{plural(count, 'point')}: {why}" if why in as_report else f"{plural(count, 'point')} {why}")


def _why_not_run(found: Validation) -> Counter[str]:
    """First lines of the reasons ("not run: ...") with the number of their points."""
    return Counter(p.notes[-1].splitlines()[0] for p in found.points if p.simulated_ms is None)


def _short(name: str) -> str:
    """A path's last part; a name as it is ("mlperf-tiny/kws")."""
    return Path(name).name if name.endswith((".toml", ".tflite")) or name.startswith(("/", ".")) else name
