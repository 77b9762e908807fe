"""The ranking: runs of one model by latency, with the ranks that the intervals leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import altair as alt

from engine.explain.sentences import board_as_set
from engine.explain.ties import rank
from engine.records.run import RunRecord
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.text import significant

ROW_PX = 26
"""Height of one bar with its gap; ``whycycles.js`` keeps it when a filter changes the number of bars."""


@dataclass(frozen=True)
class Place:
    """A run's place. ``best`` and ``worst`` are the ranks (1 is fastest) that the intervals allow; they differ in a tie."""

    record: RunRecord
    label: str
    low_ms: float
    high_ms: float
    best: int
    worst: int

    @property
    def rank(self) -> str:
        """The place as text: "1", or "2–4" in a tie."""
        return str(self.best) if self.best == self.worst else f"{self.best}\u2013{self.worst}"


def labels(records: Sequence[RunRecord]) -> dict[str, str]:
    """A label per run id, as short as it can be while no two of one model are equal."""
    keys: tuple[Callable[[RunRecord], str], ...] = (
        lambda r: f"{board_as_set(r)} · {r.kernels}",
        lambda r: f"{board_as_set(r)} · {r.kernels} · {r.clock_mhz:g} MHz",
        lambda r: f"{board_as_set(r)} · {r.kernels} · {r.clock_mhz:g} MHz · {r.compiler} {r.opt}",
    )
    for key in keys:
        count = Counter(key(r) for r in records)
        if max(count.values(), default=0) <= 1:
            return {r.id: key(r) for r in records}
    return {r.id: r.id for r in records}


def places(records: Sequence[RunRecord]) -> list[Place]:
    """Runs of one model, fastest first. Raises UsageError for runs of several models.

    A run has as many runs surely before it as have their whole interval below its own, and may change places with those it
    overlaps.
    """
    names = labels(records)
    found = [
        Place(m.record, names[m.record.id], m.low_ms, m.high_ms, group.rank, group.rank + len(m.ties_with))
        for group in rank(records)
        for m in group.members
    ]
    return sorted(found, key=lambda p: (p.record.latency_ms, p.record.id))


def ranking_chart(ranked: Sequence[Place], kernels: Sequence[str]) -> Chart:
    """Latency bars with their intervals. ``kernels`` fixes the colours over all models.

    The browser replaces the data set "ranking" when a filter changes, so nothing here may depend on the rows given.
    """
    rows = [chart_row(r) for r in ranked]
    base = alt.Chart(inline(rows, name="ranking"))
    y = alt.Y(
        "label:N",
        sort=alt.EncodingSortField(field="ms", op="min"),
        axis=alt.Axis(title=None, labelLimit=190, ticks=False, domain=False, labelOverlap=False),
    )
    tips = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("core:N"),
        alt.Tooltip("clock:Q", title="clock (MHz)"),
        alt.Tooltip("ms:Q", format=".4~s", title="latency (ms)"),
        alt.Tooltip("low:Q", format=".4~s", title="interval from (ms)"),
        alt.Tooltip("high:Q", format=".4~s", title="to (ms)"),
        alt.Tooltip("evidence:N"),
    ]
    x = alt.X("ms:Q", axis=alt.Axis(title="latency, warm (ms)", tickCount=5), scale=alt.Scale(zero=True))
    bars = base.mark_bar(height={"band": 0.72}).encode(
        y=y,
        x=x,
        color=alt.Color("kernels:N", scale=categories(kernels), legend=alt.Legend(title="kernels")),
        tooltip=tips,
    )
    span = base.mark_rule(strokeWidth=2, color=palette.INK).encode(y=y, x="low:Q", x2="high:Q", tooltip=tips)
    ends = [
        base.mark_tick(thickness=2, size=9, color=palette.INK).encode(y=y, x=f"{e}:Q", tooltip=tips)
        for e in ("low", "high")
    ]
    chart = alt.layer(bars, span, *ends).properties(height=ROW_PX * len(ranked))
    table = Table(
        ("run", "core", "latency (ms)", "interval (ms)", "evidence"),
        tuple(
            (r.label, r.record.core, significant(r.record.latency_ms, 4), f"{significant(r.low_ms)}\u2013{significant(r.high_ms)}",
             r.record.evidence.value)
            for r in ranked
        ),
        left=frozenset({0, 1, 4}),
    )  # fmt: skip
    model = ranked[0].record.model if ranked else ""
    return Chart(
        "ranking",
        finish(chart),
        "Latency of one inference, shorter is better. The thin line on each bar is the interval that the timing rules without "
        "a hard source leave open: where two of them overlap, the order is a tie. A bar ends at the documented values, which may lie at one end of the "
        "interval (a prefetch that no document describes, for instance, can only add cycles).",
        f"Bars: latency of {model} by board and kernel library, with intervals",
        table,
        "downloads/runs.csv",
        category_legend(kernels),
    )


def chart_row(r: Place) -> dict[str, str | float]:
    """A row of the chart's data set; also written into the table's rows for the browser."""
    return {
        "label": r.label,
        "kernels": r.record.kernels,
        "core": r.record.core,
        "clock": r.record.clock_mhz,
        "ms": round(r.record.latency_ms, 6),
        "low": round(r.low_ms, 6),
        "high": round(r.high_ms, 6),
        "evidence": r.record.evidence.value,
    }
