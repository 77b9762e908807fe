"""Two runs of one model: may they be compared, by how much do they differ, and why."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field

from engine.explain.compare_energy import EnergyDelta
from engine.explain.compare_mechanism import Mechanism
from engine.explain.compare_shapley import whole
from engine.explain.compare_split import Hardwares, split
from engine.explain.compare_text import Difference, LayerDifference, paragraphs, refusal
from engine.explain.types import Part
from engine.records.cause import Cause
from engine.records.comparable import clock, comparable
from engine.records.run import Region, RunRecord

PS_PER_US = 1_000_000
GLUE = "glue"


class LayerDelta(Part):
    """Cycles of one layer in B minus those in A; ``by_cause`` sums to ``delta_cycles``. The last one is the glue between layers."""

    name: str
    delta_cycles: int
    by_cause: dict[Cause, int]


class Comparison(Part):
    """B minus A. Positive: B takes longer.

    ``by_mechanism`` (µs; exact to the picosecond up to 100 s) sums to ``delta_us``; ``by_cause`` and ``by_layer`` (glue included) sum to
    ``delta_cycles``. Where the runs may not be compared, ``reasons`` says why, the deltas are null and the parts are empty.
    Otherwise ``reasons`` holds what a reader should know first, such as a tie.
    """

    a: str = Field(description="id of run A")
    b: str = Field(description="id of run B")
    comparable: bool
    reasons: tuple[str, ...]
    delta_us: float | None
    by_mechanism: dict[Mechanism, float]
    delta_cycles: int | None
    by_cause: dict[Cause, int]
    by_layer: tuple[LayerDelta, ...]
    text: str = Field(description="paragraphs with a blank line between them")
    energy: EnergyDelta | None = Field(default=None, description="null where the runs may not be compared")


def compare(a: RunRecord, b: RunRecord, hardware: Hardwares | None = None) -> Comparison:
    """Compare run ``b`` with run ``a``; ``compare(b, a)`` has every sign reversed. Nothing is computed if they may not be compared.

    ``hardware``: what they were made with, in that order, where the catalogue is not all that is known.
    """
    found = comparable(a, b)
    if not found.comparable:
        return Comparison(
            a=a.id, b=b.id, comparable=False, reasons=found.reasons, delta_us=None, by_mechanism={},
            delta_cycles=None, by_cause={}, by_layer=(), text=refusal(found.reasons),
        )  # fmt: skip
    parts = split(a, b, hardware)
    names = [layer.name for layer in a.layers] + [GLUE]
    pairs: list[tuple[Region, Region]] = [*zip(a.layers, b.layers, strict=True), (a.glue, b.glue)]
    layers = tuple(_delta(name, one, two) for name, (one, two) in zip(names, pairs, strict=True))
    by_cause = {c: sum(layer.by_cause[c] for layer in layers) for c in Cause}
    picoseconds = dict(zip(Mechanism, whole([parts.by_mechanism[m] * PS_PER_US for m in Mechanism]), strict=True))
    difference = Difference(
        a=a,
        b=b,
        warnings=found.reasons,
        microseconds=b.cycles.warm / clock(b) - a.cycles.warm / clock(a),
        by_mechanism={m: Fraction(ps, PS_PER_US) for m, ps in picoseconds.items()},
        joint=parts.joint,
        by_cause=by_cause,
        layers=tuple(
            LayerDifference(one, two, d.delta_cycles)
            for one, two, d in zip(a.layers, b.layers, layers, strict=False)  # the glue is last
        ),
        glue=layers[-1].delta_cycles,
    )
    return Comparison(
        a=a.id,
        b=b.id,
        comparable=True,
        reasons=found.reasons,
        delta_us=sum(picoseconds.values()) / PS_PER_US,
        by_mechanism={m: ps / PS_PER_US for m, ps in picoseconds.items()},
        delta_cycles=b.cycles.warm - a.cycles.warm,
        by_cause=by_cause,
        by_layer=layers,
        text=paragraphs(difference),
    )


def _delta(name: str, one: Region, two: Region) -> LayerDelta:
    by_cause = {c: two.stack.of(c) - one.stack.of(c) for c in Cause}
    return LayerDelta(name=name, delta_cycles=two.cycles - one.cycles, by_cause=by_cause)
