"""The fitted model: E = α·cycles + Σ β·bytes + γ·f + static·t with coefficients that are never negative.

α is a multiple of the data sheet's current, so that it holds on boards the model never saw. Errors are relative, so a small model counts
as much as a large one. Each term is scaled to its share of the energy before the ridge penalty, so that the penalty has no unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.energy.units import (
    BYTES,
    CYCLES,
    MHZ,
    MS,
    MW,
    NJ,
    NJ_PER_BYTE,
    NJ_PER_MHZ,
    NUMBER,
    UA_PER_MHZ,
    Quantity,
    V,
)
from engine.records.energy_model import Coefficient, Load, Term, TermEnergy, TrainingRow

Floats = NDArray[np.float64]

FORMULA = "E = alpha * cycles * printed µA/MHz * V + beta_flash_read * bytes + beta_ram_read * bytes + beta_ram_write * bytes + gamma * f + static * t"
REGULARISATION = 0.1
_ROUNDS, _STILL = 10_000, 1e-12


_COUNTED: dict[Term, Callable[[Load], Quantity]] = {
    Term.CYCLES: lambda x: (x.cycles * CYCLES) * (x.printed_ua_per_mhz * UA_PER_MHZ) * (x.voltage_v * V),
    Term.FLASH_READ: lambda x: x.flash_read_bytes * BYTES,
    Term.RAM_READ: lambda x: x.ram_read_bytes * BYTES,
    Term.RAM_WRITE: lambda x: x.ram_write_bytes * BYTES,
    Term.CLOCK: lambda x: x.clock_mhz * MHZ,
    Term.STATIC: lambda x: x.ms * MS,
}
_ONE = {
    Term.CYCLES: 1.0 * NUMBER,
    Term.FLASH_READ: 1.0 * NJ_PER_BYTE,
    Term.RAM_READ: 1.0 * NJ_PER_BYTE,
    Term.RAM_WRITE: 1.0 * NJ_PER_BYTE,
    Term.CLOCK: 1.0 * NJ_PER_MHZ,
    Term.STATIC: 1.0 * MW,
}


def features_nj(load: Load) -> dict[Term, float]:
    """Nanojoules of each term with a coefficient of 1 in its unit."""
    return {term: (_ONE[term] * counted(load)).to(NJ) for term, counted in _COUNTED.items()}


def fit(rows: Sequence[TrainingRow], regularisation: float = REGULARISATION) -> tuple[Coefficient, ...]:
    """Coefficients in the order of ``Term``. At least one row."""
    energy_nj = np.array([r.energy_uj * 1000 for r in rows])
    shares = np.array([[features_nj(r.load)[t] for t in Term] for r in rows]) / energy_nj[:, None]
    scale = shares.mean(axis=0)
    scale[scale == 0] = 1.0
    found = nonnegative_ridge(shares / scale, np.ones(len(rows)), regularisation) / scale
    return tuple(Coefficient(term=t, value=float(v), unit=t.unit) for t, v in zip(Term, found, strict=True))


def nonnegative_ridge(x: Floats, y: Floats, penalty: float) -> Floats:
    """The b >= 0 that makes |x b - y|² + penalty |b|² least, by coordinate descent (the problem is convex). ``x``: rows by columns."""
    gram, target = x.T @ x, x.T @ y
    b = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        before = b.copy()
        for j in range(len(b)):
            curve = gram[j, j] + penalty
            if curve > 0:
                b[j] = max(0.0, (target[j] - gram[j] @ b + gram[j, j] * b[j]) / curve)
        if np.abs(b - before).max(initial=0.0) < _STILL:
            break
    return b


def terms_of(coefficients: Sequence[Coefficient], load: Load) -> tuple[TermEnergy, ...]:
    """What each term contributes to the energy of a load; their sum is the prediction."""
    features = features_nj(load)
    return tuple(TermEnergy(term=c.term, energy_uj=c.value * features[c.term] / 1000) for c in coefficients)


def predict_uj(coefficients: Sequence[Coefficient], load: Load) -> float:
    """Energy of a load in microjoules."""
    return sum(t.energy_uj for t in terms_of(coefficients, load))


def r2(measured: Sequence[float], predicted: Sequence[float]) -> float:
    """Share of the variance that is explained; 0 where there is none."""
    m, p = np.asarray(measured), np.asarray(predicted)
    spread = float(((m - m.mean()) ** 2).sum())
    return 1 - float(((m - p) ** 2).sum()) / spread if spread else 0.0
