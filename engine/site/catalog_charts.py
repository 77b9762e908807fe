"""Charts of boards and models: the clock ladder, activations alive at each operator."""

from __future__ import annotations

import altair as alt

from engine.catalog.board import Board
from engine.models.cost_types import ModelCost
from engine.site import palette
from engine.site.chart import Chart, Table, categories, finish, inline
from engine.site.text import kilobytes, whole
from engine.words import layer_title

_LARGEST = 8


def ladder_chart(board: Board) -> Chart:
    """Flash wait states over the core clock, as steps."""
    steps = [{"clock": 0.0, "wait": board.flash.ladder[0].wait_states}]
    rows = []
    below = 0.0
    for step in board.flash.ladder:
        steps.append({"clock": float(step.up_to_mhz), "wait": step.wait_states})
        rows.append((f"{below:g} \u2013 {step.up_to_mhz:g}", str(step.wait_states)))
        below = float(step.up_to_mhz)
    top = max(s["wait"] for s in steps)
    line = (
        alt.Chart(inline(steps))
        .mark_line(interpolate="step-before", color=palette.ACCENT, strokeWidth=2.5)
        .encode(
            x=alt.X("clock:Q", axis=alt.Axis(title="core clock (MHz)", tickCount=6), scale=alt.Scale(nice=False)),
            y=alt.Y("wait:Q", axis=alt.Axis(title="wait states", format="d", values=list(range(int(top) + 1)))),
            tooltip=[alt.Tooltip("clock:Q", title="up to (MHz)"), alt.Tooltip("wait:Q", title="wait states")],
        )
    )
    used = board.default_clock_mhz
    mark = (
        alt.Chart(inline([{"clock": used, "label": f"default {used:g} MHz"}]))
        .mark_rule(strokeDash=[4, 3], color=palette.SECOND, strokeWidth=1.5)
        .encode(x="clock:Q", tooltip=alt.Tooltip("label:N", title="clock"))
    )
    return Chart(
        "ladder",
        finish(alt.layer(line, mark).properties(height=160)),
        f"Flash wait states by core clock; the dashed line is the clock the runs use ({used:g} MHz).",
        f"Step chart: flash wait states of {board.title} over the core clock",
        Table(("core clock (MHz)", "wait states"), tuple(rows), left=frozenset()),
    )


def lifetimes_chart(name: str, cost: ModelCost) -> Chart:
    """Activation bytes alive while each operator runs; the highest column is the least RAM any plan needs."""
    big = sorted(cost.lifetimes, key=lambda x: -x.bytes)[:_LARGEST]
    named = {x.tensor for x in big}
    shown = {
        x.tensor: f"{x.tensor} {x.name}"[-44:] if len(f"{x.tensor} {x.name}") > 44 else f"{x.tensor} {x.name}"
        for x in big
    }
    rows = [
        {
            "operator": layer_title(o.op, o.index),
            "tensor": shown[x.tensor] if x.tensor in named else "smaller ones",
            "bytes": x.bytes,
        }
        for o in cost.operators
        for x in cost.lifetimes
        if x.first <= o.index <= x.last
    ]
    names = [layer_title(o.op, o.index) for o in cost.operators]
    domain = [*(shown[x.tensor] for x in big), *(["smaller ones"] if len(cost.lifetimes) > _LARGEST else [])]
    bars = (
        alt.Chart(inline(rows))
        .transform_calculate(kb="datum.bytes / 1024")
        .mark_bar(stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=alt.Y(
                "operator:N",
                sort=names,
                axis=alt.Axis(title=None, labelLimit=150, ticks=False, domain=False, labelOverlap=False),
            ),
            x=alt.X("sum(kb):Q", axis=alt.Axis(title="activations alive (KB)", tickCount=5)),
            color=alt.Color("tensor:N", scale=categories(domain), legend=None),
            tooltip=[
                alt.Tooltip("operator:N"),
                alt.Tooltip("tensor:N"),
                alt.Tooltip("sum(bytes):Q", format=",", title="bytes"),
            ],
        )
    )
    peak = (
        alt.Chart(inline([{"kb": cost.peak_bytes / 1024}]))
        .mark_rule(strokeDash=[4, 3], color=palette.SECOND, strokeWidth=1.5)
        .encode(x="kb:Q", tooltip=alt.Tooltip("kb:Q", title="peak (KB)", format=".1f"))
    )
    return Chart(
        "lifetimes",
        finish(alt.layer(bars, peak).properties(height=22 * len(names))),
        f"Activations alive while each operator runs. The dashed line is the peak, {kilobytes(cost.peak_bytes)}: "
        "no memory plan can need less.",
        f"Stacked bars: bytes of activations of {name} alive at each operator",
        Table(
            ("tensor", "name", "bytes", "first operator", "last operator"),
            tuple((str(x.tensor), x.name, whole(x.bytes), str(x.first), str(x.last)) for x in cost.lifetimes),
            left=frozenset({0, 1}),
        ),
    )
