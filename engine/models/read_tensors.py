"""Tensors, constants and quantisation of a ``.tflite`` file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from engine.models.graph import DType, Quantisation, Tensor
from engine.models.read_values import ReadContext, finite_positive, ints, text, vector

MAX_RANK = 16
MAX_TENSOR_BYTES = 2**31 - 1
"""Larger tensors are refused: sizes and offsets of the generated C are 32 bit wide."""

_DTYPES = {getattr(tflite.TensorType, dtype.name): dtype for dtype in DType if hasattr(tflite.TensorType, dtype.name)}

_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.INT8: np.dtype("<i1"),
    DType.UINT8: np.dtype("<u1"),
    DType.INT16: np.dtype("<i2"),
    DType.UINT16: np.dtype("<u2"),
    DType.INT32: np.dtype("<i4"),
    DType.UINT32: np.dtype("<u4"),
    DType.INT64: np.dtype("<i8"),
    DType.UINT64: np.dtype("<u8"),
    DType.FLOAT16: np.dtype("<f2"),
    DType.BFLOAT16: np.dtype("<u2"),
    DType.FLOAT32: np.dtype("<f4"),
    DType.FLOAT64: np.dtype("<f8"),
    DType.BOOL: np.dtype("<u1"),
    DType.COMPLEX64: np.dtype("<c8"),
    DType.COMPLEX128: np.dtype("<c16"),
}

_ZERO_POINTS = {
    DType.INT4: (-8, 7),
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-(2**15), 2**15 - 1),
    DType.UINT16: (0, 2**16 - 1),
    DType.INT32: (-(2**31), 2**31 - 1),
}


class Constants:
    """The content of every buffer, viewed without copy, so that sharing a buffer costs nothing."""

    def __init__(self, contents: tuple[memoryview, ...]) -> None:
        self._contents = contents
        self._unpacked: dict[int, NDArray[np.int8]] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def content(self, buffer: int) -> memoryview:
        """Raw bytes of one buffer; empty where it has none."""
        return self._contents[buffer]

    def int4(self, buffer: int) -> NDArray[np.int8]:
        """One buffer of signed nibbles, low one first, unpacked once however many tensors use it."""
        if buffer not in self._unpacked:
            packed = np.frombuffer(self._contents[buffer], dtype=np.uint8)
            nibbles = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1).astype(np.int8)
            unpacked = np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)
            unpacked.flags.writeable = False
            self._unpacked[buffer] = unpacked
        return self._unpacked[buffer]


def read_constants(context: ReadContext, model: Any) -> Constants:
    """The buffers of the file. Raises ModelError where their content lies elsewhere."""
    found = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        if buffer.Offset() > 1 or buffer.Size() > 1:  # Writers put 1 as a placeholder for "inside".
            raise context.unsupported(
                f"buffer {i} lies behind the model's tables (offset {buffer.Offset()}, {buffer.Size()} bytes)",
                "export the model with its weights inside the tables (converter option _use_buffer_offset off)",
            )
        content = vector(buffer, "Data")
        found.append(memoryview(b"") if content is None else content.data)
    return Constants(tuple(found))


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The little-endian numpy type of an element. Raises KeyError for types without a fixed width of whole bytes."""
    return _NUMPY[dtype]


def read_tensor(context: ReadContext, source: Any, index: int, constants: Constants) -> Tensor:
    """One tensor with its constant content, if it has any. Raises ModelError."""
    name = text(source.Name())
    here = context.inside(f"{context.place}: tensor {index} ({name!r})".lstrip(": "))
    dtype = _DTYPES.get(source.Type())
    if dtype is None:
        raise here.bad(f"has element type {source.Type()}, which does not exist")
    if source.Sparsity() is not None:
        raise here.unsupported("is stored sparsely", "convert the model without sparse weights")
    if source._tab.Offset(4 + 2 * 10):
        raise here.unsupported("keeps its weights in an external file", "export the model with its weights inside")
    shape = _shape(here, source, dtype)
    if not 0 <= source.Buffer() < len(constants):
        raise here.bad(f"uses buffer {source.Buffer()}, but the file has {len(constants)}")
    data = _data(here, constants, source.Buffer(), dtype, shape)
    if data is not None and source.IsVariable():  # TFLite refuses it too; TFLite Micro would zero the constant
        raise here.bad("is a variable, but has constant content")
    return Tensor(
        index=index,
        name=name,
        dtype=dtype,
        shape=shape,
        signature=_signature(here, source, shape),
        quantisation=_quantisation(here, source.Quantization(), dtype, shape),
        data=data,
        is_variable=bool(source.IsVariable()),
    )


def _shape(here: ReadContext, source: Any, dtype: DType) -> tuple[int, ...]:
    if source.ShapeLength() > MAX_RANK:
        raise here.bad(f"has {source.ShapeLength()} dimensions")
    shape = ints(source, "Shape")
    elements = 1
    for dimension in shape:
        if dimension < 0:
            raise here.bad(f"has a negative dimension in its shape {list(shape)}")
        elements *= dimension
    # A zero anywhere must not hide a huge product of the others from whoever sizes loops by single dimensions.
    if max(shape, default=0) > MAX_TENSOR_BYTES or elements * max(dtype.bits, 8) > 8 * MAX_TENSOR_BYTES:
        raise here.bad(f"has shape {list(shape)}, which is more than {MAX_TENSOR_BYTES} bytes")
    return shape


def _signature(here: ReadContext, source: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if source.ShapeSignatureLength() == 0:
        return shape
    if source.ShapeSignatureLength() != len(shape):
        raise here.bad(f"has {len(shape)} dimensions, but {source.ShapeSignatureLength()} in its shape signature")
    signature = ints(source, "ShapeSignature")
    if any(s not in (-1, d) for s, d in zip(signature, shape, strict=True)):
        raise here.bad(f"has shape {list(shape)}, which its shape signature {list(signature)} does not allow")
    return signature


def _quantisation(here: ReadContext, source: Any, dtype: DType, shape: tuple[int, ...]) -> Quantisation | None:
    if source is None or source.ScaleLength() == 0:
        return None
    count = source.ScaleLength()
    if source.ZeroPointLength() != count:
        raise here.bad(f"has {count} scales, but {source.ZeroPointLength()} zero points")
    axis = source.QuantizedDimension()
    if count == 1 and not 0 <= axis < len(shape):
        axis = 0
    if count > 1 and (not 0 <= axis < len(shape) or shape[axis] != count):
        raise here.bad(f"has {count} scales along axis {axis} of its shape {list(shape)}")
    scales = vector(source, "Scale")
    if scales is None or not finite_positive(scales):
        raise here.bad("has a scale that is not a positive finite number")
    zero_points = ints(source, "ZeroPoint")
    low, high = _ZERO_POINTS.get(dtype, (-(2**63), 2**63 - 1))
    outside = next((z for z in zero_points if not low <= z <= high), None)
    if outside is not None:
        raise here.bad(f"has zero point {outside}, which {dtype} cannot hold")
    return Quantisation(tuple(float(s) for s in scales), zero_points, axis)


def _data(
    here: ReadContext, constants: Constants, buffer: int, dtype: DType, shape: tuple[int, ...]
) -> NDArray[np.generic] | None:
    """Content with ``shape``, None where there is none; types without a fixed width stay raw bytes."""
    content = constants.content(buffer)
    if len(content) == 0:
        return None
    if dtype.bits == 0:
        return np.frombuffer(content, dtype=np.uint8)
    elements = math.prod(shape)
    wanted = (elements * dtype.bits + 7) // 8
    if len(content) != wanted:
        raise here.bad(f"has shape {list(shape)}, which takes {wanted} bytes, but its buffer holds {len(content)}")
    if dtype is DType.INT4:
        return constants.int4(buffer)[:elements].reshape(shape)
    return np.frombuffer(content, dtype=_NUMPY[dtype]).reshape(shape)
