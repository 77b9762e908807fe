"""Part of the validation's page: the exact points with other versions of the kernels, beside those with the project's own."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.other_kernels import KernelsPoint, KernelsResult, OtherKernels, mean_energy_error
from engine.records.validation import KeptValidation, Point, Use, Validations


@dataclass(frozen=True)
class KernelsCell:
    """One point with one version of the kernels. ``inside``: whether the published latency lies within our interval."""

    simulated_ms: float
    error: float
    inside: bool


@dataclass(frozen=True)
class KernelsRow:
    """One published latency; ``cells`` are in the order of the table's columns, None where that version was not run."""

    board: str
    model: str
    published_ms: float
    cells: tuple[KernelsCell | None, ...]


@dataclass(frozen=True)
class KernelsColumn:
    """One version of the kernels: name, what the runs recorded, mean absolute error over its points, and of their energies."""

    name: str
    version: str
    mape: float
    energy_mape: float | None


@dataclass(frozen=True)
class KernelsTable:
    """All versions with one compiler, the project's own first."""

    compiler: str
    opt: str
    columns: tuple[KernelsColumn, ...]
    rows: tuple[KernelsRow, ...]


def kernels_tables(validations: Validations, other: OtherKernels) -> tuple[KernelsTable, ...]:
    """One table per compiler for which both the project's own kernels and others are kept."""
    tables = []
    for kept in validations.results:
        own = [p for p in kept.validation.points if p.use is Use.EXACT and p.simulated_ms is not None]
        compilers = {kept.compiler} if kept.compiler else {p.compiler for p in own}
        if len(compilers) == 1 and (results := other.of(compilers.pop())):
            tables.append(_table(kept, own, results))
    return tuple(tables)


def _table(kept: KeptValidation, own: list[Point], results: tuple[KernelsResult, ...]) -> KernelsTable:
    rows, mine = [], []
    for point in own:
        if point.published_ms is None or point.simulated_ms is None or point.interval_ms is None:
            continue
        ours = KernelsPoint(
            board=point.board,
            model=point.model,
            framework=point.framework,
            published_ms=point.published_ms,
            simulated_ms=point.simulated_ms,
            interval_ms=point.interval_ms,
            published_uj=point.published_uj,
            energy_uj=point.energy_uj,
        )
        mine.append(ours)
        others = tuple(next((_cell(p) for p in r.points if p.key == ours.key), None) for r in results)
        if any(others):
            rows.append(KernelsRow(point.board, point.model, point.published_ms, (_cell(ours), *others)))
    version = own[0].kernels_version or ""
    first = KernelsColumn(f"CMSIS-NN {version}", version, kept.validation.mape or 0.0, mean_energy_error(mine))
    return KernelsTable(
        compiler=results[0].compiler,
        opt=results[0].opt,
        columns=(first, *(KernelsColumn(r.name, r.kernels_version, r.mape, r.energy_mape) for r in results)),
        rows=tuple(rows),
    )


def _cell(point: KernelsPoint) -> KernelsCell:
    low, high = point.interval_ms
    return KernelsCell(point.simulated_ms, point.error, low <= point.published_ms <= high)
