"""Fixed-point parameters of int8 kernels, computed as TensorFlow Lite Micro computes them.

Every function states the arithmetic (float or double) it has to use: one rounding elsewhere and results are no longer
bit-exact. All formulas follow TFLite's quantisation specification and the gemmlowp fixed-point conventions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.models.graph import Activation

INT8_MIN = -128
INT8_MAX = 127
INT32_MAX = 2**31 - 1

_SOFTMAX_INTEGER_BITS = 5
_ADD_LEFT_SHIFT = 20


@dataclass(frozen=True)
class FixedPoint:
    """A positive real as ``multiplier / 2**31 * 2**shift``; the multiplier is 0 or in [2**30, 2**31)."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class ActivationRange:
    """Smallest and largest quantised output that a fused activation allows."""

    low: int
    high: int


@dataclass(frozen=True)
class AddScaling:
    """Scalings of an int8 ADD: inputs are shifted left by 20, brought to twice the larger scale, added, brought to the output's."""

    input1: FixedPoint
    input2: FixedPoint
    output: FixedPoint


@dataclass(frozen=True)
class SoftmaxScaling:
    """Scaling of (x - max) to a fixed point with 5 integer bits; differences below ``diff_min`` count as exp = 0."""

    input: FixedPoint
    diff_min: int


def _round_half_away(x: float) -> int:
    return math.floor(x + 0.5) if x >= 0 else math.ceil(x - 0.5)


def fixed_point(real: float) -> FixedPoint:
    """``real`` (>= 0, finite) with a 31-bit mantissa, rounded to nearest; below 2**-32 it becomes 0."""
    if real == 0.0:
        return FixedPoint(0, 0)
    mantissa, exponent = math.frexp(real)
    multiplier = _round_half_away(mantissa * 2.0**31)
    if multiplier == 2**31:
        multiplier //= 2
        exponent += 1
    if exponent < -31:
        return FixedPoint(0, 0)
    return FixedPoint(multiplier, exponent)


def accumulator_scaling(input_scale: float, filter_scale: float, output_scale: float) -> FixedPoint:
    """Accumulator to output of convolutions and FULLY_CONNECTED: all in double."""
    return fixed_point(input_scale * filter_scale / output_scale)


def activation_range(activation: Activation, scale: float, zero_point: int) -> ActivationRange | None:
    """Output range under a fused activation; the division is in float. None if the activation cannot be fused into int8."""

    def quantised(real: float) -> int:
        ratio = float(np.float32(real) / np.float32(scale))
        return zero_point + _round_half_away(ratio) if math.isfinite(ratio) else (INT32_MAX if real > 0 else -INT32_MAX)

    match activation:
        case Activation.NONE:
            low, high = INT8_MIN, INT8_MAX
        case Activation.RELU:
            low, high = zero_point, INT8_MAX
        case Activation.RELU6:
            low, high = zero_point, quantised(6.0)
        case Activation.RELU_N1_TO_1:
            low, high = quantised(-1.0), quantised(1.0)
        case _:
            return None
    return ActivationRange(max(INT8_MIN, low), min(INT8_MAX, high))


def add_scaling(scale1: float, scale2: float, output_scale: float) -> AddScaling | None:
    """Scalings of ADD, all in double; None if the output would have to be scaled up (TFLite refuses that too)."""
    twice_max = 2.0 * max(scale1, scale2)
    output = twice_max / ((1 << _ADD_LEFT_SHIFT) * output_scale)
    if output >= 1.0:
        return None
    return AddScaling(fixed_point(scale1 / twice_max), fixed_point(scale2 / twice_max), fixed_point(output))


def softmax_scaling(beta: float, input_scale: float) -> SoftmaxScaling | None:
    """Scaling of SOFTMAX, all in double; None if ``beta * scale`` is too small to be represented."""
    fractional_bits = 31 - _SOFTMAX_INTEGER_BITS
    real = min(beta * input_scale * (1 << fractional_bits), float(INT32_MAX))
    if real <= 1.0:
        return None
    scaling = fixed_point(real)
    radius = ((1 << _SOFTMAX_INTEGER_BITS) - 1) * (1 << fractional_bits) // (1 << scaling.shift)
    return SoftmaxScaling(scaling, -radius)
