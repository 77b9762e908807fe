"""What a user sees who brings a model that cannot run: one message, one hint, exit code 2, no traceback; before any compiler starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import tflite
from click.testing import CliRunner

from engine.cli import main
from engine.firmware import assemble
from engine.firmware.lowering.registry import supported_operators
from tests.builders.tflite_builder import ModelBuilder


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assemble, "compile_all", None)


def refusal(model: bytes, folder: Path, board: str = "nucleo-g0b1re") -> tuple[str, str]:
    """Message and hint of ``whycycles run`` with a file of the user's."""
    path = folder / "mine.tflite"
    path.write_bytes(model)
    result = CliRunner().invoke(main, ["run", str(path), "--board", board])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    return lines[0], lines[1]


def test_activations_too_large_for_the_ram(tmp_path: Path) -> None:
    b = ModelBuilder()
    b.output(b.max_pool_2d(b.input((1, 400, 400, 8))))
    message, hint = refusal(b.build(), tmp_path)
    assert "does not fit nucleo-g0b1re" in message
    assert "activations" in message
    assert "overflows by" in message
    assert "arena 1600000 bytes" in message
    assert "a board with more memory" in hint


def test_weights_too_large_for_the_flash(tmp_path: Path) -> None:
    b = ModelBuilder()
    b.output(b.fully_connected(b.input((1, 1024)), 1024))
    message, hint = refusal(b.build(), tmp_path)
    assert "does not fit nucleo-g0b1re" in message
    assert "memory 'flash'" in message
    assert "weights" in message
    assert "smaller model" in hint


def test_an_unsupported_operator(tmp_path: Path) -> None:
    b = ModelBuilder()
    x = b.input((1, 4))
    b.output(b.operator(tflite.BuiltinOperator.TANH, [x], b.activation_tensor((1, 4), 0.1, 0)))
    message, hint = refusal(b.build(), tmp_path)
    assert "TANH (operator 0)" in message
    assert all(name in hint for name in supported_operators())


def test_a_float_model(tmp_path: Path) -> None:
    b = ModelBuilder()
    b.output(b.softmax(b.fully_connected(b.input((1, 4)), 3)))
    for tensor in b.graph.tensors:
        if tensor.buffer == 0:
            tensor.type, tensor.quant = tflite.TensorType.FLOAT32, None
    message, hint = refusal(b.build(), tmp_path)
    assert "floating point" in message
    assert "Quantise" in hint
