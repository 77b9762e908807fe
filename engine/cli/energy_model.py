"""``whycycles energy fit|predict``: the fitted model of energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from engine.cli.shell import Finite, console, json_option, print_json, progress_console
from engine.words import share_text

if TYPE_CHECKING:
    from engine.records.energy_model import EnergyModel, PredictedEnergy


@click.command("fit")
@click.option("--update", is_flag=True, help="Rewrite the committed model, which `energy predict` and the website use.")
@json_option
def fit(update: bool, as_json: bool) -> None:
    """Fit E = alpha*cycles + beta*bytes + gamma*f + static*t to published energies, and judge it on rows held out.

    Coefficients are never negative. The runs whose traffic is needed are made if they are not kept (mlperf-tiny models, gcc).
    """
    from engine.energy.committed import model_path
    from engine.pipeline.energy_fit import fit_model
    from engine.records.energy_model import write_energy_model

    with progress_console().status("fitting") as status:
        found = fit_model(lambda t: status.update(f"runs {t}"))
    if update:
        write_energy_model(found, model_path())
    if as_json:
        print_json(found)
    else:
        _show_model(found, console())


@click.command("predict")
@click.argument("record")
@click.option("--voltage", type=Finite(0.5, 60), metavar="V", help="Supply; as published for the board if absent.")
@json_option
def predict(record: str, voltage: float | None, as_json: bool) -> None:
    """Say what the fitted model makes of a run's events. RECORD is a record file or a run id.

    `whycycles run --json` gives the energy of the power model, which is the closer one wherever a power was measured.
    """
    from engine.energy.committed import model_path
    from engine.errors import UsageError
    from engine.pipeline.energy_fit import predict as say
    from engine.pipeline.local import find_record
    from engine.pipeline.rerun import hardware_for
    from engine.records.energy_model import read_energy_model

    found = find_record(record)
    board = hardware_for(found).board
    if board is None:
        raise UsageError(f"no description of {found.board} is at hand", hint="run it again with its board file")
    answer = say(read_energy_model(model_path()), found, board, voltage)
    if as_json:
        print_json(answer)
    else:
        _show_prediction(answer, console())


def _show_model(found: EnergyModel, out: Console) -> None:
    from engine.energy.judge import defeats
    from engine.energy.predictors import FITTED_MODEL, POWER_MODEL

    out.print(found.formula, soft_wrap=True)
    for c in found.coefficients:
        out.print(f"  {c.term.value} = {c.value:.4g} {c.unit}", soft_wrap=True)
    out.print(
        f"{len(found.training)} published energies, R² {found.r2:.3f}; {len(found.excluded)} excluded (--json says why)"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("held out", no_wrap=True)
    table.add_column("predictor", no_wrap=True)
    for name in ("MAPE", "CMSIS-NN rows", "simulated latency", "R²"):
        table.add_column(name, justify="right")
    for j in found.judgements:
        simulated = "-" if j.simulated_mape is None else share_text(j.simulated_mape)
        table.add_row(
            f"each {j.held_out}", j.predictor, share_text(j.mape), share_text(j.cmsis_nn_mape), simulated, f"{j.r2:.3f}"
        )
    out.print(table)
    for name in (POWER_MODEL, FITTED_MODEL):
        lost = defeats(found, name)
        for d in lost:
            out.print(
                f"the {name} does not beat {d.baseline}: each {d.held_out} held out, {d.column}: {share_text(d.theirs)} against {share_text(d.ours)}",
                soft_wrap=True,
            )
        if not lost:
            out.print(f"the {name} beats every baseline in every column", soft_wrap=True)
    out.print(
        "Errors of rows that the predictor did not see. Time is the published latency, but for the column that says otherwise."
    )


def _show_prediction(answer: PredictedEnergy, out: Console) -> None:
    low, high = answer.interval_uj
    out.print(
        f"{answer.run}: {answer.energy_uj:,.1f} µJ ({low:,.1f} to {high:,.1f}, as wide as {answer.held_out}s held out were off), predicted",
        soft_wrap=True,
    )
    for t in answer.terms:
        if t.energy_uj:
            out.print(f"  {t.term.label}: {t.energy_uj:,.1f} µJ")
    for note in answer.notes:
        out.print(f"note: {note}", soft_wrap=True)
