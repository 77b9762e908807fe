"""Records that are valid by themselves, but say what cannot be: against the catalogue, or in their own words."""

import json
from pathlib import Path

import pytest
from hypothesis import given

from engine.catalog.load import BOARDS_DIR
from engine.errors import RecordError
from engine.paths import measurements_dir
from engine.pipeline.contradictions import contradictions, file_problems
from engine.pipeline.rerun import settings_of
from engine.records.cause import Evidence
from engine.records.run import PlacementUsed, RunRecord
from tests.builders.records import PATIENT, kws_record, records


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))


def changed(**fields: object) -> RunRecord:
    return kws_record().model_copy(update=fields)


@pytest.mark.parametrize("path", sorted(measurements_dir().glob("*/*.json")), ids=lambda p: p.stem)
def test_what_is_committed_contradicts_nothing(path: Path) -> None:
    assert file_problems(path) == ()


def test_a_record_of_the_catalogue_contradicts_nothing() -> None:
    assert contradictions(kws_record()) == ()
    assert contradictions(changed(output_matches_oracle=None, oracle_note="not installed")) == ()


_PARTS = kws_record().memory
_ELSEWHERE = PlacementUsed(code="flash", weights="moon", activations="sram1", stack="sram1")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (changed(board="no-such-board"), "board: unknown board 'no-such-board'"),
        (changed(core="cortex-m7"), "core is cortex-m7, but nucleo-l4r5zi has a cortex-m4"),
        (changed(core="z80"), "core is z80, but"),
        (changed(clock_mhz=999.0), "clock_mhz: nucleo-l4r5zi does not run at 999 MHz"),
        (changed(placement=_ELSEWHERE), "placement.weights names 'moon'"),
        (changed(kernels="magic"), "kernels is 'magic', none of reference, cmsis-nn"),
        (changed(compiler="iar"), "compiler is 'iar'"),
        (changed(opt="O9"), "opt is 'O9'"),
        (changed(lowering="onnx"), "lowering is 'onnx'"),
        (changed(overrides=("flash.moon=3",)), "overrides: "),
        (changed(output_matches_oracle=False), "the numbers do not count"),
        (changed(oracle_note="inference 0 differs in 3 of 12 bytes from tflite-micro"), "does not say so"),
        (changed(output_matches_oracle=None), "output_matches_oracle is null, but"),
        (changed(opt="O3"), "its choices make it kws_nucleo-l4r5zi_cmsis-nn_clang-o3_120mhz"),
        (changed(model="ic"), "its choices make it ic_"),
        (
            changed(
                memory=_PARTS.model_copy(update={"parts": (_PARTS.parts[0].model_copy(update={"memory": "moon"}),)})
            ),
            "lies in 'moon', which nucleo-l4r5zi lacks",
        ),
        (
            changed(memory=_PARTS.model_copy(update={"parts": (_PARTS.parts[0].model_copy(update={"address": 0}),)})),
            "lies outside 'flash'",
        ),
    ],
)
def test_what_cannot_be_is_said(record: RunRecord, why: str) -> None:
    found = contradictions(record)
    assert any(why in problem for problem in found), found


def test_a_layer_cannot_have_touched_a_memory_that_the_board_lacks() -> None:
    content = json.loads((measurements_dir() / "simulated" / f"{kws_record().id}.json").read_text("utf-8"))
    content["layers"][0]["memories"][0]["memory"] = "moon"
    found = contradictions(RunRecord.model_validate(content))
    assert found == ("layers.0.memories: nucleo-l4r5zi has no memory 'moon'",)


def test_a_board_of_the_users_is_known_by_the_file_kept_with_the_run(tmp_path: Path) -> None:
    record = changed(board="mine")
    text = (BOARDS_DIR / "nucleo-l4r5zi.toml").read_text("utf-8")
    board = tmp_path / "board.toml"
    board.write_text(text.replace('name = "nucleo-l4r5zi"', 'name = "mine"', 1), "utf-8")
    (found,) = contradictions(record, board)
    assert "its choices make it kws_mine-" in found
    named = found.rsplit(" ", 1)[1]
    assert contradictions(record.model_copy(update={"id": named}), board) == ()
    kept = tmp_path / "cache" / "runs" / named
    kept.mkdir(parents=True)
    board.rename(kept / "board.toml")
    assert contradictions(record.model_copy(update={"id": named})) == ()
    board.write_text(text, "utf-8")
    assert "describes nucleo-l4r5zi" in contradictions(record, board)[0]


def test_hardware_that_is_not_ours_is_not_judged() -> None:
    assert contradictions(changed(evidence=Evidence.PUBLISHED, board="somebodys")) == ()


def test_ceilings_are_held_against_the_catalogue(tmp_path: Path) -> None:
    content = json.loads(next((measurements_dir() / "ceilings").glob("nucleo-l4r5zi*")).read_text("utf-8"))
    path = tmp_path / "a.json"
    for key, value, why in (("core", "cortex-m7", "core is cortex-m7"), ("clock_mhz", 999, "does not run at 999 MHz")):
        path.write_text(json.dumps({**content, key: value}))
        assert why in file_problems(path)[0]
    content["benchmarks"][-1]["memory"] = "moon"
    path.write_text(json.dumps(content))
    assert "no memory 'moon'" in file_problems(path)[0]


@given(records())
@PATIENT
def test_any_valid_record_is_judged_in_words(record: RunRecord) -> None:
    assert all(isinstance(x, str) and x for x in contradictions(record))


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 9, b"\xff\xfe", b"[" * 10_000, b"9" * 10_000 + b"x"])
def test_what_is_no_json_cannot_be_checked(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RecordError):
        file_problems(path)


@pytest.mark.parametrize("content", ["[]", "null", "3", "{}", '{"kind": "ceilings"}', '"a"'])
def test_json_that_is_no_record_has_problems(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    assert file_problems(path)


def test_a_record_of_unknown_kernels_is_not_run_again() -> None:
    from engine.errors import UsageError

    with pytest.raises(UsageError, match="kernels is 'magic'"):
        settings_of(changed(kernels="magic"))
