"""ADD, RESHAPE and SOFTMAX: CMSIS-NN's packaged subset has none of them, so both libraries use our kernels."""

from __future__ import annotations

import numpy as np

from engine.firmware.lowering.types import NO_KERNEL, Call, Struct
from engine.firmware.lowering.view import OperatorView
from engine.firmware.quantise import FixedPoint, add_scaling, softmax_scaling
from engine.firmware.types import KernelLibrary
from engine.models.graph import AddOptions, DType, SoftmaxOptions

_MAX_SOFTMAX_DEPTH = 2**12 - 1


def add(view: OperatorView) -> Call:
    """ADD of two tensors of one shape, or with broadcasting over at most four axes."""
    o = view.options(AddOptions)
    view.expect((2, 2))
    a, b, target = view.input(0), view.input(1), view.output()
    qa, qb, qt = view.quantisation(a), view.quantisation(b), view.quantisation(target)
    scaling = add_scaling(qa.scale, qb.scale, qt.scale)
    if scaling is None:
        raise view.refuse("its output scale is too small for its input scales")
    limits = view.clamp(o.activation, qt)
    params = Struct(
        view.local("params"),
        "wc_add_t",
        f"{-qa.zero_point}, {-qb.zero_point}, {qt.zero_point}, {_scale(scaling.input1)}, {_scale(scaling.input2)}, "
        f"{_scale(scaling.output)}, {limits.low}, {limits.high}",
    )
    data = tuple(f"T{t}" for t in (*view.operator.inputs, *view.operator.outputs))
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        shape = None
    if shape != target.shape:
        raise view.refuse(f"{list(a.shape)} and {list(b.shape)} do not make {list(target.shape)}")
    if a.shape == b.shape:
        arguments = (f"&{params.name}", str(target.elements), *data)
        return _ours("wc_add_s8", arguments, (params,), "wc_add_s8.c")
    if len(shape) > 4:
        raise view.refuse(f"broadcasting over {len(shape)} axes is not supported, at most 4")
    size = ", ".join(map(str, _to_four(shape)))
    strides = (_strides(t.shape) for t in (a, b))
    broadcast = Struct(
        view.local("shape"),
        "wc_broadcast_t",
        f"{{{size}}}, " + ", ".join(f"{{{', '.join(map(str, s))}}}" for s in strides),
    )
    arguments = (f"&{params.name}", f"&{broadcast.name}", *data)
    return _ours("wc_add_broadcast_s8", arguments, (params, broadcast), "wc_add_s8.c")


def reshape(view: OperatorView) -> Call:
    """RESHAPE: the output is the input's storage under another shape; only a constant input is copied."""
    view.expect((1, 2))
    source, target = view.input(), view.output()
    if source.elements != target.elements:
        raise view.refuse(f"{list(source.shape)} and {list(target.shape)} have different numbers of elements")
    if len(view.operator.inputs) == 2 and view.operator.inputs[1] >= 0:
        shape = view.tensor(view.operator.inputs[1])
        if shape.data is None or shape.dtype is not DType.INT32:
            raise view.refuse("its shape is not a constant", "Shapes computed at run time are not supported.")
    view.same_quantisation(source, target)
    if source.data is None:
        return Call(kernel=NO_KERNEL, library=KernelLibrary.REFERENCE, alias=True)
    arguments = (f"T{target.index}", f"T{source.index}", str(source.bytes))
    return Call(kernel="memcpy", library=KernelLibrary.REFERENCE, arguments=arguments)


def softmax(view: OperatorView) -> Call:
    """SOFTMAX over the last axis; the output must have scale 1/256 and zero point -128, as TFLite prescribes."""
    o = view.options(SoftmaxOptions)
    view.expect((1, 1))
    source, target = view.input(), view.output()
    if source.shape != target.shape or not source.shape:
        raise view.refuse(f"its input has the shape {list(source.shape)}, its output {list(target.shape)}")
    out = view.quantisation(target)
    if out.scale != 1.0 / 256.0 or out.zero_point != -128:
        raise view.refuse("its output must have scale 1/256 and zero point -128")
    depth = source.shape[-1]
    if depth > _MAX_SOFTMAX_DEPTH:
        raise view.refuse(f"has {depth} classes, the sum of exponentials holds {_MAX_SOFTMAX_DEPTH}")
    scaling = softmax_scaling(o.beta, view.quantisation(source).scale)
    if scaling is None:
        raise view.refuse(f"beta ({o.beta:g}) times the input scale is too small")
    params = Struct(
        view.local("params"),
        "wc_softmax_t",
        f"{source.elements // depth}, {depth}, {_scale(scaling.input)}, {scaling.diff_min}",
    )
    arguments = (f"&{params.name}", f"T{source.index}", f"T{target.index}")
    return _ours("wc_softmax_s8", arguments, (params,), "wc_softmax_s8.c")


def _ours(kernel: str, arguments: tuple[str, ...], structs: tuple[Struct, ...], source: str) -> Call:
    return Call(kernel=kernel, library=KernelLibrary.REFERENCE, arguments=arguments, structs=structs, sources=(source,))


def _scale(s: FixedPoint) -> str:
    return f"{{{s.multiplier}, {s.shift}}}"


def _to_four(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (4 - len(shape)) + shape


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(_to_four(shape)):
        strides.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(strides))
