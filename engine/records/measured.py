"""What a device measured: one model on one board, timed by the device itself, beside the simulation of the very same ELF.

One JSON file per measurement in ``measurements/boards/``. Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.records.base import Record
from engine.records.cause import Evidence
from engine.records.energy import MeasuredEnergy
from engine.records.run import PlacementUsed, RunRecord
from engine.records.run_energy import NoEnergy
from engine.records.store import listed, write_atomically

MAX_BYTES = 150_000
EMULATED = "simulated (QEMU time, not cycles)"
"""What is said of every number of an emulated device."""


class Percentiles(Record):
    """Of whole numbers, by nearest rank: a value that occurred. ``count`` of them."""

    count: int = Field(gt=0)
    min: int = Field(ge=0)
    p50: int = Field(ge=0)
    p90: int = Field(ge=0)
    p95: int = Field(ge=0)
    p99: int = Field(ge=0)
    max: int = Field(ge=0)

    @model_validator(mode="after")
    def _rise(self) -> Self:
        values = [self.min, self.p50, self.p90, self.p95, self.p99, self.max]
        if values != sorted(values):
            raise ValueError("percentiles must rise")
        return self


def percentiles(values: Sequence[int]) -> Percentiles:
    """Percentiles of at least one number."""
    ordered = sorted(values)

    def at(percent: int) -> int:
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

    return Percentiles(
        count=len(ordered), min=ordered[0], p50=at(50), p90=at(90), p95=at(95), p99=at(99), max=ordered[-1]
    )


class MeasuredLayer(Record):
    """A layer's ticks (of the record's ``counter``), with what a marker counts in each."""

    index: int = Field(ge=0)
    name: str
    cold: Percentiles
    warm: Percentiles


class ByLayer(Record):
    """Inferences timed by layer. ``inference`` is all of ``wc_infer``; ``marker`` ticks are in every layer, and are no part of its work."""

    counter: Literal["cycles", "us"]
    marker: int = Field(ge=0)
    cold: Percentiles = Field(description="whole inferences, each the first after a restart")
    warm: Percentiles = Field(description="whole inferences in steady state")
    layers: tuple[MeasuredLayer, ...] = Field(min_length=1)


class DeviceClock(Record):
    """The device's clock: what it says, and its microseconds against the host's over some seconds (``device_per_host``)."""

    hz: int | None
    source: str
    problem: str | None
    device_per_host: float
    seconds: float = Field(gt=0)


class Spread(Record):
    """A spread that asks for an explanation: ``p95_over_p50`` above 1.05, and what it may come from."""

    p95_over_p50: float
    explanation: str


class MeasuredProvenance(Record):
    """What was measured. The device's name and profile are its own words; nothing names a host, a path or a time."""

    engine_version: str
    model_sha256: str
    elf_sha256: str | None = Field(description="null: another firmware than ours, of which nothing is known")
    input_sha256: str
    board_sha256: str
    core_sha256: str
    compiler_version: str | None
    compiler_flags: tuple[str, ...]
    kernels_version: str | None
    device: str
    profile: str
    emulator: str | None = Field(description="what stood in for the board; null: a board")


class MeasuredRecord(Record):
    """One measurement.

    ``loop_us``: mean microseconds of an inference in a loop between two of the device's time stamps, as MLPerf Tiny measures; ``latency_us``:
    single inferences (from cycles where they are counted). ``by_layer`` and ``simulation`` are null for a firmware that is not ours.
    """

    schema_version: Literal[1] = Field(alias="schema")
    kind: Literal["measured"] = "measured"
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str
    board: str
    core: str
    clock_mhz: float = Field(gt=0)
    placement: PlacementUsed
    kernels: str | None
    lowering: str | None
    compiler: str | None
    opt: str | None
    port: str | None
    evidence: Evidence
    warmups: int = Field(ge=0)
    firmware_verified: bool = Field(description="code, constants and weights on the device have the ELF's checksums")
    output_matches_oracle: bool | None
    oracle_note: str
    by_layer: ByLayer | None
    loop_us: float = Field(gt=0)
    loop_inferences: int = Field(gt=0)
    latency_us: Percentiles
    spread: Spread | None
    clock: DeviceClock
    notes: tuple[str, ...] = ()
    provenance: MeasuredProvenance
    simulation: RunRecord | None
    energy: MeasuredEnergy | NoEnergy | None = Field(
        default=None,
        exclude_if=lambda energy: energy is None,
        description="of a power meter; absent if none was asked for",
    )

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def label(self) -> str:
        """How its numbers are labelled."""
        return EMULATED if self.provenance.emulator else self.evidence.value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.evidence is Evidence.MEASURED) != (self.provenance.emulator is None):
            raise ValueError("evidence and emulator contradict each other: only a board measures")
        if self.evidence not in (Evidence.MEASURED, Evidence.SIMULATED):
            raise ValueError(f"a device cannot give {self.evidence.value} numbers")
        if (self.by_layer is None) != (self.provenance.elf_sha256 is None):
            raise ValueError("layers are known exactly where the ELF is")
        if self.firmware_verified and self.provenance.elf_sha256 is None:
            raise ValueError("a firmware that is not known cannot be verified")
        if isinstance(self.energy, MeasuredEnergy) and (self.energy.run, self.energy.evidence) != (
            self.id,
            self.evidence,
        ):
            raise ValueError("the energy is of another run")
        if self.simulation is not None:
            if self.simulation.provenance.elf_sha256 != self.provenance.elf_sha256:
                raise ValueError("the simulation is of another ELF")
            if self.by_layer is None or len(self.by_layer.layers) != len(self.simulation.layers):
                raise ValueError("the simulation has other layers")
        return self


def boards_dir() -> Path:
    """Folder of the committed measurements."""
    return measurements_dir() / "boards"


def dump_measured(record: MeasuredRecord) -> str:
    """As JSON text: fixed key order, one value per line, newline at the end."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def write_measured(record: MeasuredRecord, path: Path) -> None:
    """Write one file, at once or not at all. Raises RecordError if it is too large to be kept."""
    data = dump_measured(record).encode()
    if len(data) > MAX_BYTES:
        raise RecordError(
            f"record {record.id} has {len(data)} bytes, the limit is {MAX_BYTES}",
            hint="a model of hundreds of layers is too large to be recorded",
        )
    write_atomically(path, data)


def measured_problems(path: Path) -> tuple[str, ...] | None:
    """Everything that is wrong with a measurement's file; None if it is none (a run record, say, or no JSON at all)."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("kind") != "measured":
        return None
    try:
        MeasuredRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        return listed(error)
    return ()


def read_measured(path: Path) -> MeasuredRecord:
    """Read and validate one file. Raises RecordError."""
    try:
        return MeasuredRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = listed(error)[0] if isinstance(error, ValidationError) else error
        raise RecordError(
            f"{path} holds no valid measurement: {why}",
            hint="measure again: `whycycles run MODEL --board B --port PORT`",
        ) from None


@cache
def _measured_boards(folder: Path) -> frozenset[str]:
    records = (read_measured(p) for p in sorted(folder.glob("*.json")))
    return frozenset(r.board for r in records if r.evidence is Evidence.MEASURED and r.firmware_verified)


def silicon_status(board: str) -> str:
    """ "tested" if a committed measurement comes from this board with our firmware, else "untested". Raises RecordError for a broken record."""
    return "tested" if board in _measured_boards(boards_dir()) else "untested"
