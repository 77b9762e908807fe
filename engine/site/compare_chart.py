"""Chart of a comparison: the difference in time, divided over mechanisms."""

from __future__ import annotations

from fractions import Fraction

import altair as alt

from engine.explain.compare import Comparison
from engine.explain.compare_mechanism import Mechanism
from engine.explain.compare_shapley import whole as whole_numbers
from engine.site import palette
from engine.site.chart import Chart, Table, finish, inline

_ROW = 26
_SUM = "sum"
_MORE, _LESS = "B takes longer", "B takes less"
_LABELS = alt.Axis(title=None, labelLimit=160, ticks=False, domain=False, labelOverlap=False)


def mechanism_chart(name: str, found: Comparison, a: str, b: str) -> Chart:
    """Milliseconds that B takes more than A by mechanism, their sum last. ``a`` and ``b`` name the runs in the description."""
    parts = nanoseconds(found)
    total = sum(parts.values())
    shown = sorted((m for m in Mechanism if parts[m]), key=lambda m: -abs(parts[m]))
    entries = [*((m.label, parts[m]) for m in shown), (_SUM, total)]
    rows = [
        {
            "mechanism": label, "ms": ns / 1e6, "sign": _SUM if label == _SUM else _MORE if ns > 0 else _LESS,
            "share": ns / total if total else 0,
        }
        for label, ns in entries
    ]  # fmt: skip
    scale = alt.Scale(domain=[_MORE, _LESS, _SUM], range=[palette.SECOND, palette.ACCENT, palette.MUTED])
    base = alt.Chart(inline(rows))
    y = alt.Y("mechanism:N", sort=[label for label, _ in entries], axis=_LABELS)
    x = alt.X("ms:Q", axis=alt.Axis(title="B minus A (ms per inference)", tickCount=6))
    bars = base.mark_bar(height={"band": 0.7}).encode(
        y=y,
        x=x,
        color=alt.Color("sign:N", scale=scale, legend=alt.Legend(title=None)),
        tooltip=[
            alt.Tooltip("mechanism:N"),
            alt.Tooltip("ms:Q", title="B minus A (ms)", format="+,.3f"),
            alt.Tooltip("share:Q", title="of the difference", format="+.1%"),
        ],
    )
    zero = alt.Chart(inline([{"ms": 0}])).mark_rule(color=palette.INK, strokeWidth=1).encode(x=alt.X("ms:Q"))
    table = Table(
        ("mechanism", "B minus A (µs)", "of the difference"),
        tuple((label, microseconds(ns), share(ns, total)) for label, ns in entries),
    )
    return Chart(
        name,
        finish(alt.layer(bars, zero).properties(height=_ROW * len(rows))),
        "Where the difference in time comes from; the parts sum to it exactly. To the right B takes longer.",
        f"Bars: difference in time between {b} and {a} by mechanism",
        table,
        f"{name}.csv",
        ((_MORE, palette.SECOND), (_LESS, palette.ACCENT), (_SUM, palette.MUTED)),
    )


def nanoseconds(found: Comparison) -> dict[Mechanism, int]:
    """The parts of the difference in whole nanoseconds that sum to the rounded difference."""
    exact = [Fraction(str(found.by_mechanism.get(m, 0.0))) * 1000 for m in Mechanism]
    return dict(zip(Mechanism, whole_numbers(exact), strict=True))


def microseconds(ns: int) -> str:
    """A signed difference in µs, to the nanosecond."""
    return f"{ns / 1000:+,.3f}".replace("-", "\u2212") if ns else "0"


def share(part: float, total: float) -> str:
    """A signed part of the difference in percent; a dash where there is none."""
    return f"{100 * part / total:.1f}\u00a0%".replace("-", "\u2212") if total else "\u2013"
