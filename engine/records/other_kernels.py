"""Exact points of a validation simulated with other versions of the kernels, and the file in which they are kept.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import RecordError
from engine.records.store import write_atomically


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class KernelsPoint(_Kept):
    """One published latency beside ours with these kernels; energies in microjoules where both are known, ours of the simulated latency."""

    board: str
    model: str
    framework: str
    published_ms: float = Field(gt=0)
    simulated_ms: float
    interval_ms: tuple[float, float]
    published_uj: float | None = None
    energy_uj: float | None = None

    @property
    def error(self) -> float:
        """Simulated / published - 1 (0.05: +5 %)."""
        return self.simulated_ms / self.published_ms - 1

    @property
    def energy_error(self) -> float | None:
        """The same of the energy; None where either is unknown."""
        if not self.published_uj or self.energy_uj is None:
            return None
        return self.energy_uj / self.published_uj - 1

    @property
    def key(self) -> tuple[str, str, str]:
        """What a published row is found by."""
        return self.board, self.model, self.framework


class KernelsResult(_Kept):
    """All exact points with one version of the kernels. ``name`` is for people, ``kernels_version`` what the runs recorded."""

    name: str
    kernels_version: str
    compiler: str
    compiler_version: str
    opt: str
    engine_version: str
    points: tuple[KernelsPoint, ...] = Field(min_length=1)

    @property
    def mape(self) -> float:
        """Mean absolute error."""
        return fmean(abs(p.error) for p in self.points)

    @property
    def energy_mape(self) -> float | None:
        """Mean absolute error of the energies; None without any."""
        return mean_energy_error(self.points)


def mean_energy_error(points: Iterable[KernelsPoint]) -> float | None:
    """Mean absolute error of the energies of points; None without any."""
    errors = [abs(p.energy_error) for p in points if p.energy_error is not None]
    return fmean(errors) if errors else None


class OtherKernels(_Kept):
    """Content of ``measurements/other_kernels.json``: one result per compiler and name of the kernels."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    results: tuple[KernelsResult, ...] = ()

    def with_result(self, result: KernelsResult) -> OtherKernels:
        """The same with the result of one compiler and name of the kernels replaced or added."""
        others = [r for r in self.results if _key(r) != _key(result)]
        return OtherKernels(results=tuple(sorted((*others, result), key=_key)))

    def of(self, compiler: str) -> tuple[KernelsResult, ...]:
        """The results of one compiler."""
        return tuple(r for r in self.results if r.compiler == compiler)


def _key(result: KernelsResult) -> tuple[bool, str, str]:
    # gcc first, as in the validation itself
    return result.compiler != "gcc", result.compiler, result.name


def read_other_kernels(path: Path) -> OtherKernels:
    """The kept results; none where there is no file. Raises RecordError for a file that is not valid."""
    try:
        return OtherKernels.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return OtherKernels()
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            hint="make it again: `whycycles validate --update --note NAME` with CMSIS_NN_PATH set",
        ) from None


def write_other_kernels(found: OtherKernels, path: Path) -> None:
    """Write the kept results: fixed key order, one value per line, newline at the end."""
    plain = found.model_dump(mode="json", by_alias=True)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
