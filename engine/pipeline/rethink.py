"""A run asked again without executing it again: mechanisms, clocks, figures at their ends, hot blocks, and llvm-mca on them."""

from __future__ import annotations

from collections.abc import Sequence, Set

from pydantic import BaseModel, ConfigDict

from engine.catalog.assumptions import assumptions
from engine.energy.power import Operation, Power, power_of
from engine.energy.published import published_power
from engine.errors import UsageError
from engine.explain.analysis import (
    AlternativeEffect,
    AssumptionEffect,
    ClockPoint,
    LeftOutEffect,
    alternative_effects,
    assumption_effects,
    clock_points,
    gains_of,
    left_out_effects,
)
from engine.explain.block_costs import RunProfile, profile_of
from engine.explain.hotspots import LayerHotspots, hottest
from engine.explain.second_opinion import SecondOpinion, second_opinion
from engine.firmware.types import GLUE
from engine.pipeline.override_effects import idle_notes
from engine.pipeline.placed import placed
from engine.pipeline.prepare import Prepared
from engine.pipeline.settings import ResolvedRun, overrides_of
from engine.records.run_energy import NoEnergy
from engine.timing.counterfactual import Counterfactual, counterfactual
from engine.timing.mechanism import Mechanism
from engine.timing.retime import REAL, Retiming
from engine.timing.sensitivity import sensitivity
from engine.timing.sweep import sweep_of
from engine.timing.table import End


class Answer(BaseModel):
    """Base of what is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelledGain(Answer):
    """What one mechanism, idealised alone, would bring, and its Shapley share of the gap to the ideal machine.

    ``share_cycles`` is null for a mechanism that is no part of the ideal machine; ``gain_cycles`` at another clock, as cycles of two
    clocks do not compare: ``gain_ms`` says it for all.
    """

    mechanism: str
    label: str
    meaning: str
    cycles: int
    latency_ms: float
    gain_cycles: int | None
    gain_cycles_interval: tuple[int, int] | None
    gain_ms: float
    gain_ms_interval: tuple[float, float]
    share_cycles: int | None
    gain_uj: float | None = None


class CombinedGain(Answer):
    """What several mechanisms, idealised at once, would bring; ``cycles`` at another clock if that is one of them."""

    mechanisms: tuple[str, ...]
    label: str
    cycles: int
    latency_ms: float
    gain_ms: float
    gain_ms_interval: tuple[float, float]


class Unvaried(Answer):
    """Something inferred that is not varied: ``key``, and in ``reason`` why not."""

    key: str
    reason: str


class PlacementEstimate(Answer):
    """Says that the answer is of another placement than was linked, from the stored profile, and what it is compared with.

    ``command`` links and runs it. ``from_*`` and the changes (-0.1: a tenth less) are against the same run where it was linked.
    """

    note: str
    command: str
    from_id: str
    from_cycles: int
    cycles_change: float
    from_energy_uj: float | None
    energy_change: float | None


class WhatIfAnswer(Answer):
    """Gains by mechanism, all of the ideal machine's together, the combinations asked for, the clock sweep, and what the result rests on.

    Energies are cycles at one energy each, whatever the clock; null where the board has no power source (``energy_note``).
    Gains overlap; the shares add up. ``overrides``: figures set for the run; ``notes``: which of them make no difference to it. ``assumptions``: by effect, the largest first;
    ``alternatives``: other designs that the board may have, likewise; ``left_out``: figures that the board leaves out, with what one cycle of each
    would add. ``unvaried_assumptions``: what is inferred and not varied, with the reason. ``estimate``: null unless
    the answer is of a placement that was not linked.
    """

    id: str
    overrides: tuple[str, ...]
    notes: tuple[str, ...]
    estimate: PlacementEstimate | None = None
    cycles: int
    latency_ms: float
    energy_uj: float | None
    energy_note: str
    gains: tuple[LabelledGain, ...]
    ideal_cycles: int
    combined: tuple[CombinedGain, ...]
    clocks: tuple[ClockPoint, ...]
    assumptions: tuple[AssumptionEffect, ...]
    alternatives: tuple[AlternativeEffect, ...]
    left_out: tuple[LeftOutEffect, ...]
    unvaried_assumptions: tuple[Unvaried, ...]


def retiming_of(made: Prepared) -> Retiming:
    """An executed run, ready to be timed in other ways."""
    return Retiming(made.stored)


def block_profile(made: Prepared) -> RunProfile:
    """An executed run block by block."""
    return profile_of(made.stored, made.decoder.image)


def parse_ideal(text: str) -> frozenset[Mechanism]:
    """``zero_wait_flash,no_branch_refill`` as mechanisms. Raises UsageError."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in set(Mechanism)]
    if unknown:
        raise UsageError(f"no mechanism '{unknown[0]}'", hint=f"one or more of {', '.join(Mechanism)}, with commas")
    return frozenset(map(Mechanism, names))


def what_if_placed(made: Prepared, wanted: ResolvedRun, combinations: Sequence[Set[Mechanism]] = ()) -> WhatIfAnswer:
    """The same of an executed run in another placement, re-timed from its stored trace (see ``placed``)."""
    estimate = placed(made, wanted)
    answer = what_if(estimate.made, combinations)
    cycles, energy = sum(retiming_of(made).cycles(REAL, End.VALUE)), None
    nj = _nj_per_cycle(_power(made), made.run)
    if nj is not None and answer.energy_uj is not None:
        energy = cycles * nj / 1000
    about = PlacementEstimate(
        note=estimate.note,
        command=estimate.command,
        from_id=made.run.id,
        from_cycles=cycles,
        cycles_change=answer.cycles / cycles - 1 if cycles else 0.0,
        from_energy_uj=energy,
        energy_change=answer.energy_uj / energy - 1 if energy and answer.energy_uj is not None else None,
    )
    return answer.model_copy(update={"estimate": about})


def what_if(made: Prepared, combinations: Sequence[Set[Mechanism]] = ()) -> WhatIfAnswer:
    """Re-time an executed run under every mechanism and combination, at every clock step, and with every uncertain figure at its ends."""
    run = made.run
    retiming = retiming_of(made)
    names = [*(layer.name for layer in made.firmware.layers), GLUE]
    found, _ = gains_of(retiming, run.model.name, names)
    power = _power(made)
    nj = _nj_per_cycle(power, run)
    gains = [
        LabelledGain(
            label=g.mechanism.label,
            meaning=g.mechanism.meaning,
            gain_uj=None if nj is None else (found.cycles - g.cycles) * nj / 1000,
            **g.model_dump(exclude={"share_cycles_interval"}),
        )
        for g in found.gains
    ]
    rests_on = sensitivity(made.stored)
    return WhatIfAnswer(
        id=run.id,
        overrides=tuple(map(str, overrides_of(run.settings))),
        notes=idle_notes(made) if run.settings.set else (),
        cycles=found.cycles,
        latency_ms=found.cycles / run.clock_mhz / 1000,
        energy_uj=None if nj is None else found.cycles * nj / 1000,
        energy_note=power.reason if isinstance(power, NoEnergy) else f"{power.kind.label}: {power.how}",
        gains=tuple(sorted(gains, key=lambda g: -g.gain_ms)),
        ideal_cycles=found.ideal_cycles,
        combined=tuple(_combined(counterfactual(retiming, c)) for c in combinations),
        clocks=clock_points(sweep_of(retiming)),
        assumptions=assumption_effects(rests_on),
        alternatives=alternative_effects(rests_on),
        left_out=left_out_effects(rests_on, run.core),
        unvaried_assumptions=tuple(
            Unvaried(key=a.key, reason=a.unvaried) for a in assumptions(run.board, run.core) if a.unvaried
        ),
    )


def _combined(found: Counterfactual) -> CombinedGain:
    return CombinedGain(
        mechanisms=tuple(found.mechanisms),
        label=" + ".join(m.label for m in found.mechanisms),
        cycles=found.run.cycles,
        latency_ms=found.run.latency_ms,
        gain_ms=found.run.gain_ms,
        gain_ms_interval=found.run.gain_ms_interval,
    )


def _nj_per_cycle(power: Power | NoEnergy, run: ResolvedRun) -> float | None:
    return None if isinstance(power, NoEnergy) else power.power_mw / run.clock_mhz


def _power(made: Prepared) -> Power | NoEnergy:
    run = made.run
    if run.settings.set:
        return NoEnergy(reason="figures of the hardware were set for this run alone")
    code = run.board.memory(run.board.placement.code).kind
    return power_of(run.board, Operation(run.clock_mhz, code), published_power())


def hot_spots(made: Prepared, per_layer: int) -> tuple[LayerHotspots, ...]:
    """The hottest basic blocks of every layer, with disassembly and cycles by cause."""
    return hottest(block_profile(made), per_layer)


def ask_llvm(made: Prepared, count: int = 10) -> SecondOpinion:
    """The hottest basic blocks of the whole run with llvm-mca's cycles beside ours."""
    return second_opinion(block_profile(made), made.run.id, made.run.core.name, count)
