"""One run from end to end: model, firmware, execution, counts, cycles, record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import engine
from engine.catalog.load import board_sha256, core_sha256
from engine.counters.count import count_regions
from engine.counters.decode import Decoder
from engine.errors import CheckFailedError
from engine.firmware.build import build
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Firmware
from engine.models.cost import model_cost
from engine.models.cost_types import ModelCost
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.oracle import Verdict, check_outputs
from engine.models.reader import read_graph
from engine.pipeline.fingerprint import execution_key
from engine.pipeline.settings import ResolvedRun
from engine.records.cause import Evidence
from engine.records.counters import Counters
from engine.records.run import Cycles, Layer, MemoryPart, MemoryUse, PlacementUsed, Provenance, Region, RunRecord
from engine.targets.store import load_execution, save_execution
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from engine.timing.timing import TimedRegion, TimedRun, time_execution

INPUTS = 4
"""Inferences per run whose outputs are compared with the oracle; the first one is profiled."""

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Measured:
    """A finished run with what it was made from."""

    record: RunRecord
    graph: Graph
    cost: ModelCost
    firmware: Firmware


def measure(run: ResolvedRun, progress: Progress = lambda _: None) -> Measured:
    """Build, execute, count and time one run.

    Raises any WhycyclesError: ModelError, DoesNotFitError, BuildError, ExecutionError, and CheckFailedError when the output
    differs from the oracle's (its numbers do not count then).
    """
    s = run.settings
    progress("reading the model")
    graph = read_graph(run.model.path)
    cost = model_cost(graph)
    progress("building the firmware")
    firmware = build(
        graph, model=run.model.name, library=s.kernels, board=run.board, core=run.core, compiler=s.compiler, opt=s.opt,
        lowering=s.lowering,
    )  # fmt: skip
    inputs = make_inputs(graph, count=INPUTS)
    progress("executing")
    execution = _execute(run, firmware, stimulus(firmware, inputs))
    verdict = check_outputs(graph, run.model.path, inputs, execution.outputs)
    if verdict.matches is False:
        raise CheckFailedError(
            f"{run.id}: the firmware's output differs from the oracle's: {verdict.note}",
            hint="this is a bug in a kernel or in the lowering; please report the model",
        )
    progress("timing")
    decoder = Decoder.of(firmware)
    counters = count_regions(firmware, execution, run.board, decoder)
    blocks = {int(start): decoder.block(int(start)) for start in np.unique(execution.profile.dst)}
    timed = time_execution(blocks, execution, firmware, run.board, run.core, run.clock_mhz)
    record = _record(run, graph, cost, firmware, execution, counters, timed, verdict, inputs)
    return Measured(record, graph, cost, firmware)


def _execute(run: ResolvedRun, firmware: Firmware, inputs: tuple[bytes, ...]) -> Execution:
    """Execute, or read what the same ELF did on the same board with the same inputs before."""
    key = execution_key(firmware, run.board, inputs)
    execution = load_execution(key)
    if execution is None:
        execution = UnicornTarget(run.board).run(firmware, inputs)
        save_execution(key, execution)
    return execution


def _record(
    run: ResolvedRun,
    graph: Graph,
    cost: ModelCost,
    firmware: Firmware,
    execution: Execution,
    counters: tuple[Counters, ...],
    timed: TimedRun,
    verdict: Verdict,
    inputs: tuple[bytes, ...],
) -> RunRecord:
    # a layer that is no operator of the model (float conversion) has no cost in it
    costs = {op.index: op for op in cost.operators}
    layers = tuple(
        Layer(
            index=layer.index,
            name=layer.name,
            op=layer.op,
            kernel=layer.kernel,
            library=layer.library.value,
            macs=layer.macs,
            weight_bytes=layer.weight_bytes,
            arithmetic_intensity=round(costs[layer.index].arithmetic_intensity, 4) if layer.index in costs else 0.0,
            output_shape=costs[layer.index].output_shape if layer.index in costs else layer.output_shape,
            **_region(region, count).__dict__,
        )
        for layer, region, count in zip(firmware.layers, timed.regions[:-1], counters[:-1], strict=True)
    )
    glue = _region(timed.regions[-1], counters[-1])
    warm = sum(x.cycles for x in layers) + glue.cycles
    s = run.settings
    return RunRecord(
        schema_version=1,
        id=run.id,
        model=run.model.name,
        board=run.board.name,
        core=run.core.name,
        clock_mhz=run.clock_mhz,
        placement=PlacementUsed(**run.board.placement.model_dump()),
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
        latency_ms=round(warm / run.clock_mhz / 1000, 6),
        instructions=sum(x.counters.instructions for x in layers) + glue.counters.instructions,
        macs=cost.macs,
        memory=_memory(firmware, execution),
        layers=layers,
        glue=glue,
        notes=timed.notes,
        provenance=Provenance(
            engine_version=engine.__version__,
            model_sha256=graph.sha256,
            elf_sha256=firmware.elf_sha256,
            input_sha256=hashlib.sha256(b"".join(inputs)).hexdigest(),
            board_sha256=board_sha256(run.described),
            core_sha256=core_sha256(run.core),
            compiler_version=firmware.compiler.version,
            compiler_flags=firmware.compiler.flags,
            kernels_version=firmware.kernels.version,
            target_version=execution.target_version,
        ),
    )


def _region(timed: TimedRegion, counters: Counters) -> Region:
    return Region(cycles=timed.stack.cycles, cold_cycles=timed.cold.cycles, stack=timed.stack, counters=counters)


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
