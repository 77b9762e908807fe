"""Energies of published points: from the simulated latency, and from the published one, both with a power that never saw the point."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from engine.catalog.board import Board
from engine.energy.attribute import apply, operation_of
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower, firmware_of, platform_of, published_power
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy
from engine.records.validation import BoundSide, EnergyErrors, Point, Use
from engine.validate.reference import ReferenceRow

_SAME_ENERGY = 0.002  # closer than this to a published energy of the same model on the same board, a row is that result


def with_energy(point: Point, row: ReferenceRow, record: RunRecord | None, board: Board | None) -> Point:
    """The same point with its energies, or with the reason why there are none.

    The energy of a bound is a bound too: the run is of another build than the one whose energy was measured.
    """
    if board is None or record is None:
        return point.model_copy(update={"energy_note": "no run, so no energy"})
    power = power_for(row, record, board)
    if isinstance(power, NoEnergy):
        return point.model_copy(update={"energy_note": power.reason})
    found = apply(power, record)
    at_published = row.latency_ms * power.power_mw
    published = row.energy_uj
    return point.model_copy(
        update={
            "energy_uj": found.energy_uj,
            "energy_interval_uj": found.interval_uj,
            "energy_error": found.energy_uj / published - 1 if published else None,
            "energy_holds": _holds(row.bound_side, found.energy_uj, found.interval_uj, published),
            "energy_at_published_uj": at_published,
            "energy_at_published_interval_uj": (row.latency_ms * power.low_mw, row.latency_ms * power.high_mw),
            "energy_at_published_error": at_published / published - 1 if published else None,
            "energy_rests_on": power.kind,
            "energy_note": power.how,
        }
    )


def power_for(row: ReferenceRow, record: RunRecord, board: Board) -> Power | NoEnergy:
    """Power of a published result's board, from everything but that result."""
    firmware = firmware_of(board.name, row.framework, row.kernels, row.source)
    own = operation_of(record, board)
    wanted = Operation(
        own.clock_mhz,
        own.code,
        row.voltage_v,
        firmware,
        platform_of(firmware, row.framework, row.compiler, row.source),
    )
    names = {row.model, record.model}
    return power_of(board, wanted, [p for p in published_power() if not _is(p, row, board.name, firmware, names)])


def _is(power: PublishedPower, row: ReferenceRow, board: str, firmware: str, names: set[str]) -> bool:
    """Whether a published power is the result that is being judged."""
    if power.board != board or power.model not in names:
        return False
    same = row.energy_uj is not None and abs(power.energy_uj / row.energy_uj - 1) < _SAME_ENERGY
    return same or power.firmware == firmware


def _holds(
    side: BoundSide | None, energy_uj: float, interval_uj: tuple[float, float], published_uj: float | None
) -> bool | None:
    if published_uj is None:
        return None
    if side is BoundSide.SIMULATED_AT_MOST:
        return energy_uj <= published_uj
    if side is BoundSide.SIMULATED_AT_LEAST:
        return energy_uj >= published_uj
    return interval_uj[0] <= published_uj <= interval_uj[1]


def energy_errors(points: Sequence[Point]) -> tuple[EnergyErrors, ...]:
    """Errors of the energies: exact points from simulated latencies, then all points from published ones; what has no point is left out."""
    found = []
    simulated = [p for p in points if p.use is Use.EXACT]
    for what, those, of in (
        ("exact points with simulated latency", simulated, _simulated),
        ("points with published latency", list(points), _at_published),
    ):
        pairs = [x for x in map(of, those) if x is not None]
        if pairs:
            found.append(_errors(what, pairs))
    return tuple(found)


_Judged = tuple[float, float, tuple[float, float]]  # published, ours, interval, in uJ


def _simulated(p: Point) -> _Judged | None:
    if p.published_uj is None or p.energy_uj is None or p.energy_interval_uj is None:
        return None
    return p.published_uj, p.energy_uj, p.energy_interval_uj


def _at_published(p: Point) -> _Judged | None:
    if p.published_uj is None or p.energy_at_published_uj is None or p.energy_at_published_interval_uj is None:
        return None
    return p.published_uj, p.energy_at_published_uj, p.energy_at_published_interval_uj


def _errors(what: str, judged: Sequence[_Judged]) -> EnergyErrors:
    errors = [abs(ours / published - 1) for published, ours, _ in judged]
    middle = mean(published for published, _, _ in judged)
    spread = sum((published - middle) ** 2 for published, _, _ in judged)
    return EnergyErrors(
        what=what,
        points=len(judged),
        mape=mean(errors),
        worst=max(errors),
        inside_share=mean(low <= published <= high for published, _, (low, high) in judged),
        median_half_width=median((high - low) / 2 / ours for _, ours, (low, high) in judged),
        r2=1 - sum((published - ours) ** 2 for published, ours, _ in judged) / spread if spread else None,
    )
