"""The record of one model on this machine (x86-64): latencies measured, counters by hardware where it offers them, counts by callgrind.

Kept on the machine alone: a latency is the machine's. Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.records.base import Record
from engine.records.cause import Evidence

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HostCache(Record):
    """One cache of the core that was used."""

    level: int = Field(ge=1)
    kind: Literal["data", "instruction", "unified"]
    bytes: int = Field(gt=0)
    ways: int = Field(ge=0, description="0 where the system does not say")
    line_bytes: int = Field(gt=0)


class HostMachine(Record):
    """What the machine says of itself; no name, no address. ``governor``: the clock policy, or why it is not known."""

    cpu: str
    vendor: str
    kernel: str
    virtual: bool
    logical_cpus: int = Field(gt=0)
    caches: tuple[HostCache, ...]
    governor: str

    def cache(self, level: int, *kinds: str) -> HostCache | None:
        """The cache of a level that holds one of these kinds."""
        return next((c for c in self.caches if c.level == level and c.kind in kinds), None)

    @property
    def last_level(self) -> HostCache | None:
        """The largest level that holds data."""
        holding = [c for c in self.caches if c.kind != "instruction"]
        return max(holding, key=lambda c: c.level, default=None)


class HostLatency(Record):
    """Times of one inference each, after ``warm_up`` that do not count, on one pinned CPU; in ms."""

    repeats: int = Field(ge=1)
    warm_up: int = Field(ge=0)
    threads: int = Field(ge=1)
    cpu: int = Field(ge=0, description="the CPU the process was pinned to")
    least_ms: float = Field(gt=0)
    p50_ms: float = Field(gt=0)
    p95_ms: float = Field(gt=0)
    p99_ms: float = Field(gt=0)
    most_ms: float = Field(gt=0)
    evidence: Literal[Evidence.MEASURED] = Evidence.MEASURED

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.least_ms <= self.p50_ms <= self.p95_ms <= self.p99_ms <= self.most_ms:
            raise ValueError("percentiles must rise")
        return self


class HostCounter(Record):
    """One hardware counter per inference, or the reason why there is none."""

    event: str
    value: float | None = Field(ge=0)
    reason: str

    @model_validator(mode="after")
    def _value_or_reason(self) -> Self:
        if (self.value is None) != bool(self.reason):
            raise ValueError(f"{self.event}: needs a value, or a reason why there is none")
        return self


class HostCounts(Record):
    """Counts of callgrind for a part of the program: instructions and accesses exact, misses by its models of caches and predictor.

    ``d1_misses``: reads and writes that miss the first data cache; ``ll_misses``: of these, those that miss the last level too.
    Branches are conditional and indirect ones together.
    """

    instructions: int = Field(ge=0)
    reads: int = Field(ge=0)
    writes: int = Field(ge=0)
    i1_misses: int = Field(ge=0)
    d1_misses: int = Field(ge=0)
    ll_misses: int = Field(ge=0)
    branches: int = Field(ge=0)
    mispredictions: int = Field(ge=0)

    @model_validator(mode="after")
    def _parts(self) -> Self:
        if self.mispredictions > self.branches or self.d1_misses > self.reads + self.writes:
            raise ValueError("more misses than there is to miss")
        return self


class HostLayer(HostCounts):
    """The counts of one layer, between its markers."""

    index: int = Field(ge=0)
    name: str
    op: str
    kernel: str
    macs: int = Field(ge=0)


class HostSimulation(Record):
    """Callgrind's counts of one warm inference; ``total`` is the sum of the layers."""

    tool: str
    caches: tuple[str, ...]
    layers: tuple[HostLayer, ...] = Field(min_length=1)
    total: HostCounts
    evidence: Literal[Evidence.SIMULATED] = Evidence.SIMULATED

    @model_validator(mode="after")
    def _sums(self) -> Self:
        for name in HostCounts.model_fields:
            if sum(getattr(x, name) for x in self.layers) != getattr(self.total, name):
                raise ValueError(f"the layers' {name} do not sum to the total")
        return self


class HostCosts(Record):
    """What the machine itself costs, measured on it, in ns: an addition that depends on the one before (one cycle); the shortest
    instruction; a mispredicted branch; a cache line out of the second level (``near``), the last one (``far``) and memory, read in order, or
    ``alone``: its address is in the line before.
    """

    dependent_addition_ns: float = Field(gt=0)
    instruction_ns: float = Field(gt=0)
    misprediction_ns: float = Field(ge=0)
    near_line_ns: float = Field(gt=0)
    near_line_alone_ns: float = Field(gt=0)
    far_line_alone_ns: float = Field(gt=0)
    memory_line_ns: float = Field(gt=0)
    memory_line_alone_ns: float = Field(gt=0)


class HostReference(Record):
    """Our portable kernels compiled for this machine: a program whose counts and times are of the same instructions."""

    compiler: str
    compiler_version: str
    compiler_flags: tuple[str, ...]
    program_sha256: Sha256
    working_set_bytes: int = Field(ge=0, description="weights and arena")
    output_matches_oracle: bool | None
    oracle_note: str
    latency: HostLatency
    costs: HostCosts
    simulation: HostSimulation | None
    simulation_note: str = Field(description="why there is no simulation; empty if there is one")


class HostRuntime(Record):
    """LiteRT on this machine. ``counters``: hardware counters per inference."""

    name: str
    version: str
    delegate: str
    latency: HostLatency
    counters: tuple[HostCounter, ...]


class HostRecord(Record):
    """One model on this machine; ``runtime_note`` says why there is no LiteRT."""

    schema_version: Literal[1] = Field(alias="schema")
    kind: Literal["host"] = "host"
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str
    model_sha256: Sha256
    target: Literal["host"] = "host"
    macs: int = Field(ge=0)
    machine: HostMachine
    runtime: HostRuntime | None
    runtime_note: str
    reference: HostReference
    notes: tuple[str, ...]
    engine_version: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
