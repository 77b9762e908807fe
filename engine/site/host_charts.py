"""Charts of runs on this machine: instructions of every layer."""

from __future__ import annotations

import altair as alt

from engine.records.host import HostLayer, HostRecord, HostSimulation
from engine.site import palette
from engine.site.chart import Chart, Table, finish, inline
from engine.site.text import percent, ratio, slug, whole
from engine.words import layer_title

_ROW = 22


def host_layer_label(layer: HostLayer) -> str:
    """Short name of a layer, unique within its record."""
    return layer_title(layer.op, layer.index)


def host_layers_chart(record: HostRecord, simulation: HostSimulation) -> Chart:
    """Instructions of every layer of our kernels, with misses and mispredictions in the tooltip and the table."""
    names = [host_layer_label(x) for x in simulation.layers]
    total = simulation.total.instructions
    rows = [
        {
            "layer": n, "instructions": x.instructions, "share": x.instructions / total if total else 0, "d1": x.d1_misses,
            "mispredicted": x.mispredictions,
        }
        for n, x in zip(names, simulation.layers, strict=True)
    ]  # fmt: skip
    bars = (
        alt.Chart(inline(rows))
        .mark_bar(color=palette.ACCENT)
        .encode(
            y=alt.Y(
                "layer:N",
                sort=names,
                axis=alt.Axis(title=None, labelLimit=220, ticks=False, domain=False, labelOverlap=False),
            ),
            x=alt.X("instructions:Q", axis=alt.Axis(title="instructions (x86-64)", format="~s", tickCount=5)),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("instructions:Q", format=","),
                alt.Tooltip("share:Q", format=".1%", title="of the inference"),
                alt.Tooltip("d1:Q", format=",", title="D1 misses"),
                alt.Tooltip("mispredicted:Q", format=","),
            ],
        )
        .properties(height=_ROW * len(names))
    )
    return Chart(
        f"layers-{slug(record.id)}",
        finish(bars),
        f"Instructions per layer of our portable kernels, counted by {simulation.tool}; caches and branch predictor are its models.",
        f"Bars: instructions of the {len(names)} layers of {record.model} on this machine",
        Table(
            ("layer", "instructions", "share", "per MAC", "reads", "writes", "D1 misses", "LL misses", "branches", "mispredicted"),
            tuple(
                (
                    n, whole(x.instructions), percent(x.instructions, total), ratio(x.instructions, x.macs), whole(x.reads),
                    whole(x.writes), whole(x.d1_misses), whole(x.ll_misses), whole(x.branches), whole(x.mispredictions),
                )
                for n, x in zip(names, simulation.layers, strict=True)
            ),
        ),
    )  # fmt: skip
