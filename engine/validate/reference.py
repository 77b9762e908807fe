"""A reference file: published results, one row each, with what they may be used for."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RecordError
from engine.records.validation import BoundSide, Use


@dataclass(frozen=True)
class ReferenceRow:
    """One published result. ``use`` exact: same kernels and a known build; bound: other kernels; report: not fully known."""

    board: str
    model: str
    clock_mhz: float
    latency_ms: float
    energy_uj: float | None
    voltage_v: float | None
    kernels: str
    framework: str
    compiler: str
    use: Use
    bound_side: BoundSide | None
    reason: str
    source: str


_NEEDED = ("board", "model", "clock_mhz", "latency_ms", "kernels", "use")


def read_reference(path: Path) -> tuple[ReferenceRow, ...]:
    """All rows of a reference CSV, in its order. Raises RecordError with file, line and column."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in _NEEDED if c not in (reader.fieldnames or ())]
            if missing:
                raise RecordError(f"{path} has no column {', '.join(missing)}", hint=f"needed: {', '.join(_NEEDED)}")
            return tuple(_row(path, line, row) for line, row in enumerate(reader, start=2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(
            f"{path} cannot be read: {error}", hint="give a CSV file with one published result per row"
        ) from None


def _row(path: Path, line: int, raw: dict[str, str | None]) -> ReferenceRow:
    row = {k: (v or "").strip() for k, v in raw.items() if isinstance(k, str)}

    def fail(column: str, wanted: str) -> RecordError:
        return RecordError(
            f"{path} line {line}: {column} is '{row.get(column, '')}'", hint=f"{column} must be {wanted}"
        )

    def number(column: str) -> float:
        try:
            value = float(row[column])
        except ValueError:
            raise fail(column, "a number above 0") from None
        if not 0 < value < math.inf:
            raise fail(column, "a number above 0")
        return value

    if row["use"] not in list(Use):
        raise fail("use", " or ".join(Use))
    use = Use(row["use"])
    side = row.get("bound_side", "")
    if (use is Use.BOUND and side not in list(BoundSide)) or (side and side not in list(BoundSide)):
        raise fail("bound_side", " or ".join(BoundSide))
    return ReferenceRow(
        board=row["board"],
        model=row["model"],
        clock_mhz=number("clock_mhz"),
        latency_ms=number("latency_ms"),
        energy_uj=number("energy_uj") if row.get("energy_uj") else None,
        voltage_v=number("voltage_v") if row.get("voltage_v") else None,
        kernels=row["kernels"],
        framework=row.get("framework", ""),
        compiler=row.get("compiler", ""),
        use=use,
        bound_side=BoundSide(side) if side else None,
        reason=row.get("reason", ""),
        source=row.get("source", ""),
    )
