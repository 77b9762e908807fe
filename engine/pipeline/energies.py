"""The energies that are known of runs: measured where a power trace was laid over a run or a board, else of the power model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from engine.catalog.board import Board
from engine.energy.attribute import energy_of
from engine.energy.sanity import Inference
from engine.pipeline.board_store import find_measured, measured_records
from engine.pipeline.local import ENERGY, find_record, local_runs, runs_dir, simulated_dir
from engine.pipeline.rerun import hardware_for
from engine.records.cause import Evidence
from engine.records.energy import MeasuredEnergy
from engine.records.measured import MeasuredRecord
from engine.records.run import RunRecord
from engine.records.run_energy import RunEnergy
from engine.records.store import read_records


def measured_of(record: RunRecord) -> MeasuredEnergy | None:
    """The measured energy kept beside a run, if there is one that can be read."""
    try:
        return MeasuredEnergy.model_validate_json((runs_dir() / record.id / ENERGY).read_bytes())
    except (OSError, ValidationError):
        return None


def inferences(names: Sequence[str] = ()) -> tuple[Inference, ...]:
    """What can be checked: the named runs and measurements, or all local and committed ones; those without an energy are left out.

    Raises what ``find_record`` and ``find_measured`` raise.
    """
    # one that is named twice says nothing twice
    records = {r.id: r for r in (_named(names) if names else _all())}
    return tuple(x for x in map(_inference, records.values()) if x is not None)


def _named(names: Sequence[str]) -> Iterator[RunRecord | MeasuredRecord]:
    for name in names:
        yield find_measured(name) or find_record(name)


def _all() -> Iterator[RunRecord | MeasuredRecord]:
    yield from read_records(simulated_dir())
    yield from (x.record for x in local_runs())
    yield from measured_records()


def _inference(record: RunRecord | MeasuredRecord) -> Inference | None:
    if isinstance(record, MeasuredRecord):
        found, sim = record.energy, record.simulation
        # behind an emulator a meter measures nothing of the board
        if not isinstance(found, MeasuredEnergy) or found.evidence is not Evidence.MEASURED:
            return None
        limits = _modelled_mw(sim, hardware_for(sim).board) if sim else None
        return _of_meter(found, sim.macs if sim else None, limits)
    board = hardware_for(record).board
    measured = measured_of(record)
    if measured is not None:
        return _of_meter(measured, record.macs, _modelled_mw(record, board))
    modelled = energy_of(record, board)
    if not isinstance(modelled, RunEnergy):
        return None
    return Inference(
        record.id,
        record.board,
        record.clock_mhz,
        modelled.energy_uj,
        record.latency_ms,
        record.macs,
        modelled.power_interval_mw,
    )


def _of_meter(found: MeasuredEnergy, macs: int | None, limits: tuple[float, float] | None) -> Inference:
    return Inference(found.run, found.board, found.clock_mhz, found.gross_nj / 1000, found.inference_ms, macs, limits)


def _modelled_mw(record: RunRecord, board: Board | None) -> tuple[float, float] | None:
    modelled = energy_of(record, board)
    return modelled.power_interval_mw if isinstance(modelled, RunEnergy) else None
