"""Charts of an analysis: gains by mechanism, the gap to the ideal machine, latency over the clock."""

from __future__ import annotations

import altair as alt

from engine.explain.analysis import Analysis, Gain
from engine.records.cause import Cause
from engine.site import palette
from engine.site.chart import Chart, Table, finish, inline
from engine.site.text import percent, signed, significant, whole
from engine.timing.mechanism import Mechanism
from engine.timing.sweep import Step

_ROW = 24
_IDEAL = "what the ideal machine still takes"
_LABELS = alt.Axis(title=None, labelLimit=220, ticks=False, domain=False, labelOverlap=False)

MECHANISM_CAUSE: dict[Mechanism, Cause] = {
    Mechanism.PERFECT_INSTRUCTION_CACHE: Cause.INSTRUCTION_FETCH,
    Mechanism.PERFECT_DATA_READ: Cause.DATA_READ,
    Mechanism.PERFECT_DATA_WRITE: Cause.DATA_WRITE,
    Mechanism.NO_BRANCH_REFILL: Cause.BRANCH_REFILL,
    Mechanism.SINGLE_CYCLE_LOADS: Cause.LOAD_USE,
    Mechanism.SINGLE_CYCLE_TRANSFERS: Cause.LOAD_STORE_ISSUE,
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: Cause.MULTIPLY_DIVIDE_LATENCY,
}
"""The cause whose colour a mechanism of the ideal machine has."""

STEP_LABEL = {
    Step.FIRST: "lowest clock",
    Step.FASTER: "buys time",
    Step.UNCERTAIN: "may buy nothing",
    Step.NOTHING: "buys nothing",
}
"""What a clock buys, in a few words."""

_STEP_COLOUR = {
    Step.FASTER: palette.ACCENT,
    Step.UNCERTAIN: palette.SECOND,
    Step.NOTHING: palette.SERIES[3],
}


def _dot(step: Step) -> str:
    """What a point of the sweep is drawn as: the lowest clock has no step below it and looks like any that buys time."""
    return STEP_LABEL[Step.FASTER if step is Step.FIRST else step]


def by_gain(analysis: Analysis) -> list[Gain]:
    """Mechanisms of a run, the largest gain in time first."""
    return sorted(analysis.run.gains, key=lambda g: -g.gain_ms)


def gains_chart(analysis: Analysis, what: str) -> Chart:
    """Milliseconds that each mechanism, ideal alone, would save. ``what`` names the run in the description."""
    gains = by_gain(analysis)
    real_ms = analysis.run.cycles / analysis.clock_mhz / 1000
    gap = analysis.run.gap_cycles
    rows = [
        {
            "mechanism": g.mechanism.label, "ms": g.gain_ms, "low": g.gain_ms_interval[0], "high": g.gain_ms_interval[1],
            "share": g.gain_ms / real_ms if real_ms else 0, "meaning": g.mechanism.meaning,
        }
        for g in gains
    ]  # fmt: skip
    y = alt.Y("mechanism:N", sort=[str(r["mechanism"]) for r in rows], axis=_LABELS)
    tips = [
        alt.Tooltip("mechanism:N"),
        alt.Tooltip("ms:Q", title="gain (ms)", format=".3~g"),
        alt.Tooltip("low:Q", title="interval from (ms)", format=".3~g"),
        alt.Tooltip("high:Q", title="to (ms)", format=".3~g"),
        alt.Tooltip("share:Q", title="of the run", format=".1%"),
        alt.Tooltip("meaning:N"),
    ]
    base = alt.Chart(inline(rows))
    x = alt.X("ms:Q", axis=alt.Axis(title="gain (ms per inference)", tickCount=6))
    bars = base.mark_bar(height={"band": 0.7}, color=palette.ACCENT).encode(y=y, x=x, tooltip=tips)
    span = base.mark_rule(strokeWidth=2, color=palette.INK).encode(y=y, x="low:Q", x2="high:Q", tooltip=tips)
    ends = [
        base.mark_tick(thickness=2, size=9, color=palette.INK).encode(y=y, x=f"{e}:Q", tooltip=tips)
        for e in ("low", "high")
    ]
    table = Table(
        ("ideal alone", "gain (ms)", "interval (ms)", "of the run", "gain (cycles)", "share of the gap (cycles)", "of the gap"),
        tuple(
            (
                g.mechanism.label,
                significant(g.gain_ms),
                f"{significant(g.gain_ms_interval[0])} \u2013 {significant(g.gain_ms_interval[1])}",
                percent(g.gain_ms, real_ms),
                "\u2013" if g.gain_cycles is None else signed(g.gain_cycles),
                "\u2013" if g.share_cycles is None else whole(g.share_cycles),
                "\u2013" if g.share_cycles is None else percent(g.share_cycles, gap),
            )
            for g in gains
        ),
    )  # fmt: skip
    return Chart(
        "gains",
        finish(alt.layer(bars, span, *ends).properties(height=_ROW * len(rows))),
        "Time that one inference would save if only this were ideal; the thin line is the interval. Gains overlap, so they do not "
        "add up. Each is the whole run timed again, never a penalty times a count.",
        f"Bars: time that {what} would save by mechanism, with intervals",
        table,
        "gains.csv",
    )


def gap_chart(analysis: Analysis, what: str) -> Chart:
    """The run's cycles as one bar: what the ideal machine takes, and the Shapley share of each mechanism in the rest."""
    run = analysis.run
    shares = [(g.mechanism, g.share_cycles, g.share_cycles_interval) for g in by_gain(analysis)]
    parts: list[tuple[str, str, int, tuple[int, int] | None]] = [(_IDEAL, palette.GRID, run.ideal_cycles, None)]
    parts += [
        (m.label, palette.CAUSE_COLOURS[MECHANISM_CAUSE[m]], cycles, span)
        for m, cycles, span in sorted(shares, key=lambda s: -(s[1] or 0))
        if cycles
    ]
    rows, start = [], 0
    for label, _, cycles, _ in parts:
        rows.append(
            {"run": "cycles", "part": label, "start": start, "end": start + cycles, "cycles": cycles, "of": run.cycles}
        )
        start += cycles
    chart = (
        alt.Chart(inline(rows))
        .transform_calculate(share="datum.of ? datum.cycles / datum.of : 0")
        .mark_bar(stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=alt.Y("run:N", axis=None),
            x=alt.X("start:Q", axis=alt.Axis(title="cycles (warm inference)", format="~s", tickCount=6)),
            x2="end:Q",
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=[p[0] for p in parts], range=[p[1] for p in parts]),
                legend=alt.Legend(title=None, columns=3, labelLimit=240),
            ),
            tooltip=[
                alt.Tooltip("part:N"),
                alt.Tooltip("cycles:Q", format=","),
                alt.Tooltip("share:Q", format=".1%", title="of the run"),
            ],
        )
        .properties(height=44)
    )
    table = Table(
        ("part", "cycles", "interval", "of the run", "of the gap"),
        (
            *(
                (
                    label,
                    whole(cycles),
                    f"{signed(span[0])} \u2013 {signed(span[1])}" if span else "",
                    percent(cycles, run.cycles),
                    "" if label == _IDEAL else percent(cycles, run.gap_cycles),
                )
                for label, _, cycles, span in parts
            ),
            ("sum", whole(run.cycles), "", percent(run.cycles, run.cycles), ""),
        ),
    )
    return Chart(
        "gap",
        finish(chart),
        "The run's cycles: what a machine without any of these delays would still take, and each mechanism's Shapley share of the gap. "
        "Unlike the gains above, the shares add up exactly.",
        f"One bar: cycles of {what}, divided into the ideal machine's and the shares of the mechanisms",
        table,
        "gains.csv",
        tuple((p[0], p[1]) for p in parts),
    )


def clock_chart(analysis: Analysis, used_mhz: float, what: str) -> Chart:
    """Latency over the board's clocks beside what division by the clock alone would give."""
    points = analysis.clocks
    first = points[0]
    rows = [
        {
            "clock": p.clock_mhz, "ms": p.latency_ms, "low": p.latency_ms_interval[0], "high": p.latency_ms_interval[1],
            "pure": first.cycles / p.clock_mhz / 1000, "waits": p.wait_states, "step": _dot(p.step), "saving": p.saving,
        }
        for p in points
    ]  # fmt: skip
    low = min(min(p.latency_ms_interval[0], first.cycles / p.clock_mhz / 1000) for p in points)
    high = max(p.latency_ms_interval[1] for p in points)
    x = alt.X(
        "clock:Q",
        scale=alt.Scale(type="log", domain=[first.clock_mhz / 1.1, points[-1].clock_mhz * 1.1], nice=False),
        axis=alt.Axis(title="core clock (MHz)", format="~g", tickCount=6),
    )
    y = alt.Y(
        "ms:Q",
        scale=alt.Scale(type="log", domain=[low / 1.1, high * 1.1], nice=False),
        axis=alt.Axis(title="latency, warm (ms)", format="~g", tickCount=5),
    )
    tips = [
        alt.Tooltip("clock:Q", title="clock (MHz)"),
        alt.Tooltip("waits:Q", title="wait states"),
        alt.Tooltip("ms:Q", title="latency (ms)", format=".4~g"),
        alt.Tooltip("low:Q", title="interval from (ms)", format=".4~g"),
        alt.Tooltip("high:Q", title="to (ms)", format=".4~g"),
        alt.Tooltip("pure:Q", title="division by the clock alone (ms)", format=".4~g"),
        alt.Tooltip("step:N", title="the step up to it"),
    ]
    base = alt.Chart(inline(rows))
    band = base.mark_area(color=palette.ACCENT, opacity=0.16).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    pure = base.mark_line(color=palette.MUTED, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=alt.Y("pure:Q"))
    line = base.mark_line(color=palette.ACCENT, strokeWidth=2).encode(x=x, y=y)
    shown = [s for s in Step if any(_dot(p.step) == STEP_LABEL[s] for p in points)]
    dots = base.mark_point(filled=True, size=70, opacity=1, stroke=palette.SURFACE, strokeWidth=1).encode(
        x=x,
        y=y,
        color=alt.Color(
            "step:N",
            scale=alt.Scale(domain=[STEP_LABEL[s] for s in shown], range=[_STEP_COLOUR[s] for s in shown]),
            legend=alt.Legend(title="the step up to a clock", symbolType="circle"),
        ),
        tooltip=tips,
    )
    used = (
        alt.Chart(inline([{"clock": used_mhz, "label": f"this run, {used_mhz:g} MHz"}]))
        .mark_rule(strokeDash=[2, 3], color=palette.INK, strokeWidth=1.5)
        .encode(x=alt.X("clock:Q"), tooltip=alt.Tooltip("label:N", title="clock"))
    )
    table = Table(
        ("clock (MHz)", "wait states", "cycles", "latency (ms)", "interval (ms)", "division alone (ms)", "saved", "the step up to it"),
        tuple(
            (
                f"{p.clock_mhz:g}" + (" (this run)" if p.clock_mhz == used_mhz else ""),
                f"{p.wait_states}" + (f" \u00d7 {p.bus_ratio}" if p.bus_ratio > 1 else ""),
                whole(p.cycles),
                significant(p.latency_ms, 4),
                f"{significant(p.latency_ms_interval[0])} \u2013 {significant(p.latency_ms_interval[1])}",
                significant(first.cycles / p.clock_mhz / 1000, 4),
                "" if p.step is Step.FIRST else f"{100 * p.saving:.1f}\u00a0%".replace("-", "\u2212"),
                STEP_LABEL[p.step],
            )
            for p in points
        ),
        left=frozenset({7}),
    )  # fmt: skip
    return Chart(
        "clock",
        finish(alt.layer(band, pure, line, dots, used).properties(height=260)),
        f"Latency over the clocks of the board's ladder, both axes logarithmic; the band is the interval. The dashed line is what the "
        f"cycles of the lowest clock ({first.clock_mhz:g} MHz) would take if a higher clock changed nothing but the length of a cycle: "
        f"where the curve leaves it, wait states eat the clock. The dotted line is this run's clock ({used_mhz:g} MHz).",
        f"Line chart: latency of {what} over the core clock, with interval, beside pure division by the clock",
        table,
        "clocks.csv",
        tuple((STEP_LABEL[s], _STEP_COLOUR[s]) for s in shown),
    )
