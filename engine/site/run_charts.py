"""Charts of one run: cycle stack per layer, waterfall of layers, memory map."""

from __future__ import annotations

import altair as alt

from engine.records.cause import Cause
from engine.records.run import Layer, Region, RunRecord
from engine.site import palette
from engine.site.chart import Chart, Table, categories, category_legend, cause_legend, cause_scale, finish, inline
from engine.site.text import kilobytes, percent, whole
from engine.words import layer_title, op_title

_ROW = 22
_GLUE = "glue"
_LABELS = alt.Axis(title=None, labelLimit=220, ticks=False, domain=False, labelOverlap=False)


def layer_label(layer: Layer) -> str:
    """Short name of a layer, unique within its run."""
    return layer_title(layer.op, layer.index)


def _regions(record: RunRecord) -> list[tuple[str, Region]]:
    rows: list[tuple[str, Region]] = [(layer_label(x), x) for x in record.layers]
    return [*rows, (_GLUE, record.glue)]


def stack_chart(record: RunRecord) -> Chart:
    """Cycles of every layer, divided over causes."""
    regions = _regions(record)
    order = {cause: i for i, cause in enumerate(Cause)}
    rows = [
        {"layer": name, "cause": c.label, "order": order[c], "cycles": r.stack.of(c), "of": r.cycles}
        for name, r in regions
        for c in Cause
        if r.stack.of(c)
    ]
    chart = (
        alt.Chart(inline(rows))
        .transform_calculate(share="datum.of ? datum.cycles / datum.of : 0")
        .mark_bar(stroke=palette.SURFACE, strokeWidth=0.5)
        .encode(
            y=alt.Y(
                "layer:N", sort=[n for n, _ in regions], scale=alt.Scale(domain=[n for n, _ in regions]), axis=_LABELS
            ),
            x=alt.X("cycles:Q", axis=alt.Axis(title="cycles (warm inference)", format="~s", tickCount=5)),
            color=alt.Color("cause:N", scale=cause_scale(), legend=alt.Legend(title=None)),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("cause:N"),
                alt.Tooltip("cycles:Q", format=","),
                alt.Tooltip("share:Q", format=".1%", title="of the layer"),
            ],
        )
        .properties(height=_ROW * len(regions))
    )
    table = Table(
        ("layer", *(c.label for c in Cause), "sum"),
        tuple((n, *(whole(r.stack.of(c)) for c in Cause), whole(r.cycles)) for n, r in regions),
    )
    return Chart(
        "stack",
        finish(chart),
        "Cycles per layer by cause. Every cycle has exactly one cause; the parts of a bar sum to the layer.",
        f"Stacked bars: cycles of the {len(record.layers)} layers of {record.model} on {record.board}, by cause",
        table,
        "layers.csv",
        cause_legend(),
    )


def waterfall_chart(record: RunRecord) -> Chart:
    """Where in the inference the cycles go: each layer starts where the one before it ended."""
    rows = []
    start = 0
    regions = _regions(record)
    for name, region in regions:
        end = start + region.cycles
        op = op_title(region.op) if isinstance(region, Layer) else _GLUE
        rows.append({"layer": name, "op": op, "start": start, "end": end, "cycles": region.cycles})
        start = end
    total = start
    ops = list(dict.fromkeys(str(r["op"]) for r in rows))
    chart = (
        alt.Chart(inline(rows))
        .transform_calculate(share=f"datum.cycles / {max(total, 1)}", until=f"datum.end / {max(total, 1)}")
        .mark_bar(height={"band": 0.8}, minBandSize=1)
        .encode(
            y=alt.Y("layer:N", sort=[n for n, _ in regions], axis=_LABELS),
            x=alt.X("start:Q", axis=alt.Axis(title="cycles since the start", format="~s", tickCount=5)),
            x2="end:Q",
            color=alt.Color("op:N", scale=categories(ops), legend=alt.Legend(title=None)),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("cycles:Q", format=","),
                alt.Tooltip("share:Q", format=".1%", title="of the inference"),
                alt.Tooltip("until:Q", format=".1%", title="cumulative"),
            ],
        )
        .properties(height=_ROW * len(regions))
    )
    table = Table(
        ("layer", "starts at", "cycles", "share", "cumulative"),
        tuple(
            (
                str(r["layer"]),
                whole(int(str(r["start"]))),
                whole(int(str(r["cycles"]))),
                percent(int(str(r["cycles"])), total),
                percent(int(str(r["end"])), total),
            )
            for r in rows
        ),
    )
    return Chart(
        "waterfall",
        finish(chart),
        "Waterfall of the layers in order of execution: a long step is where the time goes.",
        f"Waterfall: cumulative cycles over the layers of {record.model} on {record.board}",
        table,
        "layers.csv",
        category_legend(ops),
    )


def memory_chart(record: RunRecord, sizes: dict[str, int]) -> Chart:
    """The parts of the image in the board's memories, all drawn to one scale. ``sizes`` is the capacity per memory (bytes)."""
    parts = sorted(record.memory.parts, key=lambda p: (p.memory, p.address))
    kinds = list(dict.fromkeys(p.kind for p in parts))
    memories = list(dict.fromkeys(p.memory for p in parts))
    rows = []
    for memory in memories:
        position = 0.0
        for p in (p for p in parts if p.memory == memory):
            end = position + p.bytes / 1024
            rows.append(
                {"memory": memory, "part": p.name, "kind": p.kind, "start": position, "end": end, "bytes": p.bytes}
            )
            position = end
    chart = (
        alt.Chart(inline(rows))
        .mark_bar(stroke=palette.SURFACE, strokeWidth=1)
        .encode(
            y=alt.Y("memory:N", sort=memories, axis=_LABELS),
            x=alt.X("start:Q", axis=alt.Axis(title="KB used (1 KB = 1024 bytes)", tickCount=5)),
            x2="end:Q",
            color=alt.Color("kind:N", scale=categories(kinds), legend=alt.Legend(title=None)),
            tooltip=[alt.Tooltip("part:N"), alt.Tooltip("kind:N"), alt.Tooltip("bytes:Q", format=",")],
        )
        .properties(height=40 * len(memories))
    )
    table = Table(
        ("memory", "part", "kind", "address", "bytes", "of the memory"),
        tuple(
            (p.memory, p.name, p.kind, f"0x{p.address:08x}", whole(p.bytes), percent(p.bytes, sizes.get(p.memory, 0)))
            for p in parts
        ),
        left=frozenset({0, 1, 2}),
    )
    used = {m: sum(p.bytes for p in parts if p.memory == m) for m in memories}
    fill = "; ".join(
        f"{m} {kilobytes(n)}" + (f" of {kilobytes(sizes[m])} ({percent(n, sizes[m])})" if sizes.get(m) else "")
        for m, n in used.items()
    )
    return Chart(
        "memory",
        finish(chart),
        f"Parts of the image in each memory of the board, to one scale. Used: {fill}.",
        f"Memory map of {record.model} on {record.board}",
        table,
        legend=category_legend(kinds),
    )
