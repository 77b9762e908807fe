"""What a checkout of CMSIS-NN wants from its callers, read from its own header and wrappers instead of from a version number.

Releases 4.0.0 to 7.0.0, the development state after them and the CMSIS-NN that was part of CMSIS_5 (5.8.0 to 2022) differ in these
facts; the prototypes of the kernels that lowered models call are compared with the known ones, so that an interface nobody has
looked at ends here and not in a compiler error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.errors import ToolError

_HEADER = Path("Include", "arm_nnfunctions.h")
_SUPPORT = Path("Include", "arm_nnsupportfunctions.h")
_CONVOLUTIONS = Path("Source", "ConvolutionFunctions")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)

_CTX, _DIMS, _INT8, _INT32 = "cmsis_nn_context*", "cmsis_nn_dims*", "int8_t*", "int32_t*"
_CHANNEL, _TENSOR = "cmsis_nn_per_channel_quant_params*", "cmsis_nn_per_tensor_quant_params*"
_DATA = (_DIMS, _INT8, _DIMS, _INT8, _DIMS, _INT32)
_OUT = (_DIMS, _INT8)
_CONVOLVE = (_CTX, "cmsis_nn_conv_params*", _CHANNEL, *_DATA, *_OUT)
_UPSCALED = (_CTX, "cmsis_nn_conv_params*", _CHANNEL, *_DATA, _DIMS, *_OUT)
_DEPTHWISE = (_CTX, "cmsis_nn_dw_conv_params*", _CHANNEL, *_DATA, *_OUT)
_POOL = (_CTX, "cmsis_nn_pool_params*", _DIMS, _INT8, _DIMS, *_OUT)
_KNOWN: dict[str, tuple[tuple[str, ...], ...]] = {
    "arm_convolve_s8": (_CONVOLVE, _UPSCALED),
    "arm_convolve_1_x_n_s8": (_CONVOLVE,),
    "arm_convolve_1x1_s8": (_CONVOLVE,),
    "arm_convolve_1x1_s8_fast": (_CONVOLVE,),
    "arm_depthwise_conv_s8": (_DEPTHWISE,),
    "arm_depthwise_conv_s8_opt": (_DEPTHWISE,),
    "arm_depthwise_conv_3x3_s8": (_DEPTHWISE,),
    "arm_depthwise_conv_wrapper_s8": (_DEPTHWISE,),
    "arm_fully_connected_s8": ((_CTX, "cmsis_nn_fc_params*", _TENSOR, *_DATA, *_OUT),),
    "arm_avgpool_s8": (_POOL,),
    "arm_max_pool_s8": (_POOL,),
}
_LATER = frozenset({"arm_convolve_1x1_s8"})
"""Kernels that CMSIS_5 had not."""

_ALIASES = {"q7_t": "int8_t", "q15_t": "int16_t", "q31_t": "int32_t"}
"""What CMSIS_5 called the same types."""

_DILATED = ("arm_convolve_s8", "arm_depthwise_conv_s8")
_SUMS_FROM_BIAS = {
    "arm_convolve_s8": "arm_nn_mat_mult_kernel_s8_s16.c",
    "arm_depthwise_conv_s8": "arm_depthwise_conv_s8.c",
    "arm_depthwise_conv_s8_opt": "arm_depthwise_conv_s8_opt.c",
    "arm_depthwise_conv_3x3_s8": "arm_depthwise_conv_3x3_s8.c",
}
"""Kernels, and the file in which their sums begin with the bias."""

_SUMMED = (_INT32, "int32_t", "int32_t", _INT8)


class KernelSums(StrEnum):
    """What ``arm_fully_connected_s8`` wants in its buffer on a core with Helium: what ``arm_vector_sum_s8`` makes there."""

    NONE = "none"
    PLAIN = "plain"
    WITH_BIAS = "with bias"


_SUMS: dict[tuple[str, ...], KernelSums] = {
    _SUMMED: KernelSums.PLAIN,
    (*_SUMMED, "int32_t", _INT32): KernelSums.WITH_BIAS,
    (*_SUMMED, "int32_t", "int32_t", _INT32): KernelSums.WITH_BIAS,
}


@dataclass(frozen=True)
class CmsisNnInterface:
    """Facts about a CMSIS-NN; as they are in 4.0.0 unless told otherwise.

    - ``convolve_takes_upscale_dims``: ``arm_convolve_s8`` has that argument, for transposed convolutions.
    - ``kernel_sums``: see ``KernelSums``; per unit the sum of its weights, or that times the input offset plus the bias.
    - ``one_by_n_needs_quads``: the wrapper takes ``arm_convolve_1_x_n_s8`` where the output's width is a multiple of 4; otherwise
      where stride times input channels is one, and that kernel then wants scratch.
    - ``columns_are_aligned``: convolutions round the columns in their scratch up (to 4 values of 16 bits; Helium: to 16 of 8 bits).
    - ``widens_one_channel``: with Helium the depthwise wrapper does a layer with one input channel as a convolution.
    - ``one_by_one_needs_quads``: ``arm_convolve_1x1_s8_fast`` refuses input channels that are no multiple of 4.
    - ``one_by_one_strides``: there is ``arm_convolve_1x1_s8`` for strides above 1; otherwise the wrapper takes ``arm_convolve_s8``.
    - ``needs_bias``: kernels that take a missing bias for one at an address.
    - ``ignores_dilation``: kernels that compute as if the dilation were 1.
    - ``helium_is_known``: what the kernels for Helium want is known here.
    """

    convolve_takes_upscale_dims: bool = False
    kernel_sums: KernelSums = KernelSums.NONE
    one_by_n_needs_quads: bool = True
    columns_are_aligned: bool = False
    widens_one_channel: bool = False
    one_by_one_needs_quads: bool = False
    one_by_one_strides: bool = True
    needs_bias: frozenset[str] = frozenset()
    ignores_dilation: frozenset[str] = frozenset()
    helium_is_known: bool = True


PACKAGED = CmsisNnInterface()
"""That of the CMSIS-NN in the ``bakenn`` wheel, 4.0.0."""


def read_interface(root: Path) -> CmsisNnInterface:
    """The interface of the CMSIS-NN at ``root``. Raises ToolError if it is not one of the known ones."""
    header = _text(root / _HEADER)
    found = {
        name: _prototype(root, header, name, known)
        for name, known in _KNOWN.items()
        if name not in _LATER or _parameters(header, name) is not None
    }
    support = _text(root / _SUPPORT)
    wrapper = _text(root / _CONVOLUTIONS / "arm_convolve_wrapper_s8.c")
    depthwise_wrapper = _text(root / _CONVOLUTIONS / "arm_depthwise_conv_wrapper_s8.c")
    sums = _parameters(header, "arm_vector_sum_s8")
    if sums is not None and sums not in _SUMS:
        raise _unknown(root, "arm_vector_sum_s8", sums, tuple(_SUMS))
    return CmsisNnInterface(
        convolve_takes_upscale_dims=found["arm_convolve_s8"] == _UPSCALED,
        kernel_sums=_SUMS[sums] if sums is not None else KernelSums.NONE,
        one_by_n_needs_quads=not re.search(r"stride\.w\s*\*\s*input_dims->c\)?\s*%\s*4", wrapper + support),
        columns_are_aligned=(root / _CONVOLUTIONS / "arm_convolve_get_buffer_sizes_s8.c").is_file(),
        widens_one_channel="arm_depthwise_conv_to_conv_s8" in depthwise_wrapper,
        one_by_one_needs_quads=bool(re.search(r"input_dims->c\s*%\s*4", _kernel(root, "arm_convolve_1x1_s8_fast.c"))),
        one_by_one_strides="arm_convolve_1x1_s8" in found,
        needs_bias=frozenset(k for k, file in _SUMS_FROM_BIAS.items() if _reads_any_bias(_kernel(root, file))),
        ignores_dilation=frozenset(k for k in _DILATED if _ignores_dilation(_kernel(root, f"{k}.c"))),
        helium_is_known="q7_t" not in header,
    )


def _kernel(root: Path, file: str) -> str:
    return _text(root / _CONVOLUTIONS / file)


def _reads_any_bias(text: str) -> bool:
    return bool(re.search(r"\bbias\b", text)) and not re.search(r"\bif\s*\(\s*(output_)?bias(_data)?\b", text)


def _ignores_dilation(text: str) -> bool:
    return bool(text) and not re.search(r"dilation\s*\.\s*[wh]\b", text)


def _prototype(root: Path, header: str, name: str, known: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    types = _parameters(header, name)
    if types is None:
        raise ToolError(f"the CMSIS-NN at {root} declares no {name}", hint=_hint())
    if types not in known:
        raise _unknown(root, name, types, known)
    return types


def _unknown(root: Path, name: str, types: tuple[str, ...], known: tuple[tuple[str, ...], ...]) -> ToolError:
    counts = " or ".join(sorted({str(len(k)) for k in known}))
    more = next((t for t, k in zip(types, known[-1], strict=False) if t != k), types[-1] if types else "none")
    return ToolError(
        f"the CMSIS-NN at {root} declares {name} with {len(types)} arguments that are not known here (first at odds: {more})",
        hint=f"known is {name} with {counts} arguments. {_hint()}",
    )


def _hint() -> str:
    return (
        "Point CMSIS_NN_PATH at a release of github.com/ARM-software/CMSIS-NN from 4.0.0 to 7.0.0 "
        "or of github.com/ARM-software/CMSIS_5 from 5.8.0, or unset it."
    )


def _parameters(header: str, name: str) -> tuple[str, ...] | None:
    """Parameter types of a prototype without const and names ("int8_t*"); None if it is not declared."""
    found = re.search(rf"\b{name}\s*\(([^()]*)\)\s*;", header)
    return tuple(_type(p) for p in found[1].split(",")) if found else None


def _type(parameter: str) -> str:
    words = re.sub(r"\bconst\b", " ", parameter)
    if not words.split():
        return ""
    name = words.split()[0].rstrip("*")
    return f"{_ALIASES.get(name, name)}{'*' * words.count('*')}"


def _text(path: Path) -> str:
    return _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""
