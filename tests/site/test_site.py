"""The built site: structure, links, data, escaping, and when it is built again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from engine import __version__
from engine.catalog.alternatives import alternatives
from engine.catalog.load import load_board
from engine.energy.attribute import energy_of
from engine.errors import BuildError, RecordError, UsageError
from engine.records.cause import Cause
from engine.records.counters import Counters
from engine.records.run_energy import RunEnergy
from engine.site.build import STAMP, build_site, run_mkdocs, write_config
from engine.site.metrics import counter_label
from engine.site.text import millijoules, slug
from tests.builders.records import kws_record
from tests.site.conftest import BOARDS, HOSTILE, Built
from tests.site.html import Page, broken_links, foreign_loads, pages


@pytest.fixture(scope="session")
def found(built: Built) -> dict[Path, Page]:
    return pages(built.out)


def _run(built: Built, index: int) -> tuple[Path, str]:
    path = built.out / "runs" / slug(built.records[index].id) / "index.html"
    return path, path.read_text("utf-8")


def test_every_link_leads_somewhere(built: Built, found: dict[Path, Page]) -> None:
    assert len(found) > 25
    assert broken_links(built.out, found) == []


def test_a_wrong_address_leads_on(built: Built, found: dict[Path, Page]) -> None:
    links = [u for u in found[built.out / "404.html"].links if u.startswith("/whycycles/")]
    assert {"/whycycles/", "/whycycles/runs/", "/whycycles/boards/"} <= {u.removesuffix(".") for u in links}
    assert [u for u in links if not (built.out / u.removeprefix("/whycycles/")).exists()] == []


def test_nothing_is_loaded_from_elsewhere(built: Built, found: dict[Path, Page]) -> None:
    assert foreign_loads(found) == []
    for style in built.out.rglob("*.css"):
        assert "@import" not in style.read_text("utf-8"), style


def test_no_page_is_heavy_and_none_is_an_orphan(built: Built, found: dict[Path, Page]) -> None:
    assert [p for p in found if p.stat().st_size > 1_000_000] == []
    linked = {
        (t / "index.html" if t.is_dir() else t)
        for p, page in found.items()
        for u in page.links
        if "://" not in u
        for t in [(p.parent / u.split("#")[0].split("?")[0]).resolve()]
    }
    assert [p for p in found if p not in linked and p.name != "404.html"] == []


def test_every_figure_has_caption_data_and_a_static_picture(found: dict[Path, Page]) -> None:
    figures = [(p, f) for p, page in found.items() for f in page.figures]
    assert len(figures) > 20
    assert [p for p, f in figures if not f.caption.strip() or not f.data or f.pictures != 2] == []


def test_home_lists_every_run_without_a_script(built: Built, found: dict[Path, Page]) -> None:
    home = found[built.out / "index.html"]
    shown = {(r["model"], r["kernels"], r["core"]) for r in (json.loads(row["data-row"]) for row in home.rows)}
    assert len(home.rows) == len(built.records)
    assert shown == {(r.model, r.kernels, r.core) for r in built.records}
    for r in built.records:
        assert f"runs/{slug(r.id)}/" in home.links
    html = (built.out / "index.html").read_text("utf-8")
    assert html.count("wc-badge simulated") >= len(built.records)


def test_run_page_says_what_how_sure_and_why(built: Built, found: dict[Path, Page]) -> None:
    record = built.records[0]
    path, html = _run(built, 0)
    text = found[path].text
    for cause in Cause:
        assert cause.label in text
    counted = record.layers[0].counters.model_dump()
    assert set(Counters.model_fields) - set(counted) == {
        n for n in Counters.model_fields if "mve" in n or "folded" in n
    }
    for name in counted:
        assert counter_label(name) in text, name
    assert counter_label("mve_instructions") not in text  # its core has no Helium
    for layer in record.layers:
        assert f'id="layer-{layer.index}"' in html
        assert layer.kernel in text
    for part in ("Level 4", "Level 3", "Level 2", "Level 1", "absent: "):
        assert part in text
    assert f"{record.cycles.warm:,}" in text
    for value in record.provenance.model_dump().values():
        shown = " ".join(value) if isinstance(value, (list, tuple)) else value
        assert shown in text
    # its model is hand-made, so only the board is one that everybody has
    assert "whycycles run path/to/MODEL.tflite --board nucleo-l4r5zi --kernels cmsis-nn" in text
    assert f"SHA-256 {record.provenance.model_sha256}" in text
    assert "not an error against silicon (board silicon: untested)" in text
    # the flame graph is drawn into the page
    assert sum(1 for _ in path.parent.glob("*.vl.json")) == len(found[path].figures) - 1 >= 6


def test_energy_stands_beside_latency_or_is_absent_with_a_reason(built: Built, found: dict[Path, Page]) -> None:
    record = built.records[0]
    energy = energy_of(record, load_board("nucleo-l4r5zi"))
    assert isinstance(energy, RunEnergy)
    shown = millijoules(energy.energy_nj)
    for page in (
        "index.html",
        f"runs/{slug(record.id)}/index.html",
        "boards/nucleo-l4r5zi/index.html",
        "models/kws/index.html",
    ):
        assert shown in found[built.out / page].text, page
    own = found[built.out / f"runs/{slug(record.id)}/index.html"].text
    assert "least energy" in own
    assert energy.sources[0] in own
    assert "v1.0:closed/OctoML" in found[built.out / "boards/nucleo-l4r5zi/index.html"].text
    strange = next(r for r in built.records if r.board == "my-board")
    assert "no description of my-board is at hand" in found[built.out / f"runs/{slug(strange.id)}/index.html"].text
    assert "so its runs have no energy" in found[built.out / "boards/nrf5340-dk/index.html"].text
    validation = (built.out / "validation/index.html").read_text("utf-8")
    assert validation.index("absent: not worked out") < validation.index("4.00\u00a0mJ")
    models = found[built.out / "validation/energy/index.html"].text
    assert "held out" in models
    assert models.index("5.7\u00a0% with the simulated one (misses the 5\u00a0% aimed at)") < models.rindex(
        "Each model held out"
    )
    assert "The power model beats every baseline in every column." in models
    assert "The fitted model does not beat one power per board with each model held out, simulated latency" in models


def test_downloads_hold_the_records(built: Built) -> None:
    ids = {r.id for r in built.records}
    with (built.out / "downloads/runs.csv").open(newline="") as file:
        assert {row["run"] for row in csv.DictReader(file)} == ids
    records = json.loads((built.out / "downloads/records.json").read_text("utf-8"))
    schema = json.loads((built.out / "record/run.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for record in records:
        jsonschema.validate(record, schema)
        own = built.out / "runs" / slug(record["id"]) / "record.json"
        assert json.loads(own.read_text("utf-8")) == record
    assert {r["id"] for r in records} == ids


def test_board_core_and_model_pages_show_sources(built: Built, found: dict[Path, Page]) -> None:
    board = load_board("nucleo-l4r5zi")
    text = found[built.out / "boards/nucleo-l4r5zi/index.html"].text
    assert board.flash.ladder_source in text
    assert "measurements/published/mcu_specs.csv in the repository" in text
    for memory in board.memories:
        assert memory.source in text
    for other in alternatives(board):
        assert other.why in text
    core = found[built.out / "cores/cortex-m4/index.html"].text
    assert "inferred" in core
    model = found[built.out / "models/kws/index.html"].text
    assert "held-back" in model
    assert "depthwise conv2d" in model


def test_layers_of_a_real_chip_are_compared(built: Built, found: dict[Path, Page]) -> None:
    page = found[built.out / "validation/layers/index.html"]
    for text in (
        "apollo510-evb, gcc",
        "apollo510-evb, clang",
        "depthwise conv2d #7",
        "MVE_INT_MAC_RETIRED",
        "another kernel",
        "All comparisons at a glance",
        "Every one of the 9 large layers lies within 10\u00a0% of the chip's cycles.",
        "Against CMSIS-NN 4.0.0",
    ):
        assert text in page.text
    assert json.loads((built.out / "validation/layers/layers.json").read_text("utf-8"))["results"]


def test_stalls_of_a_real_chip_are_compared_where_they_were_kept(built: Built, found: dict[Path, Page]) -> None:
    text = found[built.out / "validation/layers/index.html"].text
    assert "this comparison was kept before stalls were compared" in text
    for said in (
        "MVE_STALL",
        "Cycles that issue nothing",
        "What explains the errors in stalls",
        "Stall cycles caused by an MVE instruction",
    ):
        assert said.lower() in text.lower(), said


def test_lanes_and_beats_of_helium_are_shown_with_their_bounds(built: Built, found: dict[Path, Page]) -> None:
    text = found[_run(built, -1)[0]].text
    assert "Lanes and beats of Helium" in text
    assert "vector multiplies use at most 70 of their 80 lanes" in text
    assert "5 beats (12.5" in text
    assert "Lanes and beats of Helium" not in found[_run(built, 0)[0]].text


def test_what_is_not_at_hand_is_absent_with_a_reason(built: Built, found: dict[Path, Page]) -> None:
    assert "Absent: the description of this board" in found[built.out / "boards/my-board/index.html"].text
    assert "Absent: the model file" in found[built.out / "models" / slug(HOSTILE) / "index.html"].text


def test_foreign_names_stay_text(built: Built, found: dict[Path, Page]) -> None:
    shown = 0
    for path, page in found.items():
        own = [h for h in page.handlers if h.startswith("img")]
        assert own == [], path
        assert "x" not in page.loads, path
        assert not any(link == "e" for link in page.links), path
        shown += HOSTILE in page.text
    assert shown >= 4


def test_pages_name_the_version_that_made_them(found: dict[Path, Page]) -> None:
    assert [p for p, page in found.items() if f"Made by whycycles {__version__}" not in page.text] == []


def test_nothing_changed_means_nothing_is_done(built: Built) -> None:
    before = {p: p.stat().st_mtime_ns for p in built.out.rglob("*")}
    report = built.again()
    assert not report.rebuilt
    assert (report.pages, report.charts, report.bytes) == (built.report.pages, built.report.charts, built.report.bytes)
    assert {p: p.stat().st_mtime_ns for p in built.out.rglob("*")} == before


@pytest.mark.slow
def test_a_changed_record_or_a_lost_page_is_noticed(cache: Path, tmp_path: Path) -> None:
    out, staging = tmp_path / "site", tmp_path / "docs"
    one = kws_record()
    slower = kws_record(kernels="reference")

    def build(*records: object) -> bool:
        return build_site(records, out, boards=BOARDS[:1], notebooks=False, staging=staging).rebuilt  # type: ignore[arg-type]

    assert build(one)
    unchanged = {p: p.stat().st_mtime_ns for p in staging.rglob("*.svg")}
    assert build(one, slower)
    assert {p: p.stat().st_mtime_ns for p in unchanged} == unchanged | {
        p: p.stat().st_mtime_ns for p in unchanged if p.parent == staging
    }
    assert (out / "runs" / one.id / "index.html").is_file()
    (out / "method/index.html").unlink()
    assert build(one, slower)
    assert (out / "method/index.html").is_file()


def test_a_folder_that_is_no_site_is_never_replaced(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds no site"):
        build_site([], tmp_path, notebooks=False)
    assert (tmp_path / "thesis.txt").is_file()
    file = tmp_path / "thesis.txt"
    with pytest.raises(UsageError, match="is a file"):
        build_site([], file, notebooks=False)


def test_two_records_of_one_id_are_refused(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="two records have the id"):
        build_site([kws_record(), kws_record()], tmp_path / "site", notebooks=False, staging=tmp_path / "docs")
    assert not (tmp_path / "site" / STAMP).exists()


def test_a_broken_link_stops_the_build(cache: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Home\n\n[nowhere](missing.md)\n")
    config = write_config(docs, tmp_path / "out", notebooks=False)
    settings = json.loads(config.read_text("utf-8"))
    del settings["nav"]
    config.write_text(json.dumps(settings))
    with pytest.raises(BuildError, match=r"missing\.md"):
        run_mkdocs(config)
