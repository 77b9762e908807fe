"""The record of one run, as kept in ``measurements/`` and printed by ``whycycles run --json``.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from engine.records.base import Record
from engine.records.by_cause import ByCause
from engine.records.cause import Evidence
from engine.records.counters import Counters, at_most
from engine.records.run_energy import NoEnergy, RunEnergy

ORACLE_AGREES = "bit for bit"
"""How the ``oracle_note`` of an output ends that equals the oracle's, and no other."""


class Stack(ByCause):
    """A cycle stack: cycles by cause. Its sum is the region's cycles; all causes are always present."""

    @property
    def cycles(self) -> int:
        """Sum over causes."""
        return self.total


class Cycles(Record):
    """Cycles of the first inference after reset (cold) and in steady state (warm)."""

    cold: int = Field(ge=0)
    warm: int = Field(ge=0)


class MemoryTraffic(Record):
    """What a region asked of one memory, and the cycles it waited for it; warm.

    Lines are those of the cache or buffer in front (0: nothing is in front). ``stall_cycles``: fetch, read and write together; over
    all memories they are the three stall causes of the stack. ``cold_stall_cycles``: the same in the first inference after reset.
    """

    memory: str
    read_bytes: int = Field(ge=0)
    write_bytes: int = Field(ge=0)
    unaligned_extra_accesses: int = Field(ge=0)
    fetch_lines: int = Field(ge=0)
    fetch_misses: int = Field(ge=0)
    read_lines: int = Field(ge=0)
    read_misses: int = Field(ge=0)
    write_lines: int = Field(ge=0)
    write_misses: int = Field(ge=0)
    write_backs: int = Field(ge=0)
    stall_cycles: int = Field(ge=0)
    cold_stall_cycles: int = Field(ge=0)

    @model_validator(mode="after")
    def _misses(self) -> Self:
        for lines, misses in (
            ("fetch_lines", "fetch_misses"),
            ("read_lines", "read_misses"),
            ("write_lines", "write_misses"),
        ):
            at_most(self, misses, lines)
        return self


class Idle(Record):
    """Cycles of a region in which nothing was issued, for whatever reason, warm; part of its cycles, whatever they are charged to.

    The further words of a multiple transfer count as issued, the further cycles of a divide do not. ``mve_cycles``: of these, those
    that waited for a Helium instruction, its result or its pipe; ``mve_waits``: those in which a Helium instruction waited for the result
    of another kind.
    """

    cycles: int = Field(ge=0)
    mve_cycles: int = Field(ge=0)
    mve_waits: int = Field(ge=0)

    @model_validator(mode="after")
    def _parts(self) -> Self:
        if self.mve_cycles + self.mve_waits > self.cycles + 1:  # each is rounded
            raise ValueError(
                f"{self.mve_cycles} and {self.mve_waits} cycles are more than the {self.cycles} they are of"
            )
        return self


class Region(Record):
    """Cycles and counts of a region, warm. ``memories``: those it touched (empty in records that do not keep them).

    ``idle``: only of cores with Helium, whose chips count the like; absent in records that were made before it was kept.
    """

    cycles: int = Field(ge=0)
    cold_cycles: int = Field(ge=0)
    stack: Stack
    counters: Counters
    memories: tuple[MemoryTraffic, ...] = ()
    idle: Idle | None = Field(default=None, exclude_if=lambda idle: idle is None)

    @model_validator(mode="after")
    def _stack_sums(self) -> Self:
        if self.idle and self.idle.cycles > self.cycles:
            raise ValueError(f"nothing was issued in {self.idle.cycles} cycles, of {self.cycles} in all")
        if self.stack.cycles != self.cycles:
            raise ValueError(f"the stack sums to {self.stack.cycles} cycles, not to {self.cycles}")
        stalls = self.stack.instruction_fetch + self.stack.data_read + self.stack.data_write
        waited = sum(m.stall_cycles for m in self.memories)
        if self.memories and waited != stalls:
            raise ValueError(f"the memories' stalls sum to {waited} cycles, the stack's to {stalls}")
        return self

    @model_validator(mode="after")
    def _memories_sum(self) -> Self:
        if not self.memories:
            return self
        refuse_repeated("memory", (m.memory for m in self.memories))
        c = self.counters
        read, written = sum(m.read_bytes for m in self.memories), sum(m.write_bytes for m in self.memories)
        if (read, written) != (c.flash_read_bytes + c.ram_read_bytes, c.ram_write_bytes):
            raise ValueError(
                f"the memories were read for {read} bytes and written for {written}, the counters say "
                f"{c.flash_read_bytes + c.ram_read_bytes} and {c.ram_write_bytes}"
            )
        waited = sum(m.cold_stall_cycles for m in self.memories)
        if waited > self.cold_cycles:
            raise ValueError(f"the memories' cold stalls sum to {waited} cycles, of {self.cold_cycles} in all")
        return self


class Layer(Region):
    """One operator of the model in a run."""

    index: int = Field(ge=0)
    name: str
    op: str
    kernel: str
    library: str
    macs: int = Field(ge=0)
    weight_bytes: int = Field(ge=0)
    arithmetic_intensity: float = Field(ge=0)
    output_shape: tuple[int, ...]


class MemoryUse(Record):
    """Footprint of the firmware. ``arena_bytes`` is part of ``ram_bytes``."""

    flash_bytes: int = Field(ge=0)
    ram_bytes: int = Field(ge=0)
    arena_bytes: int = Field(ge=0)
    stack_bytes: int = Field(ge=0, description="reserved")
    stack_high_water_bytes: int = Field(ge=0, description="used by one inference")
    parts: tuple[MemoryPart, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        at_most(self, "arena_bytes", "ram_bytes")
        at_most(self, "stack_bytes", "ram_bytes")
        at_most(self, "stack_high_water_bytes", "stack_bytes")
        return self


class MemoryPart(Record):
    """One part of the image in one memory of the board."""

    name: str
    kind: str
    memory: str
    address: int = Field(ge=0, lt=2**32)
    bytes: int = Field(ge=0)


class PlacementUsed(Record):
    """The board memory that held each part of the image."""

    code: str
    weights: str
    activations: str
    stack: str


class Provenance(Record):
    """What a run was made from. Nothing here names a host, a path or a time."""

    engine_version: str
    model_sha256: str
    elf_sha256: str
    input_sha256: str
    board_sha256: str
    core_sha256: str
    compiler_version: str
    compiler_flags: tuple[str, ...]
    kernels_version: str
    target_version: str


class RunRecord(Record):
    """One model x kernels x compiler x board x clock, with every layer's cycles and causes."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str
    board: str
    core: str
    clock_mhz: float = Field(gt=0)
    placement: PlacementUsed
    overrides: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]*=[A-Za-z0-9_.,-]+$")], ...] = Field(
        default=(),
        exclude_if=lambda keys: not keys,
        description="figures of board or core that were set for this run alone, as KEY=VALUE, by key; absent: none",
    )
    kernels: str
    lowering: str = Field(default="tflm", description="whose choice of kernels was followed: tflm or microtvm")
    compiler: str
    opt: str
    target: str
    evidence: Evidence
    output_matches_oracle: bool | None
    oracle_note: str = Field(
        description="what the output was compared with, ending in 'bit for bit' where it is equal; or why it was not"
    )
    cycles: Cycles
    cycles_interval: tuple[int, int]
    alternatives_interval: tuple[int, int] | None = Field(
        default=None,
        exclude_if=lambda span: span is None,
        description="fewest and most warm cycles over the board as described and each other design it may have; part of cycles_interval; "
        "absent: it has none",
    )
    latency_ms: float = Field(ge=0)
    instructions: int = Field(ge=0)
    macs: int = Field(ge=0)
    memory: MemoryUse
    layers: tuple[Layer, ...]
    glue: Region
    notes: tuple[str, ...] = ()
    energy: RunEnergy | NoEnergy | None = Field(
        default=None,
        exclude_if=lambda energy: energy is None,
        description="derived from the rest where a record is shown; absent in records that are kept",
    )
    provenance: Provenance

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    @property
    def figures_interval(self) -> tuple[int, int]:
        """``cycles_interval`` of the board as described: what its other designs add is taken off again."""
        low, high = self.cycles_interval
        fewest, most = self.alternatives_interval or (self.cycles.warm, self.cycles.warm)
        return low + self.cycles.warm - fewest, high + self.cycles.warm - most

    @model_validator(mode="after")
    def _layers(self) -> Self:
        refuse_repeated("layer", (x.index for x in self.layers))
        macs = sum(x.macs for x in self.layers)
        if self.macs != macs:
            raise ValueError(f"macs is {self.macs}, but those of the layers sum to {macs}")
        deepest = max(x.counters.stack_high_water_bytes for x in (*self.layers, self.glue))
        if deepest > self.memory.stack_high_water_bytes:
            raise ValueError(
                f"a region uses {deepest} bytes of stack, the inference only {self.memory.stack_high_water_bytes}"
            )
        return self

    @model_validator(mode="after")
    def _sums(self) -> Self:
        warm = sum(x.cycles for x in self.layers) + self.glue.cycles
        cold = sum(x.cold_cycles for x in self.layers) + self.glue.cold_cycles
        issued = sum(x.counters.instructions for x in self.layers) + self.glue.counters.instructions
        if (warm, cold, issued) != (self.cycles.warm, self.cycles.cold, self.instructions):
            raise ValueError("layers and glue do not sum to the inference")
        if not abs(self.latency_ms - warm / self.clock_mhz / 1000) <= 1e-6:
            raise ValueError("latency_ms is not the warm cycles divided by the clock")
        if (self.evidence is Evidence.MEASURED) != (self.target == "board"):
            raise ValueError("evidence and target contradict each other: what is measured ran on a board")
        low, high = self.cycles_interval
        if not low <= self.cycles.warm <= high:
            raise ValueError("cycles_interval does not hold the warm cycles")
        fewest, most = self.alternatives_interval or (self.cycles.warm, self.cycles.warm)
        if not low <= fewest <= self.cycles.warm <= most <= high:
            raise ValueError("alternatives_interval does not hold the warm cycles, or is not in cycles_interval")
        if isinstance(self.energy, RunEnergy) and len(self.energy.layers) != len(self.layers):
            raise ValueError("the energy has other layers than the run")
        return self


def refuse_repeated(what: str, keys: Iterable[object]) -> None:
    """Raises ValueError if a key occurs twice."""
    twice = [str(key) for key, times in Counter(keys).items() if times > 1]
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} occurs more than once")
