"""Energy of a simulated run from power that somebody measured on the same board at the same clock.

The first energy model: E = P * t, with P the middle of the published range and the whole range as the interval. It says
nothing about layers, and a board without a published power measurement gets no energy.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.records.run import RunRecord


@dataclass(frozen=True)
class PublishedPower:
    """Power of a board under an inference load, as published. Source names the result it was read from."""

    board: str
    clock_mhz: float
    voltage_v: float
    power_mw: float
    model: str
    framework: str
    kernels: str
    submitter: str
    source: str


@dataclass(frozen=True)
class EnergyEstimate:
    """Predicted energy per inference in microjoules, with the interval that the published powers span."""

    energy_uj: float
    low_uj: float
    high_uj: float
    basis: tuple[PublishedPower, ...]


@dataclass(frozen=True)
class NoEnergy:
    """Why a run has no energy figure."""

    reason: str


@cache
def published_power(path: Path | None = None) -> tuple[PublishedPower, ...]:
    """The published power measurements that come with the project. Raises RecordError for a broken row."""
    path = path or measurements_dir() / "published" / "power.csv"
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                power = PublishedPower(
                    row["board"],
                    float(row["clock_mhz"]),
                    float(row["voltage_v"]),
                    float(row["power_mw"]),
                    row["model"],
                    row["framework"],
                    row["kernels"],
                    row["submitter"],
                    row["source"],
                )
            except (KeyError, TypeError, ValueError) as error:
                raise RecordError(f"{path} line {line}: {error}", hint="every column must be filled") from None
            found.append(power)
    return tuple(found)


def estimate_energy(record: RunRecord, powers: tuple[PublishedPower, ...] | None = None) -> EnergyEstimate | NoEnergy:
    """Energy of one inference of a run: power of the same board, clock and kernel library times the simulated latency.

    The interval multiplies the ends of the power range with the ends of the cycle interval.
    """
    if record.overrides:
        return NoEnergy(
            f"the power published of {record.board} is not that of a board with {', '.join(record.overrides)}"
        )
    rows = published_power() if powers is None else powers
    basis = tuple(
        p for p in rows if (p.board, p.clock_mhz, p.kernels) == (record.board, record.clock_mhz, record.kernels)
    )
    if not basis:
        return NoEnergy(
            f"no published power measurement of {record.board} at {record.clock_mhz:g} MHz with {record.kernels} kernels"
        )
    low_mw, high_mw = min(p.power_mw for p in basis), max(p.power_mw for p in basis)
    low_ms, high_ms = (c / record.clock_mhz / 1000 for c in record.cycles_interval)
    # mW * ms = uJ
    return EnergyEstimate((low_mw + high_mw) / 2 * record.latency_ms, low_mw * low_ms, high_mw * high_ms, basis)
