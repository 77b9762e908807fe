"""The residual plot of the energy models: what each held-out energy was missed by."""

from __future__ import annotations

import altair as alt

from engine.records.energy_model import EnergyModel
from engine.site import palette
from engine.site.chart import Chart, Table, finish, inline
from engine.site.text import signed_percent, significant

_COLOURS = (palette.ACCENT, palette.SECOND)


def residual_chart(model: EnergyModel) -> Chart:
    """Error of every published energy, its firmware held out, over the energy; our two models."""
    energy = {r.id: r.energy_uj / 1000 for r in model.training}
    board = {r.id: r.board for r in model.training}
    judged = [j for j in model.judgements if j.errors and j.held_out == "firmware"]
    rows = [
        {"row": e.id, "board": board[e.id], "mj": energy[e.id], "error": e.error, "model": j.predictor}
        for j in judged
        for e in j.errors
    ]
    names = [j.predictor for j in judged]
    colours = list(_COLOURS[: len(names)])
    tips = [
        alt.Tooltip("row:N", title="published result"),
        alt.Tooltip("board:N"),
        alt.Tooltip("mj:Q", title="published (mJ)", format=".4~g"),
        alt.Tooltip("error:Q", format="+.1%"),
        alt.Tooltip("model:N"),
    ]
    dots = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=60, opacity=0.85)
        .encode(
            x=alt.X(
                "mj:Q", scale=alt.Scale(type="log"), axis=alt.Axis(title="published (mJ per inference)", format="~g")
            ),
            y=alt.Y("error:Q", axis=alt.Axis(title="predicted against published", format="+.0%")),
            color=alt.Color("model:N", scale=alt.Scale(domain=names, range=colours), legend=alt.Legend(title=None)),
            tooltip=tips,
        )
    )
    zero = alt.Chart(inline([{"error": 0}])).mark_rule(color=palette.INK, strokeWidth=1).encode(y="error:Q")
    by_model = {j.predictor: {e.id: e.error for e in j.errors} for j in judged}
    order = sorted(energy, key=lambda i: -max(abs(errors[i]) for errors in by_model.values())) if judged else []
    table = Table(
        ("published result", "published (mJ)", *names),
        tuple((i, significant(energy[i], 4), *(signed_percent(by_model[n][i]) for n in names)) for i in order),
    )
    return Chart(
        "residuals",
        finish(alt.layer(zero, dots).properties(height=280)),
        "Error of every published energy, each predicted by models that saw no result of its firmware; time is the published latency, so these "
        "are errors of power alone. The table is sorted by the worse of the two.",
        "Dots: relative error of the predicted energy over the published energy, for the power model and the fitted model",
        table,
        None,
        tuple(zip(names, colours, strict=True)),
    )
