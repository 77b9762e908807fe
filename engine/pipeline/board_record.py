"""From a measurement to its record."""

from __future__ import annotations

import hashlib

import engine
from engine.catalog.load import board_sha256, core_sha256
from engine.firmware.types import Firmware
from engine.models.oracle import Verdict
from engine.pipeline.settings import ResolvedRun
from engine.records.cause import Evidence
from engine.records.measured import ByLayer, DeviceClock, MeasuredLayer, MeasuredProvenance, MeasuredRecord, percentiles
from engine.records.run import PlacementUsed, RunRecord
from engine.targets.board.measure import WARMUPS, Measurement
from engine.targets.board.spread import explain_spread


def measured_record(
    run: ResolvedRun,
    found: Measurement,
    firmware: Firmware,
    inputs: tuple[bytes, ...],
    verdict: Verdict,
    emulator: str | None,
    simulation: RunRecord | None,
) -> MeasuredRecord:
    """The record of a measurement; ``emulator`` is what stood in for the board, ``simulation`` the simulated run of the same ELF."""
    s, facts, ours = run.settings, found.identity.facts, found.warm is not None
    latencies = _latencies(found)
    return MeasuredRecord(
        schema_version=1,
        id=f"{run.id}_{'emulated' if emulator else 'board' if ours else 'plain'}",
        model=run.model.name,
        board=run.board.name,
        core=run.core.name,
        clock_mhz=run.clock_mhz,
        placement=PlacementUsed(**run.board.placement.model_dump()),
        kernels=s.kernels.value if ours else None,
        lowering=s.lowering.value if ours else None,
        compiler=s.compiler.value if ours else None,
        opt=s.opt if ours else None,
        port=firmware.port if ours else None,
        evidence=Evidence.SIMULATED if emulator else Evidence.MEASURED,
        warmups=WARMUPS,
        firmware_verified=ours,
        output_matches_oracle=verdict.matches,
        oracle_note=verdict.note,
        by_layer=_by_layer(found),
        loop_us=round(found.loop.each_us, 3),
        loop_inferences=found.loop.inferences,
        latency_us=percentiles(latencies),
        spread=explain_spread(found, latencies),
        clock=DeviceClock(
            hz=facts.clock_hz if facts else None,
            source=facts.clock_source if facts else "not told",
            problem=facts.clock_problem if facts else None,
            device_per_host=round(found.clock.ratio, 5),
            seconds=round(found.clock.seconds, 1),
        ),
        notes=_notes(found),
        provenance=MeasuredProvenance(
            engine_version=engine.__version__,
            model_sha256=run.model.sha256,
            elf_sha256=firmware.elf_sha256 if ours else None,
            input_sha256=hashlib.sha256(b"".join(inputs)).hexdigest(),
            board_sha256=board_sha256(run.described),
            core_sha256=core_sha256(run.core),
            compiler_version=firmware.compiler.version if ours else None,
            compiler_flags=firmware.compiler.flags if ours else (),
            kernels_version=firmware.kernels.version if ours else None,
            device=found.identity.name,
            profile=found.identity.profile,
            emulator=emulator,
        ),
        simulation=simulation,
    )


def _latencies(found: Measurement) -> tuple[int, ...]:
    """Single warm inferences in whole µs."""
    if found.warm is None or found.identity.facts is None:
        return found.singles_us
    per_us = found.identity.facts.clock_hz / 1e6 if found.warm.counter == "cycles" else 1.0
    return tuple(round(run.total / per_us) for run in found.warm.runs)


def _by_layer(found: Measurement) -> ByLayer | None:
    if found.warm is None or found.cold is None:
        return None
    return ByLayer(
        counter="cycles" if found.warm.counter == "cycles" else "us",
        marker=found.warm.marker,
        cold=percentiles([run.total for run in found.cold.runs]),
        warm=percentiles([run.total for run in found.warm.runs]),
        layers=tuple(
            MeasuredLayer(
                index=i,
                name=name,
                cold=percentiles([run.layers[i] for run in found.cold.runs]),
                warm=percentiles([run.layers[i] for run in found.warm.runs]),
            )
            for i, name in enumerate(found.warm.names)
        ),
    )


def _notes(found: Measurement) -> tuple[str, ...]:
    notes = []
    if found.warm is None:
        notes.append(
            "a firmware that speaks the plain MLPerf Tiny protocol: whole inferences only, no cold one, nothing checked on the device"
        )
    elif found.warm.counter == "us":
        notes.append(
            "no cycle counter runs on this device: microseconds of its timer stand in, which resolve short layers poorly"
        )
    if found.retries or found.restarts:
        notes.append(
            f"{found.retries} answers were asked for again, {found.restarts} unexpected restarts of the device"
        )
    return tuple(notes)
