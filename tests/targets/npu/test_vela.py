"""Vela as a program: found or not, of a known version, and every way in which it may end."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.npu import load_npu
from engine.errors import ModelError, ToolError, UsageError, WhycyclesError
from engine.targets.npu import vela as module
from engine.targets.npu.vela import Vela, find_vela, run_vela
from tests.builders.vela import FakeVela, debug, install, per_layer, small_model, summary

FILES = FakeVela().files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "a model.tflite"
    path.write_bytes(small_model())
    return path


def _vela(tmp_path: Path, **behaviour: object) -> Vela:
    return Vela(install(FakeVela(**behaviour), tmp_path / "vela"), "5.2.0")  # type: ignore[arg-type]


def _only_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(module.sys, "executable", str(folder / "nowhere" / "python"))
    monkeypatch.setenv("PATH", str(folder))


def test_tables_are_read_and_the_folder_is_gone(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    found = run_vela(_vela(tmp_path), model, load_npu("ethos-u55-128"))
    assert (found.per_layer, found.summary, found.debug) == (per_layer(), summary(), debug())
    assert list(tmp_path.glob("whycycles-vela-*")) == []


def test_the_tool_beside_the_interpreter_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_on_path(monkeypatch, tmp_path)
    install(FakeVela(version="5.3.1"), tmp_path / "vela")
    assert find_vela() == Vela(tmp_path / "vela", "5.3.1")
    (tmp_path / "nowhere").mkdir()
    install(FakeVela(version="5.2.0"), tmp_path / "nowhere" / "vela")
    assert find_vela() == Vela(tmp_path / "nowhere" / "vela", "5.2.0")


def test_without_the_tool_the_hint_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_on_path(monkeypatch, tmp_path)
    with pytest.raises(ToolError, match="not installed") as refusal:
        find_vela()
    assert "pip install" in refusal.value.hint


@pytest.mark.parametrize(
    ("version", "what"),
    [("5.1.9", "is Vela 5.1.9"), ("6.0", "is Vela 6.0"), ("4", "does not answer with a version: 4"), ("", "nothing")],
)
def test_a_version_whose_tables_are_not_known_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, what: str
) -> None:
    _only_on_path(monkeypatch, tmp_path)
    install(FakeVela(version=version), tmp_path / "vela")
    with pytest.raises(ToolError, match=what):
        find_vela()


@pytest.mark.parametrize(
    ("behaviour", "kind", "what"),
    [
        ({"then": "os.kill(os.getpid(), signal.SIGSEGV)"}, ToolError, "ended by SIGSEGV while it compiled a model"),
        ({"then": "time.sleep(60)"}, ToolError, "no answer in 0.5 s"),
        ({"files": {}}, ToolError, "its table model_per-layer.csv cannot be read"),
        ({"files": {"model_per-layer.csv": "x"}}, ToolError, "model_summary_Ethos_U55_High_End_Embedded.csv cannot"),
        ({"files": {k: v for k, v in FILES.items() if "debug" not in k}}, ToolError, "model_debug.xml cannot be read"),
        ({"exit_code": 3}, ToolError, "it does not say why"),
        (
            {"exit_code": 1, "stderr": "Traceback\nethosu.vela.errors.CliOptionError: 'Error: Section X not found'\n"},
            UsageError,
            "refuses Ethos_U55_High_End_Embedded with Shared_Sram for ethos-u55-128: Section X not found",
        ),
        (
            {"exit_code": 1, "stderr": "ethosu.vela.errors.ConfigOptionError: 'Error: must be Sram'\n"},
            UsageError,
            "must be Sram",
        ),
        (
            {"exit_code": 1, "stderr": "ethosu.vela.errors.InputFileError: \"Error: Reading input file 'vela.ini'\"\n"},
            UsageError,
            "cannot read Arm/vela.ini",
        ),
        (
            {"exit_code": 1, "stderr": "RuntimeError: Compilation failed: No networks defined\n"},
            ModelError,
            "cannot convert a model.tflite: Compilation failed",
        ),
        ({"exit_code": 2, "stderr": "vela: error: unrecognized arguments: --x\n"}, ToolError, "unrecognized arguments"),
    ],
)
def test_every_end_is_one_message_and_a_hint(
    tmp_path: Path, model: Path, behaviour: dict[str, object], kind: type[WhycyclesError], what: str
) -> None:
    with pytest.raises(kind, match=what) as refusal:
        run_vela(_vela(tmp_path, **behaviour), model, load_npu("ethos-u55-128"), timeout_s=0.5)
    assert refusal.value.hint


def test_a_program_that_cannot_start(tmp_path: Path, model: Path) -> None:
    (tmp_path / "vela").write_text("no program")
    with pytest.raises(ToolError, match="cannot be run"):
        run_vela(Vela(tmp_path / "vela", "5.2.0"), model, load_npu("ethos-u55-128"))


def test_a_table_that_is_no_text(tmp_path: Path, model: Path) -> None:
    tool = _vela(tmp_path, then="(out / 'model_per-layer.csv').write_bytes(b'\\xff\\xfe')")
    with pytest.raises(ToolError, match="it is no text"):
        run_vela(tool, model, load_npu("ethos-u55-128"))
