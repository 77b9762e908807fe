"""Builds valid int8 .tflite files for tests: chained or independent operators with random weights.

Each operator method adds one operator and returns the index of its output tensor:

    b = ModelBuilder(seed=1)
    x = b.input((1, 8, 8, 3))
    y = b.conv_2d(x, 4, kernel=(3, 3), padding="same", activation="relu")
    b.output(y)
    data = b.build()

Scales default to values that spread the outputs over the int8 range instead of saturating; every one may be given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tflite
from numpy.typing import NDArray

from tests.builders.tflite_spec import (
    BufferSpec,
    ModelSpec,
    OpcodeSpec,
    OperatorSpec,
    QuantSpec,
    SignatureSpec,
    SubgraphSpec,
    TensorSpec,
)

ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
PADDINGS = {"same": 0, "valid": 1}
Pair = tuple[int, int]


def conv_out(size: int, filter_size: int, stride: int, dilation: int, padding: str) -> int:
    """Output length of a windowed operator along one axis."""
    effective = (filter_size - 1) * dilation + 1
    return -(-size // stride) if padding == "same" else (size - effective) // stride + 1


class ModelBuilder:
    """Collects tensors and operators of one subgraph; ``spec`` may be changed before ``build``."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = SubgraphSpec()
        self.spec = ModelSpec(subgraphs=[self.graph])

    def build(self) -> bytes:
        """The bytes of the .tflite file."""
        return self.spec.serialise()

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor."""
        return tuple(self.graph.tensors[tensor].shape or ())

    def scale(self, tensor: int) -> float:
        """Scale of a per-tensor quantised tensor."""
        quant = self.graph.tensors[tensor].quant
        assert quant is not None
        assert quant.scales is not None
        return quant.scales[0]

    def zero_point(self, tensor: int) -> int:
        """Zero point of a per-tensor quantised tensor."""
        quant = self.graph.tensors[tensor].quant
        assert quant is not None
        assert quant.zero_points is not None
        return quant.zero_points[0]

    def input(
        self,
        shape: Sequence[int],
        scale: float = 0.05,
        zero_point: int = 0,
        *,
        signature: Sequence[int] | None = None,
    ) -> int:
        """A graph input; ``signature`` may hold -1 for a dynamic batch."""
        t = self.activation_tensor(shape, scale, zero_point, name=f"input_{len(self.graph.inputs or [])}")
        self.graph.tensors[t].signature = list(signature) if signature else None
        assert self.graph.inputs is not None
        self.graph.inputs.append(t)
        return t

    def output(self, tensor: int) -> None:
        """Marks a tensor as graph output."""
        assert self.graph.outputs is not None
        self.graph.outputs.append(tensor)

    def signature(self, key: str = "serving_default") -> None:
        """Adds a signature that names all present inputs and outputs."""
        ins = [(f"in{i}", t) for i, t in enumerate(self.graph.inputs or [])]
        outs = [(f"out{i}", t) for i, t in enumerate(self.graph.outputs or [])]
        self.spec.signatures.append(SignatureSpec(key, 0, ins, outs))

    # ---- operators -------------------------------------------------------------------------------------------------

    def conv_2d(
        self,
        x: int,
        out_channels: int,
        kernel: Pair = (3, 3),
        *,
        stride: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: str = "same",
        activation: str = "none",
        per_channel: bool = True,
        bias: bool = True,
        scale: float | None = None,
        zero_point: int = 0,
        weights: NDArray[np.int8] | None = None,
        biases: NDArray[np.int32] | None = None,
        weight_scales: Sequence[float] | None = None,
    ) -> int:
        """CONV_2D on NHWC ``x``; ``weights`` int8 [out, kh, kw, in], ``biases`` int32 [out]."""
        n, h, w, c = self.shape(x)
        fan_in = kernel[0] * kernel[1] * c
        inputs, out_scale = self._weighted(
            x, (out_channels, *kernel, c), out_channels, 0, fan_in, per_channel, bias, weights, biases, weight_scales
        )
        oh = conv_out(h, kernel[0], stride[0], dilation[0], padding)
        ow = conv_out(w, kernel[1], stride[1], dilation[1], padding)
        options = self._window(stride, padding, activation) | {
            "DilationHFactor": dilation[0],
            "DilationWFactor": dilation[1],
        }
        y = self.activation_tensor((n, oh, ow, out_channels), scale or out_scale, zero_point)
        return self.operator(tflite.BuiltinOperator.CONV_2D, inputs, y, ("Conv2DOptions", options), 3)

    def depthwise_conv_2d(
        self,
        x: int,
        kernel: Pair = (3, 3),
        *,
        depth_multiplier: int = 1,
        stride: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: str = "same",
        activation: str = "none",
        per_channel: bool = True,
        bias: bool = True,
        scale: float | None = None,
        zero_point: int = 0,
        weights: NDArray[np.int8] | None = None,
        biases: NDArray[np.int32] | None = None,
        weight_scales: Sequence[float] | None = None,
    ) -> int:
        """DEPTHWISE_CONV_2D on NHWC ``x``; ``weights`` int8 [1, kh, kw, c * depth_multiplier]."""
        n, h, w, c = self.shape(x)
        out = c * depth_multiplier
        fan_in = kernel[0] * kernel[1]
        inputs, out_scale = self._weighted(
            x, (1, *kernel, out), out, 3, fan_in, per_channel, bias, weights, biases, weight_scales
        )
        oh = conv_out(h, kernel[0], stride[0], dilation[0], padding)
        ow = conv_out(w, kernel[1], stride[1], dilation[1], padding)
        options = self._window(stride, padding, activation) | {
            "DepthMultiplier": depth_multiplier,
            "DilationHFactor": dilation[0],
            "DilationWFactor": dilation[1],
        }
        y = self.activation_tensor((n, oh, ow, out), scale or out_scale, zero_point)
        return self.operator(
            tflite.BuiltinOperator.DEPTHWISE_CONV_2D, inputs, y, ("DepthwiseConv2DOptions", options), 3
        )

    def fully_connected(
        self,
        x: int,
        out_features: int,
        *,
        activation: str = "none",
        keep_num_dims: bool = False,
        per_channel: bool = False,
        bias: bool = True,
        scale: float | None = None,
        zero_point: int = 0,
        weights: NDArray[np.int8] | None = None,
        biases: NDArray[np.int32] | None = None,
        weight_scales: Sequence[float] | None = None,
    ) -> int:
        """FULLY_CONNECTED over all axes but the first (or the last axis with ``keep_num_dims``); ``weights`` [out, in]."""
        shape = self.shape(x)
        features = shape[-1] if keep_num_dims else math.prod(shape[1:])
        lead = shape[:-1] if keep_num_dims else shape[:1]
        inputs, out_scale = self._weighted(
            x, (out_features, features), out_features, 0, features, per_channel, bias, weights, biases, weight_scales
        )
        options = {"FusedActivationFunction": ACTIVATIONS[activation], "KeepNumDims": keep_num_dims}
        y = self.activation_tensor((*lead, out_features), scale or out_scale, zero_point)
        return self.operator(tflite.BuiltinOperator.FULLY_CONNECTED, inputs, y, ("FullyConnectedOptions", options), 4)

    def add(self, a: int, b: int, *, activation: str = "none", scale: float | None = None, zero_point: int = 0) -> int:
        """ADD of two tensors (broadcast as numpy does)."""
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        y = self.activation_tensor(shape, scale or max(self.scale(a), self.scale(b)) * 1.5, zero_point)
        options = {"FusedActivationFunction": ACTIVATIONS[activation]}
        return self.operator(tflite.BuiltinOperator.ADD, [a, b], y, ("AddOptions", options), 2)

    def average_pool_2d(
        self, x: int, window: Pair = (2, 2), *, stride: Pair = (2, 2), padding: str = "valid", activation: str = "none"
    ) -> int:
        """AVERAGE_POOL_2D; output quantisation equals the input's, as the runtime demands."""
        return self._pool(tflite.BuiltinOperator.AVERAGE_POOL_2D, x, window, stride, padding, activation)

    def max_pool_2d(
        self, x: int, window: Pair = (2, 2), *, stride: Pair = (2, 2), padding: str = "valid", activation: str = "none"
    ) -> int:
        """MAX_POOL_2D; output quantisation equals the input's."""
        return self._pool(tflite.BuiltinOperator.MAX_POOL_2D, x, window, stride, padding, activation)

    def reshape(self, x: int, shape: Sequence[int], *, options: bool = False, shape_tensor: bool = True) -> int:
        """RESHAPE to a concrete ``shape``; the file may say so by options, by a shape tensor, or by both."""
        y = self.activation_tensor(shape, self.scale(x), self.zero_point(x))
        inputs = [x]
        if shape_tensor:
            inputs.append(self.constant(np.array(shape, np.int32), tflite.TensorType.INT32))
        table = ("ReshapeOptions", {"NewShape": list(shape)}) if options else None
        return self.operator(tflite.BuiltinOperator.RESHAPE, inputs, y, table, 1)

    def softmax(self, x: int, *, beta: float = 1.0) -> int:
        """SOFTMAX over the last axis; int8 output has scale 1/256 and zero point -128."""
        y = self.activation_tensor(self.shape(x), 1.0 / 256.0, -128)
        return self.operator(tflite.BuiltinOperator.SOFTMAX, [x], y, ("SoftmaxOptions", {"Beta": beta}), 2)

    # ---- parts ------------------------------------------------------------------------------------------------------

    def activation_tensor(self, shape: Sequence[int], scale: float, zero_point: int, *, name: str | None = None) -> int:
        """An int8 tensor without data."""
        quant = QuantSpec([float(np.float32(scale))], [zero_point])
        self.graph.tensors.append(
            TensorSpec(name or f"t{len(self.graph.tensors)}", [int(d) for d in shape], quant=quant)
        )
        return len(self.graph.tensors) - 1

    def constant(self, values: NDArray[np.generic], kind: int, quant: QuantSpec | None = None) -> int:
        """A constant tensor with a buffer of its own."""
        assert self.spec.buffers is not None
        self.spec.buffers.append(BufferSpec(np.ascontiguousarray(values).tobytes()))
        name = f"c{len(self.graph.tensors)}"
        self.graph.tensors.append(TensorSpec(name, list(values.shape), kind, len(self.spec.buffers) - 1, quant))
        return len(self.graph.tensors) - 1

    def operator(
        self,
        builtin: int,
        inputs: Sequence[int],
        output: int,
        options: tuple[str, dict[str, int | float | bool | list[int]]] | None = None,
        version: int = 1,
        custom: str | None = None,
    ) -> int:
        """Any operator; returns ``output``. ``custom`` names a custom operator (``builtin`` is then CUSTOM)."""
        assert self.spec.opcodes is not None
        code = OpcodeSpec(builtin, min(builtin, 127), custom, version)
        if code not in self.spec.opcodes:
            self.spec.opcodes.append(code)
        self.graph.operators.append(OperatorSpec(self.spec.opcodes.index(code), list(inputs), [output], options))
        return output

    def _window(self, stride: Pair, padding: str, activation: str) -> dict[str, int | float | bool | list[int]]:
        return {
            "Padding": PADDINGS[padding],
            "StrideH": stride[0],
            "StrideW": stride[1],
            "FusedActivationFunction": ACTIVATIONS[activation],
        }

    def _pool(self, builtin: int, x: int, window: Pair, stride: Pair, padding: str, activation: str) -> int:
        n, h, w, c = self.shape(x)
        oh = conv_out(h, window[0], stride[0], 1, padding)
        ow = conv_out(w, window[1], stride[1], 1, padding)
        y = self.activation_tensor((n, oh, ow, c), self.scale(x), self.zero_point(x))
        options = self._window(stride, padding, activation) | {"FilterHeight": window[0], "FilterWidth": window[1]}
        return self.operator(builtin, [x], y, ("Pool2DOptions", options), 2)

    def _weighted(
        self,
        x: int,
        shape: tuple[int, ...],
        channels: int,
        axis: int,
        fan_in: int,
        per_channel: bool,
        bias: bool,
        weights: NDArray[np.int8] | None,
        biases: NDArray[np.int32] | None,
        weight_scales: Sequence[float] | None,
    ) -> tuple[list[int], float]:
        """Adds weights and bias; returns the operator's inputs and an output scale that spreads the results."""
        rng = self.rng
        values = rng.integers(-127, 128, shape).astype(np.int8) if weights is None else weights
        if weight_scales is None:
            drawn = np.exp(rng.uniform(np.log(0.002), np.log(0.02), channels if per_channel else 1))
            scales = [float(s) for s in drawn.astype(np.float32)]
        else:
            scales = [float(np.float32(s)) for s in weight_scales]
        inputs = [x, self.constant(values, tflite.TensorType.INT8, QuantSpec(scales, [0] * len(scales), axis))]
        # A uniform int8 input seen through its zero point and uniform weights: standard deviation of the accumulator.
        spread = 73.3 * math.hypot(73.9, self.zero_point(x)) * math.sqrt(fan_in)
        if bias:
            drawn_bias = rng.integers(-int(spread), int(spread) + 1, channels).astype(np.int32)
            q = QuantSpec([float(np.float32(self.scale(x) * s)) for s in scales], [0] * len(scales), 0)
            inputs.append(self.constant(drawn_bias if biases is None else biases, tflite.TensorType.INT32, q))
        else:
            inputs.append(-1)
        geometric_mean = math.exp(sum(math.log(s) for s in scales) / len(scales))
        return inputs, self.scale(x) * geometric_mean * spread / 40
