"""Home (the ranking) and the index of runs."""

from __future__ import annotations

import json

from engine.records.validation import Validations
from engine.site.pages.validation import validation_summary
from engine.site.ranking import ROW_PX, chart_row, ranking_chart
from engine.site.render import Renderer
from engine.site.world import World


def write_home(renderer: Renderer, world: World, validations: Validations) -> None:
    """The ranking of boards as they are: filters, chart, table; one sentence on the error against published silicon."""
    runs = [r for r in world.runs if r.place.best is not None]
    kernels = sorted({r.record.kernels for r in runs})
    cores = sorted({r.record.core for r in runs})
    models = list(dict.fromkeys(r.record.model for r in runs))
    rows = [json.dumps(chart_row(r.place) | {"model": r.record.model}, ensure_ascii=False) for r in runs]
    matched = [r.record.output_matches_oracle for r in runs]
    first = [r.place for r in runs if r.record.model == models[0]] if models else []
    renderer.page(
        "",
        "home.md.j2",
        {"ranking": ranking_chart(first, kernels)} if first else {},
        runs=runs,
        rows=rows,
        altered=len(world.runs) - len(runs),
        row_px=ROW_PX,
        filters=[("model", models), ("kernels", kernels), ("core", cores)],
        variants=len({(r.record.compiler, r.record.opt) for r in runs}) > 1,
        against=validation_summary(validations.results[0]) if validations.results else "",
        matched=sum(m is True for m in matched),
        compared=sum(m is not None for m in matched),
    )


def write_runs(renderer: Renderer, world: World) -> None:
    """The list of all runs."""
    renderer.page("runs", "runs.md.j2", runs=world.runs)
