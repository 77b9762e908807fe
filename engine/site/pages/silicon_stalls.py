"""Cycles in which nothing was issued, on a real Cortex-M55 and here: rows and sentences of the page of layers."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.layer_validation import Event, EventCounts, LayerPoint, LayerValidation, relative_error
from engine.site.text import signed_percent
from engine.words import layer_title

_ALIKE = 0.10  # stalls this close are the same waits
_OTHER = 0.10  # vector multiplies that differ by more are another kernel


@dataclass(frozen=True)
class StallRow:
    """One layer, or all: counts, their errors (None where the chip counted none), and the error in cycles in two parts.

    ``by_stalls`` and ``by_issue``, shares of the chip's cycles, add up to the error in cycles. ``issue_each``: cycles that issue per
    retired instruction, published and simulated. ``waits``: cycles in which Helium waits for others, beside ``MVE_STALL``.
    """

    name: str
    published: EventCounts
    simulated: EventCounts
    stall_error: float | None
    mve_error: float | None
    by_stalls: float
    by_issue: float
    issue_each: tuple[float, float]
    waits: int


@dataclass(frozen=True)
class Stalls:
    """The stalls of a comparison. ``reasons``: layers that one sentence explains; ``summary``: what they say of the error in cycles."""

    rows: tuple[StallRow, ...]
    total: StallRow
    reasons: tuple[tuple[str, str], ...]
    summary: str

    @property
    def lines(self) -> tuple[StallRow, ...]:
        """The rows of the table, the sum last."""
        return (*self.rows, self.total)


def stalls_of(kept: LayerValidation) -> Stalls | None:
    """Stalls beside the chip's; None where the comparison was kept before they were compared."""
    if not kept.has_stalls:
        return None
    rows = tuple(_row(layer_title(p.op, p.layer), p.published, p.simulated, p.mve_waits or 0) for p in kept.points)
    total = _row("all", *kept.total(), sum(p.mve_waits or 0 for p in kept.points))
    found: dict[str, list[str]] = {}
    for point, row in zip(kept.points, rows, strict=True):
        found.setdefault(why(point), []).append(row.name)
    reasons = tuple((", ".join(names), text) for text, names in found.items())
    return Stalls(rows, total, reasons, _summary(kept, rows))


def _row(name: str, published: EventCounts, simulated: EventCounts, waits: int) -> StallRow:
    theirs, ours = published.stall_cycles or 0, simulated.stall_cycles or 0
    whole = max(1, published.cycles)
    each = [(c.issuing_cycles or 0) / max(1, c.instructions) for c in (published, simulated)]
    return StallRow(
        name=name,
        published=published,
        simulated=simulated,
        stall_error=relative_error(published, simulated, Event.STALLS),
        mve_error=relative_error(published, simulated, Event.MVE_STALLS),
        by_stalls=(ours - theirs) / whole,
        by_issue=((simulated.issuing_cycles or 0) - (published.issuing_cycles or 0)) / whole,
        issue_each=(each[0], each[1]),
        waits=waits,
    )


def why(p: LayerPoint) -> str:
    """What explains the error in stalls, in one sentence."""
    if p.op == "RESHAPE":
        return "nothing is moved here; the chip's stalls are the framework's"
    if p.published.mve_instructions and not p.simulated.mve_instructions:
        return "the chip's kernel uses Helium here and ours does not, so their waits have nothing in common"
    multiplies, instructions = p.error(Event.MVE_MACS), p.error(Event.INSTRUCTIONS) or 0.0
    if abs(instructions if multiplies is None else multiplies) > _OTHER:
        return "another kernel, whose waits are its own"
    stalls, helium = p.error(Event.STALLS), p.error(Event.MVE_STALLS)
    if stalls is not None and abs(stalls) <= _ALIKE:
        if helium is None or abs(helium) <= _ALIKE:
            return "the same waits, for the same reasons: what is left of the error in cycles lies in those that issue"
        return "as many waits, but the chip counts another part of them as Helium's"
    part = "more" if (stalls or 0) > 0 else "fewer"
    if helium is not None and abs(helium) <= _ALIKE:
        framework = "" if part == "more" else ", and on the chip what the framework adds"
        return f"Helium waits as on the chip; {part} waits of other instructions: loads and branches{framework}"
    return f"the same vector multiplies in another order: another compiler or version places {part} waits around them"


def _summary(kept: LayerValidation, rows: tuple[StallRow, ...]) -> str:
    large = {p.layer for p in kept.big() if (e := p.error(Event.MVE_MACS)) is not None and abs(e) <= _OTHER}
    alike = [row for point, row in zip(kept.points, rows, strict=True) if point.layer in large]
    if not alike:
        return "No large layer runs the chip's kernel, so neither stalls nor their errors can be told apart from the kernel's."
    stalls = [row.stall_error or 0.0 for row in alike]
    issue = [row.by_issue for row in alike]
    waited = [row.by_stalls for row in alike]
    opposed = sum(row.by_stalls * row.by_issue < 0 for row in alike)
    cancel = f" In {opposed} of them the two have opposite signs and partly cancel." if opposed else ""
    return (
        f"Over the {len(alike)} large layers whose kernel issues the same vector multiplies as the chip's, stalls differ by "
        f"{_span(stalls)}. Of the error in cycles they make {_span(waited)} of the chip's cycles, the cycles that issue {_span(issue)}."
        f"{cancel} "
        f"For each retired instruction the chip issues in {_range([r.issue_each[0] for r in alike])} cycles, the model in "
        f"{_range([r.issue_each[1] for r in alike])}: pairs save cycles, instructions of several words or steps take more, and what of them the "
        "chip does not call a stall is not published."
    )


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _span(values: list[float]) -> str:
    low, high = signed_percent(min(values)), signed_percent(max(values))
    return low if low == high else f"{low} to {high}"
