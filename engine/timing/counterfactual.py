"""What each mechanism costs: the run re-timed with it idealised, alone and together with the others.

Gains are differences of two whole timings, real minus ideal, with all figures at the same end of their intervals. They overlap:
the gains of two mechanisms need not add up to the gain of both (``engine.timing.shapley`` splits a gap).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from engine.records.run import Stack
from engine.timing.mechanism import IDEAL_MACHINE, Mechanism
from engine.timing.retime import REAL, Retiming
from engine.timing.table import End


@dataclass(frozen=True)
class Outcome:
    """A region, or the whole run, with mechanisms idealised; warm.

    ``stack`` is where its cycles go then. ``gain_*`` is what the real run takes more; the intervals hold the gains at the values
    and at the low and high ends of all figures. With ``double_clock`` the gains in cycles are None: cycles of two clocks do not
    compare, only times do.
    """

    stack: Stack
    latency_ms: float
    gain_cycles: int | None
    gain_cycles_interval: tuple[int, int] | None
    gain_ms: float
    gain_ms_interval: tuple[float, float]

    @property
    def cycles(self) -> int:
        """Cycles: the sum of the stack."""
        return self.stack.cycles


@dataclass(frozen=True)
class Counterfactual:
    """The run with ``mechanisms`` idealised. ``regions`` are the layers in order, the glue last; their cycles add up to the run's."""

    mechanisms: tuple[Mechanism, ...]
    clock_mhz: float
    run: Outcome
    regions: tuple[Outcome, ...]


@dataclass(frozen=True)
class WhatIf:
    """The real run, every mechanism idealised alone (in the enum's order), and all of the ideal machine's together."""

    real: Counterfactual
    alone: tuple[Counterfactual, ...]
    together: Counterfactual

    def of(self, mechanism: Mechanism) -> Counterfactual:
        """The counterfactual of one mechanism alone."""
        return next(c for c in self.alone if c.mechanisms == (mechanism,))


def what_if_of(retiming: Retiming) -> WhatIf:
    """Re-time a stored run with mechanisms idealised; the re-timing keeps what it computed for the next question."""
    return WhatIf(
        real=counterfactual(retiming, REAL),
        alone=tuple(counterfactual(retiming, {m}) for m in Mechanism),
        together=counterfactual(retiming, set(IDEAL_MACHINE)),
    )


def counterfactual(retiming: Retiming, mechanisms: Set[Mechanism]) -> Counterfactual:
    """The run with some mechanisms idealised, ``double_clock`` allowed."""
    double = Mechanism.DOUBLE_CLOCK in mechanisms
    ideal = retiming.doubled() if double else retiming
    cycle_mechanisms = mechanisms - {Mechanism.DOUBLE_CLOCK}
    before = [retiming.cycles(REAL, end) for end in End]
    after = [ideal.cycles(cycle_mechanisms, end) for end in End]
    stacks = ideal.stacks(cycle_mechanisms)
    clocks = (retiming.run.clock_mhz, ideal.run.clock_mhz)
    regions = tuple(
        _outcome(stack, tuple(b[i] for b in before), tuple(a[i] for a in after), clocks)
        for i, stack in enumerate(stacks)
    )
    run = _outcome(Stack.added(stacks), tuple(sum(b) for b in before), tuple(sum(a) for a in after), clocks)
    return Counterfactual(tuple(m for m in Mechanism if m in mechanisms), ideal.run.clock_mhz, run, regions)


def _outcome(stack: Stack, before: tuple[int, ...], after: tuple[int, ...], clocks_mhz: tuple[float, float]) -> Outcome:
    """``before`` and ``after`` are cycles at the ends in the order of ``End``: the value first."""
    gains = [b - a for b, a in zip(before, after, strict=True)] if clocks_mhz[0] == clocks_mhz[1] else None
    # cycles over MHz are microseconds
    gains_ms = [(b / clocks_mhz[0] - a / clocks_mhz[1]) / 1000 for b, a in zip(before, after, strict=True)]
    return Outcome(
        stack=stack,
        latency_ms=after[0] / clocks_mhz[1] / 1000,
        gain_cycles=gains[0] if gains else None,
        gain_cycles_interval=(min(gains), max(gains)) if gains else None,
        gain_ms=gains_ms[0],
        gain_ms_interval=(min(gains_ms), max(gains_ms)),
    )
