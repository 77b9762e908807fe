"""The energies that are known of runs: measured where a power trace was laid over a run, else of the power model."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from engine.energy.attribute import energy_of
from engine.energy.sanity import Inference
from engine.pipeline.local import ENERGY, find_record, local_runs, runs_dir, simulated_dir
from engine.pipeline.rerun import hardware_for
from engine.records.energy import MeasuredEnergy
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
    """What can be checked: the named runs, or all local and committed ones; runs without an energy are left out.

    Raises what ``find_record`` raises.
    """
    if names:
        # a run that is named twice says nothing twice
        records = list({r.id: r for r in map(find_record, names)}.values())
    else:
        by_id = {r.id: r for r in read_records(simulated_dir())}
        records = list((by_id | {x.record.id: x.record for x in local_runs()}).values())
    return tuple(x for x in map(_inference, records) if x is not None)


def _inference(record: RunRecord) -> Inference | None:
    measured = measured_of(record)
    if measured is not None:
        energy_uj, latency_ms = measured.gross_nj / 1000, measured.inference_ms
    else:
        found = energy_of(record, hardware_for(record).board)
        if not isinstance(found, RunEnergy):
            return None
        energy_uj, latency_ms = found.energy_uj, record.latency_ms
    return Inference(record.id, record.board, record.clock_mhz, energy_uj, latency_ms, record.macs)
