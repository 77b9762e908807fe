"""What shapes an operator's options imply, and the check that a file does not claim others.

The generated C indexes by these shapes, so an output that is larger than what the operator computes, or a filter that
is smaller than its shape says, would become an out-of-bounds access on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.models.graph import (
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Operator,
    Padding,
    Pool2DOptions,
    Tensor,
)
from engine.models.read_values import ReadContext

MAX_PATCH = 2**24
"""Largest extent of a dilated window along one axis, in elements; keeps padding arithmetic inside 32 bits."""


def window_output(size: int, window: int, stride: int, dilation: int, padding: Padding) -> int:
    """Output length along one axis; 0 or less where a VALID window does not fit.

    SAME: ceil(size / stride). VALID: floor((size - extent) / stride) + 1 with extent = (window - 1) * dilation + 1
    (TensorFlow documentation, tf.nn "Notes on padding").
    """
    if padding is Padding.SAME:
        return -(-size // stride)
    return (size - ((window - 1) * dilation + 1)) // stride + 1


def same_padding(size: int, window: int, stride: int, dilation: int, padding: Padding) -> tuple[int, int]:
    """(before, after) in elements along one axis; the odd element goes after. VALID pads nothing.

    total = max((output - 1) * stride + extent - size, 0) (TensorFlow documentation, tf.nn "Notes on padding").
    """
    if padding is Padding.VALID:
        return 0, 0
    output = window_output(size, window, stride, dilation, padding)
    total = max((output - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def check_operator(context: ReadContext, operator: Operator, tensors: Sequence[Tensor]) -> None:
    """Raise ModelError unless the operands of a known operator have the shapes its options imply.

    Operators this module does not know pass. Element types are the business of whoever lowers the operator.
    """
    check = _CHECKS.get(operator.op)
    if check is not None and not operator.custom:
        name = f"operator {operator.index} ({operator.op})"
        place = f"{context.place}: {name}" if context.place else name
        check(_Operands(context.inside(place), operator, tensors))


class _Operands:
    """The operands of one operator, with checks that name it."""

    def __init__(self, here: ReadContext, operator: Operator, tensors: Sequence[Tensor]) -> None:
        self.here = here
        self.operator = operator
        self._tensors = tensors

    def require(self, condition: bool, what: str) -> None:
        """Raise ModelError with ``what`` unless ``condition`` holds."""
        if not condition:
            raise self.here.bad(what)

    def counts(self, least: int, most: int) -> None:
        """One output, and between ``least`` and ``most`` inputs; the first ``least`` must be there."""
        inputs, outputs = self.operator.inputs, self.operator.outputs
        self.require(len(outputs) == 1, f"has {len(outputs)} outputs instead of 1")
        self.require(least <= len(inputs) <= most, f"has {len(inputs)} inputs instead of {least} to {most}")
        self.require(all(t >= 0 for t in inputs[:least]), "lacks an input it cannot do without")

    def input(self, position: int, rank: int | None = None) -> tuple[int, ...]:
        """Shape of an input, checked to hold elements."""
        return self._shape(self._tensors[self.operator.inputs[position]], f"input {position}", rank)

    def output(self, rank: int | None = None) -> tuple[int, ...]:
        """Shape of the output, checked to hold elements."""
        return self._shape(self._tensors[self.operator.outputs[0]], "the output", rank)

    def tensor(self, position: int) -> Tensor | None:
        """An input tensor, None where it is left out."""
        inputs = self.operator.inputs
        return self._tensors[inputs[position]] if position < len(inputs) and inputs[position] >= 0 else None

    def bias(self, channels: int) -> None:
        """The optional third input has one value per output channel, and its scales fit."""
        bias = self.tensor(2)
        if bias is not None:
            self.require(bias.elements == channels, f"has a bias of {bias.elements} values for {channels} channels")

    def filter_axis(self, axis: int) -> None:
        """Per-channel scales of the filter run along its output channels."""
        weights = self.tensor(1)
        quantisation = weights.quantisation if weights is not None else None
        if quantisation is not None and quantisation.per_channel:
            self.require(quantisation.axis == axis, f"has filter scales along axis {quantisation.axis}, not {axis}")

    def expect(self, found: tuple[int, ...], wanted: tuple[int, ...], why: str) -> None:
        """The output's shape is the one that follows from ``why``."""
        self.require(found == wanted, f"claims output shape {list(found)}, but {why} give {list(wanted)}")

    def _shape(self, tensor: Tensor, what: str, rank: int | None) -> tuple[int, ...]:
        shape = tensor.shape
        self.require(rank is None or len(shape) == rank, f"{what} has shape {list(shape)} instead of {rank} dimensions")
        self.require(all(d > 0 for d in shape), f"{what} has shape {list(shape)}, which is empty")
        return shape


def _windowed(
    o: _Operands,
    x: tuple[int, ...],
    window: tuple[int, int],
    options: Conv2DOptions | DepthwiseConv2DOptions | Pool2DOptions,
) -> tuple[int, int]:
    dilation_h, dilation_w = (1, 1) if isinstance(options, Pool2DOptions) else (options.dilation_h, options.dilation_w)
    for size, dilation in zip(window, (dilation_h, dilation_w), strict=True):
        o.require((size - 1) * dilation < MAX_PATCH, f"has a window of {size} elements dilated by {dilation}")
    height = window_output(x[1], window[0], options.stride_h, dilation_h, options.padding)
    width = window_output(x[2], window[1], options.stride_w, dilation_w, options.padding)
    o.require(height > 0 and width > 0, f"has a window that does not fit its input of shape {list(x)}")
    return height, width


def _conv_2d(o: _Operands) -> None:
    options = o.operator.options
    assert isinstance(options, Conv2DOptions)
    o.counts(2, 3)
    x, w, y = o.input(0, 4), o.input(1, 4), o.output(4)
    if w[3] != x[3] and x[3] % w[3] == 0:
        raise o.here.unsupported(
            f"is a grouped convolution ({w[3]} of {x[3]} channels per filter)", "use ordinary or depthwise convolutions"
        )
    o.require(w[3] == x[3], f"has a filter for {w[3]} channels, but its input has {x[3]}")
    height, width = _windowed(o, x, (w[1], w[2]), options)
    o.expect(y, (x[0], height, width, w[0]), "input, filter, stride and padding")
    o.bias(w[0])
    o.filter_axis(0)


def _depthwise_conv_2d(o: _Operands) -> None:
    options = o.operator.options
    assert isinstance(options, DepthwiseConv2DOptions)
    o.counts(2, 3)
    x, w, y = o.input(0, 4), o.input(1, 4), o.output(4)
    o.require(w[0] == 1, f"has a filter of shape {list(w)}, whose first dimension is not 1")
    o.require(
        w[3] == x[3] * options.depth_multiplier,
        f"has a filter for {w[3]} channels, but {x[3]} input channels times multiplier {options.depth_multiplier}",
    )
    height, width = _windowed(o, x, (w[1], w[2]), options)
    o.expect(y, (x[0], height, width, w[3]), "input, filter, stride and padding")
    o.bias(w[3])
    o.filter_axis(3)


def _fully_connected(o: _Operands) -> None:
    options = o.operator.options
    assert isinstance(options, FullyConnectedOptions)
    o.counts(2, 3)
    x, w, y = o.input(0), o.input(1, 2), o.output()
    features, elements = w[1], math.prod(x)
    o.require(elements % features == 0, f"has {elements} input values, which rows of {features} do not divide")
    if options.keep_num_dims:
        o.require(bool(x) and x[-1] == features, f"has input shape {list(x)} for rows of {features}")
        o.expect(y, (*x[:-1], w[0]), "input and filter")
    else:
        o.require(bool(y) and y[-1] == w[0], f"claims output shape {list(y)}, but the filter has {w[0]} rows")
        o.require(
            math.prod(y) == elements // features * w[0],
            f"claims output shape {list(y)}, but input and filter give {elements // features} x {w[0]} values",
        )
    o.bias(w[0])
    o.filter_axis(0)


def _pool(o: _Operands) -> None:
    options = o.operator.options
    assert isinstance(options, Pool2DOptions)
    o.counts(1, 1)
    x, y = o.input(0, 4), o.output(4)
    height, width = _windowed(o, x, (options.filter_h, options.filter_w), options)
    o.expect(y, (x[0], height, width, x[3]), "input, window, stride and padding")


def _add(o: _Operands) -> None:
    o.counts(2, 2)
    a, b, y = o.input(0), o.input(1), o.output()
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    o.require(all(p == q or 1 in (p, q) for p, q in pairs), f"adds shapes {list(a)} and {list(b)}, which do not match")
    o.expect(y, tuple(max(p, q) for p, q in pairs), "its inputs")


def _reshape(o: _Operands) -> None:
    o.counts(1, 2)
    x, y = o.input(0), o.output()
    o.require(math.prod(x) == math.prod(y), f"turns shape {list(x)} into {list(y)}, which has another number of values")


def _softmax(o: _Operands) -> None:
    o.counts(1, 1)
    x, y = o.input(0), o.output()
    o.require(len(x) > 0, "has a scalar input")
    o.expect(y, x, "its inputs")


_CHECKS: dict[str, Callable[[_Operands], None]] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "ADD": _add,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
