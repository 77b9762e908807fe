"""The typed graph of a model: operators, tensors, quantisation. Pure data, no file format in sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class DType(StrEnum):
    """Element types the reader knows; ``bits`` gives their width."""

    INT4 = "int4"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOL = "bool"
    STRING = "string"
    RESOURCE = "resource"
    VARIANT = "variant"
    COMPLEX64 = "complex64"
    COMPLEX128 = "complex128"

    @property
    def bits(self) -> int:
        """Width of one element in bits; 0 where an element has no fixed width."""
        return _BITS[self]


_BITS = {
    DType.INT4: 4, DType.INT8: 8, DType.UINT8: 8, DType.INT16: 16, DType.UINT16: 16, DType.INT32: 32,
    DType.UINT32: 32, DType.INT64: 64, DType.UINT64: 64, DType.FLOAT16: 16, DType.BFLOAT16: 16, DType.FLOAT32: 32,
    DType.FLOAT64: 64, DType.BOOL: 8, DType.STRING: 0, DType.RESOURCE: 0, DType.VARIANT: 0,
    DType.COMPLEX64: 64, DType.COMPLEX128: 128,
}  # fmt: skip


class Padding(StrEnum):
    """TFLite's two padding schemes."""

    SAME = "same"
    VALID = "valid"


class Activation(StrEnum):
    """Fused activations of TFLite."""

    NONE = "none"
    RELU = "relu"
    RELU_N1_TO_1 = "relu_n1_to_1"
    RELU6 = "relu6"
    TANH = "tanh"
    SIGN_BIT = "sign_bit"


@dataclass(frozen=True)
class Quantisation:
    """Affine quantisation, real = scale * (q - zero_point).

    ``scales`` and ``zero_points`` have one entry (per tensor) or one per slice along ``axis`` (per channel).
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return len(self.scales) > 1


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor. ``shape`` is concrete (a dynamic batch is read as 1); ``signature`` keeps -1 for dynamic axes.

    ``data`` is the constant content with ``shape`` (int4 unpacked to int8; bfloat16 as its uint16 bits; types without a
    fixed width as raw uint8 bytes), or None for an activation.
    """

    index: int
    name: str
    dtype: DType
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    quantisation: Quantisation | None = None
    data: NDArray[np.generic] | None = None
    is_variable: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        n = 1
        for d in self.shape:
            n *= d
        return n

    @property
    def bytes(self) -> int:
        """Size in bytes, rounded up for sub-byte types."""
        return (self.elements * self.dtype.bits + 7) // 8


@dataclass(frozen=True)
class Conv2DOptions:
    """CONV_2D: filter OHWI, NHWC activations."""

    padding: Padding
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    activation: Activation


@dataclass(frozen=True)
class DepthwiseConv2DOptions:
    """DEPTHWISE_CONV_2D: filter 1HWC with C = C_in * depth_multiplier."""

    padding: Padding
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    depth_multiplier: int
    activation: Activation


@dataclass(frozen=True)
class FullyConnectedOptions:
    """FULLY_CONNECTED: filter [out, in]."""

    activation: Activation
    keep_num_dims: bool = False


@dataclass(frozen=True)
class Pool2DOptions:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""

    padding: Padding
    stride_h: int
    stride_w: int
    filter_h: int
    filter_w: int
    activation: Activation


@dataclass(frozen=True)
class AddOptions:
    """ADD of two tensors of one shape, or broadcast."""

    activation: Activation


@dataclass(frozen=True)
class ReshapeOptions:
    """RESHAPE; the output tensor's shape rules, options may be missing in the file."""


@dataclass(frozen=True)
class SoftmaxOptions:
    """SOFTMAX over the last axis."""

    beta: float


@dataclass(frozen=True)
class OtherOptions:
    """Any operator the reader recognises by name only."""


Options = (
    Conv2DOptions
    | DepthwiseConv2DOptions
    | FullyConnectedOptions
    | Pool2DOptions
    | AddOptions
    | ReshapeOptions
    | SoftmaxOptions
    | OtherOptions
)


@dataclass(frozen=True)
class Operator:
    """One operator. ``op`` is TFLite's name ("CONV_2D", or the custom code of a custom operator).

    ``inputs`` holds tensor indices, -1 for an absent optional input.
    """

    index: int
    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options
    custom: bool = False


@dataclass(frozen=True, eq=False)
class Subgraph:
    """One subgraph; ``operators`` are in execution order (each reads only what exists by then)."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """A SignatureDef: named inputs and outputs of one subgraph, as (name, tensor index)."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole model. ``main`` is the subgraph an inference runs."""

    name: str
    sha256: str
    file_bytes: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...] = field(default=())

    @property
    def main(self) -> Subgraph:
        """The subgraph that an inference runs (TFLite: the first)."""
        return self.subgraphs[0]
