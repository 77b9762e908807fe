"""An operator with its tensors, and the checks that all lowerings share.

Models come from anywhere: whatever a kernel takes for granted is checked here first, so that generated code cannot read or
write out of bounds, divide by zero or overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.firmware.cmsis_nn_interface import PACKAGED, CmsisNnInterface
from engine.firmware.lowering.types import Constant
from engine.firmware.quantise import INT8_MAX, INT8_MIN, INT32_MAX, ActivationRange, FixedPoint, activation_range
from engine.firmware.types import KernelLibrary, Lowering
from engine.models.graph import Activation, DType, Operator, Options, Quantisation, Subgraph, Tensor

O = TypeVar("O", bound=Options)  # noqa: E741

BROKEN_HINT = "The file is damaged or was written by a faulty converter: convert the model again."
MAX_SHIFT = 30
_BIAS_SCALE_TOLERANCE = 0.02


@dataclass(frozen=True)
class PerTensor:
    """Scale and zero point of an int8 activation."""

    scale: float
    zero_point: int


@dataclass(frozen=True, eq=False)
class OperatorView:
    """One operator to be lowered for ``library``; ``dsp``, ``mve``: the core has the DSP extension, Helium.

    ``interface``: what the CMSIS-NN to be called wants.
    """

    graph: Subgraph
    operator: Operator
    library: KernelLibrary
    dsp: bool
    lowering: Lowering = Lowering.TFLM
    mve: bool = False
    interface: CmsisNnInterface = PACKAGED

    @property
    def index(self) -> int:
        """Index of the operator, which is also the index of its layer."""
        return self.operator.index

    def refuse(self, message: str, hint: str = BROKEN_HINT) -> ModelError:
        """The error to raise when this operator cannot be lowered."""
        return ModelError(f"operator {self.index} ({self.operator.op}): {message}", hint=hint)

    def options(self, kind: type[O]) -> O:
        """The operator's options, of the type that its lowering needs."""
        if not isinstance(self.operator.options, kind):
            raise self.refuse("its options are missing or of another operator")
        return self.operator.options

    def expect(self, inputs: tuple[int, int]) -> None:
        """Check the number of inputs (lowest, highest) and that there is one output."""
        low, high = inputs
        if not low <= len(self.operator.inputs) <= high:
            expected = str(low) if low == high else f"{low} to {high}"
            raise self.refuse(f"has {len(self.operator.inputs)} inputs, expected {expected}")
        if len(self.operator.outputs) != 1:
            raise self.refuse(f"has {len(self.operator.outputs)} outputs, expected 1")

    def tensor(self, index: int) -> Tensor:
        """A tensor with a usable shape."""
        if not 0 <= index < len(self.graph.tensors):
            raise self.refuse(f"names tensor {index}, which does not exist")
        tensor = self.graph.tensors[index]
        if any(d < 1 for d in tensor.shape):
            raise self.refuse(f"tensor {index} has the shape {list(tensor.shape)}: every dimension must be at least 1")
        if tensor.bytes > INT32_MAX:
            raise self.refuse(f"tensor {index} has {tensor.bytes} bytes, more than 32-bit kernels can index")
        return tensor

    def input(self, slot: int = 0) -> Tensor:
        """An int8 input (activation or constant)."""
        return self._int8(self.operator.inputs[slot], "input")

    def output(self) -> Tensor:
        """The int8 output."""
        return self._int8(self.operator.outputs[0], "output")

    def _int8(self, index: int, role: str) -> Tensor:
        tensor = self.tensor(index)
        if tensor.dtype is not DType.INT8:
            raise self.refuse(
                f"its {role} (tensor {index}) is {tensor.dtype}, only int8 is supported",
                "Convert the model with full-integer quantisation (int8 inputs and outputs).",
            )
        self.quantisation(tensor)
        return tensor

    def quantisation(self, tensor: Tensor) -> PerTensor:
        """The one scale and zero point of an int8 activation."""
        q = tensor.quantisation
        if q is None or len(q.scales) != 1 or len(q.zero_points) != 1:
            raise self.refuse(f"tensor {tensor.index} needs exactly one scale and zero point")
        self._check_scale(tensor, q)
        if not INT8_MIN <= q.zero_points[0] <= INT8_MAX:
            raise self.refuse(f"tensor {tensor.index} has the zero point {q.zero_points[0]}, outside int8")
        return PerTensor(q.scales[0], q.zero_points[0])

    def _check_scale(self, tensor: Tensor, q: Quantisation) -> None:
        smallest = float(np.finfo(np.float32).tiny)
        if not all(math.isfinite(s) and s >= smallest for s in q.scales):
            raise self.refuse(f"tensor {tensor.index} has a scale that is not a positive number")

    def weights(self, slot: int, channels: int, axis: int) -> tuple[NDArray[np.int8], tuple[float, ...]]:
        """Constant int8 weights and their scales: one, or one per slice along ``axis``."""
        tensor = self.tensor(self.operator.inputs[slot])
        if tensor.data is None:
            raise self.refuse(
                f"its weights (tensor {tensor.index}) are not constant",
                "Weights computed at run time are not supported.",
            )
        if tensor.dtype is not DType.INT8:
            raise self.refuse(
                f"its weights (tensor {tensor.index}) are {tensor.dtype}, only int8 is supported",
                "Convert the model with full-integer quantisation (int8 weights).",
            )
        q = tensor.quantisation
        if q is None or len(q.scales) not in (1, channels):
            raise self.refuse(
                f"its weights (tensor {tensor.index}) need one scale, or one for each of {channels} channels"
            )
        self._check_scale(tensor, q)
        if any(q.zero_points):
            raise self.refuse(f"its weights (tensor {tensor.index}) have a zero point other than 0")
        if len(q.scales) > 1 and q.axis != axis:
            raise self.refuse(f"its weights are quantised along axis {q.axis}, expected {axis}")
        return np.ascontiguousarray(tensor.data, dtype=np.int8), q.scales

    def bias(
        self, slot: int, channels: int, input_scale: float, scales: tuple[float, ...], output_scale: float
    ) -> NDArray[np.int32] | None:
        """Constant int32 biases, or None if the operator has none."""
        if slot >= len(self.operator.inputs) or self.operator.inputs[slot] < 0:
            return None
        tensor = self.tensor(self.operator.inputs[slot])
        if tensor.data is None or tensor.dtype is not DType.INT32 or tensor.elements != channels:
            raise self.refuse(f"its bias (tensor {tensor.index}) must be {channels} constant int32 values")
        q = tensor.quantisation
        if q is not None:
            if any(q.zero_points):
                raise self.refuse("its bias has a zero point other than 0")
            if len(q.scales) == len(scales):
                self._check_scale(tensor, q)
                for bias_scale, scale in zip(q.scales, scales, strict=True):
                    if abs(input_scale * scale - bias_scale) / output_scale > _BIAS_SCALE_TOLERANCE:
                        raise self.refuse("the scale of its bias is not input scale times weight scale")
        return np.ascontiguousarray(tensor.data, dtype=np.int32).reshape(channels)

    def same_quantisation(self, a: Tensor, b: Tensor) -> None:
        """Check that an operator that only moves or compares values keeps their meaning."""
        qa, qb = self.quantisation(a), self.quantisation(b)
        if qa.zero_point != qb.zero_point or not math.isclose(qa.scale, qb.scale, rel_tol=1e-5):
            raise self.refuse("its input and output are quantised differently")

    def clamp(self, activation: Activation, output: PerTensor) -> ActivationRange:
        """Output range under the fused activation."""
        limits = activation_range(activation, output.scale, output.zero_point)
        if limits is None:
            raise self.refuse(
                f"the fused activation {activation} is not supported for int8", "Use none, relu, relu6 or relu_n1_to_1."
            )
        return limits

    def check_accumulator(
        self, filter_by_channel: NDArray[np.int8], bias: NDArray[np.int32] | None, scaling: list[FixedPoint]
    ) -> None:
        """Prove that no intermediate sum leaves int32, whatever the input. ``filter_by_channel``: [channels, taps]."""
        largest = np.abs(filter_by_channel.astype(np.int64)).sum(axis=1) * 256
        if bias is not None:
            largest += np.abs(bias.astype(np.int64))
        for channel, (bound, scale) in enumerate(zip(largest.tolist(), scaling, strict=True)):
            if scale.shift > MAX_SHIFT or bound << max(scale.shift, 0) > INT32_MAX - 256:
                raise self.refuse(
                    f"the sum of output channel {channel} can leave the range of int32",
                    "Weights, bias and scales of this operator do not fit together: quantise the model again.",
                )

    def constant(self, slot: int, values: NDArray[np.int8] | NDArray[np.int32]) -> Constant:
        """Weights or biases as a C array, named after the tensor so that shared ones are stored once."""
        return Constant(f"C{self.operator.inputs[slot]}", values, weights=True)

    def no_bias(self, channels: int) -> Constant:
        """Biases of 0, for a kernel that cannot do without."""
        return Constant(self.local("no_bias"), np.zeros(channels, np.int32), weights=True)

    def local(self, name: str) -> str:
        """A C name that belongs to this layer."""
        return f"L{self.index}_{name}"
