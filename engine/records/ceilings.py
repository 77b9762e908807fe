"""What micro-benchmarks found on a board at a clock: multiply-accumulates and bytes per cycle, at most.

One JSON file per board and clock in ``measurements/ceilings/``, written like run records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.records.base import Record
from engine.records.cause import Evidence
from engine.records.run import PlacementUsed
from engine.records.store import listed, write_atomically

_DIGITS = 4


class MeasuredCeiling(Record):
    """One benchmark. ``per_cycle`` is MACs or bytes per core cycle: its work over its cycles.

    ``resident``: whether a data cache in front of the memory holds the working set; null where there is no such cache, and for MACs.
    ``bytes``: read and written together. ``cycles_interval``: with all figures of core and board at the low and at the high ends.
    """

    name: str
    work: Literal["mac", "read", "copy"]
    instructions: str = Field(description="what the work is done with, like SMLAD or LDM")
    memory: str = Field(description="the board memory that is read; empty for MACs")
    target: str = Field(description="the board memory that is written; empty but for copies")
    working_set_bytes: int = Field(ge=0)
    resident: bool | None
    macs: int = Field(ge=0)
    bytes: int = Field(ge=0)
    cycles: int = Field(gt=0)
    cycles_interval: tuple[int, int]
    per_cycle: float = Field(gt=0)

    @property
    def units(self) -> int:
        """The work done: MACs or bytes."""
        return self.macs or self.bytes

    @property
    def unit(self) -> str:
        """What ``per_cycle`` counts."""
        return "MAC/cycle" if self.work == "mac" else "bytes/cycle"

    @property
    def per_cycle_interval(self) -> tuple[float, float]:
        """Bounds of ``per_cycle``."""
        low, high = self.cycles_interval
        return self.units / high, self.units / low

    @model_validator(mode="after")
    def _rate(self) -> Self:
        if self.per_cycle != rate(self.units, self.cycles):
            raise ValueError(f"{self.name}: per_cycle is not {self.units} / {self.cycles}")
        if not self.cycles_interval[0] <= self.cycles <= self.cycles_interval[1]:
            raise ValueError(f"{self.name}: {self.cycles} cycles are not in their own interval")
        return self


def rate(units: int, cycles: int) -> float:
    """Work per cycle as kept in a record."""
    return round(units / cycles, _DIGITS)


class SkippedCeiling(Record):
    """A benchmark that the board cannot run."""

    name: str
    reason: str


class CeilingsProvenance(Record):
    """What the benchmarks were made from."""

    engine_version: str
    elf_sha256: str
    board_sha256: str
    core_sha256: str
    compiler: str
    compiler_version: str
    compiler_flags: tuple[str, ...]
    target_version: str


class MeasuredCeilings(Record):
    """All benchmarks of one board at one clock; every checksum was the one that the host computes."""

    schema_version: Literal[1] = Field(alias="schema")
    kind: Literal["ceilings"] = "ceilings"
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    board: str
    core: str
    clock_mhz: float = Field(gt=0)
    placement: PlacementUsed
    target: str
    evidence: Evidence
    benchmarks: tuple[MeasuredCeiling, ...] = Field(min_length=1)
    skipped: tuple[SkippedCeiling, ...]
    provenance: CeilingsProvenance

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def macs(self) -> tuple[MeasuredCeiling, ...]:
        """The MAC benchmarks, in the order of execution."""
        return tuple(b for b in self.benchmarks if b.work == "mac")

    def of_memory(self, memory: str) -> tuple[MeasuredCeiling, ...]:
        """Benchmarks that read a memory."""
        return tuple(b for b in self.benchmarks if b.memory == memory)


def ceilings_dir() -> Path:
    """Folder of the committed ceilings."""
    return measurements_dir() / "ceilings"


def dump_ceilings(found: MeasuredCeilings) -> str:
    """As JSON text: fixed key order, one value per line, newline at the end."""
    return json.dumps(found.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def write_ceilings(found: MeasuredCeilings, path: Path) -> None:
    """Write one file, at once or not at all."""
    write_atomically(path, dump_ceilings(found).encode())


def is_ceilings(content: object) -> bool:
    """Whether the parsed JSON of a file says that it holds ceilings, valid or not (and not a run record)."""
    return isinstance(content, dict) and content.get("kind") == "ceilings"


def ceilings_problems(text: str) -> tuple[str, ...]:
    """Everything that is wrong with the JSON text of ceilings; empty if it is valid."""
    try:
        MeasuredCeilings.model_validate_json(text, strict=True)
    except ValidationError as error:
        return listed(error)
    return ()


def read_ceilings(path: Path) -> MeasuredCeilings:
    """Read and validate one file. Raises RecordError."""
    try:
        return MeasuredCeilings.model_validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        why = listed(error)[0] if isinstance(error, ValidationError) else error
        raise RecordError(
            f"{path} holds no valid ceilings: {why}",
            hint="measure them again: `whycycles ceilings --board BOARD --update`",
        ) from None


def committed() -> tuple[MeasuredCeilings, ...]:
    """All committed ceilings, by file name. Raises RecordError."""
    return tuple(read_ceilings(p) for p in sorted(ceilings_dir().glob("*.json")))


def committed_ceilings(board: str, clock_mhz: float, board_sha256: str, core_sha256: str) -> MeasuredCeilings | None:
    """The committed ceilings of a board at a clock, if they were made with this description of board and core."""
    path = ceilings_dir() / f"{ceilings_id(board, clock_mhz)}.json"
    if not path.is_file():
        return None
    found = read_ceilings(path)
    made = found.provenance
    return found if (made.board_sha256, made.core_sha256) == (board_sha256, core_sha256) else None


def ceilings_id(board: str, clock_mhz: float) -> str:
    """Name of the file of a board at a clock."""
    return f"{board}_{clock_mhz:g}mhz"
