"""Records to website: documents into a staging folder, MkDocs over them, the result swapped into place.

A second build with the same records, catalogue, templates and versions does nothing: the site carries the hash of its inputs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from engine import __version__
from engine.errors import BuildError, UsageError
from engine.paths import SITE_SRC_DIR, cache_dir
from engine.records.ceilings import MeasuredCeilings, committed, dump_ceilings
from engine.records.layer_validation import LayerValidations
from engine.records.other_kernels import OtherKernels
from engine.records.run import RunRecord
from engine.records.store import dump_record, write_atomically
from engine.records.validation import Validations
from engine.site.other_targets import OtherTargets
from engine.site.staging import Staging, footprint, tree_hash

if TYPE_CHECKING:
    from engine.catalog.board import Board
    from engine.explain.analysis import Analysis
    from engine.site.world import ModelInfo

Progress = Callable[[str], None]

STAMP = "build.json"
"""File in the site's root that says what the site was made from; also the sign that a folder is a site and may be replaced."""

_PACKAGES = ("mkdocs", "mkdocs-material", "mkdocs-jupyter", "altair", "vl-convert-python")
_ENGINE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SiteReport:
    """What a build did. ``rebuilt`` is false if nothing had changed; ``changed`` counts documents written anew."""

    out: Path
    rebuilt: bool
    pages: int
    charts: int
    changed: int
    bytes: int


class Stamp(BaseModel):
    """Content of ``build.json``: what a site was made from, and how much is in it beside this file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine_version: str
    inputs: str
    pages: int
    charts: int
    files: int
    bytes: int


def config_file() -> Path:
    """The MkDocs configuration that comes with the project."""
    inside = _ENGINE / "_mkdocs.yml"
    return inside if inside.is_file() else _ENGINE.parent / "mkdocs.yml"


def build_site(
    records: Sequence[RunRecord],
    out: Path,
    *,
    boards: Sequence[Board] | None = None,
    models: Sequence[ModelInfo] = (),
    ceilings: Sequence[MeasuredCeilings] | None = None,
    analyses: Sequence[Analysis] = (),
    validations: Validations | None = None,
    layer_validations: LayerValidations | None = None,
    other_kernels: OtherKernels | None = None,
    others: OtherTargets | None = None,
    notebooks: bool = True,
    staging: Path | None = None,
    progress: Progress = lambda text: None,
) -> SiteReport:
    """Build the website of ``records`` into ``out`` (replaced as a whole).

    ``boards`` are those of the catalogue unless given; ``models`` are looked into besides the zoo's; ``ceilings`` are the committed ones
    unless given; ``others`` are records of targets that are no boards; a run without one of the ``analyses`` says so on its page, and so
    do the pages of the validations without any.
    ``notebooks`` runs and shows the notebooks (some seconds each). ``staging`` defaults to ``site-docs`` in the cache folder. ``progress`` gets one
    line per step.

    Raises UsageError if ``out`` holds something else than a site, RecordError for two records with one id, BuildError if
    MkDocs finds a broken page or link.
    """
    out = out.resolve()
    check_replaceable(out)
    measured = committed() if ceilings is None else ceilings
    kept = Validations() if validations is None else validations
    layers = LayerValidations() if layer_validations is None else layer_validations
    other = OtherKernels() if other_kernels is None else other_kernels
    beside = OtherTargets() if others is None else others
    key = _fingerprint(records, boards, models, measured, analyses, (kept, layers, other), beside, notebooks)
    previous = _stamp(out)
    if previous is not None and previous.inputs == key and footprint(out) == (previous.files, previous.bytes):
        return SiteReport(out, False, previous.pages, previous.charts, 0, previous.bytes)

    from engine.site.document import write_documents  # Altair and the catalogue are slow to import

    folder = staging if staging is not None else cache_dir() / "site-docs"
    progress(f"writing pages of {len(records)} runs")
    docs = Staging(folder)
    charts = write_documents(
        docs,
        records,
        boards=boards,
        models=models,
        ceilings=measured,
        analyses=analyses,
        validations=kept,
        layer_validations=layers,
        other_kernels=other,
        others=beside,
        notebooks=notebooks,
        cache=cache_dir() / "site-cache",
        progress=progress,
    )
    docs.prune()
    progress("running MkDocs" + (" and the notebooks" if notebooks else ""))
    fresh = cache_dir() / "site-new"
    run_mkdocs(write_config(folder, fresh, notebooks=notebooks))
    pages = sum(1 for _ in fresh.rglob("*.html"))
    files, size = footprint(fresh)
    _swap(fresh, out)
    stamp = Stamp(engine_version=__version__, inputs=key, pages=pages, charts=charts, files=files, bytes=size)
    write_atomically(out / STAMP, (stamp.model_dump_json(indent=1) + "\n").encode())
    return SiteReport(out, True, pages, charts, docs.changed, size)


def write_config(docs: Path, site: Path, *, notebooks: bool = True, name: str | None = None) -> Path:
    """A copy of ``mkdocs.yml`` for these folders beside ``docs``; complete, so that mike can use it as well."""
    from mkdocs.utils.yaml import yaml_load

    source = config_file()
    with source.open("rb") as file:
        config = yaml_load(file)
    config["docs_dir"] = str(docs.resolve())
    config["site_dir"] = str(site.resolve())
    config["theme"]["custom_dir"] = str(SITE_SRC_DIR / "overrides")
    config["hooks"] = [str(SITE_SRC_DIR / "hooks.py")]
    if not notebooks:
        del config["plugins"]["mkdocs-jupyter"]
        config["nav"] = [_without_notebooks(item) for item in config["nav"]]
    path = docs.resolve().with_name(name or f"{docs.name}.mkdocs.yml")
    # JSON is YAML, and needs no second library to write
    write_atomically(path, (json.dumps(config, indent=1) + "\n").encode())
    return path


def _without_notebooks(item: dict[str, object]) -> dict[str, object]:
    return {
        title: [x for x in inner if not (isinstance(x, dict) and str(next(iter(x.values()))).endswith(".ipynb"))]
        if isinstance(inner, list)
        else inner
        for title, inner in item.items()
    }


def run_mkdocs(config: Path) -> None:
    """Run ``mkdocs build --strict``. Raises BuildError with the first warnings."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--config-file", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, env=mkdocs_environment(), check=False)
    if done.returncode:
        lines = [x for x in done.stderr.splitlines() if x.startswith(("WARNING", "ERROR"))] or done.stderr.splitlines()
        raise BuildError(
            "MkDocs refused the pages: " + "; ".join(lines[:5]),
            hint=f"run `python -m mkdocs build --strict --config-file {config}` to see everything",
        )


def mkdocs_environment() -> dict[str, str]:
    """Environment of MkDocs and of the notebooks' kernel: this interpreter's programs first, no questions, no terminal colours."""
    here = str(Path(sys.executable).parent)
    extra = {
        "NO_COLOR": "1",
        "DISABLE_MKDOCS_2_WARNING": "true",
        "PYTHONWARNINGS": "ignore",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    return {**os.environ, **extra, "PATH": here + os.pathsep + os.environ.get("PATH", "")}


def _fingerprint(
    records: Sequence[RunRecord],
    boards: Sequence[Board] | None,
    models: Sequence[ModelInfo],
    ceilings: Sequence[MeasuredCeilings],
    analyses: Sequence[Analysis],
    validations: tuple[Validations, LayerValidations, OtherKernels],
    others: OtherTargets,
    notebooks: bool,
) -> str:
    digest = hashlib.sha256()
    digest.update(tree_hash([_ENGINE, SITE_SRC_DIR, config_file()]).encode())
    digest.update(json.dumps([__version__, sys.version, notebooks, *(metadata.version(p) for p in _PACKAGES)]).encode())
    digest.update(json.dumps([m.graph.sha256 + m.name for m in models]).encode())
    digest.update(json.dumps(sorted((a.id, a.key) for a in analyses)).encode())
    for found in validations:
        digest.update(found.model_dump_json().encode())
    digest.update(others.content())
    for board in boards or ():
        digest.update(board.model_dump_json().encode())
    for made in ceilings:
        digest.update(dump_ceilings(made).encode())
    for record in records:
        digest.update(dump_record(record).encode())
    return digest.hexdigest()


def _stamp(out: Path) -> Stamp | None:
    try:
        return Stamp.model_validate_json((out / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def check_replaceable(out: Path) -> None:
    """Building replaces the whole folder, so it must be ours, empty or absent, in a place that can be written.

    Raises UsageError for what it is not; OSError where nothing can be written, before minutes have gone into pages.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / STAMP).is_file():
        raise UsageError(
            f"{out} is not empty and holds no site of whycycles", hint="name another folder, or empty this one yourself"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", hint="name a folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent):
        pass


def _swap(fresh: Path, out: Path) -> None:
    """Put the finished site in place of the old one; a reader never sees half of it for long."""
    old = fresh.with_name(fresh.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        shutil.move(out, old)
    shutil.move(fresh, out)
    shutil.rmtree(old, ignore_errors=True)
