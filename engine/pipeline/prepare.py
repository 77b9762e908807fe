"""A run up to its execution: model, firmware, inputs, exact control flow, decoded code. Timing needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from engine.catalog.board import Board
from engine.catalog.core import Core
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
from engine.targets.choose import TargetChoice
from engine.targets.replay import Move, replay
from engine.targets.store import load_execution, load_trace, save_execution
from engine.targets.types import Execution, Follow, Relink
from engine.timing.stored import StoredRun

INPUTS = 4
"""Inferences per run whose outputs are compared with the oracle; the first one is profiled."""

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Built:
    """A run before its execution."""

    run: ResolvedRun
    cost: ModelCost
    firmware: Firmware
    decoder: Decoder


Follower = Callable[[Built], Follow]
"""Makes what is told of the execution while it runs."""


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

    @property
    def stored(self) -> StoredRun:
        """What is timed: on the board, the core and the clock of the run."""
        run = self.run
        return StoredRun(self.blocks, self.execution, self.firmware, run.board, run.core, run.clock_mhz)


def prepare(
    run: ResolvedRun,
    progress: Progress = lambda _: None,
    *,
    port: str = "bare",
    again: bool = False,
    follower: Follower | None = None,
    like: ResolvedRun | None = None,
) -> Prepared:
    """Read, build, execute and decode; what was built or executed before is not done again.

    With ``again``, or to be followed, it is executed anyway.

    With the ``port`` of a board, the firmware is the one that is flashed. With ``like``, the same run on other figures of the board, that run's
    stored trace will do instead of an execution; what is made so is not stored.

    Raises ModelError, DoesNotFitError, ToolError, BuildError or ExecutionError.
    """
    s = run.settings
    progress("reading the model")
    graph = read_graph(run.model.path)
    progress("building the firmware")

    def link(memory_map: Board | None = None) -> Firmware:
        return build(
            graph, model=run.model.name, library=s.kernels, board=run.board, core=run.core, compiler=s.compiler, opt=s.opt,
            lowering=s.lowering, port=port, clock_mhz=run.clock_mhz, memory_map=memory_map,
        )  # fmt: skip

    firmware = link()
    inputs = make_inputs(graph, count=INPUTS)
    cost, decoder = model_cost(graph), Decoder.of(firmware)
    progress("executing")
    follow = follower(Built(run, cost, firmware, decoder)) if follower else None
    given = stimulus(firmware, inputs)
    execution = _like(like, run, firmware, decoder, given) if like else None
    if execution is None:
        execution = execute(run.target, run.board, run.core, firmware, link, given, follow, again)
    return Prepared(run, graph, cost, firmware, inputs, execution, decoder, decoder.blocks(execution.profile))


def _like(
    like: ResolvedRun, run: ResolvedRun, firmware: Firmware, decoder: Decoder, inputs: tuple[bytes, ...]
) -> Execution | None:
    """What the stored trace of another run gives on this run's board; None if it is not of the same ELF or not needed."""
    if load_execution(execution_key(run.target, firmware, run.board, inputs)) is not None:
        return None
    key = execution_key(like.target, firmware, like.board, inputs)
    stored, trace = load_execution(key), load_trace(key)
    if stored is None or trace is None:
        return None
    stays = [Move(m.origin, m.end, 0) for m in run.board.memories]
    events = replay(trace, firmware, decoder.image, run.board, run.core, stays)
    return replace(stored, cold=events.cold, warm=events.warm, alternatives=events.alternatives, trace=trace)


def execute(
    target: TargetChoice,
    board: Board,
    core: Core,
    firmware: Firmware,
    relink: Relink,
    inputs: tuple[bytes, ...],
    follow: Follow | None = None,
    again: bool = False,
) -> Execution:
    """Execute, or read what the same ELF did on the same target and board with the same inputs before.

    With ``again``, or to be followed, it is executed anyway.

    Raises ExecutionError, and ToolError if the target is not installed.
    """
    key = execution_key(target, firmware, board, inputs)
    execution = None if follow or again else load_execution(key)
    if execution is None:
        execution = target.make(board, core, relink).run(firmware, inputs, follow)
        save_execution(key, execution)
    return execution
