"""The record of one model on one NPU, as its vendor's compiler estimates it: cycles per operator and the resource that bounds each.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.records.base import Record
from engine.records.cause import Evidence

_DIGITS = 6

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class NpuResource(StrEnum):
    """What an operator may wait for: the MAC engine, or one of the memories that Vela knows."""

    NPU = "npu"
    SRAM = "sram"
    DRAM = "dram"
    ON_CHIP_FLASH = "on_chip_flash"
    OFF_CHIP_FLASH = "off_chip_flash"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self]


_LABELS = {
    NpuResource.NPU: "NPU",
    NpuResource.SRAM: "SRAM",
    NpuResource.DRAM: "DRAM",
    NpuResource.ON_CHIP_FLASH: "on-chip flash",
    NpuResource.OFF_CHIP_FLASH: "off-chip flash",
}

MEMORIES = tuple(r for r in NpuResource if r is not NpuResource.NPU)
"""The resources that are memories."""


class Where(StrEnum):
    """Where an operator of the model runs; ``REMOVED``: the compiler needs no operation for it."""

    NPU = "npu"
    CPU = "cpu"
    REMOVED = "removed"


class ResourceCycles(Record):
    """One number of cycles per resource."""

    npu: int = Field(ge=0)
    sram: int = Field(ge=0)
    dram: int = Field(ge=0)
    on_chip_flash: int = Field(ge=0)
    off_chip_flash: int = Field(ge=0)

    def of(self, resource: NpuResource) -> int:
        """Cycles of a resource."""
        return int(getattr(self, resource.value))

    @property
    def largest(self) -> NpuResource:
        """The resource with most cycles; the first of those that tie, in the order of the enum."""
        return max(NpuResource, key=self.of)

    @property
    def total(self) -> int:
        """Sum over resources."""
        return sum(self.of(r) for r in NpuResource)


class NpuLayer(Record):
    """One operator of the model, or (``index`` null) operations that the compiler added on its own.

    ``cycles``: sum over its NPU operations, each as long as its busiest resource. ``busy``: cycles each resource works for it.
    ``bottleneck``: the largest of these. ``cycles_without_bottleneck``: ``cycles`` if that resource cost nothing. ``macs`` as the
    compiler counts them (pooling included), ``model_macs`` as the model asks for them. ``utilisation``: occupancy of the MAC engine,
    ``macs`` / (``cycles`` x MACs per cycle). ``staging_bytes``: most fast memory that it needs.
    """

    index: int | None = Field(ge=0)
    name: str
    op: str
    where: Where
    made_of: str = Field(description="the NPU operations it became")
    cycles: int = Field(ge=0)
    busy: ResourceCycles
    bottleneck: NpuResource | None
    cycles_without_bottleneck: int = Field(ge=0)
    macs: int = Field(ge=0)
    model_macs: int = Field(ge=0)
    utilisation: float | None
    staging_bytes: int = Field(ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.where is not Where.NPU and (self.cycles or self.macs or self.busy.total):
            raise ValueError(f"{self.name} does not run on the NPU, but has cycles there")
        if not self.busy.of(self.busy.largest) <= self.cycles <= self.busy.total:
            raise ValueError(f"{self.name}: {self.cycles} cycles do not fit what its resources work")
        if self.bottleneck != (self.busy.largest if self.cycles else None):
            raise ValueError(f"{self.name}: the bottleneck is not the busiest resource")
        if self.cycles_without_bottleneck > self.cycles:
            raise ValueError(f"{self.name}: takes longer without its bottleneck")
        return self


class CpuLayer(Record):
    """An operator that falls back to the host core; without ``cycles`` (simulated, warm) ``reason`` says why there are none."""

    index: int | None = Field(ge=0)
    name: str
    op: str
    cycles: int | None = Field(ge=0)
    latency_ms: float | None = Field(ge=0)
    reason: str

    @model_validator(mode="after")
    def _value_or_reason(self) -> Self:
        if (self.cycles is None) != (self.latency_ms is None) or (self.cycles is None) != bool(self.reason):
            raise ValueError(f"{self.name}: needs cycles and latency, or a reason why there are none")
        return self


class NpuHost(Record):
    """The board whose core times what falls back, and the simulated run that the times are from."""

    board: str
    core: str
    clock_mhz: float = Field(gt=0)
    run: str


class NpuMemory(Record):
    """One memory that the model uses. ``peak_gb_s`` is the system configuration's (10^9 bytes per second)."""

    memory: NpuResource
    used_bytes: int = Field(ge=0)
    peak_gb_s: float = Field(gt=0)
    feature_map_read_bytes: int = Field(ge=0)
    feature_map_write_bytes: int = Field(ge=0)
    weight_read_bytes: int = Field(ge=0)
    weight_write_bytes: int = Field(ge=0)
    total_bytes: int = Field(ge=0, description="with biases and scales")


class NpuProvenance(Record):
    """What an estimate was made from. ``vela_config_sha256`` is null for the file that Vela brings along: its version says which."""

    engine_version: str
    model_sha256: Sha256
    npu_sha256: Sha256
    vela_version: str
    vela_config: str
    vela_config_sha256: Sha256 | None


class NpuRecord(Record):
    """One model x accelerator x system configuration x memory mode.

    ``npu_latency_ms``: what runs on the NPU. ``latency_ms``: with what falls back to the host core; null where that is not known, and
    ``latency_note`` says why, or what the figure leaves out. ``cycles_without``: the NPU's cycles if one resource cost nothing.
    """

    schema_version: Literal[1] = Field(alias="schema")
    kind: Literal["npu"] = "npu"
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str
    npu: str
    accelerator: str
    macs_per_cycle: int = Field(gt=0)
    clock_mhz: float = Field(gt=0)
    system_config: str
    memory_mode: str
    target: Literal["npu"] = "npu"
    evidence: Literal[Evidence.PREDICTED] = Evidence.PREDICTED
    evidence_note: str
    cycles: int = Field(gt=0)
    cycles_without: ResourceCycles
    npu_latency_ms: float = Field(gt=0)
    latency_ms: float | None = Field(ge=0)
    latency_note: str
    macs: int = Field(ge=0)
    model_macs: int = Field(ge=0)
    utilisation: float = Field(ge=0)
    bottleneck: NpuResource
    memories: tuple[NpuMemory, ...]
    weight_bytes: int = Field(ge=0)
    encoded_weight_bytes: int = Field(ge=0)
    layers: tuple[NpuLayer, ...] = Field(min_length=1)
    cpu_layers: tuple[CpuLayer, ...]
    host: NpuHost | None
    notes: tuple[str, ...] = ()
    provenance: NpuProvenance

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def bound_cycles(self, resource: NpuResource) -> int:
        """Cycles of the layers that a resource bounds."""
        return sum(x.cycles for x in self.layers if x.bottleneck is resource)

    def busy_cycles(self, resource: NpuResource) -> int:
        """Cycles a resource works, over all layers."""
        return sum(x.busy.of(resource) for x in self.layers)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(x.cycles for x in self.layers) != self.cycles or sum(x.macs for x in self.layers) != self.macs:
            raise ValueError("the layers do not sum to the inference")
        for what, macs, cycles, found in (
            ("the inference", self.macs, self.cycles, self.utilisation),
            *((x.name, x.macs, x.cycles, x.utilisation) for x in self.layers),
        ):
            if found != utilisation(macs, cycles, self.macs_per_cycle):
                raise ValueError(f"the utilisation of {what} is not {macs} MACs in {cycles} cycles")
        if self.bottleneck is not max(NpuResource, key=self.bound_cycles):
            raise ValueError("the bottleneck is not the resource that bounds most cycles")
        if abs(self.npu_latency_ms - self.cycles / self.clock_mhz / 1000) > 1e-6:
            raise ValueError("npu_latency_ms is not the cycles divided by the clock")
        on_cpu = [x.index for x in self.layers if x.where is Where.CPU]
        if on_cpu != [x.index for x in self.cpu_layers]:
            raise ValueError("cpu_layers are not the layers that run on the CPU")
        known = all(x.latency_ms is not None for x in self.cpu_layers)
        whole = self.npu_latency_ms + sum(x.latency_ms or 0 for x in self.cpu_layers) if known else None
        if (whole is None) != (self.latency_ms is None) or abs((whole or 0) - (self.latency_ms or 0)) > 1e-6:
            raise ValueError("latency_ms is not that of the NPU and the CPU together")
        return self


def utilisation(macs: int, cycles: int, macs_per_cycle: int) -> float | None:
    """Occupancy of the MAC engine, macs / (cycles x MACs per cycle), as kept in a record; None without cycles."""
    return round(macs / (cycles * macs_per_cycle), _DIGITS) if cycles else None
