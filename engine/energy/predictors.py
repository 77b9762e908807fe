"""Predictors of energy side by side: the power model, the fitted model, and what they must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

import numpy as np

from engine.catalog.load import load_board
from engine.energy.fit import features_nj, fit, predict_uj
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower, published_power
from engine.energy.units import energy_uj
from engine.records.energy_model import Load, Term, TrainingRow

Predict = Callable[[TrainingRow, Load], float]
"""Energy in uJ of a row, with the load in place of the row's own (other cycles)."""

Learn = Callable[[Sequence[TrainingRow]], Predict]
"""A predictor made from training rows."""

POWER_MODEL = "power model"
FITTED_MODEL = "fitted model"
_RIDGE_PENALTY = 1.0


def _power_model(training: Sequence[TrainingRow]) -> Predict:
    """The power of the closest source among the training rows, times time."""
    known = {r.id for r in training}
    firmwares = {r.firmware for r in training}
    boards = {r.board for r in training}
    # published powers that are no training rows (other boards, other voltages) stay, unless their board or firmware is held out
    fitted = _fitted_ids()

    def may(p: PublishedPower, row: TrainingRow) -> bool:
        if p.id in fitted:
            return p.id in known
        return (p.board != row.board or row.board in boards) and (
            p.firmware != row.firmware or row.firmware in firmwares
        )

    def predict(row: TrainingRow, load: Load) -> float:
        own = next(p for p in published_power() if p.id == row.id)
        wanted = Operation(load.clock_mhz, voltage_v=load.voltage_v, firmware=row.firmware, platform=own.platform)
        found = power_of(load_board(row.board), wanted, [p for p in published_power() if p != own and may(p, row)])
        assert isinstance(found, Power), "training rows are of boards with a current"
        return energy_uj(found.power_mw, load.ms)

    return predict


def _fitted_ids() -> frozenset[str]:
    from engine.energy.rows import candidates

    return frozenset(p.id for p in candidates()[0])


def _fitted_model(training: Sequence[TrainingRow]) -> Predict:
    coefficients = fit(training)
    return lambda _, load: predict_uj(coefficients, load)


def _board_power(training: Sequence[TrainingRow]) -> Predict:
    """One power per board, the mean of its rows; of all boards where its own has none."""
    everywhere = mean(_mw(r) for r in training)
    boards = {r.board for r in training}
    power = {b: mean(_mw(r) for r in training if r.board == b) for b in boards}
    return lambda row, load: energy_uj(power.get(row.board, everywhere), load.ms)


def _headline(_: Sequence[TrainingRow]) -> Predict:
    """The data sheet's µA/MHz as printed."""
    return lambda _, load: features_nj(load)[Term.CYCLES] / 1000


def _macs(training: Sequence[TrainingRow]) -> Predict:
    """Energy per MAC, the mean over rows of the board; of all boards where its own has none."""
    everywhere = mean(r.energy_uj / r.load.macs for r in training)
    boards = {r.board for r in training}
    each = {b: mean(r.energy_uj / r.load.macs for r in training if r.board == b) for b in boards}
    return lambda row, load: each.get(row.board, everywhere) * load.macs


def _ridge(training: Sequence[TrainingRow]) -> Predict:
    """Plain ridge regression: standardised raw events, an intercept, coefficients of either sign."""
    x = np.array([_raw(r.load) for r in training])
    y = np.array([r.energy_uj for r in training])
    middle, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    z = (x - middle) / scale
    b = np.linalg.solve(z.T @ z + _RIDGE_PENALTY * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return lambda _, load: float(y.mean() + ((np.array(_raw(load)) - middle) / scale) @ b)


def _raw(load: Load) -> list[float]:
    return [
        load.cycles,
        load.flash_read_bytes,
        load.ram_read_bytes,
        load.ram_write_bytes,
        load.clock_mhz,
        load.ms,
    ]


def _mw(row: TrainingRow) -> float:
    return row.energy_uj / row.load.ms


PREDICTORS: dict[str, Learn] = {
    POWER_MODEL: _power_model,
    FITTED_MODEL: _fitted_model,
    "one power per board": _board_power,
    "data sheet µA/MHz": _headline,
    "energy per MAC": _macs,
    "plain ridge": _ridge,
}
