"""Test inputs are deterministic, cover the range, and begin with the zoo's samples."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import tflite

from engine.errors import UsageError
from engine.models.inputs import input_bytes, make_inputs, output_bytes
from engine.models.reader import parse_graph, read_graph
from engine.models.samples import zoo_samples
from tests.builders.tflite_builder import ModelBuilder
from tests.models.small import one_conv

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"


def test_the_same_bytes_on_every_machine():
    graph = parse_graph(one_conv().build(), "m")
    joined = b"".join(make_inputs(graph, 3, seed=1))
    # Written down once: a change here would change every record.
    assert hashlib.sha256(joined).hexdigest() == "b0fc5c1ef5246987d8e5b8fa90f6379178530e168f927a23da235c374a5b9e7e"


def test_random_bytes_cover_the_range_and_differ():
    b = ModelBuilder()
    b.output(b.softmax(b.input((100, 100))))
    inputs = make_inputs(parse_graph(b.build(), "m"), 5)
    values = np.frombuffer(inputs[0], np.int8)
    assert (values.min(), values.max()) == (-128, 127)
    assert len(set(inputs)) == 5


def test_several_inputs_are_concatenated_in_graph_order():
    b = ModelBuilder()
    b.output(b.add(b.input((1, 3)), b.input((1, 3))))
    b.output(b.softmax(b.input((1, 5))))
    graph = parse_graph(b.build(), "m")
    assert input_bytes(graph) == 11
    assert output_bytes(graph) == 8
    assert [len(x) for x in make_inputs(graph, 2)] == [11, 11]


def test_float_inputs_are_finite_and_between_minus_one_and_one():
    b = ModelBuilder()
    x = b.input((1, 1000))
    b.output(b.softmax(x))
    for tensor in b.graph.tensors:
        tensor.type, tensor.quant = tflite.TensorType.FLOAT32, None
    values = np.frombuffer(make_inputs(parse_graph(b.build(), "m"), 1)[0], np.float32)
    assert values.size == 1000
    assert -1 <= values.min() < -0.9
    assert 0.9 < values.max() < 1


def test_types_without_values_are_refused():
    b = ModelBuilder()
    b.output(b.operator(tflite.BuiltinOperator.TANH, [b.input((1, 4))], b.activation_tensor((1, 4), 0.1, 0)))
    b.graph.tensors[0].type, b.graph.tensors[0].quant = tflite.TensorType.STRING, None
    with pytest.raises(UsageError, match="string"):
        make_inputs(parse_graph(b.build(), "m"), 1)


def test_no_inputs_are_no_answer():
    with pytest.raises(UsageError):
        make_inputs(parse_graph(one_conv().build(), "m"), 0)


def test_zoo_models_begin_with_their_samples():
    graph = read_graph(ZOO / "kws.tflite")
    samples = [s.inputs for s in zoo_samples(graph.sha256)]
    assert len(samples) >= 20
    assert list(make_inputs(graph, 3)) == samples[:3]
    assert list(make_inputs(graph, 2, seed=5)) == samples[5:7]
    more = make_inputs(graph, len(samples) + 2)
    assert list(more[:-2]) == samples
    assert len(set(more)) == len(more)


def test_other_models_have_no_samples():
    assert zoo_samples("0" * 64) == ()
