"""Measured records beside the simulation they belong to."""

from __future__ import annotations

from typing import Any

from engine.records.cause import Evidence
from engine.records.measured import (
    ByLayer,
    DeviceClock,
    MeasuredLayer,
    MeasuredProvenance,
    MeasuredRecord,
    Percentiles,
    percentiles,
)
from engine.records.run import RunRecord
from tests.builders.records import kws_record

MARKER = 9


def constant(value: int, count: int = 100) -> Percentiles:
    """The same number each time."""
    return percentiles([value] * count)


def measured_record(
    extra: int = 70, *, emulator: str | None = None, counter: str = "cycles", plain: bool = False, **changes: Any
) -> MeasuredRecord:
    """KWS on a board, each layer ``extra`` cycles and a marker above its simulation; ``plain``: another firmware than ours."""
    sim: RunRecord = kws_record()
    layers = tuple(
        MeasuredLayer(
            index=i,
            name=x.name,
            cold=constant(x.cold_cycles + MARKER + extra, 3),
            warm=constant(x.cycles + MARKER + extra),
        )
        for i, x in enumerate(sim.layers)
    )
    more = len(layers) * (MARKER + extra)
    total = sim.cycles.warm + more
    by_layer = ByLayer(
        counter=counter,  # type: ignore[arg-type]
        marker=MARKER,
        cold=constant(sim.cycles.cold + more, 3),
        warm=constant(total),
        layers=layers,
    )
    fields: dict[str, Any] = {
        "schema_version": 1,
        "id": "kws_nucleo-l4r5zi_board",
        "model": sim.model,
        "board": sim.board,
        "core": sim.core,
        "clock_mhz": sim.clock_mhz,
        "placement": sim.placement,
        "kernels": None if plain else sim.kernels,
        "lowering": None if plain else sim.lowering,
        "compiler": None if plain else sim.compiler,
        "opt": None if plain else sim.opt,
        "port": None if plain else "stm32l4",
        "evidence": Evidence.SIMULATED if emulator else Evidence.MEASURED,
        "warmups": 10,
        "firmware_verified": not plain,
        "output_matches_oracle": True,
        "oracle_note": "4 inferences equal the oracle",
        "by_layer": None if plain else by_layer,
        "loop_us": total / sim.clock_mhz,
        "loop_inferences": 10,
        "latency_us": constant(round(total / sim.clock_mhz)),
        "spread": None,
        "clock": DeviceClock(hz=120_000_000, source="MSI", problem=None, device_per_host=1.0, seconds=9.0),
        "provenance": MeasuredProvenance(
            engine_version="0.1.0",
            model_sha256=sim.provenance.model_sha256,
            elf_sha256=None if plain else sim.provenance.elf_sha256,
            input_sha256="0" * 64,
            board_sha256="1" * 64,
            core_sha256="2" * 64,
            compiler_version=None if plain else "22",
            compiler_flags=(),
            kernels_version=None,
            device="whycycles",
            profile="x",
            emulator=emulator,
        ),
        "simulation": None if plain else sim,
    }
    return MeasuredRecord(**(fields | changes))
