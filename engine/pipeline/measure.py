"""One run from end to end: model, firmware, execution, counts, cycles, record."""

from __future__ import annotations

import hashlib

import engine
from engine.catalog.assumptions import in_no_interval
from engine.catalog.left_out import stand_ins
from engine.catalog.load import board_sha256, core_sha256
from engine.catalog.override_notes import override_notes
from engine.counters.count import count_regions
from engine.errors import CheckFailedError
from engine.firmware.types import Firmware
from engine.models.cost_types import ModelCost
from engine.models.oracle import Verdict, check_outputs
from engine.pipeline.override_effects import idle_notes
from engine.pipeline.prepare import Prepared, Progress, prepare
from engine.pipeline.settings import ResolvedRun, overrides_of
from engine.records.cause import Evidence
from engine.records.counters import Counters
from engine.records.run import (
    Cycles,
    Idle,
    Layer,
    MemoryPart,
    MemoryTraffic,
    MemoryUse,
    PlacementUsed,
    Provenance,
    Region,
    RunRecord,
)
from engine.targets.types import Execution
from engine.timing.timing import TimedRegion, TimedRun, time_execution


def measure(run: ResolvedRun, progress: Progress = lambda _: None, *, again: bool = False) -> RunRecord:
    """Build, execute (with ``again`` even if it was before), count and time one run.

    Raises any WhycyclesError: ModelError, DoesNotFitError, BuildError, ExecutionError, and CheckFailedError when the output
    differs from the oracle's (its numbers do not count then).
    """
    return record_of(prepare(run, progress, again=again), progress)


def record_of(made: Prepared, progress: Progress = lambda _: None) -> RunRecord:
    """Count and time an executed run. Raises CheckFailedError when its output differs from the oracle's."""
    run = made.run
    verdict = check_outputs(made.graph, run.model.path, made.inputs, made.execution.outputs)
    if verdict.matches is False:
        raise CheckFailedError(
            f"{run.id}: the firmware's output differs from the oracle's: {verdict.note}",
            hint="this is a bug in a kernel or in the lowering; please report the model",
        )
    progress("timing")
    counters = count_regions(made.firmware, made.execution, run.board, made.decoder)
    timed = time_execution(made.stored)
    stand_in = run.target.note(run.core)
    said = (*stand_ins(run.board), *in_no_interval(run.board, run.core))
    notes = (*idle_notes(made, timed), *([stand_in] if stand_in else []), *said, *timed.notes)
    return _record(made, counters, timed, verdict, notes)


def _record(
    made: Prepared, counters: tuple[Counters, ...], timed: TimedRun, verdict: Verdict, notes: tuple[str, ...]
) -> RunRecord:
    run, graph, cost, firmware, execution = made.run, made.graph, made.cost, made.firmware, made.execution
    layers = tuple(
        layer_of(firmware, cost, n, region_of(n, region, count, execution))
        for n, (region, count) in enumerate(zip(timed.regions[:-1], counters[:-1], strict=True))
    )
    glue = region_of(len(layers), timed.regions[-1], counters[-1], execution)
    warm = sum(x.cycles for x in layers) + glue.cycles
    s = run.settings
    overrides = overrides_of(s)
    return RunRecord(
        schema_version=1,
        id=run.id,
        model=run.model.name,
        board=run.board.name,
        core=run.core.name,
        clock_mhz=run.clock_mhz,
        placement=PlacementUsed(**run.board.placement.model_dump()),
        overrides=tuple(str(o) for o in overrides),
        kernels=s.kernels.value,
        lowering=s.lowering.value,
        compiler=s.compiler.value,
        opt=s.opt,
        target=execution.target,
        evidence=Evidence.SIMULATED,
        output_matches_oracle=verdict.matches,
        oracle_note=verdict.note,
        cycles=Cycles(cold=sum(x.cold_cycles for x in layers) + glue.cold_cycles, warm=warm),
        cycles_interval=timed.interval,
        alternatives_interval=timed.alternatives_interval,
        latency_ms=round(warm / run.clock_mhz / 1000, 6),
        instructions=sum(x.counters.instructions for x in layers) + glue.counters.instructions,
        macs=cost.macs,
        memory=_memory(firmware, execution),
        layers=layers,
        glue=glue,
        notes=override_notes(*run.catalogued, overrides) + notes,
        provenance=Provenance(
            engine_version=engine.__version__,
            model_sha256=graph.sha256,
            elf_sha256=firmware.elf_sha256,
            input_sha256=hashlib.sha256(b"".join(made.inputs)).hexdigest(),
            board_sha256=board_sha256(run.described),
            core_sha256=core_sha256(run.core),
            compiler_version=firmware.compiler.version,
            compiler_flags=firmware.compiler.flags,
            kernels_version=firmware.kernels.version,
            target_version=execution.target_version,
        ),
    )


def layer_of(firmware: Firmware, cost: ModelCost, position: int, region: Region) -> Layer:
    """A layer of the record, from its region; ``position`` as in ``region_of``."""
    layer = firmware.layers[position]
    # a layer that is no operator of the model (float conversion) has no cost in it
    op = next((op for op in cost.operators if op.index == layer.index), None)
    return Layer(
        index=layer.index,
        name=layer.name,
        op=layer.op,
        kernel=layer.kernel,
        library=layer.library.value,
        macs=layer.macs,
        weight_bytes=layer.weight_bytes,
        arithmetic_intensity=round(op.arithmetic_intensity, 4) if op else 0.0,
        output_shape=op.output_shape if op else layer.output_shape,
        **region.__dict__,
    )


def region_of(position: int, timed: TimedRegion, counters: Counters, execution: Execution) -> Region:
    """``position`` in the order of execution: a float conversion comes first or last, but has a high index."""
    stalls = {s.memory: s.cycles for s in timed.stalls}
    cold_stalls = {s.memory: s.cycles for s in timed.cold_stalls}
    return Region(
        cycles=timed.stack.cycles,
        cold_cycles=timed.cold.cycles,
        stack=timed.stack,
        counters=counters,
        memories=tuple(
            MemoryTraffic(
                memory=e.memory,
                read_bytes=e.read_bytes,
                write_bytes=e.write_bytes,
                unaligned_extra_accesses=e.extra_reads + e.extra_writes,
                fetch_lines=e.fetch_lines,
                fetch_misses=e.fetch_misses,
                read_lines=e.read_lines,
                read_misses=e.read_misses,
                write_lines=e.write_lines,
                write_misses=e.write_misses,
                write_backs=e.write_backs,
                stall_cycles=stalls[e.memory],
                cold_stall_cycles=cold_stalls[e.memory],
            )
            for e in execution.warm.events
            if e.region == position
        ),
        idle=_idle(timed),
    )


def _idle(timed: TimedRegion) -> Idle | None:
    found = timed.idle
    return (
        None
        if found is None
        else Idle(cycles=found.cycles, mve_cycles=found.vector_cycles, mve_waits=found.vector_waits)
    )


def _memory(firmware: Firmware, execution: Execution) -> MemoryUse:
    return MemoryUse(
        flash_bytes=firmware.flash_bytes,
        ram_bytes=firmware.ram_bytes,
        arena_bytes=firmware.arena.bytes,
        stack_bytes=firmware.stack_bytes,
        stack_high_water_bytes=execution.stack_high_water_bytes,
        parts=tuple(
            MemoryPart(name=x.name, kind=x.kind, memory=x.memory, address=x.address, bytes=x.bytes)
            for x in firmware.sections
        ),
    )
