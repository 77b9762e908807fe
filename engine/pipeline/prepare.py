"""A run up to its execution: model, firmware, inputs, exact control flow, decoded code. Timing needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.catalog.board import Board
from engine.counters.decode import Decoder
from engine.counters.types import Block
from engine.firmware.build import build
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Firmware
from engine.models.cost import model_cost
from engine.models.cost_types import ModelCost
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.reader import read_graph
from engine.pipeline.fingerprint import execution_key
from engine.pipeline.settings import ResolvedRun
from engine.targets.store import load_execution, save_execution
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget

INPUTS = 4
"""Inferences per run whose outputs are compared with the oracle; the first one is profiled."""

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """An executed run. ``blocks`` holds the decoded block of every start address in the profile."""

    run: ResolvedRun
    graph: Graph
    cost: ModelCost
    firmware: Firmware
    inputs: tuple[bytes, ...]
    execution: Execution
    decoder: Decoder
    blocks: Mapping[int, Block]


def prepare(run: ResolvedRun, progress: Progress = lambda _: None, *, port: str = "bare") -> Prepared:
    """Read, build, execute and decode; what was built or executed before is not done again.

    With the ``port`` of a board, the firmware is the one that is flashed.

    Raises ModelError, DoesNotFitError, ToolError, BuildError or ExecutionError.
    """
    s = run.settings
    progress("reading the model")
    graph = read_graph(run.model.path)
    progress("building the firmware")
    firmware = build(
        graph, model=run.model.name, library=s.kernels, board=run.board, core=run.core, compiler=s.compiler, opt=s.opt,
        lowering=s.lowering, port=port, clock_mhz=run.clock_mhz,
    )  # fmt: skip
    inputs = make_inputs(graph, count=INPUTS)
    progress("executing")
    execution = execute(run.board, firmware, stimulus(firmware, inputs))
    decoder = Decoder.of(firmware)
    blocks = {int(start): decoder.block(int(start)) for start in np.unique(execution.profile.dst)}
    return Prepared(run, graph, model_cost(graph), firmware, inputs, execution, decoder, blocks)


def execute(board: Board, firmware: Firmware, inputs: tuple[bytes, ...]) -> Execution:
    """Execute, or read what the same ELF did on the same board with the same inputs before. Raises ExecutionError."""
    key = execution_key(firmware, board, inputs)
    execution = load_execution(key)
    if execution is None:
        execution = UnicornTarget(board).run(firmware, inputs)
        save_execution(key, execution)
    return execution
