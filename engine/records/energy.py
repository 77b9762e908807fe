"""The record of a measured energy: one power trace laid over one run. It stands beside the run's record, and the trace beside it.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.records.base import Record
from engine.records.cause import Evidence


class LayerEnergy(Record):
    """Net energy of one layer, or why it has none. ``name`` "glue" is what ran outside of layers."""

    name: str
    net_nj: int | None = None
    error_nj: int | None = Field(default=None, ge=0)
    reason: str | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.net_nj is None) != (self.error_nj is None) or (self.net_nj is None) != (self.reason is not None):
            raise ValueError(f"{self.name}: an energy with its error, or a reason, never both")
        return self


class MeterUsed(Record):
    """What took the trace, how it was set, how fast it sampled, and what must be known before believing it."""

    name: str
    settings: str
    rate_hz: float = Field(gt=0)
    complaints: tuple[str, ...] = ()


class MeasuredEnergy(Record):
    """Energy of one inference in nanojoules, mean of ``windows`` stretches of time that hold ``inferences`` each.

    ``gross_nj`` includes what the idle board takes, ``net_nj`` does not; ``error_nj`` is the most that the measurement can make the net wrong by.
    ``spread_nj``: lowest and highest net energy of an inference among the windows. Layers and ``unresolved_nj`` sum exactly to ``net_nj``.
    ``shares``: where the layers' shares of time come from; null if nothing timed layers. ``evidence`` is "simulated" where an emulator ran
    the inferences that the meter was laid over.
    """

    schema_version: Literal[1] = Field(alias="schema")
    run: str
    model: str
    board: str
    clock_mhz: float = Field(gt=0)
    evidence: Evidence
    meter: MeterUsed
    trace_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    windows: int = Field(ge=1)
    inferences: int = Field(ge=1, description="in one window")
    inference_ms: float = Field(gt=0)
    idle_mw: float
    idle_drift_mw_per_s: float
    gross_nj: int
    net_nj: int
    error_nj: int = Field(ge=0)
    spread_nj: tuple[int, int]
    layers: tuple[LayerEnergy, ...]
    unresolved_nj: int
    shares: Literal["measured cycles", "measured microseconds", "simulated cycles"] | None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _sums(self) -> Self:
        parts = sum(x.net_nj for x in self.layers if x.net_nj is not None) + self.unresolved_nj
        if self.layers and parts != self.net_nj:
            raise ValueError(f"the layers sum to {parts} nJ, the inference is {self.net_nj}")
        if self.evidence not in (Evidence.MEASURED, Evidence.SIMULATED):
            raise ValueError(f"a power trace gives no {self.evidence.value} energy")
        if (self.shares is None) != (not self.layers):
            raise ValueError("layers are there exactly where something says how long they take")
        return self

    @property
    def energy_uj(self) -> float:
        """Net energy of one inference in microjoules."""
        return self.net_nj / 1000
