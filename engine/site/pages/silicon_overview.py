"""All comparisons with a real Cortex-M55 at a glance, and what other kernels change against the packaged ones."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.layer_validation import Event, EventCounts, LayerPoint, LayerValidation, relative_error
from engine.site.text import signed_percent

LIMIT = 0.10
LIMIT_TEXT = f"{100 * LIMIT:.0f}\u00a0%"


@dataclass(frozen=True)
class Overview:
    """One comparison in one line. Errors as text: of all layers together, and from the lowest to the highest of a large layer.

    ``within`` of ``large`` layers lie within ``LIMIT`` of the chip's cycles. ``against``: what these kernels change against the packaged
    ones with the same compiler; empty for the packaged ones. Stalls are None where they were not compared.
    """

    cycles: str
    cycles_each: str
    large: int
    within: int
    stalls: str | None
    stalls_each: str | None
    mve_stalls: str | None
    mve_stalls_each: str | None
    verdict: str
    against: str


def overview_of(kept: LayerValidation, packaged: LayerValidation | None) -> Overview:
    """One line. ``packaged``: the same comparison with the packaged kernels, None where it is this one or not kept."""
    large = tuple(kept.big())
    within = sum(abs(e) <= LIMIT for e in _errors(large, Event.CYCLES))
    stalls = kept.has_stalls
    return Overview(
        cycles=_all(kept, Event.CYCLES),
        cycles_each=_each(large, Event.CYCLES),
        large=len(large),
        within=within,
        stalls=_all(kept, Event.STALLS) if stalls else None,
        stalls_each=_each(large, Event.STALLS) if stalls else None,
        mve_stalls=_all(kept, Event.MVE_STALLS) if stalls else None,
        mve_stalls_each=_each(large, Event.MVE_STALLS) if stalls else None,
        verdict=_verdict(large, within),
        against="" if packaged is None else _against(kept, packaged),
    )


def _verdict(large: tuple[LayerPoint, ...], within: int) -> str:
    if within == len(large):
        return f"Every one of the {len(large)} large layers lies within {LIMIT_TEXT} of the chip's cycles."
    worst = signed_percent(_worst(large))
    return f"Of the {len(large)} large layers {within} lie within {LIMIT_TEXT} of the chip's cycles; the largest error is {worst}."


def _against(kept: LayerValidation, packaged: LayerValidation) -> str:
    before, after = tuple(packaged.big()), tuple(kept.big())
    text = (
        f"Against CMSIS-NN {packaged.kernels_version} with the same compiler, the largest error in cycles of a large layer goes from "
        f"{signed_percent(_worst(before))} to {signed_percent(_worst(after))}"
    )
    if not (kept.has_stalls and packaged.has_stalls):
        return f"{text}."
    parts = [f"{e.pmu} from {_all(packaged, e)} to {_all(kept, e)}" for e in (Event.STALLS, Event.MVE_STALLS)]
    return (
        f"{text}, the error of all layers in {parts[0]}, in {parts[1]}. Stalls come nearer to the chip's in "
        f"{_nearer(before, after)} of the {len(after)} large layers."
    )


def _nearer(before: tuple[LayerPoint, ...], after: tuple[LayerPoint, ...]) -> int:
    old = {p.layer: abs(p.error(Event.STALLS) or 0.0) for p in before}
    return sum(abs(p.error(Event.STALLS) or 0.0) < old[p.layer] for p in after if p.layer in old)


def _errors(points: tuple[LayerPoint, ...], event: Event) -> list[float]:
    return [e for p in points if (e := p.error(event)) is not None]


def _worst(points: tuple[LayerPoint, ...]) -> float:
    return max(_errors(points, Event.CYCLES), key=abs, default=0.0)


def _all(kept: LayerValidation, event: Event) -> str:
    total: tuple[EventCounts, EventCounts] = kept.total()
    error = relative_error(*total, event)
    return "–" if error is None else signed_percent(error)


def _each(points: tuple[LayerPoint, ...], event: Event) -> str:
    found = _errors(points, event)
    return f"{signed_percent(min(found))} to {signed_percent(max(found))}" if found else "–"
