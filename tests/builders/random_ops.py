"""Random small operators, many to a model: every one has an input and an output of its own.

    @given(operator_batches())
    def test(batch):
        model = build(batch)          # the .tflite
        inputs = random_inputs(batch, seed=1)
        expected = oracle(model, inputs)

A batch holds 50 operators by default, so that one firmware build checks many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from tests.builders.tflite_builder import ModelBuilder, conv_out

BATCH = 50
KINDS = ("conv", "depthwise", "fully_connected", "average_pool", "max_pool", "add", "softmax", "reshape")
ACTIVATIONS = ("none", "none", "relu", "relu6", "relu_n1_to_1")


@dataclass(frozen=True)
class RandomOp:
    """One operator; fields that its kind does not know are ignored."""

    kind: str
    height: int
    width: int
    channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str
    activation: str
    zero_points: tuple[int, int, int]
    per_channel: bool
    bias: bool
    gain: float
    seed: int

    @property
    def valid_padding_fits(self) -> bool:
        """Whether the dilated window fits into the input."""
        return (
            conv_out(self.height, self.kernel[0], self.stride[0], self.dilation[0], "valid") >= 1
            and conv_out(self.width, self.kernel[1], self.stride[1], self.dilation[1], "valid") >= 1
        )

    def add_to(self, b: ModelBuilder) -> None:
        """Add the operator with its own graph inputs and output."""
        rng = np.random.default_rng(self.seed)
        b.rng = rng
        scale = float(np.exp(rng.uniform(np.log(0.004), np.log(0.5))))
        zero_in, zero_other, zero_out = self.zero_points
        shape = (1, self.height, self.width, self.channels)
        padding = self.padding if self.valid_padding_fits else "same"
        x = b.input(shape, scale, zero_in)
        match self.kind:
            case "conv":
                weights = rng.integers(-128, 128, (self.out_channels, *self.kernel, self.channels)).astype(np.int8)
                y = b.conv_2d(
                    x, self.out_channels, self.kernel, stride=self.stride, dilation=self.dilation, padding=padding,
                    activation=self.activation, per_channel=self.per_channel, bias=self.bias, zero_point=zero_out,
                    weights=weights,
                )  # fmt: skip
                self._amplify(b, y)
            case "depthwise":
                multiplier = 1 + self.out_channels % 5 if self.out_channels % 2 else 1
                weights = rng.integers(-128, 128, (1, *self.kernel, self.channels * multiplier)).astype(np.int8)
                y = b.depthwise_conv_2d(
                    x, self.kernel, depth_multiplier=multiplier, stride=self.stride, dilation=self.dilation,
                    padding=padding, activation=self.activation, per_channel=self.per_channel, bias=self.bias,
                    zero_point=zero_out, weights=weights,
                )  # fmt: skip
                if not self.bias:  # the oracle crashes on an absent third input, but takes two inputs
                    b.graph.operators[-1].inputs = (b.graph.operators[-1].inputs or [])[:2]
                self._amplify(b, y)
            case "fully_connected":
                y = b.fully_connected(
                    x, self.out_channels, activation=self.activation, per_channel=self.per_channel, bias=self.bias,
                    zero_point=zero_out, keep_num_dims=self.seed % 3 == 0,
                )  # fmt: skip
                self._amplify(b, y)
            case "average_pool":
                y = b.average_pool_2d(
                    x, self.kernel, stride=self.stride, padding=self._pool_padding(), activation=self.activation
                )
            case "max_pool":
                y = b.max_pool_2d(
                    x, self.kernel, stride=self.stride, padding=self._pool_padding(), activation=self.activation
                )
            case "add":
                other_scale = scale * float(np.exp(rng.uniform(-2, 2)))
                shapes = (shape, shape, shape, (1, 1, 1, self.channels), (1, 1, self.width, 1), (self.channels,))
                z = b.input(shapes[self.seed % len(shapes)], other_scale, zero_other)
                out_scale = max(scale, other_scale) * float(np.exp(rng.uniform(-1.5, 1)))
                first, second = (x, z) if self.seed % 2 else (z, x)
                y = b.add(first, second, activation=self.activation, scale=out_scale, zero_point=zero_out)
            case "softmax":
                y = b.softmax(x, beta=float(np.exp(rng.uniform(-1, 1))))
            case _:
                y = b.reshape(x, (1, self.height * self.width * self.channels))
        b.output(y)

    def _pool_padding(self) -> str:
        fits = self.height >= self.kernel[0] and self.width >= self.kernel[1]
        return self.padding if fits else "same"

    def _amplify(self, b: ModelBuilder, y: int) -> None:
        """Change the output scale, so that effective scales of many sizes (above 1, too) occur."""
        quant = b.graph.tensors[y].quant
        assert quant is not None
        assert quant.scales is not None
        quant.scales = [float(np.float32(quant.scales[0] * self.gain))]


@st.composite
def random_ops(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> RandomOp:
    """One operator. Sizes stay small: an interesting shape is an odd one, not a large one."""
    side = st.integers(1, 9)
    kernel = st.sampled_from((1, 1, 2, 3, 3, 3, 4, 5))
    zero_point = st.one_of(st.sampled_from((-128, 0, 127)), st.integers(-128, 127))
    stride = st.integers(1, 3)
    dilation = st.sampled_from((1, 1, 1, 2, 3))
    square = draw(st.booleans())
    kh, sh = draw(kernel), draw(stride)
    return RandomOp(
        kind=draw(st.sampled_from(kinds)),
        height=draw(side),
        width=draw(side),
        channels=draw(st.sampled_from((1, 2, 3, 4, 5, 7, 8, 16, 17, 20))),
        out_channels=draw(st.integers(1, 19)),
        kernel=(kh, kh if square else draw(kernel)),
        stride=(sh, sh if square else draw(stride)),
        dilation=(draw(dilation), draw(dilation)) if draw(st.booleans()) else (1, 1),
        padding=draw(st.sampled_from(("same", "valid"))),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        zero_points=(draw(zero_point), draw(zero_point), draw(zero_point)),
        per_channel=draw(st.booleans()),
        bias=draw(st.booleans()),
        gain=draw(st.sampled_from((0.1, 0.5, 1.0, 1.0, 3.0))),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


def operator_batches(size: int = BATCH, kinds: tuple[str, ...] = KINDS) -> st.SearchStrategy[list[RandomOp]]:
    """Batches of exactly ``size`` operators."""
    return st.lists(random_ops(kinds), min_size=size, max_size=size)


@cache
def seeded_batches(count: int, size: int = BATCH, seed: int = 20) -> tuple[tuple[RandomOp, ...], ...]:
    """The same batches in every session, so that firmware of theirs is found in a cache and every test sees all of them."""
    found: list[tuple[RandomOp, ...]] = []

    @hypothesis_seed(seed)
    @settings(
        max_examples=count + 1, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(batch=operator_batches(size))
    def collect(batch: list[RandomOp]) -> None:
        found.append(tuple(batch))

    collect()
    return tuple(found[1 : count + 1])  # the first is Hypothesis' simplest: the same operator again and again


def build(batch: Sequence[RandomOp]) -> bytes:
    """A model with the operators side by side."""
    b = ModelBuilder()
    for op in batch:
        op.add_to(b)
    return b.build()


def random_inputs(shapes: list[tuple[int, ...]], seed: int) -> list[np.ndarray]:
    """One int8 array per model input: full range, or only its ends, or a constant."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in shapes:
        match rng.integers(0, 4):
            case 0:
                values = rng.choice([-128, 127], shape)
            case 1:
                values = np.full(shape, rng.choice([-128, 0, 127]))
            case _:
                values = rng.integers(-128, 128, shape)
        arrays.append(values.astype(np.int8))
    return arrays
