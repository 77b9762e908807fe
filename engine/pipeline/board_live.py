"""A measurement on a board while it goes on: what the simulation of the same ELF says of each layer, then the cycles of the blocks so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.pipeline.live import LiveLayer, kept_layers
from engine.pipeline.settings import ResolvedRun
from engine.records.measured import percentiles
from engine.records.run import RunRecord
from engine.targets.board.answers import LayerRuns


@dataclass(frozen=True)
class SimulatedLayers:
    """Every layer as simulated, with its class and advice, in the order of execution; ``whole``: cycles of a warm inference."""

    layers: tuple[LiveLayer, ...]
    whole: int


@dataclass(frozen=True)
class MeasuredSoFar:
    """Ticks of ``counter`` (p50 over ``done`` of ``of`` warm inferences) per layer, in the order of execution, and of the whole.

    ``marker`` ticks are in every layer, and are no part of its work.
    """

    done: int
    of: int
    counter: Literal["cycles", "us"]
    marker: int
    whole: int
    layers: tuple[int, ...]


Tell = Callable[[SimulatedLayers | MeasuredSoFar], None]


def simulated_layers(record: RunRecord, run: ResolvedRun) -> SimulatedLayers:
    """What a simulation says of its layers."""
    return SimulatedLayers(kept_layers(record, run), record.cycles.warm)


def so_far(runs: LayerRuns, of: int) -> MeasuredSoFar:
    """What the record would say if the measurement ended now."""
    return MeasuredSoFar(
        done=len(runs.runs),
        of=of,
        counter="cycles" if runs.counter == "cycles" else "us",
        marker=runs.marker,
        whole=percentiles([r.total for r in runs.runs]).p50,
        layers=tuple(percentiles([r.layers[i] for r in runs.runs]).p50 for i in range(len(runs.names))),
    )
