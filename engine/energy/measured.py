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
from engine.records.measured import ByLayer, MeasuredRecord
from engine.records.run import RunRecord

MOST_APART = 2.0
"""Where an inference lasts this many times longer or shorter than the run says, the trace is of something else."""


@dataclass(frozen=True)
class Timeline:
    """What ran one after another in an inference, and for how many cycles each; and whose cycles these are."""

    names: tuple[str, ...]
    cycles: tuple[int, ...]
    source: Literal["measured cycles", "measured microseconds", "simulated cycles"]


def timeline_of(record: RunRecord | MeasuredRecord) -> Timeline | None:
    """The timeline of a run: measured (p50, warm) if a device timed its layers, None if it timed whole inferences only, else simulated.

    What runs outside of layers is taken to run at the end.
    """
    if isinstance(record, MeasuredRecord):
        return _measured_timeline(record.by_layer) if record.by_layer else None
    return Timeline(
        (*(f"{layer.index} {layer.name}" for layer in record.layers), "glue"),
        (*(layer.cycles for layer in record.layers), record.glue.cycles),
        "simulated cycles",
    )


def _measured_timeline(found: ByLayer) -> Timeline:
    layers = tuple(x.warm.p50 for x in found.layers)
    return Timeline(
        (*(f"{x.index} {x.name}" for x in found.layers), "glue"),
        # medians of parts need not sum to that of the whole
        (*layers, max(0, found.warm.p50 - sum(layers))),
        "measured cycles" if found.counter == "cycles" else "measured microseconds",
    )


def measured_energy(
    record: RunRecord | MeasuredRecord,
    timeline: Timeline | None,
    trace: PowerTrace,
    windows: Sequence[Window],
    busy: Sequence[tuple[float, float]] = (),
) -> MeasuredEnergy:
    """The energy of a run's inference from a trace; without a ``timeline`` it has no layers. ``busy`` as in ``energy_of``.

    Raises BadInputError for a trace or windows that cannot be integrated, CheckFailedError if an inference lasts half or twice as long as the run's,
    or takes no energy.
    """
    names, shares = (timeline.names, _shares(timeline.cycles)) if timeline else ((), ())
    found = energy_of(trace, windows, shares, busy)
    ms, quality = found.seconds * 1e3, quality_of(trace)
    said = _latency_ms(record)
    if said is not None and not said / MOST_APART <= ms <= said * MOST_APART:
        raise CheckFailedError(
            f"an inference in the trace lasts {ms:.4g} ms, the run {record.id} says {said:.4g} ms",
            hint="name the run that was measured, and how many inferences lie between two edges",
        )
    if found.gross.energy_nj <= 0:
        raise CheckFailedError(
            f"an inference in the trace takes {found.gross.energy_nj / 1e3:,.1f} µJ with the idle board's power, and no board takes nothing",
            hint="check the columns, their units and the direction of the current",
        )
    return MeasuredEnergy(
        schema_version=1,
        run=record.id,
        model=record.model,
        board=record.board,
        clock_mhz=record.clock_mhz,
        evidence=record.evidence if isinstance(record, MeasuredRecord) else Evidence.MEASURED,
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
        layers=_layers(names, found),
        unresolved_nj=found.unresolved.energy_nj,
        shares=timeline.source if timeline else None,
    )


def _latency_ms(record: RunRecord | MeasuredRecord) -> float | None:
    """What a trace must agree with; None behind an emulator, which is as fast as its host is idle."""
    if isinstance(record, MeasuredRecord):
        return record.loop_us / 1e3 if record.evidence is Evidence.MEASURED else None
    return record.latency_ms


def _shares(cycles: Sequence[int]) -> tuple[float, ...]:
    total = sum(cycles)
    return tuple(c / total for c in cycles)


def _layers(names: Sequence[str], found: InferenceEnergy) -> tuple[LayerEnergy, ...]:
    return tuple(_layer(name, layer) for name, layer in zip(names, found.layers, strict=True))


def _layer(name: str, layer: Energy | NoLayerEnergy) -> LayerEnergy:
    match layer:
        case Energy(energy_nj, error_nj):
            return LayerEnergy(name=name, net_nj=energy_nj, error_nj=error_nj)
        case NoLayerEnergy(reason):
            return LayerEnergy(name=name, reason=reason)
