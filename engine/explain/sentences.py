"""Sentences about a whole run. Each says only what the record holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.catalog.board import Board, MemoryKind
from engine.explain.bottleneck import Bottleneck
from engine.explain.phrases import number, percent
from engine.records.cause import Evidence
from engine.records.measured import silicon_status
from engine.records.run import Layer, RunRecord
from engine.words import op_title

_NAMED = 20
"""Most layers that a sentence names one by one."""

_SAME = 0.0001
"""Cold and warm cycles closer than this (relative) need an explanation: a reader expects a warm-up."""


@dataclass(frozen=True)
class Family:
    """Layers that are the same operator run by the same kernel with the same verdict from the same rule."""

    op: str
    kernel: str
    verdict: str
    indices: tuple[int, ...]
    cycles: int


def capital(text: str) -> str:
    """The text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def families(layers: Sequence[tuple[Layer, str]]) -> tuple[Family, ...]:
    """Layers grouped by operator, kernel and verdict in words; most cycles first. Layers without cycles are left out."""
    groups: dict[tuple[str, str, str], list[Layer]] = {}
    for layer, verdict in layers:
        if layer.cycles:
            groups.setdefault((layer.op, layer.kernel, verdict), []).append(layer)
    found = [
        Family(op, kernel, verdict, tuple(x.index for x in members), sum(x.cycles for x in members))
        for (op, kernel, verdict), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda f: (-f.cycles, f.indices)))


def board_as_set(record: RunRecord) -> str:
    """The board's name, followed by the figures that were set for the run alone: "nucleo-l4r5zi (flash.wait_states=3)"."""
    return f"{record.board} ({', '.join(record.overrides)})" if record.overrides else record.board


def headline(record: RunRecord, predicate: str) -> str:
    """One sentence: how long and why. ``predicate`` continues "it ..."."""
    how = {
        Evidence.MEASURED: "measured",
        Evidence.SIMULATED: "simulated",
        Evidence.PREDICTED: "predicted",
        Evidence.PUBLISHED: "published",
    }[record.evidence]
    return (
        f"{record.model} with {record.kernels} kernels on {board_as_set(record)} at {record.clock_mhz:g} MHz takes "
        f"{milliseconds(record.latency_ms)} ({how}): it {predicate}."
    )


def where_sentence(record: RunRecord, found: Sequence[Family]) -> str:
    """Which layers hold the cycles: families until 80 %, three at most."""
    total = record.cycles.warm
    if not total or not found:
        return "No layer takes any cycles."
    clauses: list[str] = []
    held = 0
    for family in found[:3]:
        held += family.cycles
        clauses.append(_family_clause(family, total))
        if held >= 0.8 * total:
            break
    return capital("; ".join(clauses)) + "."


def certainty_sentence(record: RunRecord, verdict: Bottleneck, others: Sequence[Bottleneck]) -> str:
    """How sure the cycles are, and whether the verdict depends on it."""
    low, high = record.cycles_interval
    warm = record.cycles.warm
    if not warm:
        return ""
    if low == high:
        return f"The record gives no uncertainty: its interval is {warm:,} cycles exactly."
    below, above = 100 * (warm - low) / warm, 100 * (high - warm) / warm
    sure = (
        f"the verdict stays {verdict.label} even if all of that fell on one cause"
        if not others
        else f"if all of that fell on one cause, the verdict could also be {join([o.label for o in others], 'or')}"
    )
    span = " to ".join(milliseconds(c / record.clock_mhz / 1000.0) for c in (low, high))
    return (
        f"The interval of this run is {low:,} to {high:,} cycles, {span} "
        f"({_signed(-below)} to {_signed(above)} around {warm:,}); {sure}.{_alternatives(record)}"
    )


def _alternatives(record: RunRecord) -> str:
    """How far the other designs that the board may have move the run; with a space before it, empty where there are none."""
    if record.alternatives_interval is None:
        return ""
    fewest, most = (_signed(100 * (c / record.cycles.warm - 1)) for c in record.alternatives_interval)
    what = "What no source says of the board's caches, prefetcher or wait states"
    if fewest == most:
        return f" {what} does not move it."
    return f" {what} moves it by {fewest} to {most}, which is in the interval."


def caveat_sentence(record: RunRecord, board: Board | None) -> str:
    """What the interval does not say; empty for a measurement. ``board`` is the run's own or None."""
    if record.evidence is not Evidence.SIMULATED:
        return ""
    silicon = f"board silicon: {silicon_status(board.name)}" if board is not None else "board silicon: not known here"
    return f"The interval covers timing rules without a hard source; it is not an error against silicon ({silicon})."


def glue_sentence(record: RunRecord) -> str:
    """What is spent between layers."""
    if not record.glue.cycles:
        return "Nothing is spent between the layers."
    share = record.glue.cycles / record.cycles.warm
    return f"Between the layers {percent(share)} of the cycles are spent ({record.glue.cycles:,})."


def cold_sentence(record: RunRecord, board: Board | None = None) -> str:
    """The first inference against the steady state, and why there is no difference where ``board`` tells."""
    cold, warm = record.cycles.cold, record.cycles.warm
    why = _no_warm_up(record, board) if abs(cold - warm) < _SAME * warm else ""
    if cold == warm:
        return f"The first inference after reset takes the same number of cycles{why}."
    more = "more" if cold > warm else "fewer"
    relative = f", {percent(abs(cold - warm) / warm)}" if warm and abs(cold - warm) < 10 * warm else ""
    return f"The first inference after reset takes {abs(cold - warm):,} cycles {more}{relative}{why}."


def _no_warm_up(record: RunRecord, board: Board | None) -> str:
    """Why a warm inference is hardly faster; empty where the board is not known at this clock or the caches would hold everything."""
    if board is None or record.evidence is not Evidence.SIMULATED:
        return ""
    flash = board.flash
    if record.clock_mhz > flash.ladder[-1].up_to_mhz:
        return ""
    if flash.wait_states(record.clock_mhz) == 0 and not (flash.miss_extra_cycles and flash.miss_extra_cycles.value):
        return ": flash answers without a wait state at this clock, so nothing that misses costs a cycle"
    caches = [c.bytes for c in (flash.icache, flash.dcache) if c is not None]
    if not caches:
        return ": this board has no flash cache to warm"
    names = {m.name for m in board.memories if m.kind is MemoryKind.FLASH}
    needed = sum(p.bytes for p in record.memory.parts if p.memory in names and p.kind in ("code", "weights"))
    if needed <= sum(caches):
        return ""
    return (
        f": code and weights in flash ({needed:,} bytes) are larger than the flash caches ({sum(caches):,} bytes), so these hold "
        "little of use when a later inference starts either"
    )


def correctness_sentence(record: RunRecord) -> str:
    """Whether the run computed the right thing."""
    note = record.oracle_note.rstrip(". ")
    if record.output_matches_oracle is None:
        return f"Its output was not checked: {note}."
    if record.output_matches_oracle:
        return f"Its output is right: {note}."
    return f"Its output is WRONG ({note}), so these numbers describe a program that does not do its work."


def milliseconds(value: float) -> str:
    """A latency with three significant digits and its unit."""
    if value >= 100:
        return f"{value:,.0f} ms"
    if value >= 10:
        return f"{value:.1f} ms"
    return f"{value:.2f} ms" if value >= 1 else f"{number(value * 1000)} µs" if value else "0 ms"


def join(items: Sequence[str], word: str = "and") -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def numbered(indices: Sequence[int]) -> str:
    """Layers by number, "#1, #3 and #5"; of very many the first are named and the others counted."""
    shown = [f"#{i}" for i in indices[:_NAMED]]
    return join([*shown, f"{len(indices) - _NAMED} more"] if len(indices) > _NAMED else shown)


def _family_clause(family: Family, total: int) -> str:
    count = len(family.indices)
    which = numbered(family.indices)
    holds = "holds" if count == 1 else "hold"
    share = percent(family.cycles / total)
    return f"{op_title(family.op)} {which} {holds} {share} of the cycles ({family.kernel}; {family.verdict})"


def _signed(value: float) -> str:
    sign = "−" if value < 0 else "+"
    size = abs(value)
    return f"{sign}{size:.1f} %" if size >= 0.05 or not size else f"{sign}<0.1 %"
