"""Geometry of operators that slide a window over a feature map."""

from __future__ import annotations

from dataclasses import dataclass

from engine.firmware.lowering.view import OperatorView
from engine.firmware.quantise import INT32_MAX
from engine.models.graph import Padding, Tensor

MAX_SIZE = 2**15 - 1
_TOO_LARGE_HINT = "Kernels for microcontrollers use 16-bit sizes; this model is far too large for one."


@dataclass(frozen=True)
class Window:
    """Sizes in elements; ``pad_top``/``pad_left`` are what lies before the first row/column (SAME may pad more behind)."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int


@dataclass(frozen=True)
class Axis:
    """A window along one axis."""

    kernel: int
    stride: int
    dilation: int


def window(view: OperatorView, source: Tensor, target: Tensor, rows: Axis, columns: Axis, padding: Padding) -> Window:
    """Check the shapes of a windowed operator (NHWC, batch 1) and work out its padding.

    Raises ModelError on a shape that does not follow from the options, or on sizes that kernels cannot index.
    """
    for tensor in (source, target):
        if len(tensor.shape) != 4:
            raise view.refuse(f"tensor {tensor.index} has {len(tensor.shape)} dimensions, expected 4 (NHWC)")
        if tensor.shape[0] != 1:
            raise view.refuse(
                f"tensor {tensor.index} has a batch of {tensor.shape[0]}, only 1 is supported",
                "Export the model with a batch size of 1.",
            )
    _, in_h, in_w, in_c = source.shape
    _, out_h, out_w, out_c = target.shape
    sizes = [in_h, in_w, in_c, out_h, out_w, out_c]
    for axis in (rows, columns):
        if axis.kernel < 1 or axis.stride < 1 or axis.dilation < 1:
            raise view.refuse("window, strides and dilations must be at least 1")
        sizes += [axis.kernel, axis.stride, axis.dilation, _reach(axis)]
    if max(sizes) > MAX_SIZE:
        raise view.refuse(f"has a size of {max(sizes)}, more than {MAX_SIZE}", _TOO_LARGE_HINT)
    pad_top = _padding(view, in_h, out_h, rows, padding)
    pad_left = _padding(view, in_w, out_w, columns, padding)
    # Kernels compute addresses from the window's corner, which may lie in the padding.
    if (in_h + _reach(rows)) * (in_w + _reach(columns)) * in_c > INT32_MAX:
        raise view.refuse("window and input are too large to be indexed with 32 bits", _TOO_LARGE_HINT)
    # A dilation over a single tap means nothing; as 1 it lets every library choose its fast kernel.
    dilation_h = rows.dilation if rows.kernel > 1 else 1
    dilation_w = columns.dilation if columns.kernel > 1 else 1
    return Window(
        in_h, in_w, in_c, out_h, out_w, out_c, rows.kernel, columns.kernel, rows.stride, columns.stride,
        dilation_h, dilation_w, pad_top, pad_left,
    )  # fmt: skip


def _reach(axis: Axis) -> int:
    return (axis.kernel - 1) * axis.dilation + 1


def _padding(view: OperatorView, in_size: int, out_size: int, axis: Axis, padding: Padding) -> int:
    reach = _reach(axis)
    if padding is Padding.SAME:
        expected = -(-in_size // axis.stride)
    else:
        expected = (in_size - reach) // axis.stride + 1 if in_size >= reach else 0
    if out_size != expected:
        raise view.refuse(f"its output has the size {out_size}, but {in_size} with {padding} padding gives {expected}")
    return max((out_size - 1) * axis.stride + reach - in_size, 0) // 2
