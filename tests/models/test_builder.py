"""The builder that other tests rely on writes files that the oracle runs."""

import numpy as np
import pytest

from engine.models.oracle import Oracle, available
from engine.models.reader import parse_graph
from tests.builders.tflite_builder import ModelBuilder
from tests.models.small import one_of_each

oracle = pytest.mark.skipif(not available(), reason="tflite-micro has no wheel here")


@oracle
def test_one_of_each_runs_and_gives_probabilities():
    runner = Oracle(one_of_each().build())
    output = np.frombuffer(runner.run(bytes(range(192))), np.int8)
    assert abs(int(output.astype(int).sum()) + 3 * 128 - 256) <= 2


@oracle
def test_a_convolution_that_can_be_done_by_hand():
    b = ModelBuilder()
    x = b.input((1, 1, 2, 2), scale=0.5, zero_point=1)
    w = np.array([[[[2, -3]]], [[[10, 0]]]], np.int8)
    b.output(
        b.conv_2d(
            x,
            2,
            (1, 1),
            weights=w,
            biases=np.array([4, -100], np.int32),
            weight_scales=[0.5, 0.25],
            scale=1.0,
            zero_point=-2,
        )
    )
    # real x = (q - 1) / 2; channel 0: (2 x0 - 3 x1) / 2 + 4 * 0.25, channel 1: 10 x0 / 4 - 100 * 0.125
    q = np.array([[9, 3], [-7, 5]], np.int8)
    real = (q.astype(float) - 1) / 2
    expected = np.stack([(2 * real[:, 0] - 3 * real[:, 1]) * 0.5 + 1.0, 10 * real[:, 0] * 0.25 - 12.5], axis=1)
    found = np.frombuffer(Oracle(b.build()).run(q.tobytes()), np.int8).reshape(2, 2).astype(float) + 2
    assert np.abs(found - expected).max() <= 0.5


@oracle
def test_fifty_independent_operators_in_one_graph():
    b = ModelBuilder(seed=9)
    for i in range(50):
        x = b.input((1, 6, 5, i % 5 + 1), 0.03, i - 20)
        b.output(b.conv_2d(x, i % 7 + 1, (i % 3 + 1, 2), padding="valid", bias=i % 2 == 0))
    data = b.build()
    graph = parse_graph(data, "fifty")
    assert len(graph.main.operators) == len(graph.main.inputs) == len(graph.main.outputs) == 50
    size = sum(graph.main.tensors[t].bytes for t in graph.main.inputs)
    values = np.frombuffer(Oracle(data).run(np.random.default_rng(0).bytes(size)), np.int8)
    # The default output scale spreads results over the range instead of saturating them.
    assert 20 < values.astype(float).std() < 80
    assert (np.abs(values.astype(int)) >= 127).mean() < 0.2


def test_the_same_seed_gives_the_same_file():
    assert one_of_each().build() == one_of_each().build()
