"""All documents of the site into the staging folder: generated pages, hand-written ones, assets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from engine import __version__
from engine.catalog.board import Board
from engine.catalog.load import list_boards, list_cores
from engine.explain.analysis import Analysis
from engine.paths import SITE_SRC_DIR
from engine.records.ceilings import MeasuredCeilings
from engine.records.layer_validation import LayerValidations
from engine.records.other_kernels import OtherKernels
from engine.records.run import RunRecord
from engine.records.validation import Validations
from engine.site.card import known_models
from engine.site.chart import Draughtsman
from engine.site.other_targets import OtherTargets
from engine.site.pages.agreement import write_agreement_page
from engine.site.pages.catalog import write_boards, write_cores, write_models
from engine.site.pages.compare import write_comparisons
from engine.site.pages.data import method_values, write_assets, write_downloads
from engine.site.pages.energy import write_energy
from engine.site.pages.home import write_home, write_runs
from engine.site.pages.host import write_hosts
from engine.site.pages.npu import write_npus
from engine.site.pages.run import write_run
from engine.site.pages.silicon_layers import write_silicon_layers
from engine.site.pages.validation import write_validation
from engine.site.render import Renderer
from engine.site.staging import Staging
from engine.site.world import ModelInfo, make_world

_CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
_NOT_DOCUMENTS = ("overrides", "hooks.py")


def write_documents(
    docs: Staging,
    records: Sequence[RunRecord],
    *,
    boards: Sequence[Board] | None,
    models: Sequence[ModelInfo],
    ceilings: Sequence[MeasuredCeilings],
    analyses: Sequence[Analysis],
    validations: Validations,
    layer_validations: LayerValidations,
    other_kernels: OtherKernels,
    others: OtherTargets,
    notebooks: bool,
    cache: Path,
    progress: Callable[[str], None],
) -> int:
    """Write everything MkDocs needs. Returns the number of charts. Raises RecordError for two records with one id."""
    found = {m.name: m for m in (*known_models(records), *models)}
    world = make_world(
        records,
        list_boards() if boards is None else boards,
        list_cores(),
        list(found.values()),
        __version__,
        analyses,
        ceilings=ceilings,
    )
    draughtsman = Draughtsman(docs, cache)
    renderer = Renderer(docs, draughtsman, notebooks=notebooks)
    write_home(renderer, world, validations)
    write_runs(renderer, world)
    for i, run in enumerate(world.runs, 1):
        write_run(renderer, world, run)
        if i % 5 == 0 or i == len(world.runs):
            progress(f"  {i} of {len(world.runs)} run pages, {draughtsman.rendered} charts drawn anew")
    write_boards(renderer, world)
    write_cores(renderer, world)
    write_models(renderer, world)
    write_comparisons(renderer, world)
    write_npus(renderer, others.npus, world.model_names)
    write_hosts(renderer, others.hosts)
    write_agreement_page(renderer, others.agreement)
    write_validation(renderer, world, validations, other_kernels)
    write_energy(renderer)
    write_silicon_layers(renderer, world, layer_validations)
    write_downloads(renderer, world)
    write_assets(renderer, cache)
    _write_sources(renderer, notebooks)
    docs.write("version.json", json.dumps({"engine_version": __version__}) + "\n")
    return draughtsman.drawn


def _write_sources(renderer: Renderer, notebooks: bool) -> None:
    """The hand-written pages; those that end in ``.md.j2`` have generated tables in them."""
    values = method_values()
    skip = _NOT_DOCUMENTS if notebooks else (*_NOT_DOCUMENTS, "notebooks")
    for path in sorted(SITE_SRC_DIR.rglob("*")):
        name = path.relative_to(SITE_SRC_DIR).as_posix()
        hidden = any(p.startswith((".", "__pycache__")) for p in name.split("/"))
        if not path.is_file() or hidden or name.split("/")[0] in skip:
            continue
        if name.endswith(".md.j2"):
            renderer.staging.write(name.removesuffix(".j2"), renderer.text(path.read_text("utf-8"), **values))
        else:
            renderer.staging.write(name, path.read_bytes())
    changes = (
        _CHANGELOG.read_text("utf-8") if _CHANGELOG.is_file() else "# Changelog\n\nNot part of this installation.\n"
    )
    renderer.staging.write("about/changelog.md", changes)
