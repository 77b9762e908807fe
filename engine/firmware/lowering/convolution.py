"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.firmware.lowering import cmsis_nn, microtvm
from engine.firmware.lowering.render import by_channel, pointer, present, scale_constants, window_struct
from engine.firmware.lowering.types import Call, Struct
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Axis, Window, window
from engine.firmware.quantise import accumulator_scaling
from engine.firmware.types import KernelLibrary
from engine.models.graph import Activation, Conv2DOptions, DepthwiseConv2DOptions


def conv_2d(view: OperatorView) -> Call:
    """CONV_2D: filter [out_c, kernel_h, kernel_w, in_c]."""
    o = view.options(Conv2DOptions)
    view.expect((2, 3))
    shape = _filter_shape(view)
    rows, columns = Axis(shape[1], o.stride_h, o.dilation_h), Axis(shape[2], o.stride_w, o.dilation_w)
    w = window(view, view.input(), view.output(), rows, columns, o.padding)
    if shape[0] != w.out_c:
        raise view.refuse(f"its filter has {shape[0]} output channels, its output {w.out_c}")
    if shape[3] != w.in_c:
        raise view.refuse(
            f"its filter has {shape[3]} input channels, its input {w.in_c}", "Grouped convolutions are not supported."
        )
    weights, scales = view.weights(1, w.out_c, axis=0)
    if microtvm.is_depthwise(view, w):
        # OHWI with I = 1 becomes the 1HWO of a depthwise filter: channel o of every tap lies together
        return _convolution(view, w, np.ascontiguousarray(weights.transpose(3, 1, 2, 0)), scales, 3, o.activation, 1)
    return _convolution(view, w, weights, scales, 0, o.activation, w.in_c)


def depthwise_conv_2d(view: OperatorView) -> Call:
    """DEPTHWISE_CONV_2D: filter [1, kernel_h, kernel_w, out_c]."""
    o = view.options(DepthwiseConv2DOptions)
    view.expect((2, 3))
    shape = _filter_shape(view)
    rows, columns = Axis(shape[1], o.stride_h, o.dilation_h), Axis(shape[2], o.stride_w, o.dilation_w)
    w = window(view, view.input(), view.output(), rows, columns, o.padding)
    if shape[0] != 1 or shape[3] != w.out_c:
        raise view.refuse(f"its filter has the shape {list(shape)}, its output {w.out_c} channels")
    if w.out_c != w.in_c * o.depth_multiplier:
        raise view.refuse(f"{w.in_c} channels with depth multiplier {o.depth_multiplier} do not make {w.out_c}")
    weights, scales = view.weights(1, w.out_c, axis=3)
    return _convolution(view, w, weights, scales, 3, o.activation, 1)


def _filter_shape(view: OperatorView) -> tuple[int, ...]:
    shape = view.tensor(view.operator.inputs[1]).shape
    if len(shape) != 4:
        raise view.refuse(f"its filter has {len(shape)} dimensions, expected 4")
    return shape


def _convolution(
    view: OperatorView,
    w: Window,
    weights: NDArray[np.int8],
    scales: tuple[float, ...],
    axis: int,
    activation: Activation,
    channels_per_tap: int,
) -> Call:
    source, target = view.quantisation(view.input()), view.quantisation(view.output())
    bias = view.bias(2, w.out_c, source.scale, scales, target.scale)
    per_channel = scales if len(scales) > 1 else scales * w.out_c
    scaling = [accumulator_scaling(source.scale, s, target.scale) for s in per_channel]
    view.check_accumulator(by_channel(weights, axis), bias, scaling)
    limits = view.clamp(activation, target)
    multiplier, shift = scale_constants(view, scaling)
    filter_ = view.constant(1, weights)
    bias_ = view.constant(2, bias) if bias is not None else None
    macs = w.out_h * w.out_w * w.out_c * w.kernel_h * w.kernel_w * channels_per_tap

    if view.library is KernelLibrary.CMSIS_NN:
        kernel, scratch = (cmsis_nn.convolve_kernel if axis == 0 else cmsis_nn.depthwise_kernel)(view, w)
        if bias_ is None and cmsis_nn.needs_bias(view, kernel):
            bias_ = view.no_bias(w.out_c)
        offsets = (-source.zero_point, target.zero_point)
        return cmsis_nn.convolution(
            view, kernel, w, offsets, limits, (multiplier, shift), (filter_, bias_), scratch, macs
        )

    kernel = "wc_conv_2d_s8" if axis == 0 else "wc_depthwise_conv_2d_s8"
    geometry = window_struct(view, w)
    out = Struct(
        view.local("out"), "wc_output_t", f"{-source.zero_point}, {target.zero_point}, {limits.low}, {limits.high}"
    )
    return Call(
        kernel=kernel,
        library=KernelLibrary.REFERENCE,
        arguments=(
            f"&{geometry.name}", f"&{out.name}", f"T{view.operator.inputs[0]}", filter_.name, pointer(bias_),
            multiplier.name, shift.name, f"T{view.operator.outputs[0]}",
        ),
        constants=present(multiplier, shift, filter_, bias_),
        structs=(geometry, out),
        sources=(f"{kernel}.c",),
        macs=macs,
    )  # fmt: skip
