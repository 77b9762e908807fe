"""The page that shows published latencies of real boards beside ours."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.explain.sentences import join
from engine.records.other_kernels import OtherKernels
from engine.records.validation import OTHER_BUILDS, EnergyErrors, KeptValidation, Point, Use, Validations
from engine.site.chart import Chart
from engine.site.exports import points_csv
from engine.site.pages.energy import met
from engine.site.pages.kernel_versions import kernels_tables
from engine.site.render import Renderer
from engine.site.text import percent, signed_percent, slug
from engine.site.validation_chart import (
    USE_LABEL,
    Compared,
    compared,
    error_chart,
    label,
    outcome,
    scatter_chart,
)
from engine.site.world import World

OTHER = "other_kernels.json"


@dataclass(frozen=True)
class Section:
    """One kept result. ``key`` is for anchors and chart names; ``exact`` and ``compared`` are worst first, and so are ``energies``: points with a
    published energy."""

    key: str
    title: str
    kept: KeptValidation
    compared: tuple[Compared, ...]
    exact: tuple[Compared, ...]
    not_run: tuple[Point, ...]
    summary: str
    energies: tuple[Point, ...]
    energy_summary: str


def write_validation(renderer: Renderer, world: World, validations: Validations, other: OtherKernels) -> None:
    """Errors against published silicon, one section per compiler; without a kept result the page says how to get one."""
    sections = tuple(_section(r) for r in validations.results)
    charts: dict[str, Chart] = {}
    for s in sections:
        if s.compared:
            charts[f"errors_{s.key}"] = error_chart(f"errors-{s.key}", s.compared)
    if sections and sections[0].compared:
        charts["scatter"] = scatter_chart("published-simulated", sections[0].compared)
    if sections:
        plain = validations.model_dump(mode="json", by_alias=True)
        renderer.staging.write("validation/validation.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
        renderer.staging.write("validation/points.csv", points_csv(validations))
        schema = Validations.model_json_schema(by_alias=True, mode="serialization")
        renderer.staging.write("validation/validation.schema.json", json.dumps(schema, indent=1) + "\n")
    if other.results:
        plain = other.model_dump(mode="json", by_alias=True)
        renderer.staging.write(f"validation/{OTHER}", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    ids = {r.record.id for r in world.runs}
    renderer.page(
        "validation",
        "validation.md.j2",
        charts,
        sections=sections,
        tables=kernels_tables(validations, other),
        other=OTHER,
        label=label,
        outcome=outcome,
        use_label=USE_LABEL,
        page_of={i: f"runs/{slug(i)}/" for i in ids},
    )


def _section(kept: KeptValidation) -> Section:
    found = compared(kept.validation.points)
    return Section(
        key=kept.compiler or "rows",
        title=f"With {kept.compiler} for every row" if kept.compiler else "With the compiler of each row",
        kept=kept,
        compared=found,
        exact=tuple(c for c in found if c.point.use is Use.EXACT),
        not_run=tuple(p for p in kept.validation.points if p.simulated_ms is None),
        summary=validation_summary(kept),
        energy_summary=energy_summary(kept.validation.energy),
        energies=tuple(
            sorted(
                (p for p in kept.validation.points if p.published_uj is not None),
                key=lambda p: -abs(p.energy_error if p.energy_error is not None else math.inf),
            )
        ),
    )


def validation_summary(kept: KeptValidation) -> str:
    """The result in two sentences: errors of the exact points, bounds that hold."""
    v, found = kept.validation, compared(kept.validation.points)
    exact = [c for c in found if c.point.use is Use.EXACT]
    bounds = [c for c in found if c.point.use is Use.BOUND]
    text = ""
    if exact and v.mape is not None:
        worst = exact[0]
        inside = sum(c.point.holds is True for c in exact)
        text = (
            f"Over {len(exact)} exact points the mean absolute error (MAPE) is {percent(v.mape, 1)}; the worst is {worst.label} "
            f"with {signed_percent(worst.error)}. {inside} of the {len(exact)} published latencies lie within our interval."
        )
    if bounds:
        holding = sum(c.point.holds is True for c in bounds)
        text += f" Of {len(bounds)} bounds {holding} hold."
    return text.strip()


def energy_summary(errors: Sequence[EnergyErrors]) -> str:
    """Mean errors of the energies that are no bound, each with whether it is as small as was aimed at; empty without any."""
    each = [f"{percent(e.mape, 1)} on average over {e.title} ({met(e.mape)})" for e in errors if e.what != OTHER_BUILDS]
    return f"Our energies are off by {join(each)}." if each else ""
