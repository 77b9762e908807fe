"""The page that shows counters of a real Cortex-M55 beside ours, layer by layer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import altair as alt

from engine.records.layer_validation import (
    STALLS,
    Event,
    EventCounts,
    LayerPoint,
    LayerValidation,
    LayerValidations,
    relative_error,
)
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.pages.silicon_overview import LIMIT_TEXT, Overview, overview_of
from engine.site.pages.silicon_stalls import Stalls, stalls_of
from engine.site.render import Renderer
from engine.site.text import signed_percent, slug
from engine.site.world import World
from engine.words import layer_title

FOLDER = "validation/layers"
_ROW = 22
_SAME = 0.02  # counts this close are the same kernel, with another compiler around it
_OTHER = 0.10  # vector multiplies that differ by more are another kernel
_COUNTED = tuple(e for e in Event if e not in STALLS)
_BY_INSTRUCTIONS, _BY_TIMING = "from the number of instructions", "from the cycles of each"


@dataclass(frozen=True)
class Row:
    """One layer as the page shows it. ``errors`` by event, stalls left out; None where the chip counted none.

    The error in cycles is ``(1 + by_instructions) * (1 + by_timing) - 1``: other instructions, and other cycles for each.
    """

    name: str
    point: LayerPoint
    errors: tuple[float | None, ...]
    by_instructions: float
    by_timing: float
    big: bool
    why: str


@dataclass(frozen=True)
class Section:
    """One kept comparison. ``published``, ``simulated``: sums; ``total``: their errors; ``reasons``: layers that one sentence explains;
    ``inside``: whether the interval holds the chip's cycles; ``stalls``: absent in results kept before they were compared;
    ``overview``: its line in the table of all.
    """

    key: str
    kept: LayerValidation
    rows: tuple[Row, ...]
    published: EventCounts
    simulated: EventCounts
    total: tuple[float | None, ...]
    summary: str
    reasons: tuple[tuple[str, str], ...]
    inside: bool
    stalls: Stalls | None
    overview: Overview


def _difference_in_counts(result: LayerValidation) -> float:
    published, simulated = result.total()
    counts = (relative_error(published, simulated, event) for event in _COUNTED if event is not Event.CYCLES)
    return sum(abs(error or 0.0) for error in counts)


def write_silicon_layers(renderer: Renderer, world: World, found: LayerValidations) -> None:
    """Counters of a real chip beside ours; without a kept result the page says how to get one."""
    # what counts most alike stands first: the error that is left there is timing
    alike = sorted(found.results, key=_difference_in_counts)
    sections = tuple(section_of(r, _packaged(r, found)) for r in alike)
    charts = {f"errors_{s.key}": _chart(s) for s in sections}
    if sections:
        plain = found.model_dump(mode="json", by_alias=True)
        renderer.staging.write(f"{FOLDER}/layers.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    ids = {r.record.id for r in world.runs}
    renderer.page(
        FOLDER,
        "silicon_layers.md.j2",
        charts,
        sections=sections,
        events=_COUNTED,
        stall_events=STALLS,
        limit=LIMIT_TEXT,
        page_of={i: f"runs/{slug(i)}/" for i in ids},
    )


def _packaged(result: LayerValidation, found: LayerValidations) -> LayerValidation | None:
    """The comparison of the same run with the packaged kernels; None where that is this one or is not kept."""
    same = (r for r in found.results if r.run_id == result.run_id and r.compiler == result.compiler and not r.note)
    return next(same, None) if result.note else None


def section_of(kept: LayerValidation, packaged: LayerValidation | None = None) -> Section:
    """A comparison with what explains each error. ``packaged``: the same one with the packaged kernels, to compare with."""
    big = {p.layer for p in kept.big()}
    rows = tuple(_row(p, p.layer in big) for p in kept.points)
    published, simulated = kept.total()
    return Section(
        key=slug(f"{kept.model}-{kept.board}-{kept.compiler}-{kept.kernels_version}"),
        kept=kept,
        rows=rows,
        published=published,
        simulated=simulated,
        total=tuple(relative_error(published, simulated, e) for e in _COUNTED),
        summary=_summary(kept, rows),
        reasons=_reasons(rows),
        inside=kept.cycles_interval[0] <= published.cycles <= kept.cycles_interval[1],
        stalls=stalls_of(kept),
        overview=overview_of(kept, packaged),
    )


def _reasons(rows: tuple[Row, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.why, []).append(row.name)
    return tuple((", ".join(names), why) for why, names in found.items())


def _row(p: LayerPoint, big: bool) -> Row:
    published, simulated = p.cycles_per_instruction
    instructions = p.error(Event.INSTRUCTIONS) or 0.0
    return Row(
        name=layer_title(p.op, p.layer),
        point=p,
        errors=tuple(p.error(e) for e in _COUNTED),
        by_instructions=instructions,
        by_timing=simulated / published - 1 if published else 0.0,
        big=big,
        why=explanation(p),
    )


def explanation(p: LayerPoint) -> str:
    """What the counts say about an error in cycles, in one sentence."""
    instructions = p.error(Event.INSTRUCTIONS) or 0.0
    multiplies = p.error(Event.MVE_MACS)
    if p.op == "RESHAPE":
        return "nothing is moved here; what the framework does around the operator is in the chip's counts"
    if multiplies is None:
        if abs(instructions) <= _OTHER:
            return "no vector multiplies, and hardly more or fewer instructions: what is left is timing"
        return "no vector multiplies, and other instructions: another version's or another compiler's"
    if not p.simulated.mve_macs:
        return "another kernel: the chip's multiplies vectors here, ours does not"
    if abs(multiplies) > _OTHER:
        ours, theirs = p.macs / p.simulated.mve_macs, p.macs / p.published.mve_macs
        return (
            f"another kernel: it issues {1 + multiplies:.2f} times the vector multiplies of the chip's, of {ours:.1f} products each "
            f"instead of {theirs:.1f}"
        )
    if abs(instructions) <= _SAME:
        return "the same kernel, instruction for instruction but for the compiler: what is left is timing"
    return (
        "the same vector multiplies; the rest of the kernel's instructions are another version's or another compiler's"
    )


def _summary(kept: LayerValidation, rows: tuple[Row, ...]) -> str:
    alike = [r for r in rows if r.big and (e := r.point.error(Event.MVE_MACS)) is not None and abs(e) <= _OTHER]
    published, simulated = kept.total()
    total = relative_error(published, simulated, Event.CYCLES) or 0.0
    text = f"Over all layers the error in cycles is {signed_percent(total)}."
    if alike:
        errors = [r.errors[0] or 0.0 for r in alike]
        text += (
            f" Over the {len(alike)} large layers whose kernel issues the same vector multiplies as the chip's, the error in cycles lies "
            f"between {signed_percent(min(errors))} and {signed_percent(max(errors))}."
        )
    return text


@dataclass(frozen=True)
class _Bar:
    layer: str
    part: str
    share: float


def _chart(s: Section) -> Chart:
    shown = [r for r in s.rows if r.big]
    bars = [_Bar(r.name, part, share) for r in shown for part, share in _parts(r)]
    names = [r.name for r in shown]
    parts = [_BY_INSTRUCTIONS, _BY_TIMING]
    drawn = (
        alt.Chart(inline([asdict(b) for b in bars]))
        .mark_bar(height=_ROW / 3)
        .encode(
            y=alt.Y("layer:N", sort=names, axis=alt.Axis(title=None, labelLimit=240, ticks=False)),
            yOffset=alt.YOffset("part:N", sort=parts),
            x=alt.X("share:Q", axis=alt.Axis(title="error in cycles", format="+.0%", tickCount=7)),
            color=alt.Color("part:N", scale=categories(parts), legend=alt.Legend(title=None, labelLimit=300)),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("part:N", title="error"),
                alt.Tooltip("share:Q", title="of the chip's cycles", format="+.1%"),
            ],
        )
    )
    zero = alt.Chart(inline([{"share": 0}])).mark_rule(color=palette.INK, strokeWidth=1).encode(x="share:Q")
    table = Table(
        ("layer", "published cycles", "simulated cycles", "error", *parts),
        tuple(
            (
                r.name, f"{r.point.published.cycles:,}", f"{r.point.simulated.cycles:,}", signed_percent(r.errors[0] or 0.0),
                signed_percent(r.by_instructions), signed_percent(r.by_timing),
            )
            for r in shown
        ),
    )  # fmt: skip
    return Chart(
        f"errors-{s.key}",
        finish(alt.layer(drawn, zero).properties(height=_ROW * len(shown))),
        "Error in cycles of the layers that take at least a hundredth of the time, split into its two factors: how many instructions "
        "there are, and how many cycles each takes.",
        "Bars: error in cycles of each large layer, by its two factors",
        table,
        "layers.json",
        category_legend(parts),
    )


def _parts(r: Row) -> tuple[tuple[str, float], tuple[str, float]]:
    return (_BY_INSTRUCTIONS, r.by_instructions), (_BY_TIMING, r.by_timing)
