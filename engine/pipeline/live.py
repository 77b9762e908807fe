"""A run's layers while it runs: each as soon as nothing can change its numbers any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.counters.count import count_regions
from engine.explain.explain import explain_layer
from engine.explain.types import LayerExplanation
from engine.pipeline.measure import layer_of, region_of
from engine.pipeline.prepare import Built, Follower
from engine.pipeline.settings import ResolvedRun
from engine.records.run import Layer, RunRecord
from engine.targets.types import (
    Counted,
    Event,
    Execution,
    Follow,
    MemoryProfile,
    Moved,
    Profile,
    Settled,
    Watching,
)
from engine.timing.stored import StoredRun
from engine.timing.timing import time_regions, times_apart


@dataclass(frozen=True)
class LiveStep:
    """Where a run is that has no cycles to show yet: inference ``inference`` of its memory run left ``passed`` of ``layers`` behind.

    ``moved_bytes``: data read and written by those layers (of the first inference; 0 in the others, which are not followed).
    """

    inference: int
    passed: int
    layers: int
    moved_bytes: int


@dataclass(frozen=True)
class LiveLayer:
    """A finished layer as the record will have it, and why it takes its cycles; ``position`` of ``layers`` in the order of execution."""

    position: int
    layers: int
    layer: Layer
    explained: LayerExplanation


Tell = Callable[[LiveStep | LiveLayer], None]
"""Called from the thread that follows the execution."""


def live_layers(tell: Tell) -> Follower:
    """What ``prepare`` and ``make`` need so that ``tell`` hears of every layer once, in order."""

    def follower(built: Built) -> Follow:
        return _Live(built, tell).hear

    return follower


def kept_layers(record: RunRecord, run: ResolvedRun) -> tuple[LiveLayer, ...]:
    """The same of a run that is kept."""
    return tuple(
        LiveLayer(n, len(record.layers), x, explain_layer(x, None, record.clock_mhz, run.board, None))
        for n, x in enumerate(record.layers)
    )


class _Live:
    """Puts together what the memory run and the counting run say of a region."""

    def __init__(self, built: Built, tell: Tell) -> None:
        self._built, self._tell = built, tell
        self._layers = len(built.firmware.layers)
        self._apart = times_apart(built.run.core)
        self._inference = self._moved_bytes = 0
        self._settled: Settled | None = None
        self._waiting: list[Counted] = []
        self._told = 0

    def hear(self, event: Event) -> None:
        """One event of the execution."""
        match event:
            case Watching(inference):
                self._inference, self._moved_bytes = inference, 0
                self._step(0)
            case Moved(region, read, written) if region < self._layers:
                self._moved_bytes += read + written
                self._step(region + 1)
            case Settled():
                self._settled, self._waiting = event, []
            case Counted(region):
                self._waiting.append(event)
                if self._apart or region == self._layers:
                    self._finish()

    def _step(self, passed: int) -> None:
        if not self._told:  # a target that begins again has nothing new to say
            self._tell(LiveStep(self._inference, passed, self._layers, self._moved_bytes))

    def _finish(self) -> None:
        """Tell of the layers that wait, timed together."""
        built, run = self._built, self._built.run
        regions = [c.region for c in self._waiting]
        execution = self._part()
        self._waiting = []
        if all(region < self._told or region == self._layers for region in regions):
            return
        blocks = built.decoder.blocks(execution.profile)
        counters = count_regions(built.firmware, execution, run.board, built.decoder)
        timed = time_regions(StoredRun(blocks, execution, built.firmware, run.board, run.core, run.clock_mhz))
        for n in regions:
            if self._told <= n < self._layers:
                layer = layer_of(built.firmware, built.cost, n, region_of(n, timed[n], counters[n], execution))
                explained = explain_layer(layer, None, run.clock_mhz, run.board, None)
                self._told = n + 1
                self._tell(LiveLayer(n, self._layers, layer, explained))

    def _part(self) -> Execution:
        """The execution as far as its waiting regions go."""
        assert self._settled is not None
        regions = {c.region for c in self._waiting}
        return Execution(
            target=self._built.run.target.name,
            target_version="",
            profile=_joined([c.profile for c in self._waiting]),
            cold=_of(self._settled.cold, regions),
            warm=_of(self._settled.warm, regions),
            outputs=(),
            stack_high_water_bytes=max(self._settled.stack_by_region_bytes),
            stack_by_region_bytes=self._settled.stack_by_region_bytes,
        )


def _joined(profiles: Sequence[Profile]) -> Profile:
    """Profiles of one region each, in the order of their regions."""
    return Profile(
        np.concatenate([p.region for p in profiles]),
        np.concatenate([p.src for p in profiles]),
        np.concatenate([p.dst for p in profiles]),
        np.concatenate([p.count for p in profiles]),
    )


def _of(memory: MemoryProfile, regions: set[int]) -> MemoryProfile:
    return MemoryProfile(tuple(e for e in memory.events if e.region in regions))
