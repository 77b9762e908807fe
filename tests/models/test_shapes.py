"""Shape rules: against a brute force, and against operators that lie."""

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.models.graph import Padding
from engine.models.reader import parse_graph
from engine.models.shapes import same_padding, window_output
from tests.builders.tflite_builder import ModelBuilder

SMALL = st.integers(1, 12)


@given(size=SMALL, window=SMALL, stride=SMALL, dilation=st.integers(1, 4))
def test_valid_output_counts_the_windows_that_fit(size, window, stride, dilation):
    fits = [at for at in range(0, size, stride) if at + (window - 1) * dilation < size]
    assert max(window_output(size, window, stride, dilation, Padding.VALID), 0) == len(fits)


@given(size=SMALL, window=SMALL, stride=SMALL, dilation=st.integers(1, 4))
def test_same_output_counts_the_strides_and_padding_covers_the_last_window(size, window, stride, dilation):
    output = window_output(size, window, stride, dilation, Padding.SAME)
    assert output == len(range(0, size, stride))
    before, after = same_padding(size, window, stride, dilation, Padding.SAME)
    assert after - before in (0, 1)
    last = (output - 1) * stride - before + (window - 1) * dilation
    assert last <= size - 1 + after
    if before + after:
        assert last == size - 1 + after


Make = Callable[[ModelBuilder], int]
OPERATORS: dict[str, Make] = {
    "conv": lambda b: b.conv_2d(b.input((1, 5, 6, 2)), 3, stride=(2, 1)),
    "conv valid": lambda b: b.conv_2d(b.input((2, 5, 6, 2)), 3, padding="valid", dilation=(2, 1)),
    "depthwise": lambda b: b.depthwise_conv_2d(b.input((1, 5, 6, 2)), depth_multiplier=2),
    "fully connected": lambda b: b.fully_connected(b.input((2, 3, 4)), 5),
    "fully connected, dimensions kept": lambda b: b.fully_connected(b.input((2, 3, 4)), 5, keep_num_dims=True),
    "average pool": lambda b: b.average_pool_2d(b.input((1, 5, 6, 2)), padding="same"),
    "max pool": lambda b: b.max_pool_2d(b.input((1, 5, 6, 2)), (3, 2), stride=(1, 2)),
    "add": lambda b: b.add(b.input((1, 3, 4)), b.input((1, 3, 4))),
    "broadcast add": lambda b: b.add(b.input((2, 1, 4)), b.input((3, 1))),
    "reshape": lambda b: b.reshape(b.input((2, 6)), (3, 4)),
    "softmax": lambda b: b.softmax(b.input((2, 6))),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_shape_an_operator_has_is_accepted_and_any_other_size_refused(name):
    b = ModelBuilder(seed=4)
    y = OPERATORS[name](b)
    b.output(y)
    right = list(b.shape(y))
    parse_graph(b.build(), "m")
    for axis, change in itertools.product(range(len(right)), (1, -1, 100)):
        wrong = list(right)
        wrong[axis] += change
        b.graph.tensors[y].shape = wrong
        assert math.prod(wrong) != math.prod(right)
        with pytest.raises(ModelError, match="shape"):
            parse_graph(b.build(), "m")


@pytest.mark.parametrize("name", ["conv", "conv valid", "depthwise", "fully connected"])
@pytest.mark.parametrize("operand", [1, 2])
def test_a_filter_or_bias_of_another_size_is_refused(name, operand):
    b = ModelBuilder(seed=4)
    b.output(OPERATORS[name](b))
    victim = b.graph.tensors[b.graph.operators[0].inputs[operand]]
    right = list(victim.shape)
    victim.quant = None
    # A larger window is legitimate with SAME padding: the output stays.
    same = name in ("conv", "depthwise") and operand == 1
    for axis in (0, len(right) - 1) if same else range(len(right)):
        victim.shape = list(right)
        victim.shape[axis] += 1
        size = math.prod(victim.shape) * (1 if operand == 1 else 4)
        b.spec.buffers[victim.buffer].data = bytes(size)
        with pytest.raises(ModelError):
            parse_graph(b.build(), "m")


def test_a_depth_multiplier_that_does_not_fit_is_refused():
    b = ModelBuilder(seed=4)
    b.output(OPERATORS["depthwise"](b))
    table, fields = b.graph.operators[0].options
    for multiplier in (0, 1, 3, -2, 2**31 - 1):
        b.graph.operators[0].options = (table, fields | {"DepthMultiplier": multiplier})
        with pytest.raises(ModelError, match="multiplier"):
            parse_graph(b.build(), "m")


def test_a_pool_window_of_no_size_is_refused():
    b = ModelBuilder()
    b.output(OPERATORS["max pool"](b))
    table, fields = b.graph.operators[0].options
    for size in (0, -1, 2**31 - 1):
        b.graph.operators[0].options = (table, fields | {"FilterHeight": size})
        with pytest.raises(ModelError, match="window height"):
            parse_graph(b.build(), "m")


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan"), float("inf")])
def test_a_softmax_without_a_usable_beta_is_refused(beta):
    b = ModelBuilder()
    b.output(b.softmax(b.input((1, 4)), beta=beta))
    with pytest.raises(ModelError, match="beta"):
        parse_graph(b.build(), "m")


def test_shapes_that_do_not_broadcast_are_refused():
    b = ModelBuilder()
    y = b.add(b.input((1, 3)), b.input((1, 3)))
    b.output(y)
    b.graph.tensors[0].shape = [1, 2]
    with pytest.raises(ModelError, match="do not match"):
        parse_graph(b.build(), "m")
