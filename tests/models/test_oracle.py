"""The oracle: what it says, how it fails, and what stands in for it where it has no wheel."""

from pathlib import Path

import numpy as np
import pytest
import tflite

from engine.errors import ToolError, UsageError
from engine.models import oracle as module
from engine.models.inputs import make_inputs
from engine.models.oracle import (
    Oracle,
    OracleStatus,
    Verdict,
    available,
    check_outputs,
    expected_outputs,
    oracle_status,
)
from engine.models.reader import parse_graph, read_graph
from engine.models.samples import zoo_samples
from tests.builders.tflite_builder import ModelBuilder
from tests.models.small import one_conv, one_of_each

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"
needs_oracle = pytest.mark.skipif(not available(), reason="tflite-micro has no wheel here")
MISSING = OracleStatus(False, "the package tflite-micro is not installed (it exists for x86-64 Linux only)")


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setattr(module, "oracle_status", lambda: MISSING)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(one_of_each().build())
    return path


@needs_oracle
def test_zoo_samples_hold_what_the_oracle_says():
    for name in ("kws", "ic"):
        path = ZOO / f"{name}.tflite"
        samples = zoo_samples(read_graph(path).sha256)
        assert Oracle(path).run_many([s.inputs for s in samples]) == tuple(s.outputs for s in samples)


@needs_oracle
def test_a_process_of_its_own_gives_the_same(model):
    graph = read_graph(model)
    inputs = make_inputs(graph, 3)
    assert Oracle(model, isolated=True).run_many(inputs) == Oracle(model).run_many(inputs)


@needs_oracle
def test_inputs_and_outputs_are_concatenated_in_graph_order():
    b = ModelBuilder()
    x, y = b.input((1, 2), 0.1), b.input((1, 3), 0.1)
    b.output(b.softmax(y))
    b.output(b.reshape(x, (2, 1)))
    out = Oracle(b.build()).run(bytes([5, 250, 0, 0, 0]))
    assert len(out) == 5
    assert out[3:] == bytes([5, 250])
    assert len(set(out[:3])) == 1


@needs_oracle
def test_intermediate_tensors_for_debugging():
    model = one_of_each().build()
    runner = Oracle(model)
    inputs = bytes(range(192))
    tensors = runner.tensors(inputs)
    graph = runner.graph.main
    output = tensors[graph.outputs[0]]
    assert output is not None
    assert output.tobytes() == runner.run(inputs)
    assert [t is None for t in tensors] == [t.data is not None for t in graph.tensors]
    first = tensors[graph.operators[0].outputs[0]]
    assert first is not None
    assert first.shape == graph.tensors[graph.operators[0].outputs[0]].shape
    assert len(np.unique(first)) > 10


@needs_oracle
def test_an_input_of_the_wrong_size_is_refused(model):
    with pytest.raises(UsageError, match="input 1 has 191 bytes"):
        Oracle(model).run_many([bytes(192), bytes(191)])


@needs_oracle
@pytest.mark.parametrize("isolated", [False, True])
def test_what_the_oracle_cannot_run_is_one_message(isolated, capfd):
    b = ModelBuilder()
    y = b.operator(
        tflite.BuiltinOperator.CUSTOM, [b.input((1, 4))], b.activation_tensor((1, 4), 0.1, 0), custom="NoSuch"
    )
    b.output(y)
    with pytest.raises(ToolError, match="oracle") as error:
        Oracle(b.build(), isolated=isolated).run(bytes(4))
    assert error.value.hint


@needs_oracle
def test_a_crash_of_the_interpreter_is_contained(model, monkeypatch):
    graph = read_graph(model)
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    found = expected_outputs(graph, model, make_inputs(graph, 1))
    assert found.outputs is None
    assert "gave up" in found.note


@needs_oracle
def test_a_model_too_large_for_the_oracle_is_refused_before_memory_is_taken():
    b = ModelBuilder()
    b.output(b.softmax(b.input((1, 2**29))))
    with pytest.raises(ToolError, match="bytes of memory"):
        Oracle(b.build())


@needs_oracle
def test_verdicts(model):
    graph = read_graph(model)
    inputs = make_inputs(graph, 2)
    right = Oracle(model).run_many(inputs)
    verdict = check_outputs(graph, model, inputs, right)
    assert verdict.matches is True
    assert "tflite-micro" in verdict.note
    wrong = (right[0], bytes([right[1][0] ^ 1]) + right[1][1:])
    assert check_outputs(graph, model, inputs, wrong).matches is False
    assert "inference 1 differs in 1 of 3 bytes" in check_outputs(graph, model, inputs, wrong).note
    assert check_outputs(graph, model, inputs, right[:1]).matches is False
    assert check_outputs(graph, model, inputs, (right[0][:-1], right[1])).matches is False


@pytest.mark.usefixtures("no_wheel")
def test_without_a_wheel_the_zoo_is_judged_by_its_committed_outputs():
    path = ZOO / "kws.tflite"
    graph = read_graph(path)
    inputs = make_inputs(graph, 4)
    right = [s.outputs for s in zoo_samples(graph.sha256)[:4]]
    assert check_outputs(graph, path, inputs, right) == Verdict(
        True, "4 inferences equal the model's committed oracle outputs, bit for bit"
    )
    assert check_outputs(graph, path, inputs, [bytes(12), *right[1:]]).matches is False


@pytest.mark.usefixtures("no_wheel")
def test_without_a_wheel_other_models_have_no_verdict(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(one_conv().build())
    graph = read_graph(path)
    assert check_outputs(graph, path, make_inputs(graph, 1), [bytes(144)]) == Verdict(None, MISSING.detail)
    kws = read_graph(ZOO / "kws.tflite")
    assert expected_outputs(kws, ZOO / "kws.tflite", [bytes(490)]).outputs is None


@pytest.mark.usefixtures("no_wheel")
def test_without_a_wheel_the_oracle_itself_says_so():
    with pytest.raises(ToolError, match="not installed"):
        Oracle(one_conv().build())


def test_status_tells_version_or_reason(monkeypatch):
    assert oracle_status().detail

    def absent(name):
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", absent)
    assert oracle_status() == MISSING
    assert not available()


def test_parse_graph_accepts_what_the_oracle_fixture_uses():
    assert parse_graph(one_of_each().build(), "m").main.inputs
