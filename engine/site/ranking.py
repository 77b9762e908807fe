"""The ranking: runs of one model by latency, with the ranks that the intervals leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from engine.explain.sentences import board_as_set
from engine.explain.ties import interval_ms, rank
from engine.records.run import RunRecord
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.setup import as_built, setups
from engine.site.text import significant

ROW_PX = 26
"""Height of one bar with its gap; ``whycycles.js`` keeps it when a filter changes the number of bars."""


@dataclass(frozen=True)
class Place:
    """A run's place. ``best`` and ``worst`` are the ranks (1 is fastest) that the intervals allow; they differ in a tie.

    Both are None for a run that is not ranked. ``setup`` is what tells the run from others of its board and kernels.
    """

    record: RunRecord
    label: str
    setup: tuple[str, ...]
    low_ms: float
    high_ms: float
    best: int | None
    worst: int | None

    @property
    def rank(self) -> str:
        """The place as text: "1", "2–4" in a tie, a dash where there is none."""
        if self.best is None:
            return "\u2013"
        return str(self.best) if self.best == self.worst else f"{self.best}\u2013{self.worst}"


def labels(records: Sequence[RunRecord]) -> dict[str, str]:
    """A label per run id, as short as it can be while no two of one model are equal."""
    apart = setups(records)
    return {r.id: " · ".join((board_as_set(r), r.kernels, *apart[r.id])) for r in records}


def places(records: Sequence[RunRecord]) -> list[Place]:
    """Runs of one model, fastest first. Raises UsageError for runs of several models.

    A run has as many runs surely before it as have their whole interval below its own, and may change places with those it
    overlaps. Runs of altered boards have no rank: nobody can buy them.
    """
    names, apart = labels(records), setups(records)
    found = [
        Place(
            m.record,
            names[m.record.id],
            apart[m.record.id],
            m.low_ms,
            m.high_ms,
            group.rank,
            group.rank + len(m.ties_with),
        )
        for group in rank([r for r in records if as_built(r)])
        for m in group.members
    ]
    found += [Place(r, names[r.id], apart[r.id], *interval_ms(r), None, None) for r in records if not as_built(r)]
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
        axis=alt.Axis(title=None, labelLimit=340, ticks=False, domain=False, labelOverlap=False),
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
