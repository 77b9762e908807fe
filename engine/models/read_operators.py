"""Operators and their options of a ``.tflite`` file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tflite
from flatbuffers.number_types import Int32Flags
from tflite.utils import BUILTIN_OPCODE2NAME

from engine.models.graph import (
    Activation,
    AddOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Operator,
    Options,
    OtherOptions,
    Padding,
    Pool2DOptions,
    ReshapeOptions,
    SoftmaxOptions,
)
from engine.models.read_values import ReadContext, ints, text

MAX_WINDOW = 2**15 - 1
"""Strides, dilations and window sizes above this are refused, so that products of two fit 32 bits."""

_PADDINGS = {tflite.Padding.SAME: Padding.SAME, tflite.Padding.VALID: Padding.VALID}
_ACTIVATIONS = {getattr(tflite.ActivationFunctionType, a.name): a for a in Activation}


def read_opcodes(context: ReadContext, model: Any) -> tuple[tuple[str, bool], ...]:
    """Name of every operator code, and whether it is custom. Raises ModelError for a code that does not exist."""
    found = []
    for i in range(model.OperatorCodesLength()):
        source = model.OperatorCodes(i)
        # Older writers fill only the 8-bit field, the newest only the other; where they disagree, TFLite takes the larger.
        code = max(source.DeprecatedBuiltinCode(), _builtin_code(source))
        if code == tflite.BuiltinOperator.CUSTOM:
            name = text(source.CustomCode())
            if not name:
                raise context.bad(f"operator code {i} is custom, but has no name")
            found.append((name, True))
        elif code in BUILTIN_OPCODE2NAME and code != tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES:
            found.append((BUILTIN_OPCODE2NAME[code], False))
        else:
            raise context.unsupported(
                f"operator code {i} is number {code}, which this version does not know",
                "the file is damaged, or newer than this program: try a newer version, or convert for an older runtime",
            )
    return tuple(found)


def _builtin_code(source: Any) -> int:
    """The field ``builtin_code`` itself: the bindings' own accessor gives the other field for codes below 127."""
    offset = source._tab.Offset(10)
    code: int = source._tab.Get(Int32Flags, offset + source._tab.Pos) if offset else 0
    return code


def read_operator(
    context: ReadContext, source: Any, index: int, opcodes: tuple[tuple[str, bool], ...], tensors: int
) -> Operator:
    """One operator of a subgraph with ``tensors`` tensors. Raises ModelError."""
    here = context.inside(f"{context.place}: operator {index}".lstrip(": "))
    if not 0 <= source.OpcodeIndex() < len(opcodes):
        raise here.bad(f"uses operator code {source.OpcodeIndex()}, but the file has {len(opcodes)}")
    op, custom = opcodes[source.OpcodeIndex()]
    here = here.inside(f"{here.place} ({op})")
    if source.LargeCustomOptionsOffset() > 1 or source.LargeCustomOptionsSize() > 1:
        raise here.unsupported(
            "keeps its options behind the model's tables", "export the model with its options inside"
        )
    inputs, outputs = ints(source, "Inputs"), ints(source, "Outputs")
    for t in inputs:
        if not -1 <= t < tensors:
            raise here.bad(f"reads tensor {t}, but there are {tensors}")
    for t in outputs:
        if not 0 <= t < tensors:
            raise here.bad(f"writes tensor {t}, but there are {tensors}")
    options: Options = OtherOptions()
    if not custom and op in _KNOWN:
        options = _options(here, source, _KNOWN[op])
    return Operator(index=index, op=op, inputs=inputs, outputs=outputs, options=options, custom=custom)


@dataclass(frozen=True)
class _Known:
    """How to read the options of one operator: the bindings' table, the reader, and whether a file may leave it out."""

    table: str
    read: Callable[[ReadContext, Any], Options]
    optional: bool = False


def _options(here: ReadContext, source: Any, known: _Known) -> Options:
    union = source.BuiltinOptions()
    if union is None or source.BuiltinOptionsType() == tflite.BuiltinOptions.NONE:
        if known.optional:
            return known.read(here, None)
        raise here.bad("has no options")
    if source.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, known.table):
        raise here.bad(f"has options of another operator (kind {source.BuiltinOptionsType()})")
    table = getattr(tflite, known.table)()
    table.Init(union.Bytes, union.Pos)
    return known.read(here, table)


def _padding(here: ReadContext, value: int) -> Padding:
    if value not in _PADDINGS:
        raise here.bad(f"has padding {value}, which does not exist")
    return _PADDINGS[value]


def _activation(here: ReadContext, value: int) -> Activation:
    if value not in _ACTIVATIONS:
        raise here.bad(f"has fused activation {value}, which does not exist")
    return _ACTIVATIONS[value]


def _window(here: ReadContext, what: str, value: int) -> int:
    if not 1 <= value <= MAX_WINDOW:
        raise here.bad(f"has {what} {value}, which is not in 1..{MAX_WINDOW}")
    return value


def _conv(here: ReadContext, o: Any) -> Options:
    return Conv2DOptions(
        padding=_padding(here, o.Padding()),
        stride_h=_window(here, "vertical stride", o.StrideH()),
        stride_w=_window(here, "horizontal stride", o.StrideW()),
        dilation_h=_window(here, "vertical dilation", o.DilationHFactor()),
        dilation_w=_window(here, "horizontal dilation", o.DilationWFactor()),
        activation=_activation(here, o.FusedActivationFunction()),
    )


def _depthwise(here: ReadContext, o: Any) -> Options:
    return DepthwiseConv2DOptions(
        padding=_padding(here, o.Padding()),
        stride_h=_window(here, "vertical stride", o.StrideH()),
        stride_w=_window(here, "horizontal stride", o.StrideW()),
        dilation_h=_window(here, "vertical dilation", o.DilationHFactor()),
        dilation_w=_window(here, "horizontal dilation", o.DilationWFactor()),
        depth_multiplier=_window(here, "depth multiplier", o.DepthMultiplier()),
        activation=_activation(here, o.FusedActivationFunction()),
    )


def _fully_connected(here: ReadContext, o: Any) -> Options:
    if o.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise here.unsupported("has shuffled weights", "convert the model with the default weights format")
    return FullyConnectedOptions(
        activation=_activation(here, o.FusedActivationFunction()), keep_num_dims=bool(o.KeepNumDims())
    )


def _pool(here: ReadContext, o: Any) -> Options:
    return Pool2DOptions(
        padding=_padding(here, o.Padding()),
        stride_h=_window(here, "vertical stride", o.StrideH()),
        stride_w=_window(here, "horizontal stride", o.StrideW()),
        filter_h=_window(here, "window height", o.FilterHeight()),
        filter_w=_window(here, "window width", o.FilterWidth()),
        activation=_activation(here, o.FusedActivationFunction()),
    )


def _add(here: ReadContext, o: Any) -> Options:
    return AddOptions(activation=_activation(here, o.FusedActivationFunction()))


def _reshape(here: ReadContext, o: Any) -> Options:
    return ReshapeOptions()


def _softmax(here: ReadContext, o: Any) -> Options:
    beta = float(o.Beta())
    if not math.isfinite(beta) or beta <= 0:
        raise here.bad(f"has beta {beta}, which is not a positive finite number")
    return SoftmaxOptions(beta=beta)


_KNOWN = {
    "CONV_2D": _Known("Conv2DOptions", _conv),
    "DEPTHWISE_CONV_2D": _Known("DepthwiseConv2DOptions", _depthwise),
    "FULLY_CONNECTED": _Known("FullyConnectedOptions", _fully_connected),
    "AVERAGE_POOL_2D": _Known("Pool2DOptions", _pool),
    "MAX_POOL_2D": _Known("Pool2DOptions", _pool),
    "ADD": _Known("AddOptions", _add),
    "RESHAPE": _Known("ReshapeOptions", _reshape, optional=True),
    "SOFTMAX": _Known("SoftmaxOptions", _softmax),
}
