import json
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.validate import _print
from engine.errors import RecordError, ToolError
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.paths import measurements_dir
from engine.pipeline.local import validations_path
from engine.pipeline.settings import RunSettings
from engine.records.validation import OTHER_BUILDS, BoundSide, EnergyErrors, Use, Validations, read_validations
from engine.validate import keep as keeping
from engine.validate import points
from engine.validate.choose import choose
from engine.validate.keep import keep
from engine.validate.points import validate
from engine.validate.reference import ReferenceRow, read_reference
from tests.builders.damage import damaged
from tests.builders.records import kws_record
from tests.models.small import reference

HEADER = "board,model,clock_mhz,latency_ms,kernels,use,bound_side,framework,compiler\n"
ROW = "nucleo-l4r5zi,kws,120,99.8,cmsis-nn,exact,,microTVM,arm-none-eabi-gcc -O3"


def read(tmp_path: Path, text: str | bytes) -> tuple[ReferenceRow, ...]:
    path = tmp_path / "reference.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_reference(path).rows


def test_the_projects_own_reference_can_be_read() -> None:
    reference = read_reference(measurements_dir() / "published" / "validation.csv")
    rows = reference.rows
    assert reference.refused == ()
    assert sum(r.use is Use.EXACT for r in rows) == 5
    assert all(r.source and (r.latency_ms or 0) > 0 for r in rows)


def test_a_row_says_how_it_was_built(tmp_path: Path) -> None:
    (row,) = read(tmp_path, HEADER + ROW)
    chosen = choose(row)
    assert chosen.settings == RunSettings(
        "kws", "nucleo-l4r5zi", KernelLibrary.CMSIS_NN, CompilerName.GCC, "O3", 120.0, lowering=Lowering.MICROTVM
    )
    assert chosen.doubts == ()
    assert [note.split(":")[0] for note in chosen.notes] == ["kernels chosen as microTVM's submission did"]


def test_what_a_row_does_not_say_is_noted(tmp_path: Path) -> None:
    (row,) = read(tmp_path, HEADER + "nucleo-l4r5zi,kws,120,99.8,proprietary,bound,simulated_at_least,,")
    chosen = choose(row)
    assert (chosen.settings.compiler, chosen.settings.opt) == (CompilerName.GCC, "O2")
    assert chosen.settings.lowering is Lowering.TFLM
    assert chosen.notes == (
        "the row names no compiler: gcc -O2 taken",
        "the row names no framework: kernels chosen as TensorFlow Lite Micro does",
    )
    assert chosen.doubts == ("kernels 'proprietary' are not ours: CMSIS-NN stands in",)
    overruled = choose(row, CompilerName.CLANG)
    assert overruled.settings.compiler is CompilerName.CLANG
    assert "--compiler clang overrules the row's" in overruled.notes


@pytest.mark.parametrize(
    ("kernels", "taken", "doubted"),
    [
        ("cmsis-nn", KernelLibrary.CMSIS_NN, False),
        ("CMSIS-NN", KernelLibrary.CMSIS_NN, False),
        ("Arm CMSIS_NN 4.1", KernelLibrary.CMSIS_NN, False),
        ("CMSIS-NN @011bf32", KernelLibrary.CMSIS_NN, False),
        ("reference", KernelLibrary.REFERENCE, False),
        ("TFLM reference kernels", KernelLibrary.REFERENCE, True),
        ("TVM native schedules (not CMSIS-NN)", KernelLibrary.CMSIS_NN, True),
        ("CMSIS-NN modified for RXv2", KernelLibrary.CMSIS_NN, True),
        ("legacy CMSIS-NN q7", KernelLibrary.CMSIS_NN, True),
        ("unknown", KernelLibrary.CMSIS_NN, True),
        ("", KernelLibrary.CMSIS_NN, True),
    ],
)
def test_kernels_that_are_not_ours_are_in_doubt(
    tmp_path: Path, kernels: str, taken: KernelLibrary, doubted: bool
) -> None:
    (row,) = read(tmp_path, HEADER + ROW.replace("cmsis-nn", kernels).replace("microTVM", "TFLM"))
    chosen = choose(row)
    assert (chosen.settings.kernels, bool(chosen.doubts)) == (taken, doubted)


@pytest.mark.parametrize(
    ("compiler", "taken", "opt", "doubted"),
    [
        ("", CompilerName.GCC, "O2", False),
        ("GNU Arm Embedded Toolchain 10.3 -O3", CompilerName.GCC, "O3", False),
        ("arm-zephyr-eabi-g++ -Os", CompilerName.GCC, "Os", False),
        ("gcc -O", CompilerName.GCC, "O1", False),
        ("LLVM Embedded Toolchain for ARM 17.0.1", CompilerName.CLANG, "O2", False),
        ("Armclang 6.18 -O3", CompilerName.CLANG, "O3", True),
        ("IAR EWARM 9", CompilerName.GCC, "O2", True),
        ("STM32CubeIDE (GCC) -Ofast", CompilerName.GCC, "O3", True),
        ("gcc -Oz", CompilerName.GCC, "Os", True),
        ("gcc -O3 and -Os", CompilerName.GCC, "O3", True),
    ],
)
def test_a_build_that_is_not_ours_is_in_doubt(
    tmp_path: Path, compiler: str, taken: CompilerName, opt: str, doubted: bool
) -> None:
    (row,) = read(tmp_path, HEADER + ROW.replace("arm-none-eabi-gcc -O3", compiler))
    chosen = choose(row)
    assert (chosen.settings.compiler, chosen.settings.opt, bool(chosen.doubts)) == (taken, opt, doubted)


def test_a_path_holds_from_here_or_from_where_the_csv_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "my.toml").write_text("")
    (row,) = read(tmp_path / "lab", HEADER + ROW.replace("nucleo-l4r5zi", "my.toml"))
    chosen = choose(row)
    assert (row.board, chosen.settings.board) == ("my.toml", str(tmp_path / "lab" / "my.toml"))
    assert any(str(tmp_path) in note for note in chosen.notes)
    assert chosen.settings.model == "kws"
    monkeypatch.chdir(tmp_path / "lab")
    assert choose(row).settings.board == "my.toml"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "no column"),
        ("board,model\n", "no column clock_mhz"),
        (HEADER + ROW.replace("120", "fast"), "line 2: clock_mhz"),
        (HEADER + ROW.replace("99.8", "-1"), "line 2: latency_ms"),
        (HEADER + ROW.replace("99.8", "nan"), "line 2: latency_ms"),
        (HEADER + ROW.replace("exact", "perhaps"), "line 2: use"),
        (HEADER + ROW.replace("exact,", "bound,"), "line 2: bound_side"),
        (HEADER + ROW.replace("exact,", "bound,somewhere"), "line 2: bound_side"),
        (HEADER + "nucleo-l4r5zi", "line 2: model is blank"),
        (HEADER + ROW.replace("99.8", ""), "line 2: latency_ms is blank"),
        (HEADER + ROW + ",GNU, not IAR", "line 2 has 11 cells for 9 columns"),
        (HEADER, "holds no row"),
        (HEADER.replace("use", "board") + ROW, "the column board twice"),
        (HEADER + ROW.replace("microTVM", '"microTVM'), "cannot be read"),
        ((HEADER + ROW).encode("utf-16"), "cannot be read"),
        ((HEADER + ROW + "é").encode("latin-1"), "cannot be read"),
        (b"\0" * 100, "no column"),
    ],
)
def test_a_broken_reference_names_its_place(tmp_path: Path, text: str | bytes, where: str) -> None:
    with pytest.raises(RecordError, match=where):
        read(tmp_path, text)


def test_a_row_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "reference.csv"
    bad = (ROW.replace("99.8", '"99,8"'), ROW.replace("exact", "perhaps"), ROW + ",GNU, not IAR")
    path.write_text(HEADER + "\n" + "\n".join([bad[0], ",,", ROW, bad[1], bad[2], ROW]), encoding="utf-8")
    found = read_reference(path)
    assert [r.latency_ms for r in found.rows] == [99.8, 99.8]
    assert [(r.line, r.column, r.value) for r in found.refused] == [
        (3, "latency_ms", "99,8"),
        (6, "use", "perhaps"),
        (7, "", "GNU,not IAR"),
    ]
    assert [r.problem for r in found.refused] == [
        "line 3: latency_ms is '99,8'",
        "line 6: use is 'perhaps'",
        "line 7 has 11 cells for 9 columns",
    ]
    path.write_text(HEADER + "\n".join(bad[:2]), encoding="utf-8")
    with pytest.raises(
        RecordError, match=r"2 of 2 rows of .* cannot be used: line 2: latency_ms is '99,8'; line 3: use is"
    ):
        read_reference(path)


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    (plain,) = read(tmp_path, HEADER + ROW)
    exported = "\ufeff" + (HEADER.upper() + ROW.replace("exact", "Exact") + ",,\n,,,,\n").replace("\n", "\r\n")
    assert read(tmp_path, exported) == (plain,)
    assert read(tmp_path, '"more",' + HEADER + '"1, ✓",' + ROW) == (plain,)


def test_few_columns_are_enough(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "latency_ms,model,board,clock_mhz\n1e1,kws,nucleo-l4r5zi,120.0")
    assert (row.latency_ms, row.clock_mhz, row.use, row.kernels, row.compiler) == (10.0, 120.0, None, "", "")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@given(st.binary(max_size=200) | damaged(HEADER + f"{ROW}\n{ROW}\n").map(_encoded))
def test_any_file_is_rows_or_one_message(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        rows = read(tmp_path_factory.getbasetemp(), content)
    except RecordError:
        return
    assert all((r.latency_ms or r.energy_uj or 0) > 0 and r.board and r.model for r in rows)
    for row in rows:
        choose(row)


@pytest.fixture
def at_100_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run takes 100 ms, with an interval of 96 to 105."""
    record = kws_record()
    scale = 100 / record.latency_ms
    low, high = record.cycles_interval
    shown = record.model_copy(
        update={"latency_ms": 100.0, "cycles_interval": (round(low * scale), round(high * scale))}
    )
    monkeypatch.setattr(points, "fresh_record", lambda run: shown)


@pytest.mark.usefixtures("at_100_ms")
def test_errors_are_relative_to_what_was_published(tmp_path: Path) -> None:
    found = validate(read(tmp_path, HEADER + ROW.replace("99.8", "80") + "\n" + ROW.replace("99.8", "104") + "\n"))
    first, second = found.points
    assert first.error == pytest.approx(0.25)
    assert second.error == pytest.approx(100 / 104 - 1)
    assert found.worst == pytest.approx(0.25)
    assert found.mape == pytest.approx((0.25 + 1 - 100 / 104) / 2)
    assert (first.holds, second.holds) == (False, True)


@pytest.mark.usefixtures("at_100_ms")
@pytest.mark.parametrize(
    ("row", "note"),
    [
        (
            ROW.replace("cmsis-nn", "proprietary"),
            "kernels 'proprietary' are not ours: CMSIS-NN stands in, shown as report",
        ),
        (ROW.replace("cmsis-nn", ""), "the row names no kernels: CMSIS-NN stands in, shown as report"),
        (
            ROW.replace("arm-none-eabi-gcc", "iccarm"),
            "compiler 'iccarm -O3' is not ours: gcc stands in, shown as report",
        ),
        (ROW.replace("exact", ""), "the row does not say its use, shown as report"),
    ],
)
def test_only_what_is_exact_is_an_error_of_ours(tmp_path: Path, row: str, note: str) -> None:
    found = validate(read(tmp_path, HEADER + ROW.replace("99.8", "80") + "\n" + row))
    first, second = found.points
    assert (first.use, second.use) == (Use.EXACT, Use.REPORT)
    assert note in second.notes
    assert second.error is not None
    assert found.mape == found.worst == first.error


@pytest.mark.usefixtures("at_100_ms")
@pytest.mark.parametrize(("times", "note"), [(1000, "1,000 times shorter"), (0.001, "1,000 times longer"), (5, None)])
def test_a_latency_in_another_unit_is_asked_about(tmp_path: Path, times: float, note: str | None) -> None:
    ms = 100 * times
    rows = read(tmp_path, HEADER + f"nucleo-l4r5zi,kws,120,{ms},cmsis-nn,exact,,microTVM,gcc -O2")
    asked = [n for n in validate(rows).points[0].notes if n.endswith("is latency_ms in ms?")]
    assert len(asked) == (note is not None)
    assert all(str(note) in n for n in asked)


@pytest.mark.parametrize("framework", ["microTVM", "MicroTVM v1.0", "micro-TVM", "µTVM", "uTVM"])
def test_microtvm_is_known_by_its_names(tmp_path: Path, framework: str) -> None:
    (row,) = read(tmp_path, HEADER + ROW.replace("microTVM", framework))
    assert choose(row).settings.lowering is Lowering.MICROTVM


def test_microtvm_with_reference_kernels_is_in_doubt_and_run(tmp_path: Path) -> None:
    (row,) = read(tmp_path, HEADER + ROW.replace("cmsis-nn", "reference"))
    chosen = choose(row)
    assert (chosen.settings.kernels, chosen.settings.lowering) == (KernelLibrary.REFERENCE, Lowering.TFLM)
    assert any("microTVM's own lowering" in doubt for doubt in chosen.doubts)


@pytest.mark.usefixtures("at_100_ms")
def test_a_bound_against_other_kernels_stays_one(tmp_path: Path) -> None:
    row = ROW.replace("exact,", "bound,simulated_at_least").replace("cmsis-nn", "proprietary")
    (point,) = validate(read(tmp_path, HEADER + row)).points
    assert (point.use, point.holds) == (Use.BOUND, True)
    assert point.notes[0] == "kernels 'proprietary' are not ours: CMSIS-NN stands in"


@pytest.mark.usefixtures("at_100_ms")
@pytest.mark.parametrize(
    ("side", "published", "holds"),
    [
        (BoundSide.SIMULATED_AT_MOST, 101, True),
        (BoundSide.SIMULATED_AT_MOST, 99, False),
        (BoundSide.SIMULATED_AT_LEAST, 99, True),
        (BoundSide.SIMULATED_AT_LEAST, 101, False),
    ],
)
def test_bounds(tmp_path: Path, side: BoundSide, published: int, holds: bool) -> None:
    text = ROW.replace("exact,", f"bound,{side}").replace("99.8", str(published))
    found = validate(read(tmp_path, HEADER + text))
    assert found.points[0].holds is holds
    assert found.bounds_hold is holds
    assert found.mape is None


def test_a_row_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    (point,) = validate(read(tmp_path, HEADER + ROW.replace("nucleo-l4r5zi", "no-such-board"))).points
    assert (point.simulated_ms, point.error, point.holds) == (None, None, None)
    assert "no-such-board" in point.notes[-1]


def _kept(path: Path) -> list[str | None]:
    return [r.compiler for r in read_validations(path).results]


@pytest.mark.usefixtures("at_100_ms")
def test_results_are_kept_by_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "toolchain", lambda name: SimpleNamespace(version="1"))
    path = tmp_path / "validation.json"
    assert read_validations(path) == Validations()
    rows = read(tmp_path, HEADER + ROW)
    keep(validate(rows, CompilerName.CLANG), CompilerName.CLANG, path)
    first = keep(validate(rows), None, path)
    assert _kept(path) == [None, "clang"]
    assert first.results[0].compiler_versions == ("gcc 1",)
    text = path.read_text()
    keep(validate(rows), None, path)
    assert path.read_text() == text
    jsonschema.validate(json.loads(text), Validations.model_json_schema(by_alias=True, mode="serialization"))


def test_a_validation_of_nothing_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "validation.json"
    found = validate(read(tmp_path, HEADER + ROW.replace("nucleo-l4r5zi", "no-such-board")))
    with pytest.raises(ToolError, match="nothing is kept: not run: unknown board"):
        keep(found, None, path)
    assert not path.exists()
    path.write_text('{"results": 3}')
    with pytest.raises(RecordError, match="cannot be read"):
        read_validations(path)


def test_the_committed_result_is_of_the_projects_own_reference() -> None:
    rows = read_reference(measurements_dir() / "published" / "validation.csv").rows
    results = read_validations(validations_path()).results
    assert [r.compiler for r in results] == [None, "clang"]
    for result in results:
        points = result.validation.points
        assert [(p.board, p.model, p.published_ms) for p in points] == [(r.board, r.model, r.latency_ms) for r in rows]
        assert result.validation.bounds_hold


ENERGY = "board,model,clock_mhz,latency_ms,energy_uj,voltage_v,kernels,use,bound_side,framework,compiler\n"


@pytest.mark.usefixtures("at_100_ms")
def test_every_span_of_the_committed_result_holds_the_latency() -> None:
    for p in (p for r in read_validations(validations_path()).results for p in r.validation.points):
        assert p.simulated_ms is not None
        assert p.interval_ms is not None
        low, high = p.interval_ms
        fewest, most = p.alternatives_ms or p.interval_ms
        assert low <= fewest <= p.simulated_ms <= most <= high


def test_an_energy_is_predicted_without_its_own_row(tmp_path: Path) -> None:
    """The reference firmware's powers are 40.1 to 41.5 mW; a row of it must get the mean of the other three."""
    reference("kws_ref_model.tflite")
    own = "nucleo-l4r5zi,mlperf-tiny/kws,120,181.92,7373.704,1.8,cmsis-nn,exact,,TensorFlow Lite for Microcontrollers v2.3.1,gcc"
    new = "nucleo-l4r5zi,mlperf-tiny/kws,120,90,4000,1.8,cmsis-nn,exact,,something new,gcc on Zephyr"
    bound = "nucleo-l4r5zi,mlperf-tiny/kws,120,181.92,7373.704,,cmsis-nn,bound,simulated_at_most,,gcc"
    found = validate(read(tmp_path, ENERGY + "\n".join((own, new, bound, own.replace("7373.704", ""))) + "\n"))
    first, second, third, unknown = found.points
    others = (40.095 + 41.477 + 40.319) / 3
    assert first.energy_at_published_uj == pytest.approx(181.92 * others)
    assert first.energy_at_published_error == pytest.approx(181.92 * others / 7373.704 - 1)
    assert first.energy_error == pytest.approx(first.energy_uj / 7373.704 - 1)
    assert (first.energy_rests_on, second.energy_rests_on) == ("same_firmware", "same_platform")
    assert third.energy_holds is True
    assert (unknown.energy_error, unknown.energy_holds) == (None, None)
    assert unknown.energy_uj == pytest.approx(first.energy_uj)
    assert [e.points for e in found.energy] == [2, 1, 3]


@pytest.mark.usefixtures("at_100_ms")
def test_an_energy_of_another_build_is_as_unsure_as_builds_differ(tmp_path: Path) -> None:
    """The power is that of the same firmware throughout, so only the build differs."""
    reference("kws_ref_model.tflite")
    row = "nucleo-l4r5zi,mlperf-tiny/kws,120,181.92,7373.704,1.8,cmsis-nn,{},TensorFlow Lite for Microcontrollers v2.3.1,gcc"
    uses = ("exact,", "report,", "bound,simulated_at_most", "bound,simulated_at_least", ",")
    found = validate(read(tmp_path, ENERGY + "\n".join(map(row.format, uses)) + "\n")).points
    exact, report, most, least, unsaid = (p.energy_interval_uj or (0.0, 0.0) for p in found)
    low, high = found[1].energy_build_interval or (0.0, 0.0)
    assert low < 0.6
    assert high > 1.8
    assert report == pytest.approx((exact[0] * low, exact[1] * high))
    assert most == (exact[0], report[1])
    assert least == (report[0], exact[1])
    assert unsaid == report
    assert [p.energy_build_interval for p in found] == [None, (low, high), (1.0, high), (low, 1.0), (low, high)]


@pytest.mark.usefixtures("at_100_ms")
def test_a_row_without_a_supply_is_unsure_of_it(tmp_path: Path) -> None:
    reference("kws_ref_model.tflite")
    row = "nucleo-l4r5zi,mlperf-tiny/kws,120,100,4000,{},{},exact,,{},gcc"
    rows = (
        row.format("1.8", "cmsis-nn", "new"),
        row.format("", "cmsis-nn", "new"),
        # a firmware whose other results are known has their supply
        row.format("", "cmsis-nn", "TensorFlow Lite for Microcontrollers v2.3.1"),
    )
    given, unsaid, known = validate(read(tmp_path, ENERGY + "\n".join(rows) + "\n")).points
    assert given.energy_uj == unsaid.energy_uj
    assert given.energy_interval_uj is not None
    assert unsaid.energy_interval_uj is not None
    assert known.energy_interval_uj is not None
    # powers were measured at 1.8 and 3 V
    assert unsaid.energy_interval_uj[1] > 1.5 * given.energy_interval_uj[1]
    assert "gives no supply" in (unsaid.energy_note or "")
    assert known.energy_rests_on == "same_firmware"
    assert known.energy_interval_uj[1] < given.energy_interval_uj[1]


@pytest.mark.usefixtures("at_100_ms")
@pytest.mark.parametrize("column", ["latency_ms,", ""])
def test_a_row_may_have_an_energy_alone(tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]) -> None:
    reference("kws_ref_model.tflite")
    cells = "," if column else ""
    text = f"board,model,clock_mhz,{column}energy_uj,voltage_v,kernels,use\nnucleo-l4r5zi,mlperf-tiny/kws,120,{cells}4500,1.8,cmsis-nn,exact\n"
    found = validate(read(tmp_path, text))
    (point,) = found.points
    assert (point.published_ms, point.error, point.holds, point.energy_at_published_uj) == (None, None, None, None)
    assert point.energy_uj is not None
    assert point.energy_error == pytest.approx(point.energy_uj / 4500 - 1)
    assert point.energy_holds is True
    assert any("no latency" in n for n in point.notes)
    assert [e.what for e in found.energy] == ["exact points with simulated latency"]
    _print(found)
    shown = capsys.readouterr().out
    assert f"{point.energy_uj / 1000:,.3f}" in shown
    assert f"{100 * point.energy_error:+.1f}".replace("-", "−") in shown


def test_a_row_with_neither_latency_nor_energy_is_refused(tmp_path: Path) -> None:
    text = "board,model,clock_mhz,latency_ms,energy_uj\nnucleo-l4r5zi,kws,120,,\n"
    with pytest.raises(RecordError, match="line 2: latency_ms is blank"):
        read(tmp_path, text)


@pytest.mark.usefixtures("at_100_ms")
def test_an_energy_of_a_users_board_rests_on_its_own_current(tmp_path: Path) -> None:
    text = (Path(points.__file__).parents[1] / "catalog" / "boards" / "nucleo-l4r5zi.toml").read_text()
    board = tmp_path / "mine.toml"
    row = f"{board},kws,120,90,4000,1.8,cmsis-nn,exact,,,gcc\n"
    board.write_text(
        text.replace('name = "nucleo-l4r5zi"', 'name = "mine"').replace(
            "value = 100\n", "value = 200\nclock_mhz = 120\n"
        )
    )
    (point,) = validate(read(tmp_path, ENERGY + row)).points
    assert point.energy_rests_on == "run_current"
    assert point.energy_at_published_uj == pytest.approx(90 * 200 * 120 * 1.8 / 1000)
    assert point.energy_interval_uj is not None
    board.write_text(text[: text.index("[[current_ua_per_mhz]]")].replace('name = "nucleo-l4r5zi"', 'name = "mine"'))
    (point,) = validate(read(tmp_path, ENERGY + row)).points
    assert point.energy_uj is None
    assert "no published power measurement of mine" in (point.energy_note or "")
    plain = point.model_dump(mode="json")
    assert plain["published_uj"] == 4000
    assert [plain[n] for n in ("energy_uj", "energy_error", "energy_interval_uj", "energy_holds")] == [None] * 4


@pytest.mark.parametrize("volts", ["1800", "0.01"])
def test_a_supply_in_another_unit_is_refused(tmp_path: Path, volts: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "board,model,clock_mhz,latency_ms,energy_uj,voltage_v\n"
        f"nucleo-l4r5zi,kws,120,95,4000,1.8\nnucleo-l4r5zi,kws,120,95,4000,{volts}\n"
    )
    (refused,) = read_reference(path).refused
    assert (refused.line, refused.column, refused.value) == (3, "voltage_v", volts)
    assert "in volts" in refused.wanted


def test_one_point_is_no_points() -> None:
    errors = EnergyErrors(what=OTHER_BUILDS, points=1, mape=0, worst=0, inside_share=1, median_half_width=0, r2=None)
    assert errors.title == "1 point of other builds with simulated latency"
    assert errors.model_copy(update={"points": 2}).title.startswith("2 points of other")
