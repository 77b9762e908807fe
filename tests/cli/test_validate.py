"""``whycycles validate``: what a reference file of anybody's gives, on the terminal, in JSON and as an exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from engine.records.validation import OTHER_BUILDS, EnergyErrors
from engine.validate import points
from tests.builders.records import kws_record

HEADER = "board,model,clock_mhz,latency_ms,kernels,use,bound_side,framework,compiler\n"
ROW = "nucleo-l4r5zi,kws,120,{ms},cmsis-nn,exact,,microTVM,arm-none-eabi-gcc -O3\n"
KEYS = (
    "board model framework kernels kernels_version compiler opt lowering clock_mhz published_ms simulated_ms error interval_ms "
    "published_uj energy_uj use bound_side holds notes"
)


@pytest.fixture(autouse=True)
def _at_the_records_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "fresh_record", lambda run: kws_record())


@pytest.fixture
def ms() -> float:
    return kws_record().latency_ms


def validate(tmp_path: Path, text: str, *options: str) -> Result:
    path = tmp_path / "reference.csv"
    path.write_text(text)
    return CliRunner().invoke(main, ["validate", "--against", str(path), *options])


def test_the_json_that_scripts_read(tmp_path: Path, ms: float) -> None:
    result = validate(
        tmp_path, HEADER + ROW.format(ms=2 * ms) + ROW.format(ms=ms).replace("cmsis-nn", "other"), "--json"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert set(found) == {"points", "mape", "worst", "energy", "refused"}
    first, second = found["points"]
    assert set(KEYS.split()) <= set(first)
    assert first["error"] == pytest.approx(-0.5)
    assert found["mape"] == found["worst"] == pytest.approx(0.5)
    low, high = first["interval_ms"]
    assert low < first["simulated_ms"] < high
    assert (first["use"], second["use"]) == ("exact", "report")


def test_what_no_source_says_of_the_board_is_in_the_interval_and_beside_it(
    tmp_path: Path, ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kws_record()
    (low, high), warm = made.cycles_interval, made.cycles.warm
    moved = made.model_copy(update={"alternatives_interval": (warm - 1000, warm + warm // 40)})
    text = HEADER + ROW.format(ms=ms)
    assert json.loads(validate(tmp_path, text, "--json").stdout)["points"][0]["alternatives_ms"] is None
    assert "no source gives" not in validate(tmp_path, text).stdout
    monkeypatch.setattr(points, "fresh_record", lambda run: moved)
    (point,) = json.loads(validate(tmp_path, text, "--json").stdout)["points"]
    found = point["alternatives_ms"]
    assert found == pytest.approx([(warm - 1000) / 120_000, (warm + warm // 40) / 120_000])
    assert point["interval_ms"] == pytest.approx([low / 120_000, high / 120_000])
    said = " ".join(validate(tmp_path, text).stdout.split())
    assert "1 point on boards with caches, prefetchers or wait states that no source gives" in said
    assert "kws on nucleo-l4r5zi most, by 2.5 %" in said


def test_the_summary_counts_in_good_grammar(tmp_path: Path, ms: float) -> None:
    rows = ROW.format(ms=ms) + ROW.format(ms=ms).replace("kws", "no-such-model")
    text = validate(tmp_path, HEADER + rows).stdout
    assert "1 exact point: mean absolute error 0.0 %" in text
    assert "1 point not run: there is no model called" in text
    assert "2 points not run: " in validate(tmp_path, HEADER + rows + rows).stdout


def test_a_broken_bound_fails(tmp_path: Path, ms: float) -> None:
    row = ROW.replace("exact,", "bound,simulated_at_most")
    assert validate(tmp_path, HEADER + row.format(ms=2 * ms)).exit_code == 0
    result = validate(tmp_path, HEADER + row.format(ms=ms / 2), "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: bounds do not hold: kws on nucleo-l4r5zi\nhint: ")
    assert json.loads(result.stdout)["points"][0]["holds"] is False


def test_a_row_that_cannot_be_read_is_named_and_the_others_are_run(tmp_path: Path, ms: float) -> None:
    rows = ROW.format(ms=ms) + ROW.format(ms="fast") + ROW.format(ms=ms)
    result = validate(tmp_path, HEADER + rows)
    assert result.exit_code == 2
    assert "2 exact points: mean absolute error 0.0 %" in result.stdout
    assert "not used: line 3: latency_ms is 'fast' (latency_ms must be a number above 0" in result.stdout
    assert result.stderr.startswith("error: 1 of 3 rows of ")
    assert "cannot be used: line 3: latency_ms is 'fast'\nhint: latency_ms must be" in result.stderr
    found = json.loads(validate(tmp_path, HEADER + rows, "--json").stdout)
    assert len(found["points"]) == 2
    (refused,) = found["refused"]
    assert (refused["line"], refused["column"], refused["value"]) == (3, "latency_ms", "fast")


def test_a_broken_bound_outranks_a_row_that_cannot_be_read(tmp_path: Path, ms: float) -> None:
    bound = ROW.replace("exact,", "bound,simulated_at_most").format(ms=ms / 2)
    result = validate(tmp_path, HEADER + ROW.format(ms="fast") + bound)
    assert result.exit_code == 1
    assert "not used: line 2" in result.stdout
    assert result.stderr.startswith("error: bounds do not hold")


def test_nothing_that_could_be_run_fails(tmp_path: Path, ms: float) -> None:
    result = validate(tmp_path, HEADER + ROW.format(ms=ms).replace("nucleo-l4r5zi", "my-board"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no point could be run: unknown board 'my-board'\nhint: ")
    assert "my-board" in result.stdout


def test_a_long_path_leaves_the_numbers_their_place(tmp_path: Path, ms: float) -> None:
    board = tmp_path / ("deep" * 30) / "my.toml"
    board.parent.mkdir()
    text = (Path(points.__file__).parents[1] / "catalog" / "boards" / "nucleo-l4r5zi.toml").read_text()
    board.write_text(text.replace('name = "nucleo-l4r5zi"', 'name = "mine"', 1))
    row = ROW.format(ms=ms).replace("nucleo-l4r5zi", str(board))
    shown = validate(tmp_path, HEADER + row)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    line = lines[next(n for n, x in enumerate(lines) if x.startswith("my.toml")) + 1]
    assert f"{ms:.2f}" in line
    assert "  0.0  " in line
    assert json.loads(validate(tmp_path, HEADER + row, "--json").stdout)["points"][0]["board"] == str(board)


def test_r2_is_said_only_where_it_says_something() -> None:
    of = EnergyErrors(
        what="points with published latency",
        points=6,
        mape=0.01,
        worst=0.02,
        inside_share=1,
        median_half_width=0.1,
        r2=0.9,
    )
    assert of.telling_r2 == 0.9
    assert of.model_copy(update={"points": 2}).telling_r2 is None
    assert of.model_copy(update={"what": OTHER_BUILDS}).telling_r2 is None
