"""The lowering table: one entry per operator. A new operator is one function and one line here."""

from __future__ import annotations

from collections.abc import Callable

from engine.firmware.lowering.convolution import conv_2d, depthwise_conv_2d
from engine.firmware.lowering.fully_connected import fully_connected
from engine.firmware.lowering.other import add, reshape, softmax
from engine.firmware.lowering.pooling import average_pool_2d, max_pool_2d
from engine.firmware.lowering.types import Call
from engine.firmware.lowering.view import OperatorView

LOWERINGS: dict[str, Callable[[OperatorView], Call]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": max_pool_2d,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
}
"""TFLite operator name → checks and kernel call, for every kernel library."""


def supported_operators() -> tuple[str, ...]:
    """Names of the operators that can be lowered (int8 only)."""
    return tuple(sorted(LOWERINGS))
