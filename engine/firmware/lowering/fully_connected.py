"""FULLY_CONNECTED."""

from __future__ import annotations

from engine.firmware.lowering import cmsis_nn
from engine.firmware.lowering.render import pointer, present, scale_constants
from engine.firmware.lowering.types import Call, Struct
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import MAX_SIZE, Window
from engine.firmware.quantise import accumulator_scaling
from engine.firmware.types import KernelLibrary
from engine.models.graph import FullyConnectedOptions


def fully_connected(view: OperatorView) -> Call:
    """FULLY_CONNECTED: filter [units, depth]; the input is read as rows of ``depth`` values."""
    o = view.options(FullyConnectedOptions)
    view.expect((2, 3))
    source_tensor, target_tensor = view.input(), view.output()
    shape = view.tensor(view.operator.inputs[1]).shape
    if len(shape) != 2:
        raise view.refuse(f"its weights have {len(shape)} dimensions, expected 2")
    units, depth = shape
    rows, rest = divmod(source_tensor.elements, depth)
    if rest or target_tensor.elements != rows * units or target_tensor.shape[-1:] != (units,):
        raise view.refuse(
            f"input {list(source_tensor.shape)} and weights {list(shape)} do not make {list(target_tensor.shape)}"
        )
    if max(rows, depth, units) > MAX_SIZE:
        raise view.refuse(f"has a size of {max(rows, depth, units)}, more than {MAX_SIZE}")
    source, target = view.quantisation(source_tensor), view.quantisation(target_tensor)
    weights, scales = view.weights(1, units, axis=0)
    bias = view.bias(2, units, source.scale, scales, target.scale)
    limits = view.clamp(o.activation, target)
    filter_ = view.constant(1, weights)
    bias_ = view.constant(2, bias) if bias is not None else None
    per_channel = len(scales) > 1
    scaling = [accumulator_scaling(source.scale, s, target.scale) for s in scales]
    view.check_accumulator(weights, bias, scaling if per_channel else scaling * units)
    macs = rows * units * depth
    offsets = (-source.zero_point, target.zero_point)

    if view.library is KernelLibrary.CMSIS_NN:
        if per_channel:
            # arm_fully_connected_s8 knows one scale only; a 1x1 convolution over the rows is the same sum.
            w = Window(1, rows, depth, 1, rows, units, 1, 1, 1, 1, 1, 1, 0, 0)
            kernel, scratch = cmsis_nn.convolve_kernel(view, w)
            if bias_ is None and cmsis_nn.needs_bias(view, kernel):
                bias_ = view.no_bias(units)
            return cmsis_nn.convolution(
                view, kernel, w, offsets, limits, scale_constants(view, scaling), (filter_, bias_), scratch, macs
            )
        scale = (scaling[0].multiplier, scaling[0].shift)
        return cmsis_nn.fully_connected(view, (rows, depth, units), offsets, limits, scale, (filter_, bias_), macs)

    out = Struct(view.local("out"), "wc_output_t", f"{offsets[0]}, {offsets[1]}, {limits.low}, {limits.high}")
    sizes = (str(rows), str(depth), str(units), f"&{out.name}")
    data = (f"T{view.operator.inputs[0]}", filter_.name, pointer(bias_), f"T{view.operator.outputs[0]}")
    if per_channel:
        multiplier, shift = scale_constants(view, scaling)
        kernel = "wc_fully_connected_per_channel_s8"
        scale_args: tuple[str, ...] = (multiplier.name, shift.name)
        constants = present(multiplier, shift, filter_, bias_)
    else:
        kernel = "wc_fully_connected_s8"
        scale_args = (f"(wc_scale_t){{{scaling[0].multiplier}, {scaling[0].shift}}}",)
        constants = present(filter_, bias_)
    return Call(
        kernel=kernel,
        library=KernelLibrary.REFERENCE,
        arguments=(*sizes, *scale_args, *data),
        constants=constants,
        structs=(out,),
        sources=("wc_fully_connected_s8.c",),
        macs=macs,
    )
