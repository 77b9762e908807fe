"""The difference in time between two runs of one model, split over mechanisms. B minus A, in exact fractions.

Time is cycles times the period of the clock. The clock's part is what the other period alone brings (Shapley value of the
two factors); cycles of every other mechanism count at the mean period of the two runs.

Cycles are split region by region (layers, glue). Where only the software or the placement differs, all of them belong to it.
Otherwise every cause is divided over what can change it: a cause of the pipeline is *events x cycles per event*. Events are
instructions of its class (taken branches for the refill): their number is the code's, so it goes to the instruction set (other
core), the kernels, the compiler or the placement, whichever differ. Cycles per event are the pipeline's if the core differs, else
the code's. Stalls are split by ``compare_stalls``.

Reasons for other code that changed at once share its cycles equally (the Shapley value where only their joint effect is known):
``Split.joint`` says how many. In every part no mechanism is charged more than both runs spend there together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from engine.explain.compare_mechanism import Mechanism, Reasons
from engine.explain.compare_memories import MemoryPair, memory_pair
from engine.explain.compare_shapley import effects
from engine.explain.compare_stalls import stall_effects
from engine.explain.compare_traffic import Use, keeps_traffic, stores, use_of
from engine.explain.hardware import Hardware, hardware_of
from engine.records.cause import Cause
from engine.records.comparable import Choice, choices_that_differ, clock, same_kernel
from engine.records.counters import Counters
from engine.records.run import Layer, Region, RunRecord

ZERO = Fraction(0)
_STALLS = (Cause.INSTRUCTION_FETCH, Cause.DATA_READ, Cause.DATA_WRITE)


@dataclass(frozen=True)
class Split:
    """Microseconds by mechanism (all present; they sum exactly to the difference in time).

    ``joint``: microseconds that were divided equally among mechanisms that the two records cannot tell apart.
    """

    by_mechanism: Mapping[Mechanism, Fraction]
    joint: Mapping[Reasons, Fraction]


Hardwares = tuple[Hardware, Hardware]
"""What runs A and B were made with."""


def split(a: RunRecord, b: RunRecord, hardware: Hardwares | None = None) -> Split:
    """Split the time of ``b`` minus that of ``a``. The records must be comparable: layers correspond one to one.

    ``hardware``: what they were made with, where the catalogue is not all that is known (a board of the user's own).
    """
    period_a, period_b = 1 / clock(a), 1 / clock(b)
    mean = (period_a + period_b) / 2
    by_mechanism = dict.fromkeys(Mechanism, ZERO)
    by_mechanism[Mechanism.CLOCK] = (period_b - period_a) * Fraction(a.cycles.warm + b.cycles.warm, 2)
    joint: dict[Reasons, Fraction] = {}
    for reasons, cycles in cycle_effects(a, b, hardware):
        for mechanism in reasons:
            by_mechanism[mechanism] += cycles * mean / len(reasons)
        if len(reasons) > 1:
            joint[reasons] = joint.get(reasons, ZERO) + cycles * mean
    return Split(by_mechanism, joint)


def cycle_effects(a: RunRecord, b: RunRecord, hardware: Hardwares | None = None) -> Iterator[tuple[Reasons, Fraction]]:
    """(mechanisms that share them, cycles) of all regions: they sum to the difference in cycles."""
    differing = choices_that_differ(a, b)
    hardware = hardware or (hardware_of(a), hardware_of(b))
    same_set = _same_instruction_set(a, b, hardware)
    regions: list[tuple[Region, Region]] = [*zip(a.layers, b.layers, strict=True), (a.glue, b.glue)]
    by_memory = keeps_traffic(a, b)
    uses = [(use_of(one, a, by_memory=by_memory), use_of(two, b, by_memory=by_memory)) for one, two in regions]
    one_side, other_side = zip(*uses, strict=True)
    held = stores(a, b, by_memory=by_memory)
    memories = memory_pair((a, b), hardware, (one_side, other_side), held, by_memory=by_memory)
    for (one, two), use in zip(regions, uses, strict=True):
        unchanged = isinstance(one, Layer) and isinstance(two, Layer) and same_kernel(a, b, one, two)
        code = _code_reasons(differing, unchanged or not isinstance(one, Layer), same_set)
        yield from _region(one, two, use, differing, code, memories)


def _code_reasons(differing: frozenset[Choice], same: bool, same_set: bool) -> Reasons:
    """Why a region's code may differ; ``same``: it runs no other kernel, ``same_set``: the cores offer the same instructions."""
    found = {
        Mechanism.INSTRUCTION_SET: Choice.CORE in differing,
        Mechanism.KERNELS: Choice.KERNELS in differing,
        Mechanism.COMPILER: Choice.COMPILER in differing,
        Mechanism.PLACEMENT: Choice.PLACEMENT in differing,
    }
    # the less likely reasons step back only where another one remains
    unlikely = ((Mechanism.PLACEMENT, True), (Mechanism.KERNELS, same), (Mechanism.INSTRUCTION_SET, same_set))
    for mechanism, holds in unlikely:
        if holds and sum(found.values()) > 1:
            found[mechanism] = False
    return tuple(m for m, differs in found.items() if differs)


def _region(
    one: Region,
    two: Region,
    use: tuple[Use, Use],
    differing: frozenset[Choice],
    code: Reasons,
    memories: MemoryPair,
) -> Iterator[tuple[Reasons, Fraction]]:
    """(mechanisms that share them, cycles) whose cycles sum to the region's difference."""
    if code and differing <= {Choice.KERNELS, Choice.COMPILER}:
        yield code, Fraction(two.cycles - one.cycles)
        return
    # with no choice that explains it, other code means that the kernels' sources or the lowering changed
    events = code or (Mechanism.KERNELS,)
    pipeline = (Mechanism.PIPELINE,) if Choice.CORE in differing or not code else code
    for cause in Cause:
        if cause not in _STALLS:
            cycles = one.stack.of(cause), two.stack.of(cause)
            number = _events(cause, one.counters), _events(cause, two.counters)
            yield from _product(cycles, number, events, pipeline)
    yield from stall_effects(*use, memories, events, pipeline)


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
        case Cause.OTHER_ALU:
            memory = c.load_instructions + c.store_instructions
            return max(0, c.instructions - memory - c.mac_instructions - c.simd_mac_instructions)
        case _:
            raise ValueError(f"{cause.label} is no cause of the pipeline")


def _product(
    cycles: tuple[int, int], number: tuple[int, int], events: Reasons, pipeline: Reasons
) -> Iterator[tuple[Reasons, Fraction]]:
    """Effects of the number of events and of the cycles per event; all are the latter's if cycles came without an event."""
    if not any(cycles):
        return
    if any(spent and not n for spent, n in zip(cycles, number, strict=True)):
        number = 1, 1
    a, b = (Fraction(spent, n) if n else None for spent, n in zip(cycles, number, strict=True))
    each = a if a is not None else b or ZERO, b if b is not None else a or ZERO
    yield from effects((events, pipeline), lambda run: number[run(events)] * each[run(pipeline)]).items()


def _same_instruction_set(a: RunRecord, b: RunRecord, hardware: Hardwares) -> bool:
    """Whether both cores are described as offering kernels the same instructions: baseline or mainline, DSP, MAC lanes."""
    one, two = (h.core for h in hardware)
    if one is None or two is None:
        return a.core == b.core
    baseline = ("armv6-m", "armv8-m.base")
    return (one.architecture in baseline, one.dsp, one.mac_lanes) == (
        two.architecture in baseline,
        two.dsp,
        two.mac_lanes,
    )
