"""A run asked again without executing it again, as the command line answers: gains, clocks, the hottest blocks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from engine.explain.analysis import ClockPoint, clock_points, gains_of
from engine.explain.block_costs import RunProfile, profile_of
from engine.explain.hotspots import LayerHotspots, hottest
from engine.firmware.types import GLUE
from engine.pipeline.prepare import Prepared
from engine.timing.retime import Retiming
from engine.timing.sweep import sweep_of


class Answer(BaseModel):
    """Base of what is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelledGain(Answer):
    """What one mechanism, idealised alone, would bring, and its Shapley share of the gap to the ideal machine.

    ``share_cycles`` is null for a mechanism that is no part of the ideal machine.
    """

    mechanism: str
    label: str
    meaning: str
    cycles: int
    latency_ms: float
    gain_cycles: int
    gain_cycles_interval: tuple[int, int]
    gain_ms: float
    gain_ms_interval: tuple[float, float]
    share_cycles: int | None


class WhatIfAnswer(Answer):
    """Gains by mechanism, all of the ideal machine's together, and the clock sweep. Gains overlap; the shares add up."""

    id: str
    cycles: int
    latency_ms: float
    gains: tuple[LabelledGain, ...]
    ideal_cycles: int
    clocks: tuple[ClockPoint, ...]


def retiming_of(made: Prepared) -> Retiming:
    """An executed run, ready to be timed in other ways."""
    run = made.run
    return Retiming(made.blocks, made.execution, made.firmware, run.board, run.core, run.clock_mhz)


def block_profile(made: Prepared) -> RunProfile:
    """An executed run block by block."""
    run = made.run
    return profile_of(
        made.blocks, made.execution, made.firmware, run.board, run.core, run.clock_mhz, made.decoder.image
    )


def what_if(made: Prepared) -> WhatIfAnswer:
    """Re-time an executed run under every mechanism and every clock step."""
    retiming = retiming_of(made)
    names = [*(layer.name for layer in made.firmware.layers), GLUE]
    run, _ = gains_of(retiming, made.run.model.name, names)
    gains = [
        LabelledGain(
            label=g.mechanism.label, meaning=g.mechanism.meaning, **g.model_dump(exclude={"share_cycles_interval"})
        )
        for g in run.gains
    ]
    return WhatIfAnswer(
        id=made.run.id,
        cycles=run.cycles,
        latency_ms=run.cycles / made.run.clock_mhz / 1000,
        gains=tuple(sorted(gains, key=lambda g: -g.gain_ms)),
        ideal_cycles=run.ideal_cycles,
        clocks=clock_points(sweep_of(retiming)),
    )


def hot_spots(made: Prepared, per_layer: int) -> tuple[LayerHotspots, ...]:
    """The hottest basic blocks of every layer, with disassembly and cycles by cause."""
    return hottest(block_profile(made), per_layer)
