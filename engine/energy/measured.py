"""A power trace laid over a run: the record of its measured energy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.energy.integrate import Energy, InferenceEnergy, NoLayerEnergy, energy_of
from engine.energy.trace import PowerTrace, quality_of
from engine.energy.windows import Window
from engine.errors import CheckFailedError
from engine.records.cause import Evidence
from engine.records.energy import LayerEnergy, MeasuredEnergy, MeterUsed
from engine.records.run import RunRecord

MOST_APART = 2.0
"""Where an inference lasts this many times longer or shorter than the run says, the trace is of something else."""


@dataclass(frozen=True)
class Timeline:
    """What ran one after another in an inference, and for how many cycles each; and whose cycles these are."""

    names: tuple[str, ...]
    cycles: tuple[int, ...]
    source: Literal["measured cycles", "simulated cycles"]


def timeline_of(record: RunRecord) -> Timeline:
    """The simulated timeline of a run. What runs outside of layers is taken to run at the end."""
    return Timeline(
        (*(f"{layer.index} {layer.name}" for layer in record.layers), "glue"),
        (*(layer.cycles for layer in record.layers), record.glue.cycles),
        "simulated cycles",
    )


def measured_energy(
    record: RunRecord, timeline: Timeline, trace: PowerTrace, windows: Sequence[Window]
) -> MeasuredEnergy:
    """The energy of a run's inference from a trace.

    Raises BadInputError for a trace or windows that cannot be integrated, CheckFailedError if an inference lasts half or twice as long as the run's.
    """
    total = sum(timeline.cycles)
    found = energy_of(trace, windows, tuple(c / total for c in timeline.cycles))
    ms, quality = found.seconds * 1e3, quality_of(trace)
    if not record.latency_ms / MOST_APART <= ms <= record.latency_ms * MOST_APART:
        raise CheckFailedError(
            f"an inference in the trace lasts {ms:.4g} ms, the run {record.id} says {record.latency_ms:.4g} ms",
            hint="name the run that was measured, and how many inferences lie between two edges",
        )
    return MeasuredEnergy(
        schema_version=1,
        run=record.id,
        model=record.model,
        board=record.board,
        clock_mhz=record.clock_mhz,
        evidence=Evidence.MEASURED,
        meter=MeterUsed(
            name=trace.meter.name,
            settings=trace.meter.settings,
            rate_hz=round(quality.rate_hz, 3),
            complaints=quality.complaints,
        ),
        trace_sha256=hashlib.sha256(trace.time_s.tobytes() + trace.power_w.tobytes()).hexdigest(),
        windows=len(windows),
        inferences=windows[0].inferences,
        inference_ms=round(ms, 6),
        idle_mw=round(found.idle.power_w * 1e3, 6),
        idle_drift_mw_per_s=round(found.idle.drift_w_per_s * 1e3, 6),
        gross_nj=found.gross.energy_nj,
        net_nj=found.net.energy_nj,
        error_nj=found.net.error_nj,
        spread_nj=(min(found.each_net_nj), max(found.each_net_nj)),
        layers=_layers(timeline.names, found),
        unresolved_nj=found.unresolved.energy_nj,
        shares=timeline.source,
    )


def _layers(names: Sequence[str], found: InferenceEnergy) -> tuple[LayerEnergy, ...]:
    return tuple(_layer(name, layer) for name, layer in zip(names, found.layers, strict=True))


def _layer(name: str, layer: Energy | NoLayerEnergy) -> LayerEnergy:
    match layer:
        case Energy(energy_nj, error_nj):
            return LayerEnergy(name=name, net_nj=energy_nj, error_nj=error_nj)
        case NoLayerEnergy(reason):
            return LayerEnergy(name=name, reason=reason)
