"""A fitted model of energy, as kept in ``engine/energy/model.json`` and printed by ``whycycles energy fit --json``.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from engine.errors import RecordError
from engine.records.base import Record
from engine.records.store import write_atomically


class Term(StrEnum):
    """A term of E = α·cycles + Σ β·bytes + γ·f + static·t. The value is the coefficient's name."""

    CYCLES = "alpha"
    FLASH_READ = "beta_flash_read"
    RAM_READ = "beta_ram_read"
    RAM_WRITE = "beta_ram_write"
    CLOCK = "gamma"
    STATIC = "static"

    @property
    def unit(self) -> str:
        """Unit of the coefficient."""
        return _UNITS[self]

    @property
    def label(self) -> str:
        """What the term stands for."""
        return _LABELS[self]


_UNITS = {
    Term.CYCLES: "nJ per nJ of the data sheet's current: times µA/MHz * V / 1000 it is nJ/cycle",
    Term.FLASH_READ: "nJ/byte",
    Term.RAM_READ: "nJ/byte",
    Term.RAM_WRITE: "nJ/byte",
    Term.CLOCK: "nJ/MHz",
    Term.STATIC: "mW",
}
_LABELS = {
    Term.CYCLES: "cycles",
    Term.FLASH_READ: "bytes read from flash",
    Term.RAM_READ: "bytes read from RAM",
    Term.RAM_WRITE: "bytes written to RAM",
    Term.CLOCK: "clock",
    Term.STATIC: "time",
}


class Coefficient(Record):
    """One coefficient, never negative."""

    term: Term
    value: float = Field(ge=0)
    unit: str


class Load(Record):
    """What an inference asks of a board, with its units; what the model turns into energy.

    ``printed_ua_per_mhz`` is the board's data sheet headline.
    """

    printed_ua_per_mhz: float = Field(gt=0)
    voltage_v: float = Field(gt=0)
    clock_mhz: float = Field(gt=0)
    cycles: float = Field(ge=0)
    flash_read_bytes: int = Field(ge=0)
    ram_read_bytes: int = Field(ge=0)
    ram_write_bytes: int = Field(ge=0)
    macs: int = Field(ge=0)

    @property
    def ms(self) -> float:
        """Its time."""
        return self.cycles / self.clock_mhz / 1000


class TrainingRow(Record):
    """A published energy with its load: measured cycles (published latency times clock) and the traffic of our run.

    ``stand_in``: the kernels are not ours, so the traffic is that of CMSIS-NN. ``simulated_cycles``: of our run where it is of the
    published build, null elsewhere.
    """

    id: str
    board: str
    firmware: str
    model: str
    kernels: str
    load: Load
    stand_in: bool
    simulated_cycles: int | None
    energy_uj: float = Field(gt=0)
    source: str


class ExcludedRow(Record):
    """A published energy that the model was not fitted to, and why."""

    id: str
    reason: str


class PointError(Record):
    """Error of one held-out row (0.05: predicted 5 % more than measured)."""

    id: str
    error: float


class Judgement(Record):
    """Errors of one predictor with one way of holding rows out. ``cmsis_nn_mape`` is over rows of CMSIS-NN kernels.

    ``simulated_mape``: over rows whose published build we run, with the simulated latency in place of the published one; null where
    none is held out. ``errors``: of every row, for our own models.
    """

    predictor: str
    held_out: Literal["model", "firmware", "board"]
    rows: int
    mape: float
    cmsis_nn_mape: float
    simulated_mape: float | None
    r2: float
    errors: tuple[PointError, ...]


class EnergyModel(Record):
    """The fitted model with all that made it."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    formula: str
    regularisation: float
    coefficients: tuple[Coefficient, ...]
    r2: float
    training: tuple[TrainingRow, ...]
    excluded: tuple[ExcludedRow, ...]
    judgements: tuple[Judgement, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def coefficient(self, term: Term) -> float:
        """Value of a coefficient."""
        return next(c.value for c in self.coefficients if c.term is term)


class TermEnergy(Record):
    """What one term contributes."""

    term: Term
    energy_uj: float = Field(ge=0)


class PredictedEnergy(Record):
    """Energy of an inference that the fitted model predicts; the interval holds 90 % of the errors of held-out rows."""

    run: str
    evidence: Literal["predicted"] = "predicted"
    energy_uj: float
    interval_uj: tuple[float, float]
    held_out: Literal["firmware", "board"]
    terms: tuple[TermEnergy, ...]
    load: Load
    notes: tuple[str, ...] = ()


def read_energy_model(path: Path) -> EnergyModel:
    """Read a kept model. Raises RecordError."""
    try:
        return EnergyModel.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            hint="make it again: `whycycles energy fit --update`",
        ) from None


def write_energy_model(model: EnergyModel, path: Path) -> None:
    """Write a model: fixed key order, one value per line, newline at the end."""
    plain = model.model_dump(mode="json", by_alias=True)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
