"""What is known about a run beyond its record: gains if a mechanism were ideal, other clocks, hottest blocks, stacks of frames.

It follows from the stored execution and can be made again from it at any time; it is kept because the website needs all of it.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

from pydantic import ConfigDict, Field

from engine.catalog.core import Core
from engine.explain.block_costs import RunProfile
from engine.explain.flame import Frame, Sample, samples
from engine.explain.hotspots import HotInstruction, LayerHotspots, hottest
from engine.explain.types import Part
from engine.timing.counterfactual import Counterfactual, Outcome, WhatIf, what_if_of
from engine.timing.mechanism import Mechanism
from engine.timing.retime import Retiming
from engine.timing.sensitivity import Sensitivities, Sensitivity
from engine.timing.shapley import Gap, split_gap
from engine.timing.sweep import Step, SweepPoint, sweep_of

BLOCKS_PER_LAYER = 3
"""Hottest blocks kept per layer."""


class Gain(Part):
    """What one mechanism, idealised alone, would bring in a region or in the run: real minus ideal, warm.

    The intervals hold the gains with all figures at their values, their low and their high ends. ``share_cycles`` is the
    mechanism's Shapley share of the gap to the ideal machine; null for a mechanism that is no part of that machine.
    """

    mechanism: Mechanism
    cycles: int = Field(description="cycles that are left with it ideal")
    latency_ms: float = Field(description="the time of these cycles")
    gain_cycles: int | None = Field(description="null at another clock: cycles of two clocks do not compare, times do")
    gain_cycles_interval: tuple[int, int] | None
    gain_ms: float
    gain_ms_interval: tuple[float, float]
    share_cycles: int | None
    share_cycles_interval: tuple[int, int] | None


class Gains(Part):
    """A region, or the run (named like its model): every mechanism alone, in the enum's order, and the ideal machine.

    ``cycles - ideal_cycles`` is the gap; the shares in ``gains`` sum to it exactly, the gains do not.
    """

    name: str
    cycles: int
    ideal_cycles: int
    gains: tuple[Gain, ...]

    @property
    def gap_cycles(self) -> int:
        """What the ideal machine would save."""
        return self.cycles - self.ideal_cycles

    @property
    def best(self) -> Gain | None:
        """The single mechanism with the largest gain in cycles at this clock; None where none gains anything."""
        found = max(self.gains, key=lambda g: g.gain_cycles or 0)
        return found if found.gain_cycles else None


class ClockPoint(Part):
    """The run at another clock of the board's ladder, warm; see ``engine.timing.sweep.SweepPoint``.

    ``saving`` is the share of latency saved against the fastest lower clock, ``step`` what that means.
    """

    clock_mhz: float
    wait_states: int = Field(description="in bus cycles")
    bus_ratio: int = Field(description="core cycles per bus cycle")
    cycles: int
    latency_ms: float
    latency_ms_interval: tuple[float, float]
    saving: float
    step: Step


class AssumptionEffect(Part):
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

    @property
    def matters(self) -> bool:
        """Does it move the run by more than a two-thousandth either way?"""
        return max(abs(self.low_effect_share), abs(self.high_effect_share)) >= 0.0005


class AlternativeEffect(Part):
    """One other design that the board may have, as no source says which it has, and the cycles that the run takes more on it.

    ``key``: as `--set` takes it. ``described`` and ``alternative``: what the board's description says there, and what it is instead.
    ``reason``: why that is plausible.
    """

    key: str
    described: str
    alternative: str
    effect_cycles: int
    effect_share: float
    reason: str

    @property
    def matters(self) -> bool:
        """Does it move the run by more than a two-thousandth?"""
        return abs(self.effect_share) >= 0.0005


class LeftOutEffect(Part):
    """A figure that the board leaves out and that is taken as no cycle; what one cycle of it would add to the run.

    That says how much it matters, not what it is, and is in no interval. ``key``: as `--set` takes it. ``taken``: what is taken instead.
    """

    key: str
    taken: str
    effect_cycles: int
    effect_share: float


class PlacementEffect(Part):
    """The run with one part of its image in another memory, estimated from the trace of an inference; nothing was linked.

    ``part`` and ``memory``: as `--place` takes them. ``effect_cycles``: warm cycles more than as it is (negative: fewer). ``effect_share``: the same as a
    share of the run, and ``effect_shares`` with all inferred figures at their low and at their high ends.
    """

    part: str
    memory: str
    effect_cycles: int
    effect_share: float
    effect_shares: tuple[float, float]


class BlockCode(Part):
    """The instructions of a hot block; layers that share a kernel share it."""

    address: int
    disassembly: tuple[HotInstruction, ...]


class StackRow(Part):
    """One stack of frames: indices into ``Analysis.frames``, outermost first, and the cycles of the innermost."""

    frames: tuple[int, ...]
    cycles: int


class Analysis(Part):
    """All of it for one run. ``key`` says what it was made from: an analysis with another key is out of date."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    id: str = Field(description="of the run")
    key: str
    clock_mhz: float
    run: Gains
    regions: tuple[Gains, ...] = Field(description="layers in order, the glue last")
    clocks: tuple[ClockPoint, ...]
    assumptions: tuple[AssumptionEffect, ...] = Field(
        default=(), description="uncertain figures that matter, the largest effect first"
    )
    alternatives: tuple[AlternativeEffect, ...] = Field(
        default=(), description="other designs that the board may have, the largest effect first"
    )
    left_out: tuple[LeftOutEffect, ...] = Field(
        default=(),
        description="figures that the board leaves out and that the run would wait for, the largest effect first",
    )
    placements: tuple[PlacementEffect, ...] = Field(
        default=(), description="other placements worth asking about, where the trace could answer"
    )
    hot: tuple[LayerHotspots, ...] = Field(description="like `regions`; the instructions are in `code`")
    code: tuple[BlockCode, ...]
    frames: tuple[Frame, ...]
    stacks: tuple[StackRow, ...] = Field(description="their cycles sum to the run's")

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The stacks as ``engine.explain.flame`` reads them."""
        return tuple(Sample(tuple(self.frames[i] for i in row.frames), row.cycles) for row in self.stacks)

    def code_of(self, address: int) -> tuple[HotInstruction, ...]:
        """Instructions of a hot block."""
        return next(c.disassembly for c in self.code if c.address == address)


def analyse(run_id: str, key: str, retiming: Retiming, profile: RunProfile, rests_on: Sensitivities) -> Analysis:
    """Ask everything of an executed run; all arguments are of the same run at the same clock."""
    names = tuple(region.name for region in profile.regions)
    run, regions = gains_of(retiming, profile.model, names)
    hot = hottest(profile, BLOCKS_PER_LAYER)
    code = {block.address: block.disassembly for layer in hot for block in layer.blocks}
    frames: dict[Frame, int] = {}
    stacks = tuple(
        StackRow(frames=tuple(frames.setdefault(f, len(frames)) for f in s.frames), cycles=s.cycles)
        for s in samples(profile)
    )
    return Analysis(
        id=run_id,
        key=key,
        clock_mhz=retiming.run.clock_mhz,
        run=run,
        regions=regions,
        clocks=clock_points(sweep_of(retiming)),
        assumptions=tuple(a for a in assumption_effects(rests_on) if a.matters),
        alternatives=alternative_effects(rests_on),
        left_out=left_out_effects(rests_on, retiming.run.core),
        hot=tuple(_without_code(layer) for layer in hot),
        code=tuple(BlockCode(address=a, disassembly=d) for a, d in sorted(code.items())),
        frames=tuple(frames),
        stacks=stacks,
    )


def assumption_effects(found: Sensitivities) -> tuple[AssumptionEffect, ...]:
    """What a run rests on, the largest effect first."""
    return tuple(_assumption(s, found.cycles) for s in found.figures)


def alternative_effects(found: Sensitivities) -> tuple[AlternativeEffect, ...]:
    """What the other designs of the board would do to a run, the largest effect first."""
    return tuple(
        AlternativeEffect(
            key=t.alternative.key,
            described=t.alternative.described,
            alternative=t.alternative.value,
            effect_cycles=t.effect_cycles,
            effect_share=t.effect_cycles / found.cycles if found.cycles else 0.0,
            reason=t.alternative.why,
        )
        for t in found.alternatives
    )


_IN_PARTS = "; the effect is an upper bound: QEMU moves a Helium vector in parts, and each waits here"


def left_out_effects(found: Sensitivities, core: Core) -> tuple[LeftOutEffect, ...]:
    """What one cycle of each figure that is left out would add, where the run would wait for it; the largest first."""
    return tuple(
        LeftOutEffect(
            key=x.left_out.key,
            taken=x.left_out.what + (_IN_PARTS if core.mve else ""),
            effect_cycles=x.effect_cycles,
            effect_share=x.effect_cycles / found.cycles if found.cycles else 0.0,
        )
        for x in found.left_out
        if x.effect_cycles
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


def gains_of(retiming: Retiming, run_name: str, names: Sequence[str]) -> tuple[Gains, tuple[Gains, ...]]:
    """The run and its regions (``names``: layers in order, the glue last) with every mechanism ideal alone, and all together."""
    asked, gap = what_if_of(retiming), split_gap(retiming)

    def region(index: int, name: str, split: Gap) -> Gains:
        return _gains(name, asked, lambda c: c.regions[index], split)

    regions = tuple(region(i, name, split) for i, (name, split) in enumerate(zip(names, gap.regions, strict=True)))
    return _gains(run_name, asked, lambda c: c.run, gap.run), regions


def clock_points(points: Sequence[SweepPoint]) -> tuple[ClockPoint, ...]:
    """A clock sweep as it is kept."""
    return tuple(
        ClockPoint(
            clock_mhz=p.clock_mhz,
            wait_states=p.wait_states,
            bus_ratio=p.bus_ratio,
            cycles=p.cycles,
            latency_ms=p.latency_ms,
            latency_ms_interval=p.latency_ms_interval,
            saving=p.saving,
            step=p.step,
        )
        for p in points
    )


def _gains(name: str, asked: WhatIf, pick: Callable[[Counterfactual], Outcome], gap: Gap) -> Gains:
    shares = {s.mechanism: s for s in gap.shares}
    gains = []
    for counterfactual in asked.alone:
        (mechanism,) = counterfactual.mechanisms
        outcome, share = pick(counterfactual), shares.get(mechanism)
        gains.append(
            Gain(
                mechanism=mechanism,
                cycles=outcome.cycles,
                latency_ms=outcome.latency_ms,
                gain_cycles=outcome.gain_cycles,
                gain_cycles_interval=outcome.gain_cycles_interval,
                gain_ms=outcome.gain_ms,
                gain_ms_interval=outcome.gain_ms_interval,
                share_cycles=share.cycles if share else None,
                share_cycles_interval=share.interval if share else None,
            )
        )
    return Gains(
        name=name, cycles=pick(asked.real).cycles, ideal_cycles=pick(asked.together).cycles, gains=tuple(gains)
    )


def _without_code(layer: LayerHotspots) -> LayerHotspots:
    return layer.model_copy(update={"blocks": tuple(b.model_copy(update={"disassembly": ()}) for b in layer.blocks)})
