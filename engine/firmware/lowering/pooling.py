"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from engine.firmware.lowering import cmsis_nn
from engine.firmware.lowering.render import window_struct
from engine.firmware.lowering.types import Call
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Axis, window
from engine.firmware.quantise import INT32_MAX
from engine.firmware.types import KernelLibrary
from engine.models.graph import Pool2DOptions


def average_pool_2d(view: OperatorView) -> Call:
    """AVERAGE_POOL_2D; padding takes no part in the mean."""
    return _pool(view, "wc_average_pool_2d_s8", "arm_avgpool_s8")


def max_pool_2d(view: OperatorView) -> Call:
    """MAX_POOL_2D."""
    return _pool(view, "wc_max_pool_2d_s8", "arm_max_pool_s8")


def _pool(view: OperatorView, reference: str, cmsis: str) -> Call:
    o = view.options(Pool2DOptions)
    view.expect((1, 1))
    source, target = view.input(), view.output()
    rows, columns = Axis(o.filter_h, o.stride_h, 1), Axis(o.filter_w, o.stride_w, 1)
    w = window(view, source, target, rows, columns, o.padding)
    if w.in_c != w.out_c:
        raise view.refuse(f"its input has {w.in_c} channels, its output {w.out_c}")
    if 256 * w.kernel_h * w.kernel_w > INT32_MAX:
        raise view.refuse(f"its window of {w.kernel_h} x {w.kernel_w} is too large to be summed in 32 bits")
    view.same_quantisation(source, target)
    limits = view.clamp(o.activation, view.quantisation(target))
    if view.library is KernelLibrary.CMSIS_NN:
        return cmsis_nn.pool(view, cmsis, w, limits)
    geometry = window_struct(view, w)
    return Call(
        kernel=reference,
        library=KernelLibrary.REFERENCE,
        arguments=(
            f"&{geometry.name}", str(limits.low), str(limits.high), f"T{view.operator.inputs[0]}",
            f"T{view.operator.outputs[0]}",
        ),
        structs=(geometry,),
        sources=("wc_pool_2d_s8.c",),
    )  # fmt: skip
