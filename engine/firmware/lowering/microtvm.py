"""What Apache TVM's microTVM of 2022 does differently from TensorFlow Lite Micro when it calls CMSIS-NN.

Opened for this (TVM at the commits stored in the index that was searched; ``src/relay/backend/contrib/cmsisnn``):

- ``convolutions.cc`` at apache/tvm@800f65fb: ``IsCMSISNNDepthwise`` is true if the output channels equal the filter's O times I,
  which holds for every convolution of a single input channel, grouped or not.
- ``relay_to_tir.cc`` (``EmitConv2D``): such a convolution calls ``arm_depthwise_conv_wrapper_s8`` with the filter dimensions
  {1, H, W, output channels}, and with ``ch_mult`` = O where there is one input channel.
- mlcommons/tiny_results_v1.0@cc81fd5c, ``closed/OctoML/code/microtvm_cmsis_nn``: generated code as submitted to MLPerf Tiny 1.0.
  ``NUCLEO_L4R5ZI/kws/model/codegen/host/src/default_lib2.c`` does the first convolution (49x10x1, filter 10x4, 64 outputs)
  that way with ``ch_mult`` 64. ``NUCLEO_L4R5ZI/ad/…/default_lib1.c`` and ``NRF5340DK/ad/…/default_lib1.c`` take and return
  ``float *``: ``roundf(x * 2.470071f) + 81.0f`` clamped to int8 before the first layer, ``(q - 89) * 0.3760228f`` behind the
  last, 640 values each, inside the timed ``th_infer`` (``NRF5340DK/ad/src/submitter_implemented.cpp``). Their KWS takes int8.

Only these choices are followed. TVM's own memory plan and its driver between kernels are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from engine.errors import ModelError
from engine.firmware.lowering.types import Call
from engine.firmware.lowering.view import BROKEN_HINT, OperatorView
from engine.firmware.lowering.window import Window
from engine.firmware.types import FloatInput, KernelLibrary, Lowering
from engine.models.graph import DType, Operator, OtherOptions, Subgraph, Tensor

FLOAT_IO = frozenset({"87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24"})
"""SHA-256 of models whose published microTVM builds took and returned float32: ad01_int8.tflite (MLPerf Tiny AD).

The submission converted its own file of the same network (its scales differ from ours); the conversions are the same work.
"""


def is_depthwise(view: OperatorView, w: Window) -> bool:
    """Whether this CONV_2D goes to the depthwise kernels: TVM does so with every convolution of a single input channel."""
    return view.lowering is Lowering.MICROTVM and view.library is KernelLibrary.CMSIS_NN and w.in_c == 1


def with_float_io(graph: Subgraph) -> tuple[Subgraph, FloatInput]:
    """The same model with float32 input, and a float32 copy of its output.

    A QUANTIZE comes first and a DEQUANTIZE last, with the indices behind the last operator's, so that all others keep
    theirs. The model's output stays the int8 tensor, which lives on beside its float copy: hosts read and check that one.
    Raises ModelError unless there is one input and one output.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"float input and output need one of each, not {len(graph.inputs)} and {len(graph.outputs)}",
            hint=BROKEN_HINT,
        )
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    floats = tuple(_as_float(t, len(graph.tensors) + n) for n, t in enumerate((source, target)))
    last = max(o.index for o in graph.operators)
    quantize_ = Operator(last + 1, "QUANTIZE", (floats[0].index,), (source.index,), OtherOptions())
    dequantize_ = Operator(last + 2, "DEQUANTIZE", (target.index,), (floats[1].index,), OtherOptions())
    changed = dataclasses.replace(
        graph,
        tensors=(*graph.tensors, *floats),
        operators=(quantize_, *graph.operators, dequantize_),
        inputs=(floats[0].index,),
    )
    q = OperatorView(changed, quantize_, KernelLibrary.REFERENCE, dsp=False).quantisation(source)
    return changed, FloatInput(q.scale, q.zero_point)


def _as_float(tensor: Tensor, index: int) -> Tensor:
    return dataclasses.replace(
        tensor, index=index, name=f"{tensor.name} (float)", dtype=DType.FLOAT32, quantisation=None
    )


def _quantize(view: OperatorView) -> Call:
    target = view.output()
    q = view.quantisation(target)
    # TVM folds the division into a product with the float32 reciprocal
    inverse = np.float32(1.0) / np.float32(q.scale)
    source = f"(const void *)T{view.operator.inputs[0]}"
    numbers = (str(target.elements), _literal(inverse), _literal(np.float32(q.zero_point)))
    return Call(
        kernel="wc_quantize_f32_s8",
        library=KernelLibrary.REFERENCE,
        arguments=(*numbers, source, f"T{target.index}"),
        sources=("wc_float_io.c", "wc_roundf.c"),
    )


def _dequantize(view: OperatorView) -> Call:
    source = view.input()
    q = view.quantisation(source)
    numbers = (str(source.elements), _literal(np.float32(q.scale)), str(q.zero_point))
    return Call(
        kernel="wc_dequantize_s8_f32",
        library=KernelLibrary.REFERENCE,
        arguments=(*numbers, f"T{source.index}", f"(void *)T{view.operator.outputs[0]}"),
        sources=("wc_float_io.c", "wc_roundf.c"),
    )


def _literal(value: np.float32) -> str:
    # hexadecimal: the very bits, whatever the compiler's decimal conversion does
    return f"{float(value).hex()}f"


FLOAT_LOWERINGS: dict[str, Callable[[OperatorView], Call]] = {"QUANTIZE": _quantize, "DEQUANTIZE": _dequantize}
"""The two operators that ``with_float_io`` adds; models that bring their own are not supported."""
