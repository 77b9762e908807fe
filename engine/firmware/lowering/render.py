"""Small pieces of C text that several lowerings write."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.firmware.lowering.types import Constant, Struct
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Window
from engine.firmware.quantise import FixedPoint


def scale_constants(view: OperatorView, scaling: list[FixedPoint]) -> tuple[Constant, Constant]:
    """Multipliers and shifts of every output channel."""
    multiplier = np.array([s.multiplier for s in scaling], np.int32)
    shift = np.array([s.shift for s in scaling], np.int32)
    return (
        Constant(view.local("multiplier"), multiplier, weights=False),
        Constant(view.local("shift"), shift, weights=False),
    )


def window_struct(view: OperatorView, w: Window) -> Struct:
    """The reference kernels' description of a window."""
    text = (
        f"{w.in_h}, {w.in_w}, {w.in_c}, {w.out_h}, {w.out_w}, {w.out_c}, {w.kernel_h}, {w.kernel_w}, "
        f"{w.stride_h}, {w.stride_w}, {w.dilation_h}, {w.dilation_w}, {w.pad_top}, {w.pad_left}"
    )
    return Struct(view.local("window"), "wc_window_t", text)


def pointer(constant: Constant | None) -> str:
    """A constant as an argument; 0 where there is none."""
    return constant.name if constant is not None else "0"


def present(*constants: Constant | None) -> tuple[Constant, ...]:
    """Those constants that exist."""
    return tuple(c for c in constants if c is not None)


def by_channel(weights: NDArray[np.int8], axis: int) -> NDArray[np.int8]:
    """Weights as [channels, taps]."""
    return np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
