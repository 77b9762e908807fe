"""A run asked again without executing it again: mechanisms, clocks, figures at their ends, hot blocks, and llvm-mca on them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from engine.catalog.assumptions import assumptions
from engine.explain.block_costs import RunProfile, profile_of
from engine.explain.hotspots import LayerHotspots, hottest
from engine.explain.second_opinion import SecondOpinion, second_opinion
from engine.pipeline.prepare import Prepared
from engine.pipeline.settings import overrides_of
from engine.timing.counterfactual import what_if_of
from engine.timing.retime import Retiming
from engine.timing.sensitivity import Sensitivity, sensitivity
from engine.timing.shapley import split_gap
from engine.timing.sweep import sweep_of


class Answer(BaseModel):
    """Base of what is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gain(Answer):
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


class ClockPoint(Answer):
    """The run at another clock of the board's ladder; ``step`` says whether the higher clock bought anything."""

    clock_mhz: float
    wait_states: int
    cycles: int
    latency_ms: float
    latency_ms_interval: tuple[float, float]
    step: str


class AssumptionEffect(Answer):
    """One uncertain figure of board or core, and the cycles that the run takes more with it alone at an end of its interval.

    ``value``, ``low`` and ``high`` are in the unit of ``key`` (see ``engine.catalog``), null for a rule of the model. The shares
    are of the run's cycles. ``reason``: why the figure is believed, or the source that leaves it a range.
    """

    key: str
    value: float | int | None
    low: float | int | None
    high: float | int | None
    low_effect_cycles: int
    high_effect_cycles: int
    low_effect_share: float
    high_effect_share: float
    reason: str


class WhatIfAnswer(Answer):
    """Gains by mechanism, all of the ideal machine's together, the clock sweep, and what the result rests on.

    Gains overlap; the shares add up. ``overrides``: figures set for the run. ``assumptions``: by effect, the largest first;
    ``unvaried_assumptions``: keys of inferred things that have no interval to vary, like a cache's geometry.
    """

    id: str
    overrides: tuple[str, ...]
    cycles: int
    latency_ms: float
    gains: tuple[Gain, ...]
    ideal_cycles: int
    clocks: tuple[ClockPoint, ...]
    assumptions: tuple[AssumptionEffect, ...]
    unvaried_assumptions: tuple[str, ...]


def what_if(made: Prepared) -> WhatIfAnswer:
    """Re-time an executed run under every mechanism, at every clock step, and with every uncertain figure at its ends."""
    run = made.run
    retiming = Retiming(made.blocks, made.execution, made.firmware, run.board, run.core, run.clock_mhz)
    found = what_if_of(retiming)
    shares = {s.mechanism: s.cycles for s in split_gap(retiming).run.shares}
    gains = []
    for alone in found.alone:
        (mechanism,) = alone.mechanisms
        gains.append(
            Gain(
                mechanism=mechanism.value,
                label=mechanism.label,
                meaning=mechanism.meaning,
                cycles=alone.run.cycles,
                latency_ms=alone.run.latency_ms,
                gain_cycles=alone.run.gain_cycles,
                gain_cycles_interval=alone.run.gain_cycles_interval,
                gain_ms=alone.run.gain_ms,
                gain_ms_interval=alone.run.gain_ms_interval,
                share_cycles=shares.get(mechanism),
            )
        )
    rests_on = sensitivity(made.blocks, made.execution, made.firmware, run.board, run.core, run.clock_mhz)
    return WhatIfAnswer(
        id=run.id,
        overrides=tuple(map(str, overrides_of(run.settings))),
        cycles=found.real.run.cycles,
        latency_ms=found.real.run.latency_ms,
        gains=tuple(sorted(gains, key=lambda g: -g.gain_ms)),
        ideal_cycles=found.together.run.cycles,
        clocks=tuple(
            ClockPoint(
                clock_mhz=p.clock_mhz,
                wait_states=p.wait_states,
                cycles=p.cycles,
                latency_ms=p.latency_ms,
                latency_ms_interval=p.latency_ms_interval,
                step=p.step.value,
            )
            for p in sweep_of(retiming)
        ),
        assumptions=tuple(_assumption(s, rests_on.cycles) for s in rests_on.figures),
        unvaried_assumptions=tuple(a.key for a in assumptions(run.board, run.core) if a.value is None),
    )


def _assumption(found: Sensitivity, cycles: int) -> AssumptionEffect:
    a = found.assumption
    return AssumptionEffect(
        key=a.key,
        value=a.value,
        low=a.low,
        high=a.high,
        low_effect_cycles=found.low_effect_cycles,
        high_effect_cycles=found.high_effect_cycles,
        low_effect_share=found.low_effect_cycles / cycles if cycles else 0.0,
        high_effect_share=found.high_effect_cycles / cycles if cycles else 0.0,
        reason=a.reason,
    )


def hot_spots(made: Prepared, per_layer: int) -> tuple[LayerHotspots, ...]:
    """The hottest basic blocks of every layer, with disassembly and cycles by cause."""
    return hottest(_profile(made), per_layer)


def ask_llvm(made: Prepared, count: int = 10) -> SecondOpinion:
    """The hottest basic blocks of the whole run with llvm-mca's cycles beside ours."""
    return second_opinion(_profile(made), made.run.id, made.run.core.name, count)


def _profile(made: Prepared) -> RunProfile:
    run = made.run
    return profile_of(
        made.blocks, made.execution, made.firmware, run.board, run.core, run.clock_mhz, made.decoder.image
    )
