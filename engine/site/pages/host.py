"""The page of runs on the machine that built the site; where there are none it says so."""

from __future__ import annotations

from collections.abc import Sequence

from engine.explain.host import classify, doubts, reference_metrics, runtime_metrics
from engine.explain.host_terminal import metric_text
from engine.records.host import HostRecord
from engine.records.host_store import dump_host
from engine.site.chart import Chart
from engine.site.host_charts import host_layers_chart
from engine.site.render import Renderer
from engine.site.text import slug


def write_hosts(renderer: Renderer, records: Sequence[HostRecord]) -> None:
    """One page with a section per run; without any it says how to get one."""
    charts: dict[str, Chart] = {}
    for r in records:
        renderer.staging.write(f"host/{slug(r.id)}.json", dump_host(r))
        if r.reference.simulation is not None:
            charts[r.id] = host_layers_chart(r, r.reference.simulation)
    renderer.page(
        "host",
        "host.md.j2",
        charts,
        records=records,
        classify=classify,
        doubts=doubts,
        metrics=lambda r: (("LiteRT", runtime_metrics(r)), ("our kernels", reference_metrics(r))),
        metric_text=metric_text,
    )
