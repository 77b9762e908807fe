"""What an explanation is made of. All of it is plain data: ``Explanation.to_json()`` is what the site and ``--json`` show."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from engine.explain.bottleneck import Bottleneck
from engine.explain.roofline import Ceilings, RooflinePoint
from engine.records.cause import Cause, Evidence
from engine.records.run_energy import NoEnergy, RunEnergy


class Part(BaseModel):
    """Base: frozen and closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BarPart(Part):
    """One cause in the bar of a region. The percents of a bar sum to exactly 100; causes without cycles are left out."""

    cause: Cause
    label: str
    cycles: int
    percent: int


class Observation(Part):
    """A value behind a rule: a cause's cycles or a counter, by its name in the record."""

    name: str
    value: int


class FiredRule(Part):
    """A rule that fired, with what it saw. ``value`` reached ``threshold``."""

    name: str
    title: str
    formula: str
    value: float
    threshold: float
    prose: str
    evidence: tuple[Observation, ...]
    next_look: str


class Region(Part):
    """What layers and runs share. ``rules`` is the path from coarse to fine; the last one answers. ``advice`` may be empty."""

    verdict: Bottleneck
    verdict_label: str
    sentence: str
    cycles: int
    bar: tuple[BarPart, ...]
    rules: tuple[FiredRule, ...]
    advice: tuple[str, ...]
    ipc: float | None = Field(description="issued instructions per cycle; null where there are no cycles")
    cpi: float | None
    macs_per_cycle: float | None
    instructions_per_mac: float | None = Field(description="null where the region has no MACs")


class LayerExplanation(Region):
    """Why one layer takes its cycles.

    ``share_of_run`` is between 0 and 1 (null: a run without cycles). ``interval`` is always null in records that keep an interval for the whole run only, and ``interval_note`` says so.
    """

    index: int
    name: str
    title: str
    op: str
    kernel: str
    library: str
    macs: int
    share_of_run: float | None
    cold_cycles: int
    arithmetic_intensity: float = Field(description="ops per byte, every tensor byte counted once")
    roofline: RooflinePoint | None
    roofline_note: str = Field(description="why there is no point, or empty")
    helium: str = Field(
        description="what its Helium instructions use of their beats and lanes, exact or as a bound; empty without any"
    )
    interval: tuple[int, int] | None
    interval_note: str


class Explanation(Region):
    """Why a run takes its time. ``text`` is the paragraph made of all its sentences.

    ``holds_over_interval`` says that the class stays the same if the uncertainty of the record fell on any one cause alone;
    otherwise ``could_also_be`` names the other classes.
    """

    run_id: str
    model: str
    board: str
    core: str
    clock_mhz: float
    evidence: Evidence
    latency_ms: float
    latency_interval_ms: tuple[float, float]
    cycles_interval: tuple[int, int]
    holds_over_interval: bool
    could_also_be: tuple[Bottleneck, ...]
    where: str
    certainty: str
    caveat: str = Field(description="what the interval does not cover; empty for a measurement")
    glue: str
    cold: str
    correctness: str
    glue_cycles: int
    glue_share: float | None
    ceilings: Ceilings | None
    notes: tuple[str, ...]
    layers: tuple[LayerExplanation, ...]
    energy: RunEnergy | NoEnergy | None = Field(default=None, description="null where nobody asked")
    energy_text: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All sentences as one paragraph."""
        return " ".join(
            s
            for s in (self.sentence, self.where, self.certainty, self.caveat, self.glue, self.cold, self.correctness)
            if s
        )

    def to_json(self) -> str:
        """The whole explanation as JSON."""
        return self.model_dump_json(indent=1)
