"""Every predictor judged on rows that it did not see: a model, a firmware or a board held out at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

import numpy as np

from engine.energy.fit import FORMULA, REGULARISATION, fit, predict_uj, r2, terms_of
from engine.energy.predictors import FITTED_MODEL, POWER_MODEL, PREDICTORS, Learn
from engine.energy.spread import INSIDE
from engine.records.energy_model import (
    EnergyModel,
    ExcludedRow,
    Judgement,
    Load,
    PointError,
    PredictedEnergy,
    TrainingRow,
)


@dataclass(frozen=True)
class Defeat:
    """A column of the judgements in which one of our models has a larger error than a baseline (0.05: 5 %)."""

    held_out: str
    column: str
    baseline: str
    ours: float
    theirs: float


HeldOut = Literal["model", "firmware", "board"]
AIMED_AT = 0.05
"""Mean error of a published CMSIS-NN build that was aimed at, each model held out (0.05: 5 %)."""

_IN_FULL = (POWER_MODEL, FITTED_MODEL)
_COLUMNS: dict[str, Callable[[Judgement], float | None]] = {
    "all rows": lambda j: j.mape,
    "CMSIS-NN rows": lambda j: j.cmsis_nn_mape,
    "simulated latency": lambda j: j.simulated_mape,
}


def fitted(rows: Sequence[TrainingRow], excluded: Sequence[ExcludedRow]) -> EnergyModel:
    """The model fitted to all rows, with the errors of every predictor on held-out ones."""
    coefficients = fit(rows)
    held: tuple[HeldOut, ...] = ("model", "firmware", "board")
    return EnergyModel(
        formula=FORMULA,
        regularisation=REGULARISATION,
        coefficients=coefficients,
        r2=r2([r.energy_uj for r in rows], [predict_uj(coefficients, r.load) for r in rows]),
        training=tuple(rows),
        excluded=tuple(excluded),
        judgements=tuple(judge(name, learn, rows, what) for what in held for name, learn in PREDICTORS.items()),
    )


def judge(name: str, learn: Learn, rows: Sequence[TrainingRow], what: HeldOut) -> Judgement:
    """Errors of one predictor: learnt again for every model, firmware or board without its rows."""
    predicted: dict[str, float] = {}
    simulated: list[float] = []
    for group in dict.fromkeys(getattr(r, what) for r in rows):
        predict = learn([r for r in rows if getattr(r, what) != group])
        for row in rows:
            if getattr(row, what) != group:
                continue
            predicted[row.id] = predict(row, row.load)
            if row.simulated_cycles is not None:
                load = row.load.model_copy(update={"cycles": float(row.simulated_cycles)})
                simulated.append(abs(predict(row, load) / row.energy_uj - 1))
    errors = {r.id: predicted[r.id] / r.energy_uj - 1 for r in rows}
    return Judgement(
        predictor=name,
        held_out=what,
        rows=len(rows),
        mape=mean(map(abs, errors.values())),
        cmsis_nn_mape=mean(abs(errors[r.id]) for r in rows if r.kernels == "cmsis-nn"),
        simulated_mape=mean(simulated) if simulated else None,
        r2=r2([r.energy_uj for r in rows], [predicted[r.id] for r in rows]),
        errors=tuple(PointError(id=r.id, error=errors[r.id]) for r in rows) if name in _IN_FULL else (),
    )


def defeats(model: EnergyModel, ours: str) -> tuple[Defeat, ...]:
    """Where one of our models does not beat every baseline: it is judged beside each in every column."""
    found = []
    for own in (j for j in model.judgements if j.predictor == ours):
        others = [j for j in model.judgements if j.held_out == own.held_out and j.predictor not in _IN_FULL]
        for column, error in _COLUMNS.items():
            mine = error(own)
            for other in others:
                theirs = error(other)
                if mine is not None and theirs is not None and theirs <= mine:
                    found.append(Defeat(own.held_out, column, other.predictor, mine, theirs))
    return tuple(found)


def predicted_energy(model: EnergyModel, run: str, board: str, load: Load, notes: tuple[str, ...]) -> PredictedEnergy:
    """Energy of a load. The interval is that of held-out firmwares on a board the model knows, of held-out boards on another one."""
    known = any(r.board == board for r in model.training)
    held: Literal["firmware", "board"] = "firmware" if known else "board"
    errors = next(j.errors for j in model.judgements if (j.predictor, j.held_out) == (FITTED_MODEL, held))
    # predicted = measured * (1 + error), so measured = predicted / (1 + error)
    low, high = np.quantile([1 / (1 + e.error) for e in errors], INSIDE)
    energy = predict_uj(model.coefficients, load)
    return PredictedEnergy(
        run=run,
        energy_uj=energy,
        interval_uj=(energy * min(1.0, float(low)), energy * max(1.0, float(high))),
        held_out=held,
        terms=terms_of(model.coefficients, load),
        load=load,
        notes=notes,
    )
