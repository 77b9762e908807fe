"""Where two records of one run differ, by layer and counter."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from engine.records.run import RunRecord


@dataclass(frozen=True)
class Difference:
    """One field that differs: ``where`` names the layer or part, ``field`` the counter."""

    where: str
    field: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.where}: {self.field} is {self.found}, expected {self.expected}"


def diff_records(expected: BaseModel, found: BaseModel) -> tuple[Difference, ...]:
    """Every leaf that differs, in the order of the record; empty if the two are equal. A run's energy is derived, and left out."""
    one, two = (r.model_copy(update={"energy": None}) if isinstance(r, RunRecord) else r for r in (expected, found))
    return tuple(_walk(one, two, "run", ""))


def diff_results(expected: RunRecord, found: RunRecord) -> tuple[Difference, ...]:
    """The same, but a target's version alone is no difference: which QEMU counted is provenance, what it counted the result."""
    found_there = diff_records(expected, found)
    return () if all(d.field == "provenance.target_version" for d in found_there) else found_there


def _walk(expected: object, found: object, where: str, field: str) -> list[Difference]:
    if isinstance(expected, BaseModel) and isinstance(found, BaseModel):
        out: list[Difference] = []
        for name in type(expected).model_fields:
            a, b = getattr(expected, name), getattr(found, name)
            if name == "glue" and not field:
                out += _walk(a, b, "glue", "")
            else:
                out += _walk(a, b, where, f"{field}.{name}" if field else name)
        return out
    if isinstance(expected, tuple) and isinstance(found, tuple):
        if len(expected) != len(found):
            return [Difference(where, f"{field} (how many)", len(expected), len(found))]
        out = []
        for i, (a, b) in enumerate(zip(expected, found, strict=True)):
            if field == "layers":
                out += _walk(a, b, f"layer {i} ({getattr(a, 'name', '?')})", "")
            else:
                out += _walk(a, b, where, f"{field}[{i}]")
        return out
    return [] if expected == found else [Difference(where, field, expected, found)]
