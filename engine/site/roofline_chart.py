"""The roofline of a run: achieved operations per cycle of each layer under the roofs of its core and memories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from engine.explain.roofline import Ceiling, Ceilings, RooflinePoint
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.text import significant


def roofline_chart(points: Sequence[tuple[str, str, RooflinePoint]], ceilings: Ceilings, what: str) -> Chart:
    """``points`` are (layer label, operator, point); ``what`` names the run in the description."""
    ridge = ceilings.ridge_ops_per_byte
    xs = [p.counted_intensity for _, _, p in points]
    left, right = min(xs) / 2, max([*xs, ridge]) * 2
    left = min(left, ridge / 4)
    top, slopes = ceilings.compute, ceilings.slopes
    right = max(right, 2 * top.value / min(c.value for c in (*slopes, *ceilings.below) if c.unit == slopes[0].unit))
    roofs = [_flat(top, slopes, left, right), *(_slope(c, top, left) for c in slopes)]
    below = [
        _flat(c, slopes, left, right, thin=True) if c.unit == top.unit else _slope(c, top, left, thin=True)
        for c in ceilings.below
    ]
    low = min([left * slopes[-1].value, *(p.ops_per_cycle for _, _, p in points)]) / 1.5
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[left, right], nice=False),
        axis=alt.Axis(title="counted intensity (operations per byte loaded or stored)", format="~g", tickCount=5),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type="log", domain=[low, top.high * 1.6], nice=False),
        axis=alt.Axis(title="operations per cycle (2 per MAC)", format="~g", tickCount=5),
    )
    band = (
        alt.Chart(inline([{"x": left, "low": top.low, "high": top.high, "x2": right}]))
        .mark_rect(color=palette.MUTED, opacity=0.16)
        .encode(x=alt.X("x:Q"), x2="x2:Q", y=alt.Y("low:Q"), y2="high:Q")
    )
    lines = (
        alt.Chart(inline([row for line in (*roofs, *below) for row in line]))
        .mark_line(color=palette.INK, clip=True)
        .encode(
            x=x,
            y=y,
            detail="roof:N",
            tooltip=[alt.Tooltip("roof:N", title="roof")],
            strokeWidth=alt.condition("datum.thin", alt.value(1), alt.value(2)),
            strokeDash=alt.condition("datum.thin", alt.value([4, 4]), alt.value([1, 0])),
        )
    )
    ops = list(dict.fromkeys(op for _, op, _ in points))
    rows = [
        {
            "layer": label, "op": op, "x": p.counted_intensity, "y": p.ops_per_cycle, "roof": p.roof, "of": p.of_roof,
            "gops": p.gops,
        }
        for label, op, p in points
    ]  # fmt: skip
    dots = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=90, stroke=palette.SURFACE, strokeWidth=1, opacity=0.95)
        .encode(
            x=x,
            y=y,
            color=alt.Color("op:N", scale=categories(ops), legend=alt.Legend(title=None, symbolType="circle")),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("y:Q", title="ops/cycle", format=".3~g"),
                alt.Tooltip("gops:Q", title="Gop/s", format=".3~g"),
                alt.Tooltip("x:Q", title="ops/byte", format=".3~g"),
                alt.Tooltip("roof:N", title="lower roof"),
                alt.Tooltip("of:Q", title="of the roof", format=".0%"),
            ],
        )
    )
    span = (math.log(right / left), math.log(top.high * 1.6 / low))
    numbers = (
        alt.Chart(
            inline(_labels([(lab.split(" ")[0], p.counted_intensity, p.ops_per_cycle) for lab, _, p in points], span))
        )
        .mark_text(align="left", dx=7, dy=-7, fontSize=10, color=palette.INK)
        .encode(x=x, y=y, text="number:N")
    )
    layers = [band, lines, dots, numbers] if top.low != top.high else [lines, dots, numbers]
    return Chart(
        "roofline",
        finish(alt.layer(*layers).properties(height=300)),
        _caption(ceilings),
        f"Roofline chart with the layers of {what}",
        Table(
            ("layer", "ops/byte", "ops/cycle", "Gop/s", "lower roof", "of the roof"),
            tuple(
                (label, significant(p.counted_intensity), significant(p.ops_per_cycle), significant(p.gops), p.roof,
                 f"{100 * p.of_roof:.0f}\u00a0%")
                for label, _, p in points
            ),
            left=frozenset({0, 4}),
        ),
        legend=category_legend(ops),
    )  # fmt: skip


def _flat(
    c: Ceiling, slopes: Sequence[Ceiling], left: float, right: float, *, thin: bool = False
) -> list[dict[str, object]]:
    """A horizontal line, from where the highest slope reaches it."""
    start = max(left, c.value / slopes[0].value)
    return [{"roof": c.name, "x": at, "y": c.value, "thin": thin} for at in (start, right)]


def _slope(c: Ceiling, top: Ceiling, left: float, *, thin: bool = False) -> list[dict[str, object]]:
    """A bandwidth, up to the flat roof."""
    return [{"roof": c.name, "x": at, "y": at * c.value, "thin": thin} for at in (left, top.value / c.value)]


def _caption(ceilings: Ceilings) -> str:
    def of(c: Ceiling) -> str:
        return f"{c.name} ({significant(c.value)} {c.unit}: {c.basis})"

    top, slopes = ceilings.compute, ceilings.slopes
    said = f"Roofline; the numbers are those of the layers. {ceilings.origin} The flat roof is the {of(top)}, "
    said += f"the sloped {'one' if len(slopes) == 1 else 'ones'} the {' and the '.join(of(c) for c in slopes)}."
    if ceilings.below:
        named = ", ".join(f"{c.name} {significant(c.value)} {c.unit}" for c in ceilings.below)
        said += f" Dashed, and bounding nothing: {named}."
    if any(c.inferred for c in (top, *slopes)):
        said += " Figures behind the roofs are inferred; a band is the interval of the flat one."
    return said


def _labels(numbered: Sequence[tuple[str, float, float]], span: tuple[float, float]) -> list[dict[str, str | float]]:
    """One text for points that lie so close that their numbers would cover each other. ``span``: lengths of the axes, as logarithms."""
    order = [number for number, _, _ in numbered]
    groups: list[list[tuple[str, float, float]]] = []
    for number, x, y in sorted(numbered, key=lambda p: p[1]):
        if groups:
            _, near_x, near_y = groups[-1][-1]
            if math.log(x / near_x) < 0.03 * span[0] and abs(math.log(y / near_y)) < 0.06 * span[1]:
                groups[-1].append((number, x, y))
                continue
        groups.append([(number, x, y)])
    # at the rightmost point, where there is room for the text
    return [
        {"number": ", ".join(sorted((n for n, _, _ in g), key=order.index)), "x": g[-1][1], "y": g[-1][2]}
        for g in groups
    ]
