"""Counters of a real chip beside ours: the rows, the comparison, what is kept, and what the page says about an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.errors import CheckFailedError, RecordError
from engine.pipeline.local import layer_validations_path
from engine.records.layer_validation import (
    STALLS,
    Event,
    EventCounts,
    LayerPoint,
    LayerValidation,
    LayerValidations,
    read_layer_validations,
    write_layer_validations,
)
from engine.records.run import Idle, RunRecord
from engine.site.pages.silicon_layers import explanation, section_of
from engine.site.pages.silicon_stalls import stalls_of, why
from engine.validate import layers as comparing
from engine.validate.layers import PublishedLayer, compare_layers, counts_of, published_layers
from tests.builders.records import kws_record

HEADER = "board,model,clock_mhz,framework,kernels,layer,op,macs,cycles,instructions,mve_instructions,loads,stores,mve_macs,source\n"
ROW = "apollo510-evb,kws,250,TFLM,CMSIS-NN,0,CONV_2D,320000,1000,800,500,200,100,260,somewhere\n"


def stalled(stalls: int, mve_stalls: int) -> str:
    header = HEADER.replace("source", "stall_cycles,mve_stall_cycles,source")
    return header + ROW.replace("somewhere", f"{stalls},{mve_stalls},somewhere")


def read(tmp_path: Path, text: str) -> tuple[PublishedLayer, ...]:
    path = tmp_path / "layers.csv"
    path.write_text(text, encoding="utf-8")
    return published_layers(path)


def published(record: RunRecord) -> tuple[PublishedLayer, ...]:
    """What a chip would publish that counts a tenth more than the record."""
    rows = []
    for layer in record.layers:
        ours = counts_of(layer)
        counts = EventCounts(**{e.value: n * 11 // 10 for e in Event if (n := ours.of(e)) is not None})
        rows.append(PublishedLayer("b", "kws", "f", "k", 250, layer.index, layer.op, layer.macs, counts, "s"))
    return tuple(rows)


def test_the_projects_own_rows_can_be_read() -> None:
    rows = published_layers()
    assert {(r.board, r.model) for r in rows} == {("apollo510-evb", "mlperf-tiny/kws")}
    assert [r.layer for r in rows] == list(range(13))
    assert all(r.source and r.counts.cycles for r in rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER.replace("mve_macs,", "") + ROW, "has no column mve_macs"),
        (HEADER + ROW + ROW.replace("1000", "many"), "line 3: not all counts are whole numbers"),
        (HEADER + ROW.replace("1000", "-1"), "line 2: a count is negative"),
        (HEADER + "apollo510-evb,kws\n", "line 2: not all counts"),
        (HEADER, "layers.csv has no row"),
        (HEADER + ROW.replace("1000", "9" * 400), "line 2: a count is larger than any counter"),
        (stalled(1001, 0), r"line 2: stall_cycles \(1001\) is more than cycles \(1000\)"),
        (stalled(10, 11), r"line 2: mve_stall_cycles \(11\) is more than stall_cycles \(10\)"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        read(tmp_path, text)


def test_rows_of_two_runs_are_refused(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + ROW + ROW.replace(",250,", ",192,"))
    with pytest.raises(RecordError, match="of 2 runs"):
        comparing.validate_layers(rows)


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(RecordError, match="has more than 16777216 bytes"):
        published_layers(Path("/dev/zero"))


def test_a_layer_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="layer 0 has more than one row"):
        comparing.validate_layers(read(tmp_path, HEADER + ROW + ROW))


def test_stalls_are_compared_where_both_counters_are_there() -> None:
    record = kws_record()
    found = compare_layers(published(record), record)
    both = EventCounts(**{e.value: 10 for e in Event})
    one = both.model_copy(update={"mve_stall_cycles": None})
    points = {c: found.points[0].model_copy(update={"published": c, "simulated": both}) for c in (both, one)}
    assert found.model_copy(update={"points": (points[both],)}).has_stalls
    assert not found.model_copy(update={"points": (points[both], points[one])}).has_stalls


def test_every_event_is_compared() -> None:
    record = kws_record()
    found = compare_layers(published(record), record)
    for point, layer in zip(found.points, record.layers, strict=True):
        assert point.simulated == counts_of(layer)
        if point.published.cycles > 1000:
            assert point.error(Event.CYCLES) == pytest.approx(-1 / 11, abs=1e-3)
        assert point.error(Event.MVE_MACS) is None  # a Cortex-M4 has none, and so has this chip
    ours, theirs = (sum(getattr(p, side).cycles for p in found.points) for side in ("simulated", "published"))
    assert (theirs, ours) == tuple(c.cycles for c in found.total())


def test_another_model_is_refused() -> None:
    record = kws_record()
    with pytest.raises(CheckFailedError, match="layer 0 is CONV_2D"):
        compare_layers(published(record), record.model_copy(update={"layers": record.layers[1:]}))


def test_one_result_per_compiler_is_kept(tmp_path: Path) -> None:
    record = kws_record()
    clang = compare_layers(published(record), record)
    gcc = clang.model_copy(update={"compiler": "gcc"})
    changed = gcc.model_copy(update={"kernels_version": "zzz", "note": "one condition changed"})
    kept = LayerValidations().with_result(clang).with_result(gcc).with_result(changed).with_result(clang)
    path = tmp_path / "kept.json"
    write_layer_validations(kept, path)
    assert read_layer_validations(path) == kept
    assert [(r.compiler, r.note) for r in kept.results] == [
        ("clang", ""),
        ("gcc", ""),
        ("gcc", "one condition changed"),
    ]
    assert read_layer_validations(tmp_path / "none.json") == LayerValidations()


def test_the_committed_results_are_of_the_published_rows() -> None:
    rows = {r.layer: r.counts for r in published_layers()}
    kept = read_layer_validations(layer_validations_path())
    assert {r.compiler for r in kept.results} == {"gcc", "clang"}
    for result in kept.results:
        for point in result.points:
            assert all(
                point.published.of(e) == rows[point.layer].of(e) for e in Event if e not in STALLS or result.has_stalls
            )


def counts(cycles: int, instructions: int, mve: int = 0, macs: int = 0) -> EventCounts:
    return EventCounts(cycles=cycles, instructions=instructions, mve_instructions=mve, mve_macs=macs, loads=0, stores=0)


@pytest.mark.parametrize(
    ("chip", "ours", "said"),
    [
        (counts(100, 100, 50, 20), counts(90, 101, 50, 20), "the same kernel"),
        (counts(100, 100, 50, 20), counts(90, 120, 50, 20), "the same vector multiplies"),
        (counts(100, 100, 50, 20), counts(180, 200, 90, 30), "another kernel: it issues 1.50 times"),
        (counts(100, 100, 50, 20), counts(300, 400), "multiplies vectors here, ours does not"),
        (counts(100, 100), counts(110, 105), "what is left is timing"),
        (counts(100, 100, 50), counts(110, 150, 60), "and other instructions"),
    ],
)
def test_an_error_is_explained_by_the_counts(chip: EventCounts, ours: EventCounts, said: str) -> None:
    point = LayerPoint(layer=0, op="CONV_2D", kernel="k", macs=1, published=chip, simulated=ours)
    assert said in explanation(point)


def test_both_factors_make_the_error() -> None:
    record = kws_record()
    section = section_of(compare_layers(published(record), record))
    for row in section.rows:
        if row.errors[0] is not None and row.errors[1] is not None:
            assert (1 + row.by_instructions) * (1 + row.by_timing) - 1 == pytest.approx(row.errors[0], abs=1e-9)


def test_layers_with_one_explanation_share_it() -> None:
    point = LayerPoint(
        layer=0, op="CONV_2D", kernel="k", macs=1, published=counts(100, 100, 50, 20), simulated=counts(90, 101, 50, 20)
    )
    points = (point, point.model_copy(update={"layer": 1}), point.model_copy(update={"layer": 2, "op": "RESHAPE"}))
    found = compare_layers(published(kws_record()), kws_record()).model_copy(update={"points": points})
    section = section_of(found)
    assert [layers for layers, _ in section.reasons] == ["conv2d #0, conv2d #1", "reshape #2"]
    assert "Over the 3 large layers" in section.summary  # an error of exactly 0 in the multiplies is the same kernel
    assert "between −10.0\u00a0% and −10.0\u00a0%" in section.summary
    assert not section.inside  # nothing but these layers is in the chip's sum
    around = sum(p.published.cycles for p in points)
    assert section_of(found.model_copy(update={"cycles_interval": (around, around)})).inside


def with_cycles(result: LayerValidation, factors: tuple[float, ...], version: str, note: str) -> LayerValidation:
    """The large layers, the chip's cycles times a factor each; stalls are a quarter of ours and a fifth of the chip's."""
    points = []
    for p, factor in zip(result.big(), factors, strict=False):
        chip = p.published.model_copy(update={"cycles": 1000, "stall_cycles": 200, "mve_stall_cycles": 100})
        ours = round(1000 * factor)
        stalls = {"cycles": ours, "stall_cycles": ours // 4, "mve_stall_cycles": ours // 8}
        points.append(p.model_copy(update={"published": chip, "simulated": p.simulated.model_copy(update=stalls)}))
    return result.model_copy(update={"points": tuple(points), "kernels_version": version, "note": note})


def test_other_kernels_are_told_against_the_packaged_ones() -> None:
    record = helium_record()
    found = compare_layers(published(record), record)
    packaged = with_cycles(found, (1.5, 1.0, 0.95), "4.0.0 (wheel)", "")
    other = with_cycles(found, (1.05, 0.92, 0.95), "9.9 (checkout)", "a note")
    before = section_of(packaged).overview
    assert (before.within, before.large, before.against) == (2, 3, "")
    assert before.verdict.endswith("the largest error is +50.0\u00a0%.")
    after = section_of(other, packaged).overview
    assert after.verdict == "Every one of the 3 large layers lies within 10\u00a0% of the chip's cycles."
    assert (after.cycles_each, after.stalls_each) == ("−8.0\u00a0% to +5.0\u00a0%", "+15.0\u00a0% to +31.0\u00a0%")
    assert "CMSIS-NN 4.0.0 (wheel)" in after.against
    assert "from +50.0\u00a0% to −8.0\u00a0%" in after.against
    assert "nearer to the chip's in 2 of the 3 large layers" in after.against
    plain = with_cycles(found, (1.1,), "9.9 (checkout)", "a note")
    bare = plain.points[0].simulated.model_copy(update={"stall_cycles": None, "mve_stall_cycles": None})
    without = plain.model_copy(update={"points": (plain.points[0].model_copy(update={"simulated": bare}),)})
    told = section_of(without, packaged).overview
    assert told.stalls is None
    assert "STALL" not in told.against


def helium_record() -> RunRecord:
    """The record as of a core with Helium: a quarter of the cycles issue nothing, half of these for Helium."""
    record = kws_record()
    layers = [
        x.model_copy(update={"idle": Idle(cycles=x.cycles // 4, mve_cycles=x.cycles // 8, mve_waits=x.cycles // 16)})
        for x in record.layers
    ]
    return record.model_copy(update={"layers": tuple(layers)})


def test_stalls_are_compared_where_both_sides_have_them() -> None:
    record = helium_record()
    found = compare_layers(published(record), record)
    assert found.has_stalls
    stalls = stalls_of(found)
    assert stalls is not None
    for row, point in zip(stalls.rows, found.points, strict=True):
        error = point.error(Event.CYCLES)
        assert error is None or row.by_stalls + row.by_issue == pytest.approx(error, abs=1e-9)
        assert point.mve_waits == row.waits
    theirs, ours = found.total()
    assert (stalls.total.published, stalls.total.simulated) == (theirs, ours)
    assert ours.stall_cycles == sum(x.cycles // 4 for x in record.layers)
    assert "partly cancel" not in stalls.summary
    fewer = []
    for p in found.points:
        chip = p.published.model_copy(update={"mve_macs": 10})
        ours = chip.model_copy(update={"stall_cycles": 0})  # as many cycles, but all of them issue
        fewer.append(p.model_copy(update={"published": chip, "simulated": ours}))
    opposed = stalls_of(found.model_copy(update={"points": tuple(fewer)}))
    assert opposed is not None
    assert "have opposite signs and partly cancel" in opposed.summary
    plain = kws_record()  # no Helium, so no stalls
    without = compare_layers(published(plain), plain)
    assert not without.has_stalls
    assert stalls_of(without) is None
    assert "stall" not in without.model_dump_json()


@pytest.mark.parametrize(
    ("chip", "ours", "said"),
    [
        ((100, 20, 40, 20), (101, 20, 41, 20), "the same waits"),
        ((100, 20, 40, 20), (101, 20, 41, 30), "another part of them as Helium's"),
        (
            (100, 20, 40, 20),
            (101, 20, 30, 20),
            "fewer waits of other instructions: loads and branches, and on the chip",
        ),
        ((100, 20, 40, 20), (101, 20, 50, 20), "more waits of other instructions: loads and branches"),
        ((100, 20, 40, 20), (101, 20, 80, 50), "places more waits around them"),
        ((100, 20, 40, 20), (200, 60, 80, 50), "another kernel"),
        ((100, 20, 40, 20), (200, 0, 80, 0), "nothing in common"),
        ((100, 0, 40, 20), (105, 0, 41, 20), "the same waits"),
    ],
)
def test_an_error_in_stalls_is_explained(chip: tuple[int, ...], ours: tuple[int, ...], said: str) -> None:
    sides = [
        counts(1000, instructions, 2 * macs, macs).model_copy(
            update={"stall_cycles": stalls, "mve_stall_cycles": helium}
        )
        for instructions, macs, stalls, helium in (chip, ours)
    ]
    if not chip[1]:
        sides = [s.model_copy(update={"mve_instructions": 5}) for s in sides]
    assert said in why(LayerPoint(layer=0, op="CONV_2D", kernel="k", macs=1, published=sides[0], simulated=sides[1]))


def test_the_projects_rows_have_stalls(tmp_path: Path) -> None:
    assert all((r.counts.stall_cycles or 0) > (r.counts.mve_stall_cycles or 0) for r in published_layers())
    assert read(tmp_path, HEADER + ROW)[0].counts.stall_cycles is None  # a table may leave them out
    with pytest.raises(RecordError, match="line 2: not all counts"):
        read(tmp_path, HEADER.replace("source", "stall_cycles,source") + ROW.replace("somewhere", ",somewhere"))


def test_stalls_are_printed_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    record = helium_record()
    found = compare_layers(published(record), record)
    monkeypatch.setattr(comparing, "validate_layers", lambda *_: found)
    shown = CliRunner().invoke(main, ["validate", "--layers"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    table = shown.output.splitlines()[1:]
    assert "MVE_STALL" in shown.output
    assert max(len(row) for row in table) <= 80
    assert not any("…" in row for row in table)


def test_the_command_prints_and_writes_json(monkeypatch: pytest.MonkeyPatch) -> None:
    record = kws_record()
    found = compare_layers(published(record), record)
    monkeypatch.setattr(comparing, "validate_layers", lambda *_: found)
    shown = CliRunner().invoke(main, ["validate", "--layers"])
    assert shown.exit_code == 0, shown.output
    assert "conv2d #0" in shown.output
    alone = CliRunner().invoke(main, ["validate", "--layers", "--note", "x"])
    assert alone.exit_code == 2
    written = CliRunner().invoke(main, ["validate", "--layers", "--json"])
    assert json.loads(written.output)["points"][0]["op"] == "CONV_2D"
