"""Published rows run and compared: error of every point, bounds that hold or not, and what could not be run and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.catalog.board import Board
from engine.errors import WhycyclesError
from engine.firmware.types import CompilerName
from engine.pipeline.keep import make
from engine.pipeline.local import fresh_record
from engine.pipeline.settings import resolve
from engine.records.run import RunRecord
from engine.records.validation import BoundSide, Point, Use, Validation
from engine.validate.choose import Choice, choose
from engine.validate.energy import energy_errors, with_energy
from engine.validate.kernel_share import KernelShare, kernel_share
from engine.validate.reference import ReferenceRow

_MOST_TIMES = 30
"""No kernels or compiler that stand in for others make a run that many times longer or shorter."""

IN_MS = ": is latency_ms in ms?"
"""How the note on a latency in another unit ends."""


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
        energy=energy_errors(points),
    )


def _point(row: ReferenceRow, choice: Choice) -> Point:
    share = kernel_share(row)
    use, notes = _use(row, choice)
    notes += [row.reason] if row.reason else []
    notes += ["the row has an energy, but no latency to compare"] if row.latency_ms is None else []
    notes += [share.note] if share else []
    record: RunRecord | None = None
    board: Board | None = None
    try:
        run = resolve(choice.settings)
        board = run.board
        record = fresh_record(run)
        if record is None:
            record = make(run)
    except WhycyclesError as error:
        notes.append(f"not run: {error.message}")
    return with_energy(_compare(row, choice, use, record, share, tuple(notes)), row, record, board)


def _unit(ratio: float) -> tuple[str, ...]:
    """A note where simulated over published latency is so far off that another unit is likelier than an error."""
    if 1 / _MOST_TIMES <= ratio <= _MOST_TIMES:
        return ()
    times, way = (ratio, "longer") if ratio > 1 else (1 / ratio, "shorter")
    return (f"the simulation is {times:,.0f} times {way}{IN_MS}",)


def _use(row: ReferenceRow, choice: Choice) -> tuple[Use, list[str]]:
    """What a row is good for with the run that was chosen, and the notes on both: in doubt, no error is ours."""
    shown = ", shown as report"
    if row.use is None:
        return Use.REPORT, [*choice.doubts, *choice.notes, f"the row does not say its use{shown}"]
    if row.use is Use.EXACT and choice.doubts:
        return Use.REPORT, [*(f"{doubt}{shown}" for doubt in choice.doubts), *choice.notes]
    return row.use, [*choice.doubts, *choice.notes]


def _holds(side: BoundSide | None, simulated: float, interval: tuple[float, float], published: float) -> bool:
    if side is BoundSide.SIMULATED_AT_MOST:
        return simulated <= published
    if side is BoundSide.SIMULATED_AT_LEAST:
        return simulated >= published
    return interval[0] <= published <= interval[1]


def _span_ms(cycles: tuple[int, int], record: RunRecord) -> tuple[float, float]:
    """Cycles around those of the record as milliseconds around its latency, which is rounded."""
    low, high = (c / record.clock_mhz / 1000 for c in cycles)
    return min(low, record.latency_ms), max(high, record.latency_ms)


def _compare(
    row: ReferenceRow,
    choice: Choice,
    use: Use,
    record: RunRecord | None,
    share: KernelShare | None,
    notes: tuple[str, ...],
) -> Point:
    interval: tuple[float, float] | None = None
    alternatives: tuple[float, float] | None = None
    simulated = error = None
    holds: bool | None = None
    if record is not None:
        simulated = record.latency_ms
        interval = _span_ms(record.cycles_interval, record)
        if record.alternatives_interval is not None:
            alternatives = _span_ms(record.alternatives_interval, record)
        if row.latency_ms is not None:
            error = simulated / row.latency_ms - 1
            notes += _unit(simulated / row.latency_ms)
            holds = _holds(row.bound_side, simulated, interval, row.latency_ms)
    s = choice.settings
    return Point(
        board=row.board,
        model=row.model,
        framework=row.framework,
        kernels=s.kernels.value,
        kernels_version=record.provenance.kernels_version if record else None,
        kernels_share=(share.low, share.high) if share else None,
        compiler=s.compiler.value,
        opt=s.opt,
        lowering=s.lowering.value,
        clock_mhz=row.clock_mhz,
        published_ms=row.latency_ms,
        simulated_ms=simulated,
        error=error,
        interval_ms=interval,
        alternatives_ms=alternatives,
        published_uj=row.energy_uj,
        energy_uj=None,
        use=use,
        bound_side=row.bound_side,
        holds=holds,
        run_id=record.id if record else None,
        source=row.source,
        notes=notes,
    )
