"""The parts of the site that need no MkDocs: text, ranking, metrics, exports, staging, colours, charts."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.load import board_sha256, core_sha256, list_boards, list_cores, load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override
from engine.explain.explain import explain_run
from engine.explain.roofline import Ceilings
from engine.models.library import list_models
from engine.paths import SITE_SRC_DIR
from engine.records.cause import Cause
from engine.records.ceilings import committed
from engine.records.run import RunRecord
from engine.site import palette
from engine.site.catalog_charts import ladder_chart
from engine.site.ceilings_chart import MACS, boards_chart
from engine.site.chart import Chart, Draughtsman
from engine.site.exports import layers_csv, runs_csv
from engine.site.meaning import CAUSE_MEANING, CAUSE_REMEDY
from engine.site.metrics import Metric, counter_label, pyramid, total
from engine.site.pages.run import command, needed_files
from engine.site.ranking import labels, places, ranking_chart
from engine.site.render import breakable
from engine.site.roofline_chart import roofline_chart
from engine.site.run_charts import memory_chart, stack_chart, waterfall_chart
from engine.site.staging import Staging
from engine.site.text import hold_together, kilobytes, link, plain, signed_percent, significant, slug, whole
from engine.site.world import make_world
from tests.builders.records import kws_record, make_record, records

_CSV = csv.DictReader


# text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0, 3, "0"), (1234.5, 3, "1,234"), (12.345, 3, "12.3"), (0.98765, 3, "0.988"), (0.0012345, 3, "0.00123"), (9.999, 3, "10.00")],
)  # fmt: skip
def test_significant(value: float, digits: int, text: str) -> None:
    assert significant(value, digits) == text


@given(st.floats(1e-9, 1e12))
def test_significant_is_close(value: float) -> None:
    assert float(significant(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_units() -> None:
    assert whole(1234567) == "1,234,567"
    assert kilobytes(1023) == "1023\u00a0B"
    assert kilobytes(1536) == "1.5\u00a0KB"


@given(st.text(max_size=60), st.text(max_size=60))
def test_slugs_are_safe_and_distinct(a: str, b: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", slug(a))
    assert (slug(a) == slug(b)) == (a == b)


_PLACES = ("", "runs/", "runs/a.b/", "boards/x/", "downloads/", "downloads/runs.csv", "method/rules/")


_PAIRS = list(itertools.product([p for p in _PLACES if not p.endswith(".csv")], _PLACES))


@pytest.mark.parametrize(("here", "there"), _PAIRS)
def test_links_resolve(here: str, there: str) -> None:
    assert urljoin(f"http://h/v1/{here}", link(here.rstrip("/"), there)) == f"http://h/v1/{there}"


def test_plain_leaves_nothing_to_act_on() -> None:
    assert plain("<b>*x*</b>\n[a](b)") == r"&lt;b&gt;\*x\*&lt;/b&gt; \[a\](b)"


# ranking


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.5, 1), st.floats(1, 2), st.integers(8, 480)), min_size=1, max_size=8))
def test_places_say_what_intervals_allow(spans: list[tuple[float, float, int]]) -> None:
    runs = [
        make_record(kws_record().layers, id=f"r{i}", interval=(low, high), clock_mhz=float(mhz))
        for i, (low, high, mhz) in enumerate(spans)
    ]
    found = places(runs)
    assert [p.record.latency_ms for p in found] == sorted(r.latency_ms for r in runs)
    for p in found:
        before = sum(o.high_ms < p.low_ms for o in found)
        behind = sum(o.low_ms > p.high_ms for o in found)
        assert (p.best, p.worst) == (1 + before, len(found) - behind)
        assert p.rank == (str(p.best) if p.best == p.worst else f"{p.best}\u2013{p.worst}")


def test_labels_grow_until_they_differ() -> None:
    a = kws_record()
    b = kws_record(clock_mhz=80)
    twice = {r.id: r for r in (a, b.model_copy(update={"id": "b"}))}
    assert labels([a])[a.id] == "nucleo-l4r5zi · cmsis-nn"
    assert set(labels(list(twice.values())).values()) == {
        "nucleo-l4r5zi · cmsis-nn · 120 MHz",
        "nucleo-l4r5zi · cmsis-nn · 80 MHz",
    }


def test_runs_that_differ_in_placement_alone_say_where() -> None:
    a = kws_record()
    b = a.model_copy(update={"id": "b", "placement": a.placement.model_copy(update={"weights": "sram1"})})
    assert labels([a, b]) == {
        a.id: "nucleo-l4r5zi · cmsis-nn · weights in flash",
        "b": "nucleo-l4r5zi · cmsis-nn · weights in sram1",
    }
    # what most runs of a board have goes without saying
    c = a.model_copy(update={"id": "c", "kernels": "reference"})
    assert list(labels([a, b, c]).values()) == [
        "nucleo-l4r5zi · cmsis-nn",
        "nucleo-l4r5zi · cmsis-nn · weights in sram1",
        "nucleo-l4r5zi · reference",
    ]
    twin = a.model_copy(update={"id": "twin"})
    assert labels([a, twin])["twin"] == "nucleo-l4r5zi · cmsis-nn · twin"


def test_altered_boards_are_listed_and_not_ranked() -> None:
    real = kws_record()
    altered = real.model_copy(update={"id": "altered", "overrides": ("flash.wait_states=0",)})
    by_id = {p.record.id: p for p in places([real, altered])}
    assert by_id[real.id].rank == "1"  # not a tie with hardware that does not exist
    assert by_id["altered"].rank == "\u2013"
    assert by_id["altered"].label == "nucleo-l4r5zi (flash.wait_states=0) · cmsis-nn"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.05, "+5.0\u00a0%"), (-0.0832, "\u22128.3\u00a0%"), (-0.0001, "0.0\u00a0%"), (0.0, "0.0\u00a0%")],
)
def test_changes_have_a_true_minus_and_nothing_has_no_sign(share: float, shown: str) -> None:
    assert signed_percent(share) == shown


def test_numbers_hold_on_to_their_units() -> None:
    assert hold_together("takes 95.4 ms: 41 % of 3 msec") == "takes 95.4\u00a0ms: 41\u00a0% of 3 msec"


def test_identifiers_break_behind_their_joints_only() -> None:
    assert breakable("a_b.c<") == "a_<wbr>b.<wbr>c&lt;"


# the world


def test_a_board_with_a_catalogue_name_is_the_catalogues() -> None:
    known = load_board("nucleo-l4r5zi")
    record = kws_record(board=known.name)
    impostor = known.model_copy(update={"title": "Mine", "default_clock_mhz": 12})
    world = make_world([record], [impostor], [], [], "1")
    assert world.boards[known.name].title == known.title
    assert world.board_of(record) == known
    other = record.model_copy(
        update={"id": "x", "provenance": record.provenance.model_copy(update={"board_sha256": board_sha256(impostor)})}
    )
    world = make_world([record, other], [known], [], [], "1")
    assert world.board_of(other) is None
    assert [r.record.id for r in world.made_otherwise(known.name)] == ["x"]


def test_the_projects_own_models_come_first() -> None:
    small = make_record(kws_record().layers[:1], model="tiny-of-mine", id="a")
    middle = make_record(kws_record().layers[:2], model="mlperf-tiny/kws", id="b")
    world = make_world([small, middle, kws_record()], list_boards(), [], [], "1")
    assert world.model_names == ("kws", "mlperf-tiny/kws", "tiny-of-mine")


def test_the_command_names_what_everybody_has_and_placeholders_for_the_rest() -> None:
    zoo = next(m for m in list_models() if m.name == "kws")
    made = kws_record()
    record = made.model_copy(update={"provenance": made.provenance.model_copy(update={"model_sha256": zoo.sha256})})
    board = load_board(record.board)
    assert command(record, board).startswith("whycycles run kws --board nucleo-l4r5zi ")
    assert needed_files(record, board) == []
    with_set = record.model_copy(update={"overrides": ("flash.dcache=none", "flash.wait_states=3")})
    assert command(with_set, board).endswith(" --set flash.dcache=none --set flash.wait_states=3")
    assert command(made, None).startswith("whycycles run path/to/MODEL.tflite --board path/to/BOARD.toml ")
    assert [x[2] for x in needed_files(made, None)] == [made.provenance.model_sha256, made.provenance.board_sha256]


# metrics and exports


@settings(deadline=None, max_examples=30)
@given(records())
def test_pyramid_has_a_value_or_a_reason(record: RunRecord) -> None:
    metrics = pyramid(record, None)
    assert {m.level for m in metrics} == {1, 2, 3, 4}
    assert all(bool(m.value) != bool(m.absent) for m in metrics)
    names = [m.name for m in metrics]
    assert len(names) == len(set(names))
    assert {counter_label(c) for c in total(record).model_dump()} <= set(names)
    assert total(record).instructions == record.instructions


def test_metric_refuses_to_be_both_or_neither() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Metric(1, "power")
    with pytest.raises(ValueError, match="exactly one"):
        Metric(1, "power", "1 W", absent="no meter")


def test_wait_states_come_from_the_board() -> None:
    record = kws_record(board="nucleo-l4r5zi", clock_mhz=80)
    board = load_board("nucleo-l4r5zi")
    found = {m.name: m for m in pyramid(record, board)}
    assert found["flash wait states at this clock"].value == str(board.flash.wait_states(80))


@settings(deadline=None, max_examples=30)
@given(records())
def test_csv_sums_to_the_record(record: RunRecord) -> None:
    (run,) = _CSV(io.StringIO(runs_csv([record])))
    layers = list(_CSV(io.StringIO(layers_csv([record]))))
    assert len(layers) == len(record.layers) + 1
    assert sum(int(x["cycles"]) for x in layers) == int(run["warm_cycles"]) == record.cycles.warm
    assert sum(int(x["instructions"]) for x in layers) == int(run["instructions"])
    for cause in Cause:
        assert sum(int(x[f"{cause.value}_cycles"]) for x in layers) == int(run[f"{cause.value}_cycles"])
    assert float(run["latency_low_ms"]) <= float(run["latency_ms"]) <= float(run["latency_high_ms"]) * (1 + 1e-12)


# staging


def test_unchanged_files_keep_their_time(tmp_path: Path) -> None:
    first = Staging(tmp_path)
    first.write("a/x.md", "one")
    first.write("b.md", "two")
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.md")}
    second = Staging(tmp_path)
    second.write("a/x.md", "one")
    assert second.changed == 0
    second.prune()
    assert [p.name for p in tmp_path.rglob("*.md")] == ["x.md"]
    assert (tmp_path / "a/x.md").stat().st_mtime_ns == stamps[tmp_path / "a/x.md"]
    with pytest.raises(ValueError, match="two pages"):
        second.write("a/x.md", "other")


# colours


def _lab(colour: str, *, deficiency: str = "") -> tuple[float, float, float]:
    """CIELAB of an sRGB colour as seen with a colour vision deficiency (linear-light simulation; dichromat planes by Viénot 1999)."""
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    if deficiency:
        share = {"protan": 0.11238, "deutan": 0.29275}[deficiency]
        rest = {"protan": 0.004 * (r - g), "deutan": -0.02234 * (r - g)}[deficiency]
        r, g, b = share * r + (1 - share) * g, share * r + (1 - share) * g, b + rest
    x, y, z = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("deficiency", ["", "protan", "deutan"])
def test_causes_can_be_told_apart(deficiency: str, dark: bool) -> None:
    assert set(palette.CAUSE_COLOURS) == set(Cause)
    colours = {c: palette.darkened(x) if dark else x for c, x in palette.CAUSE_COLOURS.items()}
    seen = {c: _lab(x, deficiency=deficiency) for c, x in colours.items()}
    for a, b in itertools.combinations(Cause, 2):
        distance = sum((p - q) ** 2 for p, q in zip(seen[a], seen[b], strict=True)) ** 0.5
        assert distance > 9, f"{a.value} and {b.value} look alike ({deficiency or 'full colour vision'}, dark={dark})"


def test_dark_is_light_with_every_colour_replaced_once() -> None:
    text = " ".join(palette.DARK)
    assert palette.darkened(text) == " ".join(palette.DARK.values())
    assert palette.darkened(palette.INK.upper()) == palette.DARK[palette.INK]


def test_every_cause_has_words() -> None:
    assert set(CAUSE_MEANING) == set(CAUSE_REMEDY) == set(Cause)


# charts


def _data(chart: Chart) -> list[dict[str, object]]:
    data = chart.spec.get("data") or chart.spec["layer"][0]["data"]
    values: list[dict[str, object]] = data.get("values") or chart.spec["datasets"][data["name"]]
    return values


@settings(deadline=None, max_examples=15)
@given(records())
def test_stack_and_waterfall_hold_every_cycle(record: RunRecord) -> None:
    assert sum(int(str(r["cycles"])) for r in _data(stack_chart(record))) == record.cycles.warm
    steps = _data(waterfall_chart(record))
    assert steps[-1]["end"] == record.cycles.warm
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(steps))


def test_charts_draw_light_and_dark(tmp_path: Path) -> None:
    record = kws_record(board="nucleo-l4r5zi", core="cortex-m4")
    sizes = {m.name: m.bytes for m in load_board("nucleo-l4r5zi").memories}
    explanation = explain_run(record)
    charts = [
        stack_chart(record),
        waterfall_chart(record),
        memory_chart(record, sizes),
        ranking_chart(places([record, kws_record(kernels="reference")]), ["cmsis-nn", "reference"]),
        ladder_chart(load_board("nucleo-l4r5zi")),
    ]
    assert explanation.ceilings is not None
    points = [(f"{x.index} {x.op.lower()}", x.op, x.roofline) for x in explanation.layers if x.roofline is not None]
    charts.append(roofline_chart(points, explanation.ceilings, "a run"))
    assert "Roofs from micro-benchmarks on nucleo-l4r5zi" in charts[-1].caption
    assert "MLA peak" in charts[-1].caption
    spec = charts[-1].spec
    source = next(x for x in spec["layer"] if x["mark"]["type"] == "text")["data"]
    texts = source["values"] if "values" in source else spec["datasets"][source["name"]]
    named = [n for t in texts for n in t["number"].split(", ")]
    assert sorted(named, key=int) == [label.split(" ")[0] for label, _, _ in points]
    staging = Staging(tmp_path / "docs")
    draughtsman = Draughtsman(staging, tmp_path / "cache")
    for chart in charts:
        html = draughtsman.figure(chart, "runs/x")
        assert html.count("<figcaption>") == html.count("</table>") == 1
        light = (tmp_path / f"docs/runs/x/{chart.name}.svg").read_text("utf-8")
        dark = (tmp_path / f"docs/runs/x/{chart.name}.dark.svg").read_text("utf-8")
        assert light.startswith("<svg")
        assert light.count("<path") > 2
        assert palette.INK in light
        assert palette.INK not in dark
        spec = json.loads((tmp_path / f"docs/runs/x/{chart.name}.vl.json").read_text("utf-8"))
        assert spec["width"] == "container"
        assert "url" not in json.dumps(spec.get("data", {}))
    rendered = draughtsman.rendered
    again = Draughtsman(Staging(tmp_path / "other"), tmp_path / "cache")
    for chart in charts:
        again.figure(chart, "")
    assert (rendered, again.rendered) == (len(charts), 0)


def test_every_board_has_a_ladder() -> None:
    for board in list_boards():
        steps = _data(ladder_chart(board))
        assert steps[-1]["clock"] == board.flash.ladder[-1].up_to_mhz


# what is committed


def test_notebooks_are_committed_without_outputs() -> None:
    found = list((SITE_SRC_DIR / "notebooks").glob("*.ipynb"))
    assert found
    for path in found:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = [c for c in cells if c["cell_type"] == "code"]
        assert code
        assert all(c["outputs"] == [] and c["execution_count"] is None for c in code), path


def test_boards_side_by_side_hold_the_ceilings_of_each() -> None:
    boards = {b.name: b for b in list_boards()}
    found = make_world([], list_boards(), list_cores(), [], "1", ceilings=committed()).default_ceilings
    assert set(found) == set(boards)
    chart = boards_chart(boards, found, "nucleo-l4r5zi")
    assert chart is not None
    assert len(chart.table.rows) == len(boards)
    rows = {r["board"]: r for r in _data(chart) if r["kind"] == MACS}
    here = rows["nucleo-l4r5zi \u25c0"]
    assert here["per_cycle"] == max(b.per_cycle for b in found["nucleo-l4r5zi"].macs())
    assert here["rate"] == pytest.approx(120 * here["per_cycle"])
    assert boards_chart(boards, {}) is None


def test_a_board_described_otherwise_has_no_ceilings_of_the_committed() -> None:
    known = load_board("nucleo-l4r5zi")
    other = known.model_copy(update={"name": "mine", "default_clock_mhz": 80})
    assert set(make_world([], [known, other], list_cores(), [], "1", ceilings=committed()).default_ceilings) == {
        known.name
    }


def test_ceilings_of_the_board_as_described_do_not_bound_a_run_with_set_figures() -> None:
    board = load_board("nucleo-l4r5zi")

    def roofs(*set_: str) -> Ceilings | None:
        made, core = override(board, load_core(board.core), [parse_override(s) for s in set_])
        known = {"board_sha256": board_sha256(made), "core_sha256": core_sha256(core)}
        record = kws_record().model_copy(update={"overrides": set_})
        record = record.model_copy(update={"provenance": record.provenance.model_copy(update=known)})
        (run,) = make_world([record], list_boards(), list_cores(), [], "1", ceilings=committed()).runs
        return run.explanation.ceilings

    plain, overridden = roofs(), roofs("flash.wait_states=0")
    assert plain is not None
    assert plain.measured
    assert overridden is not None
    assert not overridden.measured
    assert "with the figures that were set" in overridden.origin
