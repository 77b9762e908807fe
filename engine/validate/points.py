"""Published rows run and compared: error of every point, bounds that hold or not, and what could not be run and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from engine.errors import WhycyclesError
from engine.firmware.types import CompilerName
from engine.pipeline.local import fresh_record, save
from engine.pipeline.measure import measure
from engine.pipeline.settings import resolve
from engine.records.run import RunRecord
from engine.validate.choose import Choice, choose
from engine.validate.reference import BoundSide, ReferenceRow, Use


class Point(BaseModel):
    """One published row beside our run of it.

    ``error`` is simulated / published - 1 (0.05 is +5 %). ``holds``: for a bound, whether the simulation lies on the side it
    must; else whether the published latency lies within the simulated interval. Null where there is no run: ``notes`` say why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    board: str
    model: str
    framework: str
    kernels: str
    kernels_version: str | None
    compiler: str
    opt: str
    lowering: str
    clock_mhz: float
    published_ms: float
    simulated_ms: float | None
    error: float | None
    interval_ms: tuple[float, float] | None
    published_uj: float | None
    energy_uj: float | None
    use: Use
    bound_side: BoundSide | None
    holds: bool | None
    run_id: str | None
    source: str
    notes: tuple[str, ...]


class Validation(BaseModel):
    """All points; ``mape`` and ``worst`` (largest absolute error) are over the exact points that could be run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: tuple[Point, ...]
    mape: float | None
    worst: float | None

    @property
    def bounds_hold(self) -> bool:
        """Whether every bound that could be run holds."""
        return all(p.holds is not False for p in self.points if p.use is Use.BOUND)


def validate(
    rows: Sequence[ReferenceRow],
    compiler: CompilerName | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Validation:
    """Run every row that can be run (or take its run from before, if nothing changed) and compare."""
    points = []
    for n, row in enumerate(rows, start=1):
        progress(f"{n}/{len(rows)} {row.model} on {row.board}")
        points.append(_point(row, choose(row, compiler)))
    errors = [abs(p.error) for p in points if p.use is Use.EXACT and p.error is not None]
    return Validation(
        points=tuple(points),
        mape=sum(errors) / len(errors) if errors else None,
        worst=max(errors) if errors else None,
    )


def _point(row: ReferenceRow, choice: Choice) -> Point:
    notes = [*choice.notes, *([row.reason] if row.reason else [])]
    record: RunRecord | None = None
    try:
        run = resolve(choice.settings)
        record = fresh_record(run)
        if record is None:
            record = measure(run)
            save(run, record)
    except WhycyclesError as error:
        notes.append(f"not run: {error.message}")
    return _compare(row, choice, record, tuple(notes))


def _compare(row: ReferenceRow, choice: Choice, record: RunRecord | None, notes: tuple[str, ...]) -> Point:
    interval: tuple[float, float] | None = None
    simulated = error = None
    holds: bool | None = None
    if record is not None:
        low, high = record.cycles_interval
        interval = (low / record.clock_mhz / 1000, high / record.clock_mhz / 1000)
        simulated = record.latency_ms
        error = simulated / row.latency_ms - 1
        if row.bound_side is BoundSide.SIMULATED_AT_MOST:
            holds = simulated <= row.latency_ms
        elif row.bound_side is BoundSide.SIMULATED_AT_LEAST:
            holds = simulated >= row.latency_ms
        else:
            holds = interval[0] <= row.latency_ms <= interval[1]
    s = choice.settings
    return Point(
        board=row.board,
        model=row.model,
        framework=row.framework,
        kernels=s.kernels.value,
        kernels_version=record.provenance.kernels_version if record else None,
        compiler=s.compiler.value,
        opt=s.opt,
        lowering=s.lowering.value,
        clock_mhz=row.clock_mhz,
        published_ms=row.latency_ms,
        simulated_ms=simulated,
        error=error,
        interval_ms=interval,
        published_uj=row.energy_uj,
        energy_uj=None,
        use=row.use,
        bound_side=row.bound_side,
        holds=holds,
        run_id=record.id if record else None,
        source=row.source,
        notes=notes,
    )
