"""What pages say about energies: of a run, of a board's power sources, and over the clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean

from engine.catalog.board import Board
from engine.energy.attribute import operation_of
from engine.energy.published import published_power
from engine.energy.sweep import EnergySweep, Timed, energy_sweep
from engine.explain.analysis import Analysis
from engine.records.cause import Cause
from engine.records.run import RunRecord
from engine.records.run_energy import RunEnergy


@dataclass(frozen=True)
class MeasuredFirmware:
    """Powers that somebody published of one firmware on a board, in mW."""

    firmware: str
    framework: str
    clock_mhz: float
    voltage_v: float | None
    models: int
    mean_mw: float
    low_mw: float
    high_mw: float
    source: str


def measured_firmwares(board: str) -> tuple[MeasuredFirmware, ...]:
    """The published powers of a board, firmware by firmware."""
    rows = sorted((r for r in published_power() if r.board == board), key=lambda r: r.firmware)
    found = []
    for firmware, group in groupby(rows, lambda r: r.firmware):
        same = list(group)
        one, powers = same[0], [r.power_mw for r in same]
        found.append(
            MeasuredFirmware(
                firmware, one.framework, one.clock_mhz, one.voltage_v, len(same), mean(powers), min(powers), max(powers),
                one.submission,
            )
        )  # fmt: skip
    return tuple(found)


def energy_by_cause(energy: RunEnergy) -> tuple[tuple[Cause, int], ...]:
    """Nanojoules of the whole inference by cause."""
    parts = (*energy.layers, energy.glue)
    return tuple((c, sum(x.stack.of(c) for x in parts)) for c in Cause)


def sweep_of_run(record: RunRecord, board: Board | None, analysis: Analysis | None) -> EnergySweep | None:
    """Energy over the clocks of a run that was analysed; None where it was not, or where there is no energy."""
    if board is None or analysis is None or not isinstance(record.energy, RunEnergy) or not analysis.clocks:
        return None
    timed = [
        Timed(c.clock_mhz, c.wait_states * c.bus_ratio, c.cycles, c.latency_ms, c.latency_ms_interval)
        for c in analysis.clocks
    ]
    found = energy_sweep(board, record.model, operation_of(record, board).code, timed, published_power())
    return found if isinstance(found, EnergySweep) else None


def worst_first(values: Sequence[float | None]) -> list[int]:
    """Indices by absolute value, the largest first; what is None comes last."""
    return sorted(range(len(values)), key=lambda i: -1.0 if (v := values[i]) is None else -abs(v) - 1)
