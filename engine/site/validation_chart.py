"""Charts of a validation: the error of every point, and published beside simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from engine.records.validation import BoundSide, Point, Use
from engine.site import palette
from engine.site.chart import Chart, Table, finish, inline
from engine.site.text import signed_percent, significant

_ROW = 26
_LABELS = alt.Axis(title=None, labelLimit=240, ticks=False, domain=False, labelOverlap=False)

USE_LABEL = {
    Use.EXACT: "exact: same kernels, known build",
    Use.BOUND: "bound: other kernels or build",
    Use.REPORT: "report: not fully known, or not ours",
}
"""What a published row is good for, in words."""

_COLOUR = {Use.EXACT: palette.ACCENT, Use.BOUND: palette.SECOND, Use.REPORT: palette.MUTED}


@dataclass(frozen=True)
class Compared:
    """A point with a latency that was run, with what the page needs: both times, the interval of ours, the error and its interval (0.05 is +5 %)."""

    point: Point
    label: str
    published_ms: float
    error: float
    low: float
    high: float
    simulated_ms: float
    interval_ms: tuple[float, float]


def compared(points: Sequence[Point]) -> tuple[Compared, ...]:
    """The points that were run: exact ones first, the largest absolute error first."""
    order = list(Use)
    found = [
        Compared(
            p,
            label(p),
            p.published_ms,
            p.error,
            p.interval_ms[0] / p.published_ms - 1,
            p.interval_ms[1] / p.published_ms - 1,
            p.simulated_ms,
            p.interval_ms,
        )
        for p in points
        if p.published_ms is not None
        and p.error is not None
        and p.interval_ms is not None
        and p.simulated_ms is not None
    ]
    return tuple(sorted(found, key=lambda c: (order.index(c.point.use), -abs(c.error), c.label)))


def label(p: Point) -> str:
    """A point's name, unique within a validation: board, model, and the framework that made the published result."""
    framework = p.framework.split(" ")[0] if p.framework else p.kernels
    short = {"TensorFlow": "TFLM", "Bosch": "HALE"}.get(framework, framework)
    return f"{p.model.removeprefix('mlperf-tiny/')} on {p.board} ({short})"


def outcome(p: Point) -> str:
    """What the comparison says, in words."""
    if p.holds is None:
        return "not run"
    if p.bound_side is BoundSide.SIMULATED_AT_MOST:
        return "holds: at most the published" if p.holds else "DOES NOT HOLD: must be at most the published"
    if p.bound_side is BoundSide.SIMULATED_AT_LEAST:
        return "holds: at least the published" if p.holds else "DOES NOT HOLD: must be at least the published"
    return "published lies within the interval" if p.holds else "published lies outside the interval"


def error_chart(name: str, points: Sequence[Compared]) -> Chart:
    """The error of every point with the interval of the simulation; ``name`` is the chart's file name."""
    rows = [
        {
            "point": c.label, "use": USE_LABEL[c.point.use], "error": c.error, "low": c.low, "high": c.high,
            "published": c.published_ms, "simulated": c.simulated_ms, "outcome": outcome(c.point),
        }
        for c in points
    ]  # fmt: skip
    base = alt.Chart(inline(rows))
    y = alt.Y("point:N", sort=[c.label for c in points], axis=_LABELS)
    x = alt.X(
        "error:Q",
        axis=alt.Axis(title="error", format="+.0%", tickCount=5),
        scale=alt.Scale(nice=False, padding=10),  # a last tick at the very edge would lose half its label on a phone
    )
    tips = [
        alt.Tooltip("point:N"),
        alt.Tooltip("published:Q", title="published (ms)", format=".4~g"),
        alt.Tooltip("simulated:Q", title="simulated (ms)", format=".4~g"),
        alt.Tooltip("error:Q", format="+.1%"),
        alt.Tooltip("low:Q", title="interval from", format="+.1%"),
        alt.Tooltip("high:Q", title="to", format="+.1%"),
        alt.Tooltip("outcome:N"),
    ]
    colour, legend = _colours(points)
    zero = alt.Chart(inline([{"error": 0}])).mark_rule(color=palette.INK, strokeWidth=1).encode(x=alt.X("error:Q"))
    span = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
        y=y, x=alt.X("low:Q"), x2="high:Q", color=colour, tooltip=tips
    )
    dots = base.mark_point(filled=True, size=90, opacity=1, stroke=palette.SURFACE, strokeWidth=1).encode(
        y=y, x=x, color=colour, tooltip=tips
    )
    table = Table(
        ("point", "published (ms)", "simulated (ms)", "error", "interval of the error", "outcome"),
        tuple(
            (
                c.label,
                significant(c.published_ms, 4),
                significant(c.simulated_ms, 4),
                signed_percent(c.error),
                f"{signed_percent(c.low)} to {signed_percent(c.high)}",
                outcome(c.point),
            )
            for c in points
        ),
        left=frozenset({0, 5}),
    )
    return Chart(
        name,
        finish(alt.layer(zero, span, dots).properties(height=_ROW * len(rows))),
        "Error of every point that can be run, exact ones first and the worst on top; the bar is the interval of the simulation. "
        "Only exact points are an error of ours: a bound is another program's time, and only the side on which we lie counts.",
        "Dots: relative error of the simulated against the published latency, with intervals",
        table,
        "points.csv",
        legend,
    )


def _colours(points: Sequence[Compared]) -> tuple[alt.Color, tuple[tuple[str, str], ...]]:
    """The colour of a point's use, and the legend in text."""
    legend = tuple((USE_LABEL[u], _COLOUR[u]) for u in Use if any(c.point.use is u for c in points))
    scale = alt.Scale(domain=[text for text, _ in legend], range=[colour for _, colour in legend])
    return alt.Color(
        "use:N", scale=scale, legend=alt.Legend(title=None, symbolType="circle", symbolOpacity=1, labelLimit=280)
    ), legend


def scatter_chart(name: str, points: Sequence[Compared]) -> Chart:
    """Published against simulated latency, both logarithmic; on the diagonal they are equal."""
    rows = [
        {
            "point": c.label, "use": USE_LABEL[c.point.use], "published": c.published_ms, "simulated": c.simulated_ms,
            "low": c.interval_ms[0], "high": c.interval_ms[1],
        }
        for c in points
    ]  # fmt: skip
    values = [v for c in points for v in (c.published_ms, *c.interval_ms)]
    domain = [min(values) / 1.3, max(values) * 1.3]
    scale = alt.Scale(type="log", domain=domain, nice=False)
    x = alt.X("published:Q", scale=scale, axis=alt.Axis(title="published (ms)", format="~g", tickCount=5))
    y = alt.Y("simulated:Q", scale=scale, axis=alt.Axis(title="simulated (ms)", format="~g", tickCount=5))
    colour, legend = _colours(points)
    equal = (
        alt.Chart(inline([{"published": v, "simulated": v} for v in domain]))
        .mark_line(color=palette.MUTED, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(x=x, y=y)
    )
    base = alt.Chart(inline(rows))
    tips = [
        alt.Tooltip("point:N"),
        alt.Tooltip("published:Q", title="published (ms)", format=".4~g"),
        alt.Tooltip("simulated:Q", title="simulated (ms)", format=".4~g"),
        alt.Tooltip("low:Q", title="interval from (ms)", format=".4~g"),
        alt.Tooltip("high:Q", title="to (ms)", format=".4~g"),
    ]
    span = base.mark_rule(strokeWidth=2, opacity=0.7).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour, tooltip=tips
    )
    dots = base.mark_point(filled=True, size=80, opacity=1, stroke=palette.SURFACE, strokeWidth=1).encode(
        x=x,
        y=y,
        color=colour,
        tooltip=tips,
    )
    return Chart(
        name,
        finish(alt.layer(equal, span, dots).properties(height=280)),
        "Published beside simulated latency, with the interval; both axes are logarithmic, and on the dashed line they are equal.",
        "Dots: simulated over published latency, with intervals, and the line where both are equal",
        Table(
            ("point", "published (ms)", "simulated (ms)", "interval (ms)"),
            tuple(
                (c.label, significant(c.published_ms, 4), significant(c.simulated_ms, 4),
                 f"{significant(c.interval_ms[0])} \u2013 {significant(c.interval_ms[1])}")
                for c in points
            ),
        ),
        "points.csv",
        legend,
    )  # fmt: skip
