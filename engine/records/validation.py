"""Published results beside our runs of the same models, and the file in which the last validation is kept.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import RecordError
from engine.records.run_energy import PowerKind
from engine.records.store import write_atomically


class Use(StrEnum):
    """What a published row is good for."""

    EXACT = "exact"
    BOUND = "bound"
    REPORT = "report"


class BoundSide(StrEnum):
    """On which side of the published latency the simulation must lie."""

    SIMULATED_AT_MOST = "simulated_at_most"
    SIMULATED_AT_LEAST = "simulated_at_least"


class Point(BaseModel):
    """One published row beside our run of it. ``board`` and ``model`` are as the row writes them, names or paths.

    ``use`` is report for a row that calls itself exact, if other kernels or another compiler stand in for its own. ``error`` is simulated / published - 1 (0.05 is +5 %). ``holds``: for a bound, whether the simulation lies on the side it
    must; else whether the published latency lies within the simulated interval. Null where there is no run: the last of ``notes`` says why.
    ``alternatives_ms``: shortest and longest simulated latency over the other designs that the board may have where no source says which,
    each alone (a cache's ways, lines, replacement; a prefetcher); part of ``interval_ms``; null where it has none.
    ``published_ms`` is null where the row gives an energy alone.
    ``energy_uj`` is a power times the simulated latency, ``energy_at_published_uj`` the same power times the published one; the power
    was found without this row (``energy_rests_on``, ``energy_note``: how, or why there is none). ``energy_holds`` is like ``holds``.
    ``energy_build_interval``: how many times as long the published build may take as ours, which is in ``energy_interval_uj``; null for an exact point.
    ``kernels_share``: by how much the kernels of the published build may change the time (0.05: +5 %), where known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    board: str
    model: str
    framework: str
    kernels: str
    kernels_version: str | None
    kernels_share: tuple[float, float] | None = None
    compiler: str
    opt: str
    lowering: str
    clock_mhz: float
    published_ms: float | None
    simulated_ms: float | None
    error: float | None
    interval_ms: tuple[float, float] | None
    alternatives_ms: tuple[float, float] | None = None
    published_uj: float | None
    energy_uj: float | None
    use: Use
    bound_side: BoundSide | None
    holds: bool | None
    run_id: str | None
    source: str
    notes: tuple[str, ...]
    energy_error: float | None = None
    energy_interval_uj: tuple[float, float] | None = None
    energy_holds: bool | None = None
    energy_build_interval: tuple[float, float] | None = None
    energy_at_published_uj: float | None = None
    energy_at_published_error: float | None = None
    energy_at_published_interval_uj: tuple[float, float] | None = None
    energy_rests_on: PowerKind | None = None
    energy_note: str | None = None


OTHER_BUILDS = "points of other builds with simulated latency"
_FEWEST_FOR_R2 = 3


class EnergyErrors(BaseModel):
    """Errors of the energies of some points, in shares (0.05: 5 %).

    ``inside_share``: of the published energies within our intervals; ``median_half_width``: of those intervals, of our energies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    points: int
    mape: float
    worst: float
    inside_share: float
    median_half_width: float
    r2: float | None

    @property
    def title(self) -> str:
        """How many points of what: "1 point of other builds with …"."""
        return f"{self.points} {self.what if self.points != 1 else self.what.replace('points', 'point', 1)}"

    @property
    def telling_r2(self) -> float | None:
        """R² where it says something: not of one or two points, nor of other builds, whose energies only bound ours."""
        return self.r2 if self.points >= _FEWEST_FOR_R2 and self.what != OTHER_BUILDS else None


class Validation(BaseModel):
    """All points; ``mape`` and ``worst`` (largest absolute error) are over the exact points that could be run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: tuple[Point, ...]
    mape: float | None
    worst: float | None
    energy: tuple[EnergyErrors, ...] = ()

    @property
    def bounds_hold(self) -> bool:
        """Whether every bound that could be run holds."""
        return all(p.holds is not False for p in self.points if p.use is Use.BOUND)


class RefusedRow(BaseModel):
    """A row of a reference file that cannot be used, by its first bad cell. ``line`` is the (last) one of the row; ``column`` is empty for a row that is too long.

    ``problem`` says what is wrong with its place, ``wanted`` what would be right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int
    column: str
    value: str
    problem: str
    wanted: str


class FileValidation(Validation):
    """The validation of a file's good rows, with the rows that could not be used."""

    refused: tuple[RefusedRow, ...] = ()


class KeptValidation(BaseModel):
    """A validation with what made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    compiler: str | None = Field(description="what overruled the compiler of every row; null: each row's own")
    compiler_versions: tuple[str, ...] = Field(description="of all compilers that built a point")
    engine_version: str
    validation: Validation


class Validations(BaseModel):
    """Content of ``measurements/validation.json``: one result per compiler, each row's own first."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    results: tuple[KeptValidation, ...] = ()

    def with_result(self, result: KeptValidation) -> Validations:
        """The same with one compiler's result replaced or added."""
        others = [r for r in self.results if r.compiler != result.compiler]
        return Validations(results=tuple(sorted((*others, result), key=lambda r: r.compiler or "")))


def read_validations(path: Path) -> Validations:
    """The kept results; none where there is no file. Raises RecordError for a file that is not valid."""
    try:
        return Validations.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Validations()
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read: {str(error).splitlines()[0]}", hint="make it again: `whycycles validate --update`"
        ) from None


def write_validations(validations: Validations, path: Path) -> None:
    """Write the kept results: fixed key order, one value per line, newline at the end."""
    plain = validations.model_dump(mode="json", by_alias=True)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
