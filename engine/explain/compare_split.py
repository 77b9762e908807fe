"""The difference in time between two runs of one model, split over mechanisms. B minus A, in exact fractions.

Time is cycles times the period of the clock. The clock's part is what the other period alone brings (Shapley value of the
two factors); cycles of every other mechanism count at the mean period of the two runs.

Cycles are split region by region (layers, glue). Where only the software differs, all of them belong to it. Otherwise every
cause of the stack is a product, and the change of each factor is charged to what can change it:

- a pipeline cause is *events x cycles per event*. Events are instructions of its class (taken branches for the refill): their
  number is the code's, so it goes to the instruction set (other core), the kernels or the compiler, whichever differ. Cycles
  per event are the pipeline's if the core differs, else the code's.
- a stall is *accesses x misses per access x stall per miss*. Accesses (instructions for fetch, data reads) are the code's;
  misses per access are the caches' if the board differs, else the code's; the stall per miss is the wait states' if board,
  clock or placement differ. Another placement on the same board puts both of the latter into the wait states. Stalls that
  no miss explains (writes, RAM, a shared bus) are accesses x stall per access. For data reads, a miss is taken to stall as
  long as in the layer of the same run that stalls least per miss; the rest is of that kind.

Two limits follow from what two records can show, and ``Split`` says where they matter. Reasons for other code that changed at
once share its cycles equally (the Shapley value where only their joint effect is known): ``joint``. Misses per access that
changed with the board go to the caches though other code changes them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from engine.explain.compare_shapley import factor_effects
from engine.explain.hardware import hardware_of
from engine.records.cause import Cause
from engine.records.comparable import Choice, choices_that_differ, clock, same_kernel
from engine.records.counters import Counters
from engine.records.run import Layer, Region, RunRecord

ZERO = Fraction(0)


class Mechanism(StrEnum):
    """What a difference in time can be due to."""

    CLOCK = "clock"
    WAIT_STATES = "wait_states"
    CACHES = "caches"
    PIPELINE = "pipeline"
    INSTRUCTION_SET = "instruction_set"
    KERNELS = "kernels"
    COMPILER = "compiler"

    @property
    def label(self) -> str:
        """Name for people."""
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class Split:
    """Microseconds by mechanism (all present; they sum exactly to the difference in time).

    ``joint``: microseconds that were divided equally among mechanisms that the two records cannot tell apart.
    """

    by_mechanism: Mapping[Mechanism, Fraction]
    joint: Mapping[tuple[Mechanism, ...], Fraction]


def split(a: RunRecord, b: RunRecord) -> Split:
    """Split the time of ``b`` minus that of ``a``. The records must be comparable: layers correspond one to one."""
    period_a, period_b = 1 / clock(a), 1 / clock(b)
    mean = (period_a + period_b) / 2
    by_mechanism = dict.fromkeys(Mechanism, ZERO)
    by_mechanism[Mechanism.CLOCK] = (period_b - period_a) * Fraction(a.cycles.warm + b.cycles.warm, 2)
    joint: dict[tuple[Mechanism, ...], Fraction] = {}
    differing = choices_that_differ(a, b)
    same_set = _same_instruction_set(a, b)
    pairs: list[tuple[Region, Region]] = [*zip(a.layers, b.layers, strict=True), (a.glue, b.glue)]
    per_miss = _stall_per_read_miss(a), _stall_per_read_miss(b)
    for one, two in pairs:
        unchanged = isinstance(one, Layer) and isinstance(two, Layer) and same_kernel(a, b, one, two)
        code = _code_reasons(differing, unchanged or not isinstance(one, Layer), same_set)
        for reasons, cycles in _region(one, two, differing, code, per_miss):
            for mechanism in reasons:
                by_mechanism[mechanism] += cycles * mean / len(reasons)
            if len(reasons) > 1:
                joint[reasons] = joint.get(reasons, ZERO) + cycles * mean
    return Split(by_mechanism, joint)


def _code_reasons(differing: frozenset[Choice], same: bool, same_set: bool) -> tuple[Mechanism, ...]:
    """Why a region's code may differ; ``same``: it runs no other kernel, ``same_set``: the cores offer the same instructions."""
    found = {
        Mechanism.INSTRUCTION_SET: Choice.CORE in differing,
        Mechanism.KERNELS: Choice.KERNELS in differing,
        Mechanism.COMPILER: Choice.COMPILER in differing,
    }
    # the less likely reasons step back only where another one remains
    for unlikely, holds in ((Mechanism.KERNELS, same), (Mechanism.INSTRUCTION_SET, same_set)):
        if holds and sum(found.values()) > 1:
            found[unlikely] = False
    return tuple(m for m, differs in found.items() if differs)


def _region(
    one: Region,
    two: Region,
    differing: frozenset[Choice],
    code: tuple[Mechanism, ...],
    per_miss: tuple[Fraction | None, Fraction | None],
) -> Iterator[tuple[tuple[Mechanism, ...], Fraction]]:
    """(mechanisms that share them, cycles) whose cycles sum to the region's difference."""
    hardware = differing - {Choice.KERNELS, Choice.COMPILER}
    if code and not hardware:
        yield code, Fraction(two.cycles - one.cycles)
        return
    # with no choice that explains it, other code means that the kernels' sources or the lowering changed
    events = code or (Mechanism.KERNELS,)
    pipeline = (Mechanism.PIPELINE,) if Choice.CORE in differing or not code else code
    moved = Choice.PLACEMENT in differing and Choice.BOARD not in differing
    misses = (
        (Mechanism.CACHES,) if Choice.BOARD in differing
        else (Mechanism.WAIT_STATES,) if moved
        else code or (Mechanism.CACHES,)
    )  # fmt: skip
    slower = (
        (Mechanism.WAIT_STATES,)
        if moved or not code or differing & {Choice.BOARD, Choice.CLOCK}
        else code
    )  # fmt: skip
    for cause in Cause:
        cycles = one.stack.of(cause), two.stack.of(cause)
        if cause in _STALLS:
            effects = _stall(cause, cycles, one.counters, two.counters, per_miss)
            yield from zip((events, misses, slower), effects, strict=True)
        else:
            effects_of_two = _product(cycles, (_events(cause, one.counters), _events(cause, two.counters)))
            yield from zip((events, pipeline), effects_of_two, strict=True)


_STALLS = (Cause.INSTRUCTION_FETCH, Cause.DATA_READ, Cause.DATA_WRITE)


def _events(cause: Cause, c: Counters) -> int:
    """What a cause's cycles are spent on."""
    multiplies = c.mac_instructions + c.simd_mac_instructions + c.multiply_instructions
    match cause:
        case Cause.MAC:
            return c.mac_instructions + c.simd_mac_instructions
        case Cause.LOAD_STORE_ISSUE:
            return c.load_instructions + c.store_instructions
        case Cause.MULTIPLY_DIVIDE_LATENCY:
            return multiplies + c.divide_instructions
        case Cause.LOAD_USE:
            return c.load_instructions
        case Cause.BRANCH_REFILL:
            return c.taken_branches
        case Cause.INSTRUCTION_FETCH:
            return c.instructions
        case Cause.DATA_READ:
            return c.read_accesses
        case Cause.DATA_WRITE:
            return c.write_accesses
        case Cause.OTHER_ALU:
            memory = c.load_instructions + c.store_instructions
            return max(0, c.instructions - memory - c.mac_instructions - c.simd_mac_instructions)


Effects = tuple[Fraction, Fraction, Fraction]
"""Of accesses, of misses per access, of the stall per miss (or per access, where no miss explains it)."""


def _stall(
    cause: Cause,
    cycles: tuple[int, int],
    one: Counters,
    two: Counters,
    per_miss: tuple[Fraction | None, Fraction | None],
) -> Effects:
    accesses = _events(cause, one), _events(cause, two)
    if not all(accesses):
        more, slower = _product(cycles, accesses)
        return more, ZERO, slower
    if cause is Cause.INSTRUCTION_FETCH:
        misses = one.flash_fetch_misses, two.flash_fetch_misses
        if not any(n and not m for n, m in zip(cycles, misses, strict=True)):
            return _missed(accesses, misses, _ratios(cycles, misses))
    if cause is Cause.DATA_READ and (each := _both(*per_miss)):
        misses = one.flash_read_misses, two.flash_read_misses
        more, rate, slower = _missed(accesses, misses, each)
        rest = cycles[0] - misses[0] * each[0], cycles[1] - misses[1] * each[1]
        more_rest, slower_rest = _product(rest, accesses)
        return more + more_rest, rate, slower + slower_rest
    more, slower = _product(cycles, accesses)
    return more, ZERO, slower


def _missed(accesses: tuple[int, int], misses: tuple[int, int], per_miss: tuple[Fraction, Fraction]) -> Effects:
    rate = _ratios(misses, accesses)
    before, after = ((Fraction(accesses[i]), rate[i], per_miss[i]) for i in (0, 1))
    more, missed, slower = factor_effects(before, after)
    return more, missed, slower


def _stall_per_read_miss(record: RunRecord) -> Fraction | None:
    """Cycles per missed constant in the region that stalls least per miss: what exceeds it is no miss's. None without misses."""
    return min(
        (
            Fraction(r.stack.data_read, r.counters.flash_read_misses)
            for r in (*record.layers, record.glue)
            if r.counters.flash_read_misses
        ),
        default=None,
    )


def _both(one: Fraction | None, two: Fraction | None) -> tuple[Fraction, Fraction] | None:
    """Two values where one of them may stand for both; None if there is neither."""
    if one is None:
        return None if two is None else (two, two)
    return one, one if two is None else two


def _product(cycles: tuple[Fraction | int, Fraction | int], events: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """Effects of the number of events and of the cycles per event; all to the latter if cycles came without an event."""
    if any(n and not e for n, e in zip(cycles, events, strict=True)):
        return ZERO, Fraction(cycles[1] - cycles[0])
    each = _ratios(cycles, events)
    number, cost = factor_effects((Fraction(events[0]), each[0]), (Fraction(events[1]), each[1]))
    return number, cost


def _ratios(parts: tuple[Fraction | int, Fraction | int], of: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """part / whole for both runs; a run that has no whole takes the other's ratio, so that nothing is charged to it."""
    one, two = (Fraction(p) / w if w else None for p, w in zip(parts, of, strict=True))
    return _both(one, two) or (ZERO, ZERO)


def _same_instruction_set(a: RunRecord, b: RunRecord) -> bool:
    """Whether both cores are described as offering kernels the same instructions: baseline or mainline, DSP, MAC lanes."""
    one, two = hardware_of(a).core, hardware_of(b).core
    if one is None or two is None:
        return a.core == b.core
    baseline = ("armv6-m", "armv8-m.base")
    return (one.architecture in baseline, one.dsp, one.mac_lanes) == (
        two.architecture in baseline,
        two.dsp,
        two.mac_lanes,
    )
