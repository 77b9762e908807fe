"""Energies of published points: from the simulated latency, and from the published one, both with a power that never saw the point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, median

from engine.catalog.board import Board
from engine.energy.attribute import apply, operation_of
from engine.energy.builds import build_band, towards
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import PublishedPower, firmware_of, platform_of, published_power
from engine.energy.spread import Band
from engine.energy.units import energy_uj
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy
from engine.records.validation import OTHER_BUILDS, BoundSide, EnergyErrors, Point, Use
from engine.validate.reference import ReferenceRow

_SAME_ENERGY = 0.002  # closer than this to a published energy of the same model on the same board, a row is that result


def with_energy(point: Point, row: ReferenceRow, record: RunRecord | None, board: Board | None) -> Point:
    """The same point with its energies, or with the reason why there are none.

    The run of a point that is not exact is of another build than the one whose energy was measured. So its energy is a bound where its
    latency is one, and its interval includes how far one build is from another.
    """
    if board is None or record is None:
        return point.model_copy(update={"energy_note": "no run, so no energy"})
    others = _others(row, record, board)
    power = power_for(row, record, board, others)
    if isinstance(power, NoEnergy):
        return point.model_copy(update={"energy_note": power.reason})
    found = apply(power, record)
    build = Band(1.0, 1.0, 1.0)
    if point.use is not Use.EXACT:
        build = towards(build_band(others, _firmware(row, board)), row.bound_side)
    low, high = found.interval_uj
    interval = low * build.low, high * build.high
    published = row.energy_uj
    return point.model_copy(
        update={
            "energy_uj": found.energy_uj,
            "energy_interval_uj": interval,
            "energy_error": found.energy_uj / published - 1 if published else None,
            "energy_holds": _holds(row.bound_side, found.energy_uj, interval, published),
            "energy_build_interval": None if point.use is Use.EXACT else (build.low, build.high),
            "energy_rests_on": power.kind,
            "energy_note": power.how,
            **_at_published_latency(row, power),
        }
    )


def _at_published_latency(row: ReferenceRow, power: Power) -> dict[str, object]:
    if row.latency_ms is None:
        return {}
    energy, low, high = (energy_uj(mw, row.latency_ms) for mw in (power.power_mw, power.low_mw, power.high_mw))
    return {
        "energy_at_published_uj": energy,
        "energy_at_published_interval_uj": (low, high),
        "energy_at_published_error": energy / row.energy_uj - 1 if row.energy_uj else None,
    }


def power_for(row: ReferenceRow, record: RunRecord, board: Board, rows: tuple[PublishedPower, ...]) -> Power | NoEnergy:
    """Power of a published result's board, from ``rows``: everything but that result.

    Where the result gives no supply it is that of the firmware's other results; where these give none either, the interval reaches over
    all supplies that the board was measured at.
    """
    firmware = _firmware(row, board)
    own = operation_of(record, board)
    platform = platform_of(firmware, row.framework, row.compiler, row.source)
    wanted = Operation(own.clock_mhz, own.code, row.voltage_v, firmware, platform)
    if row.voltage_v is not None:
        return power_of(board, wanted, rows)
    here = [r for r in rows if r.board == board.name]
    of_firmware = {r.voltage_v for r in here if firmware and r.firmware == firmware}
    supplies = sorted(v for v in of_firmware or {r.voltage_v for r in here} if v is not None)
    if len(supplies) == 1:
        return power_of(board, replace(wanted, voltage_v=supplies[0]), rows)
    found = power_of(board, wanted, rows)
    each = [power_of(board, replace(wanted, voltage_v=v), rows) for v in supplies]
    ends = [x for p in each if isinstance(p, Power) for x in (p.low_mw, p.high_mw)]
    if not ends or isinstance(found, NoEnergy):
        return found
    how = f"{found.how}; the row gives no supply, others were measured at {supplies[0]:g} to {supplies[-1]:g} V"
    return replace(found, low_mw=min(ends), high_mw=max(ends), how=how)


def _firmware(row: ReferenceRow, board: Board) -> str:
    return firmware_of(board.name, row.framework, row.kernels, row.source)


def _others(row: ReferenceRow, record: RunRecord, board: Board) -> tuple[PublishedPower, ...]:
    """All published powers but the one that is being judged."""
    firmware, names = _firmware(row, board), {row.model, record.model}
    return tuple(p for p in published_power() if not _is(p, row, board.name, firmware, names))


def _is(power: PublishedPower, row: ReferenceRow, board: str, firmware: str, names: set[str]) -> bool:
    """Whether a published power is the result that is being judged."""
    if power.board != board or power.model not in names:
        return False
    same = row.energy_uj is not None and abs(power.energy_uj / row.energy_uj - 1) < _SAME_ENERGY
    return same or power.firmware == firmware


def _holds(
    side: BoundSide | None, ours_uj: float, interval_uj: tuple[float, float], published_uj: float | None
) -> bool | None:
    if published_uj is None:
        return None
    if side is BoundSide.SIMULATED_AT_MOST:
        return ours_uj <= published_uj
    if side is BoundSide.SIMULATED_AT_LEAST:
        return ours_uj >= published_uj
    return interval_uj[0] <= published_uj <= interval_uj[1]


def energy_errors(points: Sequence[Point]) -> tuple[EnergyErrors, ...]:
    """Errors of the energies from simulated latencies, exact points apart from others, then from published ones; what has no point is left out."""
    found = []
    exact = [p for p in points if p.use is Use.EXACT]
    others = [p for p in points if p.use is not Use.EXACT]
    for what, those, of in (
        ("exact points with simulated latency", exact, _simulated),
        (OTHER_BUILDS, others, _simulated),
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
