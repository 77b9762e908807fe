"""Charts of NPU estimates: layers with what bounds them, accelerators side by side within one configuration."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from engine.records.npu import NpuLayer, NpuRecord, NpuResource
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, finish, inline
from engine.site.text import percent, significant, whole
from engine.words import layer_title

_ROW = 22
_LABELS = alt.Axis(title=None, labelLimit=220, ticks=False, domain=False, labelOverlap=False)
_COLOURS = {r: palette.series_colour(n) for n, r in enumerate(NpuResource)}


def npu_layer_label(layer: NpuLayer) -> str:
    """Short name of a layer, unique within its record."""
    return layer.name if layer.index is None else layer_title(layer.op, layer.index)


def npu_layers_chart(record: NpuRecord) -> Chart:
    """Cycles of every layer in the colour of what bounds it; dots are what each resource works, and only the largest counts."""
    names = [npu_layer_label(x) for x in record.layers]
    bars = [
        {"layer": n, "resource": x.bottleneck.label, "cycles": x.cycles, "share": x.cycles / record.cycles}
        for n, x in zip(names, record.layers, strict=True)
        if x.bottleneck is not None
    ]
    dots = [
        {"layer": n, "resource": r.label, "cycles": x.busy.of(r)}
        for n, x in zip(names, record.layers, strict=True)
        for r in NpuResource
        if x.busy.of(r)
    ]
    y = alt.Y("layer:N", sort=names, scale=alt.Scale(domain=names), axis=_LABELS)
    used = [r for r in NpuResource if record.busy_cycles(r)]
    scale = alt.Scale(domain=[r.label for r in used], range=[_COLOURS[r] for r in used])
    colour = alt.Color("resource:N", scale=scale, legend=alt.Legend(title=None))
    x_axis = alt.Axis(title="cycles", format="~s", tickCount=5)
    bar = (
        alt.Chart(inline(bars))
        .mark_bar(opacity=0.45, height={"band": 0.75})
        .encode(
            y=y,
            x=alt.X("cycles:Q", axis=x_axis),
            color=colour,
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("resource:N", title="bound by"),
                alt.Tooltip("cycles:Q", format=","),
                alt.Tooltip("share:Q", format=".1%", title="of the inference"),
            ],
        )
    )
    dot = (
        alt.Chart(inline(dots))
        .mark_point(filled=True, size=55, opacity=1, stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=y,
            x="cycles:Q",
            color=colour,
            tooltip=[alt.Tooltip("layer:N"), alt.Tooltip("resource:N"), alt.Tooltip("cycles:Q", format=",")],
        )
    )
    return Chart(
        "layers",
        finish(alt.layer(bar, dot).properties(height=_ROW * len(names))),
        "Cycles per layer as Vela estimates them, in the colour of the resource that bounds it; the dots are what each resource works, "
        "side by side, so only the largest counts. An operator that became several NPU operations can take longer than its largest dot.",
        f"Bars with dots: estimated cycles of the {len(names)} layers of {record.model} on {record.npu}, by bounding resource",
        Table(
            ("layer", "where", "bound by", "cycles", "share", *(f"{r.label} cycles" for r in used), "MAC utilisation"),
            tuple(
                (
                    n, x.where.value, x.bottleneck.label if x.bottleneck else "", whole(x.cycles), percent(x.cycles, record.cycles),
                    *(whole(x.busy.of(r)) for r in used), "" if x.utilisation is None else percent(x.utilisation, 1),
                )
                for n, x in zip(names, record.layers, strict=True)
            ),
            left=frozenset({0, 1, 2}),
        ),
        "layers.csv",
        tuple((r.label, _COLOURS[r]) for r in used),
    )  # fmt: skip


def npu_config_chart(name: str, records: Sequence[NpuRecord]) -> Chart:
    """Latencies of the NPU's part within one configuration, one row per model, one colour per accelerator."""
    accelerators = list(dict.fromkeys(r.npu for r in sorted(records, key=lambda r: (r.macs_per_cycle, r.npu))))
    models = list(dict.fromkeys(r.model for r in records))
    rows = [
        {"model": r.model, "npu": r.npu, "ms": r.npu_latency_ms, "bound": r.bottleneck.label, "use": r.utilisation}
        for r in records
    ]
    dots = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=90, opacity=1, stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=alt.Y("model:N", sort=models, axis=alt.Axis(title=None, labelLimit=190, ticks=False, grid=True)),
            x=alt.X(
                "ms:Q",
                scale=alt.Scale(type="log", nice=False, padding=12),
                axis=alt.Axis(title="latency on the NPU (ms, estimated)", format="~g", tickCount=6),
            ),
            color=alt.Color(
                "npu:N", scale=categories(accelerators), legend=alt.Legend(title=None, symbolType="circle")
            ),
            tooltip=[
                alt.Tooltip("model:N"),
                alt.Tooltip("npu:N", title="NPU"),
                alt.Tooltip("ms:Q", title="ms", format=".4~g"),
                alt.Tooltip("bound:N", title="bound by"),
                alt.Tooltip("use:Q", title="MAC utilisation", format=".1%"),
            ],
        )
        .properties(height=34 * len(models))
    )
    first = records[0]
    return Chart(
        name,
        finish(dots),
        f"Vela's estimates for {first.system_config} with {first.memory_mode}, logarithmic. Figures of other configurations are of other "
        "systems and do not belong in this picture.",
        f"Dot plot: estimated latencies of {len(models)} models on {len(accelerators)} accelerators in {first.system_config}",
        Table(
            ("model", "NPU", "bound by", "latency (ms)", "MAC utilisation"),
            tuple(
                (r.model, r.npu, r.bottleneck.label, significant(r.npu_latency_ms), percent(r.utilisation, 1))
                for r in records
            ),
            left=frozenset({0, 1, 2}),
        ),
        legend=category_legend(accelerators),
    )
