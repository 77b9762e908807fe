"""Energy of a run that no meter saw: what a power model of the board makes of its cycles.

It is derived from the record, the board's currents and the published powers, so it is worked out where a record is shown; a record
that is kept does without.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from engine.records.base import Record
from engine.records.by_cause import ByCause
from engine.records.cause import Evidence


class PowerKind(StrEnum):
    """What kind of source the power of an estimate rests on, the closest first."""

    SAME_FIRMWARE = "same_firmware"
    SAME_PLATFORM = "same_platform"
    OTHER_FIRMWARE = "other_firmware"
    RUN_CURRENT = "run_current"
    HEADLINE = "headline"

    @property
    def label(self) -> str:
        """What it is, for people."""
        return _LABELS[self]


_LABELS = {
    PowerKind.SAME_FIRMWARE: "power measured with the same firmware on the same board, other models",
    PowerKind.SAME_PLATFORM: "power measured with other firmware of the same operating system on the same board",
    PowerKind.OTHER_FIRMWARE: "power measured with other firmware on the same board",
    PowerKind.RUN_CURRENT: "the data sheet's current while code runs, at a stated clock",
    PowerKind.HEADLINE: "the data sheet's headline current per MHz, times what boards measured more than theirs",
}


class EnergyStack(ByCause):
    """Energy in nanojoules by the cause of the cycles it was spent in. All causes are always present."""

    @property
    def energy_nj(self) -> int:
        """Sum over causes."""
        return self.total


class MemoryEnergy(Record):
    """Energy spent while a region waited for one memory; a part of the causes instruction fetch, data read and data write."""

    memory: str
    waiting_nj: int = Field(ge=0)


class RegionEnergy(Record):
    """Energy of a layer, or of what runs outside of layers ("glue"), in nanojoules; the stack sums to it exactly."""

    name: str
    energy_nj: int = Field(ge=0)
    interval_nj: tuple[int, int]
    stack: EnergyStack
    memories: tuple[MemoryEnergy, ...] = ()

    @model_validator(mode="after")
    def _sums(self) -> Self:
        if self.stack.energy_nj != self.energy_nj:
            raise ValueError(f"{self.name}: the stack sums to {self.stack.energy_nj} nJ, not to {self.energy_nj}")
        return self


class RunEnergy(Record):
    """Energy of one warm inference in nanojoules; layers and glue sum to it exactly.

    ``interval_nj``: the ends of the power's interval times the ends of the cycles'. ``cold_nj``: of the first inference after reset.
    ``sources``: what the power was read from.
    """

    evidence: Evidence
    power_mw: float = Field(gt=0)
    power_interval_mw: tuple[float, float]
    voltage_v: float | None = Field(gt=0, description="of the supply; null: no source gives it")
    rests_on: PowerKind
    how: str
    sources: tuple[str, ...] = Field(min_length=1)
    energy_nj: int = Field(ge=0)
    interval_nj: tuple[int, int]
    cold_nj: int = Field(ge=0)
    layers: tuple[RegionEnergy, ...]
    glue: RegionEnergy

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = sum(x.energy_nj for x in (*self.layers, self.glue))
        if parts != self.energy_nj:
            raise ValueError(f"layers and glue sum to {parts} nJ, the inference is {self.energy_nj}")
        low, high = self.interval_nj
        if not low <= self.energy_nj <= high:
            raise ValueError("interval_nj does not hold energy_nj")
        if self.evidence is Evidence.MEASURED:
            raise ValueError("an energy from a power model is not measured")
        return self

    @property
    def energy_uj(self) -> float:
        """Energy of one inference in microjoules."""
        return self.energy_nj / 1000

    @property
    def interval_uj(self) -> tuple[float, float]:
        """Its interval in microjoules."""
        return self.interval_nj[0] / 1000, self.interval_nj[1] / 1000


class NoEnergy(Record):
    """Why a run has no energy."""

    reason: str = Field(min_length=1)
