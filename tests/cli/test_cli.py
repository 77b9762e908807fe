"""The command line: help, exit codes, and one message with one hint for everything a user can get wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import tflite

from engine.catalog.alternatives import alternatives
from engine.catalog.load import load_board
from engine.cli import main
from engine.explain.mca import find_mca
from engine.records.store import dump_record, write_record
from tests.builders.records import kws_record
from tests.builders.tflite_builder import ModelBuilder
from tests.cli.kit import invoke, refused

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        found.append((*prefix, name))
        if isinstance(command, click.Group):
            found += commands(command, (*prefix, name))
    return found


@pytest.mark.parametrize("path", [(), *commands(main)], ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4
    assert "None" not in result.output  # click's text for a number without bounds


def test_every_command_is_in_the_documentation() -> None:
    text = (REPO / "site_src" / "command-line.md").read_text()
    for path in commands(main):
        assert f"whycycles {' '.join(path)}" in text


def test_boards_as_json() -> None:
    result = invoke("boards", "--json")
    assert result.exit_code == 0
    boards = json.loads(result.stdout)
    assert {"nucleo-l4r5zi", "nrf5340-dk"} <= {b["name"] for b in boards}
    assert all(b["core"].startswith("cortex-m") for b in boards)


def test_boards_and_models_are_listed() -> None:
    assert "nucleo-l4r5zi" in invoke("boards").stdout
    assert "cortex-m4" in invoke("boards", "show", "nucleo-l4r5zi").stdout
    assert "kws" in invoke("models").stdout
    assert "DEPTHWISE_CONV_2D" in invoke("models", "show", "kws").stdout
    assert json.loads(invoke("models", "show", "kws", "--json").stdout)["macs"] > 1_000_000


def test_doctor_says_what_is_here() -> None:
    found = json.loads(invoke("doctor", "--json").stdout)
    assert {"clang", "gcc", "unicorn", "tflite-micro"} <= {f["name"] for f in found}
    assert all(f["detail"] for f in found)


def test_names_are_whole_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.catalog.load import list_boards
    from engine.catalog.npu import list_npus

    monkeypatch.setenv("COLUMNS", "80")
    words = invoke("boards").stdout
    assert max(map(len, words.splitlines())) <= 80
    for name in (
        *(b.name for b in list_boards()),
        *(n.name for n in list_npus()),
        *(n.system_config for n in list_npus()),
    ):
        assert f"{name} " in words, name


BAD = [
    ("run", "kws", "--board", "no-such-board"),
    ("run", "no-such-model", "--board", "nucleo-l4r5zi"),
    ("run", "missing.tflite", "--board", "nucleo-l4r5zi"),
    ("run", "kws", "--board", "missing.toml"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--clock", "1000"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--clock", "-1"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--clock", "nan"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--place", "weights"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--place", "weights=moon"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--place", "soul=flash"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--set", "flash"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--set", "flash.wait_state=3"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--set", "flash.width_bytes=7"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--set", "core.latency.load=-1"),
    ("run", "kws", "--board", "nucleo-l4r5zi", "--set", "flash.prefetch=true", "--set", "flash.prefetch=false"),
    ("explain", "no-such-run"),
    ("explain", "missing.json"),
    ("campaign", "no-such-campaign"),
    ("campaign", "missing.toml"),
    ("record", "check", "missing.json"),
    ("record", "verify", "no-such-run"),
    ("validate", "--update", "--against", "missing.csv"),
    ("boards", "show", "no-such-board"),
    ("models", "show", "no-such-model"),
    ("models", "show", "mlperf-tiny/nothing"),
]


@pytest.mark.parametrize("args", BAD, ids=" ".join)
def test_bad_usage_is_one_message_and_a_hint(args: tuple[str, ...]) -> None:
    refused(invoke(*args))


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("run",), "Missing argument 'MODEL'"),
        (("run", "kws"), "Missing option '--board'"),
        (("nonsense",), "no such command 'nonsense'"),
        (("record", "chekc"), "no such command 'chekc'"),
        (("run", "kws", "--board", "x", "--opt", "O9"), "'O9' is not one of"),
        (("run", "kws", "--bord", "x"), "No such option '--bord'"),
        (("compare", "a", "b", "c"), "unexpected extra argument"),
    ],
)
def test_wrong_words_and_options_are_one_message_and_a_hint(args: tuple[str, ...], what: str) -> None:
    assert what in refused(invoke(*args))


def test_a_mistyped_command_gets_its_neighbours() -> None:
    assert "did you mean validate?" in invoke("validat").stderr
    assert "did you mean check" in invoke("record", "chekc").stderr


def test_nothing_asked_is_answered_by_the_help() -> None:
    result = invoke("record")
    assert result.exit_code in (0, 2)  # click 8.1 and later ones
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    "text",
    [
        "name = 3",
        "name = 'x'\nclocks = []",
        "this is not toml",
        "",
        "name = 'x'\ntitle = 'x'\nvendor = 'x'\nmcu = 'x'\ncore = 'cortex-m4'\ndefault_clock_mhz = 'fast'",
    ],
)
def test_a_broken_board_file_is_refused(text: str, tmp_path: Path) -> None:
    board = tmp_path / "bad.toml"
    board.write_text(text)
    assert "bad.toml" in refused(invoke("run", "kws", "--board", str(board)))


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 100, b"\x1c\0\0\0TFL3" + b"\xff" * 200])
def test_a_broken_model_is_refused(data: bytes, tmp_path: Path) -> None:
    model = tmp_path / "bad.tflite"
    model.write_bytes(data)
    refused(invoke("run", str(model), "--board", "nucleo-l4r5zi"))
    refused(invoke("models", "show", str(model)))


def test_explain_reads_a_record_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(kws_record(), path)
    text = invoke("explain", str(path))
    assert text.exit_code == 0
    assert "simulated" in text.stdout
    assert json.loads(invoke("explain", str(path), "--json").stdout)["layers"]
    assert invoke("explain", str(path), "--layer", "1").exit_code == 0
    refused(invoke("explain", str(path), "--layer", "99"))


def test_record_check(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(kws_record(), path)
    assert invoke("record", "check", str(path)).exit_code == 0
    assert "1 of 1 records are valid" in invoke("record", "check", str(tmp_path)).stdout
    for text in (
        dump_record(kws_record()).replace('"warm"', '"hot"', 1),
        dump_record(kws_record(board="no-such-board")),
    ):
        path.write_text(text)
        refused(invoke("record", "check", str(path)), code=1)
        refused(invoke("record", "check", str(tmp_path)), code=1)
        refused(invoke("record", "verify", str(path)), code=1)
    path.write_text("no JSON")
    assert "not JSON" in refused(invoke("record", "check", str(path)))
    assert "not JSON" in refused(invoke("record", "verify", str(path)))
    (tmp_path / "analysis.json").write_text("{}")
    result = invoke("record", "check", str(tmp_path), "--json")
    refused(result, code=1)
    (row,) = json.loads(result.stdout)
    assert (row["valid"], row["path"]) == (False, str(path))


def test_record_schema_is_json() -> None:
    assert json.loads(invoke("record", "schema").stdout)["title"] == "RunRecord"


def test_run_prints_what_scripts_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    result = invoke("run", "kws", "--board", "nucleo-l4r5zi", "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["output_matches_oracle"] is True
    assert record["evidence"] == "simulated"
    assert set(record["cycles"]) == {"cold", "warm"}
    assert [layer["index"] for layer in record["layers"]] == list(range(len(record["layers"])))
    assert all(sum(layer["stack"].values()) == layer["cycles"] for layer in record["layers"])
    text = invoke("run", "kws", "--board", "nucleo-l4r5zi")
    assert "simulated" in text.stdout
    assert record["id"] in text.stdout


def test_record_check_of_a_link_that_leads_nowhere_ends(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert "not valid" in refused(invoke("record", "check", str(tmp_path)), code=1)


def test_record_check_of_nothing_is_refused(tmp_path: Path) -> None:
    assert "no record below" in refused(invoke("record", "check", str(tmp_path)))


def test_record_check_of_all_measurements_leaves_the_validation_out() -> None:
    result = invoke("record", "check", str(REPO / "measurements"))
    assert result.exit_code == 0, result.output
    count = sum(
        1 for folder in ("simulated", "ceilings", "npu") for _ in (REPO / "measurements" / folder).glob("*.json")
    )
    assert f"{count} of {count} records are valid" in result.stdout


def test_record_check_lists_every_problem(tmp_path: Path) -> None:
    data = json.loads(dump_record(kws_record()))
    data["clock_mhz"], data["opt"] = "fast", 2
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text(json.dumps(data))
    result = invoke("record", "check", str(tmp_path))
    refused(result, code=1)
    assert "clock_mhz" in result.stdout
    assert "opt" in result.stdout


def test_a_board_that_passes_for_another_is_refused(tmp_path: Path) -> None:
    text = (REPO / "engine" / "catalog" / "boards" / "nucleo-l4r5zi.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(text.replace("default_clock_mhz = 120", "default_clock_mhz = 80"))
    assert "calls itself nucleo-l4r5zi" in refused(invoke("run", "kws", "--board", str(own)))


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    refused(invoke("site", "build", "--out", str(blocked / "site")))


def run_in_shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("whycycles", f"{sys.executable} -m engine")],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO,
        env=os.environ | environment,
    )


def test_a_reader_that_leaves_early_is_no_error() -> None:
    found = run_in_shell("whycycles record schema | head -1")
    assert (found.returncode, found.stderr) == (0, "")


def test_a_full_disk_is_one_message() -> None:
    found = run_in_shell("whycycles record schema > /dev/full")
    assert found.returncode == 2
    assert found.stderr.startswith("error: No space left")
    assert "Traceback" not in found.stderr


def test_a_terminal_without_signs_gets_question_marks(tmp_path: Path) -> None:
    write_record(kws_record(), tmp_path / "a.json")
    found = run_in_shell(f"whycycles explain {tmp_path / 'a.json'} --layer 1", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert found.returncode == 0
    assert "Traceback" not in found.stderr


def test_a_model_that_cannot_run_is_said_so_before_it_is_run(tmp_path: Path) -> None:
    assert json.loads(invoke("models", "show", "kws", "--json").stdout)["can_run"] is True
    builder = ModelBuilder()
    builder.output(builder.softmax(builder.fully_connected(builder.input((1, 4)), 3)))
    for tensor in builder.graph.tensors:
        if tensor.buffer == 0:
            tensor.type, tensor.quant = tflite.TensorType.FLOAT32, None
    path = tmp_path / "float.tflite"
    path.write_bytes(builder.build())
    found = json.loads(invoke("models", "show", str(path), "--json").stdout)
    assert found["can_run"] is False
    assert "floating point" in found["reason"]
    assert "cannot be run" in invoke("models", "show", str(path)).stdout


RUN = "kws_nucleo-l4r5zi_cmsis-nn_clang-o2_120mhz"


def test_what_if_answers_from_the_stored_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    answer = json.loads(invoke("whatif", RUN, "--json").stdout)
    shares = sum(g["share_cycles"] for g in answer["gains"] if g["share_cycles"] is not None)
    assert shares == answer["cycles"] - answer["ideal_cycles"] > 0
    assert [p["clock_mhz"] for p in answer["clocks"]][-1] == 120
    assert answer["clocks"][-1]["cycles"] == answer["cycles"]
    assert "zero-wait flash" in invoke("whatif", RUN).stdout
    both = json.loads(invoke("whatif", RUN, "--ideal", "zero_wait_flash,no_branch_refill", "--json").stdout)["combined"]
    assert [c["mechanisms"] for c in both] == [["zero_wait_flash", "no_branch_refill"]]
    alone = {g["mechanism"]: g["gain_ms"] for g in answer["gains"]}
    assert both[0]["gain_ms"] >= max(alone["zero_wait_flash"], alone["no_branch_refill"])
    refused(invoke("whatif", RUN, "--ideal", "warp"))
    refused(invoke("whatif", "no-such-run"))


def test_what_if_says_what_the_result_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    monkeypatch.setenv("COLUMNS", "80")
    assert "stores cannot be pipelined with" in invoke("whatif", RUN).stdout  # in a line of its own, not a word a line
    answer = json.loads(invoke("whatif", RUN, "--json").stdout)
    found = {a["key"]: a for a in answer["assumptions"]}
    divide = found["core.issue.divide"]
    assert (divide["value"], divide["low"], divide["high"]) == (7, 2, 12)
    assert divide["low_effect_cycles"] < 0 < divide["high_effect_cycles"]
    assert all(a["reason"] for a in answer["assumptions"])
    sizes = [max(abs(a["low_effect_share"]), abs(a["high_effect_share"])) for a in answer["assumptions"]]
    assert sizes == sorted(sizes, reverse=True)
    text = " ".join(invoke("whatif", RUN).stdout.split())
    assert "what the result rests on" in text
    folded = text.split("Under 0.05 % either way: ")[1]
    assert all((a["key"] in folded) == (size < 0.0005) for a, size in zip(answer["assumptions"], sizes, strict=True))


def test_what_if_says_what_other_designs_of_the_board_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    monkeypatch.setenv("COLUMNS", "120")
    answer = json.loads(invoke("whatif", RUN, "--json").stdout)
    keys = [f"{a.key}={a.value}" for a in alternatives(load_board("nucleo-l4r5zi"))]
    assert sorted(f"{a['key']}={a['alternative']}" for a in answer["alternatives"]) == sorted(keys)
    first = answer["alternatives"][0]
    assert first["reason"]
    assert first["effect_share"] == pytest.approx(first["effect_cycles"] / answer["cycles"])
    # each is the run with that key set
    set_ = json.loads(invoke("whatif", RUN, "--set", f"{first['key']}={first['alternative']}", "--json").stdout)
    assert set_["cycles"] - answer["cycles"] == first["effect_cycles"] != 0
    assert first["key"] not in {a["key"] for a in set_["alternatives"]}
    assert {x["key"] for x in answer["left_out"]} == {"flash.miss_extra_cycles", "memories.sram1.wait_states"}
    one = json.loads(invoke("whatif", RUN, "--set", "memories.sram1.wait_states=1", "--json").stdout)
    (ram,) = (x for x in answer["left_out"] if x["key"].endswith("sram1.wait_states"))
    assert one["cycles"] - answer["cycles"] == ram["effect_cycles"]
    assert all(x["reason"] for x in answer["unvaried_assumptions"])
    text = invoke("whatif", RUN).stdout
    assert "what no source says" in text
    assert "left out, so taken as none" in text


def test_what_if_with_a_figure_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    plain = json.loads(invoke("whatif", RUN, "--json").stdout)
    slower = json.loads(invoke("whatif", RUN, "--set", "core.latency.load=4", "--json").stdout)
    assert (plain["overrides"], slower["overrides"]) == ([], ["core.latency.load=4"])
    assert slower["cycles"] > plain["cycles"]
    assert slower["id"] == f"{RUN}_core.latency.load-4"
    more = slower["cycles"] - plain["cycles"]
    assert f"so these are {more:+,}" in " ".join(invoke("whatif", RUN, "--set", "core.latency.load=4").stdout.split())
    assert "unknown key" in refused(invoke("whatif", RUN, "--set", "core.latency.lod=4"))


def test_what_if_with_a_part_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    answer = json.loads(invoke("whatif", RUN, "--place", "weights=sram", "--json").stdout)
    said = answer["estimate"]
    assert answer["id"] == f"{RUN}_weights-in-sram1"
    assert said["from_id"] == RUN
    assert said["command"] == "whycycles run kws --board nucleo-l4r5zi --place weights=sram1"
    assert answer["cycles"] < said["from_cycles"]
    shown = invoke("whatif", RUN, "--place", "weights=sram")
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "An estimate from the stored profile, not linked: weights in sram1." in text
    assert "The linked run may differ." in text
    assert said["command"] in text
    assert "latency −" in text
    assert "energy −" in text
    slow = json.loads(
        invoke("whatif", RUN, "--place", "weights=sram", "--clock", "20", "--set", "core.latency.load=4",
               "--ideal", "zero_wait_flash,no_branch_refill", "--json").stdout
    )  # fmt: skip
    assert slow["id"].split("_")[4:] == ["20mhz", "weights-in-sram1", "core.latency.load-4"]
    assert slow["estimate"]["command"].endswith("--clock 20 --place weights=sram1 --set core.latency.load=4")
    assert (slow["energy_uj"], slow["estimate"]["energy_change"]) == (None, None)
    assert len(slow["combined"]) == 1
    same = json.loads(invoke("whatif", RUN, "--place", "weights=flash", "--json").stdout)
    assert (same["estimate"], same["notes"]) == (None, ["All parts lie so already."])
    assert "no memory 'itcm'" in refused(invoke("whatif", RUN, "--place", "code=itcm"))
    assert "is not understood" in refused(invoke("whatif", RUN, "--place", "weights"))
    assert "it needs RAM" in refused(invoke("whatif", RUN, "--place", "stack=flash"))
    assert "does not run at 500 MHz" in refused(invoke("whatif", RUN, "--clock", "500"))


def test_the_hottest_blocks_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    spots = json.loads(invoke("explain", RUN, "--layer", "0", "--blocks", "2", "--json").stdout)
    assert len(spots["blocks"]) == 2
    assert spots["blocks"][0]["function"].startswith("arm_")
    assert spots["blocks"][0]["function"] in invoke("explain", RUN, "--layer", "0", "--blocks", "2").stdout
    assert "needs a layer" in refused(invoke("explain", RUN, "--blocks", "2"))


def test_ceilings_of_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))  # compiled objects
    for module in ("engine.pipeline.ceilings", "engine.records.ceilings"):
        monkeypatch.setattr(f"{module}.ceilings_dir", lambda: tmp_path)
    result = invoke("ceilings", "--board", "nucleo-g0b1re", "--clock", "48", "--update")
    assert result.exit_code == 0, result.output
    assert "MULS+ADDS" in result.stdout
    kept = tmp_path / "nucleo-g0b1re_48mhz.json"
    shown = invoke("ceilings", "--board", "nucleo-g0b1re", "--clock", "48", "--json")
    assert json.loads(shown.stdout) == json.loads(kept.read_text())
    assert invoke("record", "check", str(tmp_path)).exit_code == 0
    kept.write_text(kept.read_text().replace('"MULS+ADDS"', '"MAGIC"'))
    assert "not the committed" in refused(invoke("ceilings", "--board", "nucleo-g0b1re", "--clock", "48"), code=1)
    assert "unknown board" in refused(invoke("ceilings", "--board", "nucleo"))


@pytest.mark.skipif(find_mca() is None, reason="llvm-mca is not installed (extra 'llvm')")
def test_a_second_opinion_on_the_hottest_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    opinion = json.loads(invoke("explain", RUN, "--mca", "--json").stdout)
    assert len(opinion["blocks"]) == 10
    assert opinion["model"] == "M4"
    text = invoke("explain", RUN, "--mca").stdout
    table = text.splitlines().index(next(x for x in text.splitlines() if x.startswith(" 1 "))) - 1
    for number, block in enumerate(opinion["blocks"], start=1):
        row = text.splitlines()[table + number]
        assert f"{block['llvm_mca']:.2f}" in row
        assert f"{block['ours']:.2f}" in row
        assert block["function"][:8] in row  # a narrow terminal cuts the name, not the numbers
    assert "data phase" in text
    assert "whole run" in refused(invoke("explain", RUN, "--mca", "--layer", "0"))


def test_a_core_that_llvm_has_no_model_of_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(REPO / ".whycycles"))
    result = invoke("explain", "kws_nucleo-g0b1re_cmsis-nn_clang-o2_64mhz", "--mca")
    assert result.exit_code == 0
    assert "no second opinion" in result.stdout
