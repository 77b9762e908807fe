"""CMSIS-NN: which of its kernels does an operator, what that kernel needs, and how it is called.

The generated code calls the kernel that CMSIS-NN's own wrapper (``arm_convolve_wrapper_s8``,
``arm_depthwise_conv_wrapper_s8``) would choose, directly: the wrapper's dispatch is decided here, when the model is lowered, so
a layer's kernel is known and unused kernels are not linked. Two forwarders are skipped as well: without Helium (MVE),
``arm_convolve_1_x_n_s8`` only calls ``arm_convolve_s8``, and without the DSP extension ``arm_depthwise_conv_s8_opt`` only calls
``arm_depthwise_conv_s8``. With Helium the same functions have other bodies, which call other helpers and want other scratch. Padding is
passed as the rows and columns before the input; what SAME adds behind follows from the output's size, so asymmetric padding needs
nothing special.

Releases differ in what their wrappers choose and their kernels want: ``view.interface`` says what the one at hand does, 4.0.0 unless
another is named. Where releases after 4.0.0 differ only in how much scratch they ask for, the larger size is taken.
"""

from __future__ import annotations

import numpy as np

from engine.firmware.cmsis_nn_interface import KernelSums
from engine.firmware.lowering.types import Call, Constant, Struct
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Window
from engine.firmware.quantise import ActivationRange
from engine.firmware.types import KernelLibrary

MAX_COLUMN = 2**16 - 1
_REFERENCE_HINT = "Use --kernels reference for this model."

MVE_BLOCK_CHANNELS = 124
"""``CH_IN_BLOCK_MVE``: channels that the depthwise kernel for Helium takes at a time."""


def convolve_kernel(view: OperatorView, w: Window) -> tuple[str, int]:
    """Kernel and scratch bytes of a CONV_2D, as ``arm_convolve_wrapper_s8`` and its ``_get_buffer_size`` decide."""
    _check_helium(view)
    if (one_by_one := _one_by_one(view, w)) is not None:
        return one_by_one, 0
    column = w.in_c * w.kernel_h * w.kernel_w
    if column > MAX_COLUMN:  # arm_nn_mat_mult_kernel_s8_s16 and arm_nn_mat_mult_s8 count columns in 16 bits
        raise view.refuse(f"CMSIS-NN cannot sum {column} products per output, at most {MAX_COLUMN}", _REFERENCE_HINT)
    _check_dilation(view, "arm_convolve_s8", w)
    aligned = view.interface.columns_are_aligned
    if not view.mve:
        return "arm_convolve_s8", 2 * _rounded_up(column, 4 if aligned else 1) * 2
    scratch = 4 * _rounded_up(column, 16 if aligned else 8)
    if not _is_one_by_n(view, w):
        return "arm_convolve_s8", scratch
    if view.interface.one_by_n_needs_quads:
        return "arm_convolve_1_x_n_s8", 0
    # it wants room for at most a kernel's width of input and one of padding, or for arm_convolve_s8, which it may call
    return ("arm_convolve_1_x_n_s8" if _one_by_n_is_right(w) else "arm_convolve_s8"), scratch


def _one_by_one(view: OperatorView, w: Window) -> str | None:
    """The kernel for a window of one value, or None where ``arm_convolve_s8`` does it."""
    if (w.kernel_h, w.kernel_w, w.pad_top, w.pad_left) != (1, 1, 0, 0):
        return None
    if (w.stride_h, w.stride_w) != (1, 1):
        return "arm_convolve_1x1_s8" if view.interface.one_by_one_strides else None
    return None if view.interface.one_by_one_needs_quads and w.in_c % 4 else "arm_convolve_1x1_s8_fast"


def _check_helium(view: OperatorView) -> None:
    if view.mve and not view.interface.helium_is_known:
        raise view.refuse(
            "what this CMSIS-NN's kernels want on a core with Helium is not known here",
            "Take CMSIS-NN 4.0.0 or later for this core, or --kernels reference.",
        )


def _check_dilation(view: OperatorView, kernel: str, w: Window) -> None:
    if kernel in view.interface.ignores_dilation and (w.dilation_h, w.dilation_w) != (1, 1):
        raise view.refuse(f"{kernel} of this CMSIS-NN knows no dilation", _REFERENCE_HINT)


def _is_one_by_n(view: OperatorView, w: Window) -> bool:
    if (w.in_h, w.kernel_h, w.dilation_w) != (1, 1, 1):
        return False
    return (w.out_w if view.interface.one_by_n_needs_quads else w.stride_w * w.in_c) % 4 == 0


def _one_by_n_is_right(w: Window) -> bool:
    """Whether ``arm_convolve_1_x_n_s8`` for Helium (releases after 4.0.0) computes a window correctly.

    It takes all but one value of the first window that reaches behind the input for input, and refuses unread input or counts it
    as padding: what its wrapper gives it besides goes to ``arm_convolve_s8`` here.
    """
    behind = (w.out_w - 1) * w.stride_w + w.kernel_w - w.in_w - w.pad_left
    return behind + w.pad_left >= 0 and (behind <= 1 or w.stride_w == 1)


def depthwise_kernel(view: OperatorView, w: Window) -> tuple[str, int]:
    """Kernel and scratch bytes of a DEPTHWISE_CONV_2D, as ``arm_depthwise_conv_wrapper_s8`` decides."""
    _check_helium(view)
    widens = view.mve and view.interface.widens_one_channel and w.in_c == 1 and w.out_c > 1
    if widens and (not _is_one_by_n(view, w) or _one_by_n_is_right(w)):
        # what turns the filter around lies in the wrapper itself, and wants a copy of the filter behind the convolution's scratch
        return "arm_depthwise_conv_wrapper_s8", convolve_kernel(view, w)[1] + w.kernel_h * w.kernel_w * w.out_c
    if w.out_c != w.in_c or (w.dilation_h, w.dilation_w) != (1, 1):
        _check_dilation(view, "arm_depthwise_conv_s8", w)
        return "arm_depthwise_conv_s8", 0
    if (w.kernel_h, w.kernel_w) == (3, 3) and w.pad_top <= 1 and w.pad_left <= 1 and not view.mve:
        return "arm_depthwise_conv_3x3_s8", 0
    if not view.dsp:
        return "arm_depthwise_conv_s8", 0
    area = w.kernel_h * w.kernel_w
    if area > MAX_COLUMN:
        raise view.refuse(f"CMSIS-NN cannot sum {area} products per output, at most {MAX_COLUMN}", _REFERENCE_HINT)
    return "arm_depthwise_conv_s8_opt", 4 * MVE_BLOCK_CHANNELS * area if view.mve else w.in_c * area * 2


def _rounded_up(value: int, step: int) -> int:
    return -(-value // step) * step


def needs_bias(view: OperatorView, kernel: str) -> bool:
    """Whether a kernel takes a missing bias for one at an address: the depthwise one for Helium does, behind its first block."""
    return kernel in view.interface.needs_bias or (view.mve and kernel == "arm_depthwise_conv_s8_opt")


def convolution(
    view: OperatorView,
    kernel: str,
    w: Window,
    offsets: tuple[int, int],
    limits: ActivationRange,
    scales: tuple[Constant, Constant],
    weights: tuple[Constant, Constant | None],
    scratch_bytes: int,
    macs: int,
) -> Call:
    """Call of a convolution or depthwise kernel; ``offsets`` are minus the input's and plus the output's zero point."""
    depthwise = kernel.startswith("arm_depthwise")
    multiplier, shift = scales
    filter_, bias = weights
    head = [*offsets, w.out_c // w.in_c] if depthwise else [*offsets]
    filter_n, filter_c = (1, w.out_c) if depthwise else (w.out_c, w.in_c)
    structs = (
        _context(view, scratch_bytes),
        Struct(
            view.local("params"),
            "cmsis_nn_dw_conv_params" if depthwise else "cmsis_nn_conv_params",
            f"{', '.join(map(str, head))}, {{{w.stride_w}, {w.stride_h}}}, {{{w.pad_left}, {w.pad_top}}}, "
            f"{{{w.dilation_w}, {w.dilation_h}}}, {{{limits.low}, {limits.high}}}",
        ),
        # CMSIS-NN declares these pointers without const but only reads through them.
        Struct(
            view.local("quant"),
            "cmsis_nn_per_channel_quant_params",
            f"(int32_t *){multiplier.name}, (int32_t *){shift.name}",
        ),
        _dims(view, "in", 1, w.in_h, w.in_w, w.in_c),
        _dims(view, "filter", filter_n, w.kernel_h, w.kernel_w, filter_c),
        _dims(view, "bias", 1, 1, 1, w.out_c),
        _dims(view, "out", 1, w.out_h, w.out_w, w.out_c),
    )
    context, params, quant, in_dims, filter_dims, bias_dims, out_dims = (f"&{s.name}" for s in structs)
    upscale = ("0",) if kernel == "arm_convolve_s8" and view.interface.convolve_takes_upscale_dims else ()
    return Call(
        kernel=kernel,
        library=KernelLibrary.CMSIS_NN,
        arguments=(
            context, params, quant, in_dims, f"T{view.operator.inputs[0]}", filter_dims, filter_.name,
            bias_dims, bias.name if bias else "0", *upscale, out_dims, f"T{view.operator.outputs[0]}",
        ),
        constants=(multiplier, shift, filter_, *((bias,) if bias else ())),
        structs=structs,
        sources=(f"{kernel}.c",),
        scratch_bytes=scratch_bytes,
        macs=macs,
        checked=True,
    )  # fmt: skip


def fully_connected(
    view: OperatorView,
    shape: tuple[int, int, int],
    offsets: tuple[int, int],
    limits: ActivationRange,
    scale: tuple[int, int],
    weights: tuple[Constant, Constant | None],
    macs: int,
) -> Call:
    """Call of ``arm_fully_connected_s8``; ``shape`` is (rows, depth, units), ``scale`` (multiplier, shift)."""
    _check_helium(view)
    rows, depth, units = shape
    filter_, bias = weights
    sums = _kernel_sums(view, offsets[0], weights)
    structs = (
        # CMSIS-NN declares the buffer without const but only reads these sums
        _context(view, 0)
        if sums is None
        else Struct(view.local("context"), "cmsis_nn_context", f"(void *){sums.name}, {sums.values.nbytes}"),
        Struct(
            view.local("params"),
            "cmsis_nn_fc_params",
            f"{offsets[0]}, 0, {offsets[1]}, {{{limits.low}, {limits.high}}}",
        ),
        Struct(view.local("quant"), "cmsis_nn_per_tensor_quant_params", f"{scale[0]}, {scale[1]}"),
        _dims(view, "in", rows, 1, 1, depth),
        _dims(view, "filter", depth, 1, 1, units),
        _dims(view, "bias", 1, 1, 1, units),
        _dims(view, "out", rows, 1, 1, units),
    )
    context, params, quant, in_dims, filter_dims, bias_dims, out_dims = (f"&{s.name}" for s in structs)
    return Call(
        kernel="arm_fully_connected_s8",
        library=KernelLibrary.CMSIS_NN,
        arguments=(
            context, params, quant, in_dims, f"T{view.operator.inputs[0]}", filter_dims, filter_.name,
            bias_dims, bias.name if bias else "0", out_dims, f"T{view.operator.outputs[0]}",
        ),
        constants=(filter_, *((bias,) if bias else ()), *((sums,) if sums else ())),
        structs=structs,
        sources=("arm_fully_connected_s8.c",),
        macs=macs,
        checked=True,
    )  # fmt: skip


def pool(view: OperatorView, kernel: str, w: Window, limits: ActivationRange) -> Call:
    """Call of ``arm_avgpool_s8`` or ``arm_max_pool_s8``; only the DSP path of the former needs scratch."""
    _check_helium(view)
    scratch_bytes = 4 * w.in_c if kernel == "arm_avgpool_s8" and view.dsp and not view.mve else 0
    structs = (
        _context(view, scratch_bytes),
        Struct(
            view.local("params"),
            "cmsis_nn_pool_params",
            f"{{{w.stride_w}, {w.stride_h}}}, {{{w.pad_left}, {w.pad_top}}}, {{{limits.low}, {limits.high}}}",
        ),
        _dims(view, "in", 1, w.in_h, w.in_w, w.in_c),
        _dims(view, "filter", 1, w.kernel_h, w.kernel_w, 1),
        _dims(view, "out", 1, w.out_h, w.out_w, w.out_c),
    )
    context, params, in_dims, filter_dims, out_dims = (f"&{s.name}" for s in structs)
    return Call(
        kernel=kernel,
        library=KernelLibrary.CMSIS_NN,
        arguments=(
            context, params, in_dims, f"T{view.operator.inputs[0]}", filter_dims, out_dims,
            f"T{view.operator.outputs[0]}",
        ),
        structs=structs,
        sources=(f"{kernel}.c",),
        scratch_bytes=scratch_bytes,
        checked=True,
    )  # fmt: skip


def _kernel_sums(view: OperatorView, input_offset: int, weights: tuple[Constant, Constant | None]) -> Constant | None:
    """What ``arm_vector_sum_s8`` would compute when a model is loaded; None where no buffer is wanted.

    The weights are constant, so the sums are known when the model is lowered: they become constants beside the other parameters.
    """
    kind = view.interface.kernel_sums
    if not view.mve or kind is KernelSums.NONE:
        return None
    filter_, bias = weights
    sums = filter_.values.astype(np.int64).sum(axis=1)
    if kind is KernelSums.WITH_BIAS:
        sums = sums * input_offset + (bias.values if bias is not None else 0)
    return Constant(view.local("kernel_sums"), sums.astype(np.int32), weights=False)


def _context(view: OperatorView, scratch_bytes: int) -> Struct:
    buffer = f"S{view.index}" if scratch_bytes else "0"
    return Struct(view.local("context"), "cmsis_nn_context", f"{buffer}, {scratch_bytes}")


def _dims(view: OperatorView, name: str, n: int, h: int, w: int, c: int) -> Struct:
    return Struct(view.local(name), "cmsis_nn_dims", f"{n}, {h}, {w}, {c}")
