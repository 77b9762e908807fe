"""Counters of a real chip, layer by layer, beside ours, and the file in which the last comparison is kept.

Version history of ``schema``: 1 (2026-11) first version; cycles without issue are absent in results made before they were compared.
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
    STALLS = "stall_cycles"
    MVE_STALLS = "mve_stall_cycles"

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
    Event.STALLS: "cycles without issue",
    Event.MVE_STALLS: "of these, for Helium",
}
_PMU = {
    Event.CYCLES: "CPU_CYCLES",
    Event.INSTRUCTIONS: "INST_RETIRED",
    Event.MVE_INSTRUCTIONS: "MVE_INST_RETIRED",
    Event.MVE_MACS: "MVE_INT_MAC_RETIRED",
    Event.LOADS: "LD_RETIRED",
    Event.STORES: "ST_RETIRED",
    Event.STALLS: "STALL",
    Event.MVE_STALLS: "MVE_STALL",
}
STALLS = (Event.STALLS, Event.MVE_STALLS)
"""Events that a published table, or a result kept from before they were compared, may leave out."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EventCounts(_Kept):
    """One count of every event; those of ``STALLS`` may be absent."""

    cycles: int = Field(ge=0)
    instructions: int = Field(ge=0, description="retired: folded loop ends are left out")
    mve_instructions: int = Field(ge=0)
    mve_macs: int = Field(ge=0)
    loads: int = Field(ge=0)
    stores: int = Field(ge=0)
    stall_cycles: int | None = Field(default=None, ge=0, exclude_if=lambda count: count is None)
    mve_stall_cycles: int | None = Field(default=None, ge=0, exclude_if=lambda count: count is None)

    def of(self, event: Event) -> int | None:
        """The count of an event; None where it is absent."""
        found = getattr(self, event.value)
        return None if found is None else int(found)

    @property
    def issuing_cycles(self) -> int | None:
        """Cycles that are no stall; None where stalls are absent."""
        return None if self.stall_cycles is None else self.cycles - self.stall_cycles

    def __add__(self, other: EventCounts) -> EventCounts:
        """Both together; an event that one of them lacks is absent."""
        pairs = {e.value: (self.of(e), other.of(e)) for e in Event}
        return EventCounts.model_validate({k: None if a is None or b is None else a + b for k, (a, b) in pairs.items()})


class LayerPoint(_Kept):
    """One layer: counted on the chip, and ours. ``kernel`` is ours.

    ``mve_waits``: cycles of ours in which a Helium instruction waits for the result of another kind, which ``MVE_STALLS`` leaves out.
    """

    layer: int
    op: str
    kernel: str
    macs: int
    published: EventCounts
    simulated: EventCounts
    mve_waits: int | None = Field(default=None, ge=0, exclude_if=lambda count: count is None)

    def error(self, event: Event) -> float | None:
        """Simulated / published - 1; None where the chip counted none, or one side lacks the event."""
        return relative_error(self.published, self.simulated, event)

    @property
    def cycles_per_instruction(self) -> tuple[float, float]:
        """Published and simulated: an error of the timing that the number of instructions takes no part in."""
        return tuple(c.cycles / max(1, c.instructions) for c in (self.published, self.simulated))  # type: ignore[return-value]


def relative_error(published: EventCounts, simulated: EventCounts, event: Event) -> float | None:
    """Simulated / published - 1; None where the chip counted none, or one side lacks the event."""
    theirs, ours = published.of(event), simulated.of(event)
    return ours / theirs - 1 if theirs and ours is not None else None


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
        none = EventCounts(**{e.value: 0 for e in Event})
        published = simulated = none
        for p in self.points:
            published, simulated = published + p.published, simulated + p.simulated
        return published, simulated

    @property
    def has_stalls(self) -> bool:
        """Are cycles without issue, and those of them for Helium, compared in every layer?"""
        return all(c.of(event) is not None for p in self.points for c in (p.published, p.simulated) for event in STALLS)

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
