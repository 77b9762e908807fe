"""Counters of a real chip, layer by layer, beside ours, and the file in which the last comparison is kept.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import RecordError
from engine.records.store import write_atomically


class Event(StrEnum):
    """What is compared. Each is an event of the Armv8.1-M PMU."""

    CYCLES = "cycles"
    INSTRUCTIONS = "instructions"
    MVE_INSTRUCTIONS = "mve_instructions"
    MVE_MACS = "mve_macs"
    LOADS = "loads"
    STORES = "stores"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self]

    @property
    def pmu(self) -> str:
        """Name of the event in the Armv8.1-M PMU."""
        return _PMU[self]


_LABELS = {
    Event.CYCLES: "cycles",
    Event.INSTRUCTIONS: "instructions",
    Event.MVE_INSTRUCTIONS: "Helium instructions",
    Event.MVE_MACS: "Helium multiplies",
    Event.LOADS: "loads",
    Event.STORES: "stores",
}
_PMU = {
    Event.CYCLES: "CPU_CYCLES",
    Event.INSTRUCTIONS: "INST_RETIRED",
    Event.MVE_INSTRUCTIONS: "MVE_INST_RETIRED",
    Event.MVE_MACS: "MVE_INT_MAC_RETIRED",
    Event.LOADS: "LD_RETIRED",
    Event.STORES: "ST_RETIRED",
}


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EventCounts(_Kept):
    """One count of every event."""

    cycles: int = Field(ge=0)
    instructions: int = Field(ge=0, description="retired: folded loop ends are left out")
    mve_instructions: int = Field(ge=0)
    mve_macs: int = Field(ge=0)
    loads: int = Field(ge=0)
    stores: int = Field(ge=0)

    def of(self, event: Event) -> int:
        """The count of an event."""
        return int(getattr(self, event.value))

    def __add__(self, other: EventCounts) -> EventCounts:
        """Both together."""
        return EventCounts(**{e.value: self.of(e) + other.of(e) for e in Event})


class LayerPoint(_Kept):
    """One layer: counted on the chip, and ours. ``kernel`` is ours."""

    layer: int
    op: str
    kernel: str
    macs: int
    published: EventCounts
    simulated: EventCounts

    def error(self, event: Event) -> float | None:
        """Simulated / published - 1; None where the chip counted none."""
        return relative_error(self.published, self.simulated, event)

    @property
    def cycles_per_instruction(self) -> tuple[float, float]:
        """Published and simulated: an error of the timing that the number of instructions takes no part in."""
        return tuple(c.cycles / max(1, c.instructions) for c in (self.published, self.simulated))  # type: ignore[return-value]


def relative_error(published: EventCounts, simulated: EventCounts, event: Event) -> float | None:
    """Simulated / published - 1; None where the chip counted none."""
    return simulated.of(event) / published.of(event) - 1 if published.of(event) else None


class LayerValidation(_Kept):
    """All layers of one run. ``big`` layers take at least a hundredth of the chip's cycles.

    ``note``: what is special about the kernels, where they are not the project's own choice; absent where empty.
    """

    board: str
    model: str
    clock_mhz: float
    run_id: str
    compiler: str
    compiler_version: str
    opt: str
    kernels_version: str
    engine_version: str
    published_framework: str
    published_kernels: str
    source: str
    cycles_interval: tuple[int, int]
    note: str = Field(default="", exclude_if=lambda note: not note)
    points: tuple[LayerPoint, ...]

    def total(self) -> tuple[EventCounts, EventCounts]:
        """Sums over the layers: published, simulated."""
        none = EventCounts(cycles=0, instructions=0, mve_instructions=0, mve_macs=0, loads=0, stores=0)
        published = simulated = none
        for p in self.points:
            published, simulated = published + p.published, simulated + p.simulated
        return published, simulated

    def big(self) -> Iterator[LayerPoint]:
        """The layers that matter."""
        published, _ = self.total()
        return (p for p in self.points if 100 * p.published.cycles >= published.cycles)


class LayerValidations(_Kept):
    """Content of ``measurements/layer_validation.json``: one result per compiler and per version of the kernels."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    results: tuple[LayerValidation, ...] = ()

    def with_result(self, result: LayerValidation) -> LayerValidations:
        """The same with the result of one board, model, compiler and version of the kernels replaced or added."""
        others = [r for r in self.results if _key(r) != _key(result)]
        return LayerValidations(results=tuple(sorted((*others, result), key=_key)))


def _key(result: LayerValidation) -> tuple[str, ...]:
    return result.board, result.model, result.compiler, result.kernels_version


def read_layer_validations(path: Path) -> LayerValidations:
    """The kept results; none where there is no file. Raises RecordError for a file that is not valid."""
    try:
        return LayerValidations.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return LayerValidations()
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            hint="make it again: `whycycles validate --layers --update`",
        ) from None


def write_layer_validations(found: LayerValidations, path: Path) -> None:
    """Write the kept results: fixed key order, one value per line, newline at the end."""
    plain = found.model_dump(mode="json", by_alias=True)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
