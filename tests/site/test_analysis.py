"""What an analysis, a comparison and a validation look like on the site."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from engine.catalog.load import list_boards
from engine.explain.analysis import Analysis
from engine.explain.compare import compare
from engine.explain.compare_mechanism import Mechanism as Difference
from engine.records.cause import Cause
from engine.records.other_kernels import OtherKernels
from engine.records.run import RunRecord
from engine.records.validation import Use, Validations
from engine.site.analysis_view import listing, view_of
from engine.site.compare_chart import mechanism_chart, microseconds, nanoseconds
from engine.site.exports import clocks_csv, difference_csv, gains_csv, points_csv
from engine.site.gain_charts import MECHANISM_CAUSE, STEP_LABEL, clock_chart, gains_chart, gap_chart
from engine.site.pages.kernel_versions import kernels_tables
from engine.site.pages.validation import validation_summary
from engine.site.pairs import Matrix, matrix_of
from engine.site.text import slug
from engine.site.validation_chart import compared, error_chart, label, outcome, scatter_chart
from engine.site.world import make_world
from engine.timing.mechanism import IDEAL_MACHINE, Mechanism
from engine.timing.sweep import Step
from tests.builders.analyses import make_analysis, make_other_kernels, make_point, make_validations
from tests.builders.records import kws_record, records
from tests.site.conftest import HOSTILE, Built
from tests.site.html import Page


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _page(built: Built, name: str) -> Page:
    return Page(built.out / name / "index.html")


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("\u2212", "-"))


# the analysis in words and numbers


def test_every_mechanism_of_the_ideal_machine_has_a_colour_and_every_step_words() -> None:
    assert set(MECHANISM_CAUSE) == set(IDEAL_MACHINE)
    assert set(STEP_LABEL) == set(Step)


@settings(deadline=None, max_examples=20)
@given(records())
def test_the_gap_holds_every_cycle(record: RunRecord) -> None:
    analysis = make_analysis(record)
    chart = gap_chart(analysis, "a run")
    cells = [[_number(c) for c in row[1:2]] for row in chart.table.rows]
    assert sum(c[0] for c in cells[:-1]) == cells[-1][0] == record.cycles.warm
    rows = _rows(gains_csv(analysis))
    assert len(rows) == len(Mechanism) * (len(record.layers) + 2)
    for name in ("", *(str(i) for i in range(len(record.layers) + 1))):
        mine = [r for r in rows if r["region"] == name]
        gap = int(mine[0]["cycles"]) - int(mine[0]["ideal_machine_cycles"])
        assert sum(int(r["share_of_gap_cycles"] or 0) for r in mine) == gap
    view_of(analysis, [*(x.name for x in record.layers), "glue"])
    gains_chart(analysis, "a run")


def test_the_sentence_names_the_largest_gains_with_their_intervals() -> None:
    record = kws_record()
    view = view_of(make_analysis(record), [*(x.name for x in record.layers), "glue"])
    assert "What would save most" in view.most
    assert "Twice the clock would save 40.0" in view.most
    assert "buys" not in view.clock
    assert "Going up to 90 MHz saves less than 1 %" in view.clock
    assert "Going up to 120 MHz may save nothing" in view.clock
    assert len(view.best) == len(view.gains) == len(record.layers) + 1


def test_a_run_without_anything_to_gain_says_so() -> None:
    record = kws_record()
    analysis = make_analysis(record)
    none = analysis.run.model_copy(
        update={"gains": tuple(g.model_copy(update={"gain_ms": 0.0, "gain_cycles": 0}) for g in analysis.run.gains)}
    )
    assert none.best is None
    view = view_of(analysis.model_copy(update={"run": none}), [*(x.name for x in record.layers), "glue"])
    assert view.most.startswith("No single mechanism")


def test_a_block_is_listed_where_it_takes_most_and_linked_elsewhere() -> None:
    record = kws_record()
    analysis = make_analysis(record)
    view = view_of(analysis, [*(x.name for x in record.layers), "glue"])
    listed = [h.number for h in view.hot for b in h.blocks if b.listing]
    most = max(range(len(analysis.hot)), key=lambda i: sum(b.cycles for b in analysis.hot[i].blocks))
    assert listed == [most]
    assert {b.anchor for h in view.hot for b in h.blocks} == {"block-00000100"}
    lines = listing(analysis.code_of(0x100)).splitlines()
    assert lines[0].split() == [
        "2",
        "00000100",
        "ldr",
        "r0,",
        "[r1]",
        *["load/store", "issue", "1", "+", "load-use", "1", "k.c:7"],
    ]
    assert lines[1].endswith("MAC                              k.c:8")


def test_the_clock_chart_marks_what_buys_nothing() -> None:
    record = kws_record()
    chart = clock_chart(make_analysis(record), record.clock_mhz, "a run")
    assert [row[-1] for row in chart.table.rows] == ["lowest clock", "buys time", "buys nothing", "may buy nothing"]
    assert chart.table.rows[-1][0] == "120 (this run)"
    assert [name for name, _ in chart.legend] == ["buys time", "may buy nothing", "buys nothing"]
    assert [r["wait_states"] for r in _rows(clocks_csv(make_analysis(record)))] == ["0", "1", "4", "5"]


def test_only_an_analysis_of_these_very_cycles_is_shown() -> None:
    record = kws_record()
    other = kws_record(kernels="reference").model_copy(update={"id": record.id})
    for analysed, shown in ((record, True), (other, False)):
        (run,) = make_world([record], list_boards(), [], [], "1", analyses=[make_analysis(analysed)]).runs
        assert (run.analysis is not None) is shown


# comparisons


def _matrix(*runs: RunRecord) -> Matrix:
    return matrix_of("kws", make_world(list(runs), list_boards(), [], [], "1").runs)


def test_boards_are_compared_with_the_fastest_and_kernels_on_each_board() -> None:
    l4, h7 = kws_record(), kws_record(board="nucleo-h743zi", core="cortex-m7", clock_mhz=480)
    slow = kws_record(kernels="reference")
    found = _matrix(l4, h7, slow)
    assert found.variants == ("cmsis-nn", "reference")
    assert [row.board for row in found.rows] == ["nucleo-h743zi", "nucleo-l4r5zi"]
    assert [(p.a.record.id, p.b.record.id) for p in found.between_boards] == [(h7.id, l4.id)]
    assert [(p.a.record.id, p.b.record.id) for p in found.between_kernels] == [(slow.id, l4.id)]
    energy = found.between_kernels[0].found.energy
    assert energy is not None
    assert "Both rest on one power" in energy.text
    assert found.others == ()
    assert [row.cells[1] is None for row in found.rows] == [True, False]
    assert len({p.anchor for p in found.pairs}) == len(found.pairs) == 2


def test_another_clock_is_compared_on_its_board() -> None:
    fast, slow = kws_record(), kws_record(clock_mhz=80).model_copy(update={"id": "kws.at-80"})
    found = _matrix(fast, slow)
    assert [(p.a.record.id, p.b.record.id) for p in found.others] == [(fast.id, slow.id)]
    assert found.others[0].title == "nucleo-l4r5zi, cmsis-nn: 80 MHz against 120 MHz"


def test_a_board_that_nobody_can_buy_stands_for_none_and_is_named_by_what_was_altered() -> None:
    real, moved = kws_record(), kws_record().model_copy(update={"id": "kws_z_moved"})
    moved = moved.model_copy(update={"placement": real.placement.model_copy(update={"code": "sram1"})})
    altered = kws_record().model_copy(update={"id": "kws.altered", "overrides": ("flash.wait_states=0",)})
    found = _matrix(real, moved, altered)
    assert [c.run.record.id for row in found.rows for c in row.cells if c] == [real.id]
    titles = {p.b.record.id: p.title for p in found.others}
    assert {p.a.record.id for p in found.others} == {real.id}
    assert titles[altered.id] == "nucleo-l4r5zi, cmsis-nn: flash.wait_states=0 against as built"
    assert titles[moved.id] == "nucleo-l4r5zi, cmsis-nn: code in sram1 against code in flash"
    assert found.contested == frozenset()


def test_runs_that_may_not_be_compared_have_no_difference() -> None:
    one = kws_record()
    h7 = kws_record(board="nucleo-h743zi", core="cortex-m7", clock_mhz=480)
    changed = h7.provenance.model_copy(update={"model_sha256": "f" * 64})
    (pair,) = _matrix(one, h7.model_copy(update={"provenance": changed})).between_boards
    assert not pair.found.comparable
    assert pair.times is None
    assert "different" in pair.found.text


@settings(deadline=None, max_examples=20)
@given(records(), records())
def test_shown_microseconds_sum_exactly(a: RunRecord, b: RunRecord) -> None:
    b = b.model_copy(update={"layers": a.layers, "glue": a.glue, "cycles": a.cycles, "instructions": a.instructions})
    found = compare(a, b)
    if not found.comparable or found.delta_us is None:
        return
    parts = nanoseconds(found)
    assert sum(parts.values()) == pytest.approx(found.delta_us * 1000, abs=1)
    rows = mechanism_chart("pair-1", found, "a", "b").table.rows
    shown = [round(_number(row[1]) * 1000) for row in rows]
    assert sum(shown[:-1]) == shown[-1]
    table = _rows(difference_csv(found))
    assert {r["name"] for r in table if r["kind"] == "mechanism"} == {m.value for m in Difference}


def test_a_difference_has_its_sign() -> None:
    assert [microseconds(n) for n in (1_234_567, -500, 0)] == ["+1,234.567", "\u22120.500", "0"]


# validation


def test_points_are_ordered_by_use_and_error() -> None:
    kept = make_validations().results[0]
    found = compared(kept.validation.points)
    assert [c.label for c in found] == [
        "kws on nucleo-l4r5zi (microTVM)",
        "ic on nucleo-l4r5zi (microTVM)",
        "kws on nucleo-l4r5zi (TFLM)",
    ]
    assert found[0].low == pytest.approx(-0.15)
    said = validation_summary(kept)
    assert "Over 2 exact points the mean absolute error (MAPE) is 5.5\u00a0%" in said
    assert "1 of the 2 published latencies lie within our interval. Of 1 bounds 1 hold." in said
    assert len(error_chart("errors", found).table.rows) == len(scatter_chart("scatter", found).table.rows) == 3


def test_a_bound_that_breaks_is_said_loudly() -> None:
    bound = make_validations().results[0].validation.points[2]
    assert outcome(bound).startswith("holds")
    assert outcome(bound.model_copy(update={"holds": False})).startswith("DOES NOT HOLD")
    assert outcome(make_point(simulated_ms=None, holds=None)) == "not run"
    assert {label(make_point(framework=f)) for f in ("", "HALE 1")} == {
        "kws on nucleo-l4r5zi (cmsis-nn)",
        "kws on nucleo-l4r5zi (HALE)",
    }


def test_points_as_csv() -> None:
    rows = _rows(points_csv(make_validations()))
    assert len(rows) == 8
    assert {r["compiler_of_all"] for r in rows} == {"", "clang"}
    assert rows[3]["simulated_ms"] == ""
    assert rows[0]["use"] == Use.EXACT.value


# the built pages


def test_run_page_shows_its_analysis(built: Built) -> None:
    record = built.records[0]
    page = _page(built, f"runs/{slug(record.id)}")
    analysis = make_analysis(record)
    for mechanism in Mechanism:
        assert mechanism.label in page.text
        assert mechanism.meaning in page.text
    for text in ("rows read as ways", "+2.0", "data accesses do not wait", "+10"):  # what no source says
        assert text in page.text
    assert "not spread over its blocks" in page.text
    assert "ldr r0, [r1]" in page.text
    assert {"block-00000100", "hot-0", "what-would-it-bring", "hot-spots", "flame-graph", "clock"} <= page.ids
    assert "Absent: this run was not re-simulated" not in page.text
    folder = page.path.parent
    assert Analysis.model_validate_json((folder / "analysis.json").read_text("utf-8")) == analysis
    folded = (folder / "stacks.folded").read_text("utf-8").splitlines()
    assert sum(int(line.rsplit(" ", 1)[1]) for line in folded) == record.cycles.warm
    scope = json.loads((folder / "speedscope.json").read_text("utf-8"))
    assert sum(scope["profiles"][0]["weights"]) == record.cycles.warm
    assert page.path.stat().st_size < 400_000


def test_a_run_that_was_not_re_simulated_says_so_and_how_to(built: Built) -> None:
    page = _page(built, f"runs/{slug(built.records[1].id)}")
    assert "Absent: this run was not re-simulated" in page.text
    assert page.text.count("whycycles run path/to/MODEL.tflite") == 2
    assert {"what-would-it-bring", "hot-spots", "flame-graph", "clock"} <= page.ids
    assert not (page.path.parent / "analysis.json").exists()


def test_foreign_names_stay_text_in_an_analysis(built: Built) -> None:
    page = _page(built, f"runs/{slug(built.records[-1].id)}")
    assert [h for h in page.handlers if h.startswith("img")] == []
    assert f"{HOSTILE}+0x8" in page.text
    json.loads((page.path.parent / "speedscope.json").read_text("utf-8"))


def test_compare_pages_lead_to_every_pair(built: Built) -> None:
    index, page = _page(built, "compare"), _page(built, "compare/kws")
    pairs = matrix_of("kws", make_world(built.records[:3], list_boards(), [], [], "1").runs).pairs
    assert len(pairs) == 2
    for pair in pairs:
        assert pair.anchor in page.ids
        assert f"kws/#{pair.anchor}" in index.links
        assert f"#{pair.anchor}" in page.links
        assert " ".join(pair.found.text.split()) in " ".join(page.text.split())
    for cause in (Cause.MAC, Cause.OTHER_ALU):
        assert cause.label in page.text
    # one run alone is compared with nothing
    assert not (built.out / "compare/ic").exists()


def test_validation_page_shows_every_point_and_its_source(built: Built) -> None:
    page = _page(built, "validation")
    assert {"rows", "clang", "rows-1", "clang-3"} <= page.ids
    # what was not done with the points, and that the errors had been seen when rules were changed
    honest = ("was computed from a point below", "who had seen its errors")
    for text in ("a table somewhere", "kernels of 2020", "not run: unknown board", *honest, "\u221210.0"):
        assert text in page.text
    assert "Over the other designs that the board may have where no source says: 89.5 \u2013 93.5" in page.text
    kept = Validations.model_validate_json((page.path.parent / "validation.json").read_text("utf-8"))
    assert kept == make_validations()
    assert "mean absolute error (MAPE) is 5.5" in Page(built.out / "index.html").text


def test_other_kernels_stand_beside_the_projects_own(built: Built) -> None:
    page = _page(built, "validation")
    assert "older-kernels" in page.ids
    (table,) = kernels_tables(make_validations(), make_other_kernels())
    assert [c.name for c in table.columns] == ["CMSIS-NN 4.0.0", "older"]
    # the other exact point was not run with them
    (row,) = table.rows
    own, older = row.cells
    assert own is not None
    assert older is not None
    assert (own.error, own.inside) == (pytest.approx(-0.01), True)
    assert (older.error, older.inside) == (pytest.approx(0.2), False)
    for text in ("is the one that counts", "+20.0", "the published latency lies outside our interval"):
        assert text in page.text
    kept = OtherKernels.model_validate_json((page.path.parent / "other_kernels.json").read_text("utf-8"))
    assert kept == make_other_kernels()


def test_no_two_pairs_of_a_real_campaign_have_one_anchor(built: Built) -> None:
    boards = [("nucleo-l4r5zi", "cortex-m4", 120.0), ("nucleo-h743zi", "cortex-m7", 480.0), ("nrf5340-dk", "cortex-m33", 128.0)]  # fmt: skip
    runs = [
        kws_record(board=b, core=c, clock_mhz=mhz, kernels=k)
        for (b, c, mhz), k in itertools.product(boards, ("cmsis-nn", "reference"))
    ]
    found = _matrix(*runs)
    assert len(found.pairs) == 2 * 2 + 3
    assert len({p.anchor for p in found.pairs}) == len(found.pairs)


def test_without_a_validation_the_page_says_how_to_get_one(cache: Path, tmp_path: Path) -> None:
    from engine.site.chart import Draughtsman
    from engine.site.pages.validation import write_validation
    from engine.site.render import Renderer
    from engine.site.staging import Staging

    renderer = Renderer(Staging(tmp_path), Draughtsman(Staging(tmp_path), tmp_path / "cache"))
    write_validation(renderer, make_world([], [], [], [], "1"), Validations(), OtherKernels())
    assert "whycycles validate --update" in (tmp_path / "validation/index.md").read_text("utf-8")
