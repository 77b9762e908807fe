"""``whycycles agree``: the same code on every emulator present, counts compared."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table

from engine.cli.shell import console, json_option, plural, print_json, progress_console
from engine.records.agreement import Agreement, AgreementCase, read_agreement, write_agreement


@click.command(short_help="The same code on every emulator present, counts compared.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--board",
    "-b",
    "boards",
    multiple=True,
    help="Only this board's core; a name or a path to a board TOML. May be repeated.",
)
@click.option("--all", "every", is_flag=True, help="The zoo and the reference models, instead of kws and ic.")
@click.option(
    "--update", is_flag=True, help="Keep what agrees in measurements/agreement.json, which the website shows."
)
@click.option(
    "--trace",
    is_flag=True,
    help="Renode also traces an inference of up to 20 million instructions: blocks, loads, stores. Minutes per firmware.",
)
@json_option
def agree(
    models: tuple[str, ...], boards: tuple[str, ...], every: bool, update: bool, trace: bool, as_json: bool
) -> None:
    """Run the same firmware on every emulator of this machine and compare, layer by layer and exactly: issued instructions, loads,
    stores, bytes, outputs. Both kernel libraries, every core that two emulators have.

    Exit code 1 if they disagree anywhere.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from engine.catalog.load import load_board
    from engine.errors import CheckFailedError, UsageError
    from engine.pipeline.agree import (
        DEFAULT_MODELS,
        absent_emulators,
        agreement,
        answer,
        check_traced,
        every_model,
        questions,
    )

    if every and models:
        raise UsageError("--all and a model exclude each other", hint="leave one of them out")
    if trace:
        check_traced()
    cores = sorted({load_board(b).core for b in boards}) or None
    asked = questions(every_model() if every else models or DEFAULT_MODELS, cores)
    err = progress_console()
    for name, why in absent_emulators().items():
        err.print(f"without {name}: {why}", soft_wrap=True)
    cases: list[AgreementCase] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("agreement", total=len(asked))
        answers = answer(asked, trace=trace)
        for question in asked:
            bar.update(task, description=question.name)
            cases.append(next(answers))
            bar.advance(task)
            if update and cases[-1].agrees:
                _keep(agreement(cases[-1:]))  # at once: what is interrupted has not been in vain
            if not err.is_terminal:
                err.print(f"{len(cases)}/{len(asked)} {question.name}: {_verdict(cases[-1])}", soft_wrap=True)
    if trace:
        from engine.targets.renode.target import MOST_TRACED

        for case in cases:
            if case.instructions > MOST_TRACED:
                err.print(f"{case.name}: counted, not traced: {case.instructions:,} instructions", soft_wrap=True)
    found = agreement(cases)
    if as_json:
        print_json(found)
    else:
        _print(cases)
    wrong = [c for c in cases if not c.agrees]
    if wrong:
        # counts that differ weigh more than an emulator that was lost
        first = next((c for c in wrong if c.differences), wrong[0])
        what = str(first.differences[0]) if first.differences else first.failures[0]
        more = sum(len(c.differences) + len(c.failures) for c in wrong) - 1
        raise CheckFailedError(
            f"{first.name}: {what}" + (f"; {more} more" if more else ""),
            hint="the first is an emulator's mistake or ours: report it with the ELF (in .whycycles/firmware)"
            if first.differences
            else "an emulator failed, so nothing was compared there: try again; if it happens again, report it",
        )


def _keep(found: Agreement) -> None:
    from engine.pipeline.local import agreement_path

    kept = read_agreement(agreement_path())
    write_agreement(found if kept is None else kept.with_cases(found), agreement_path())


def _verdict(case: AgreementCase) -> str:
    return "agree" if case.agrees else plural(len(case.differences) + len(case.failures), "difference")


def _print(cases: Sequence[AgreementCase]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("model", "kernels", "core"):
        table.add_column(name, no_wrap=True)
    for name in ("instructions", "loads", "stores"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("emulators")
    table.add_column("")
    for c in cases:
        ran = ", ".join(e.name if e.machine == c.core else f"{e.name} (as {e.machine})" for e in c.emulators)
        numbers = (f"{n:,}" for n in (c.instructions, c.loads, c.stores))
        table.add_row(c.model, c.kernels, c.core, *numbers, ran, _verdict(c))
    console().print(table)
    for c in cases:
        for line in (*c.failures, *map(str, c.differences[:10])):
            console().print(f"{c.name}: {line}", soft_wrap=True)
