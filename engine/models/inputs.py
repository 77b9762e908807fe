"""Deterministic test inputs: a model's committed samples where it has some, random bytes otherwise."""

from __future__ import annotations

import hashlib

import numpy as np

from engine.errors import UsageError
from engine.models.graph import DType, Graph, Tensor
from engine.models.samples import zoo_samples

_INTEGERS = (
    DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32, DType.UINT32, DType.INT64, DType.UINT64,
)  # fmt: skip


def make_inputs(graph: Graph, count: int, seed: int = 0) -> tuple[bytes, ...]:
    """``count`` inputs, each the raw bytes of all graph inputs one after the other, in graph order.

    A zoo model's samples come first (from the ``seed``-th on, wrapping around once), then random ones: uniform over the
    whole range of integer types, uniform in [-1, 1) for floats. The same arguments give the same bytes on every machine.
    Raises UsageError for a count below 1 or an input type that has no such values.
    """
    if count < 1:
        raise UsageError(f"{count} inputs were asked for", hint="ask for at least one")
    samples = [s.inputs for s in zoo_samples(graph.sha256)]
    first = seed % len(samples) if samples else 0
    chosen = (samples[first:] + samples[:first])[:count]
    rest = (_random(graph, seed, i) for i in range(count - len(chosen)))
    return (*chosen, *rest)


def input_bytes(graph: Graph) -> int:
    """Bytes of one inference's input."""
    return sum(graph.main.tensors[t].bytes for t in graph.main.inputs)


def output_bytes(graph: Graph) -> int:
    """Bytes of one inference's output."""
    return sum(graph.main.tensors[t].bytes for t in graph.main.outputs)


def _random(graph: Graph, seed: int, index: int) -> bytes:
    return b"".join(_fill(graph.main.tensors[t], f"{seed}/{index}/{t}") for t in graph.main.inputs)


def _fill(tensor: Tensor, label: str) -> bytes:
    # An extendable hash rather than a generator of numpy, whose streams may change between its versions.
    stream = hashlib.shake_256(f"whycycles input {label}".encode())
    if tensor.dtype in _INTEGERS:
        return stream.digest(tensor.bytes)
    if tensor.dtype is DType.BOOL:
        return (np.frombuffer(stream.digest(tensor.bytes), np.uint8) & 1).tobytes()
    if tensor.dtype in (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64):
        words = np.frombuffer(stream.digest(4 * tensor.elements), np.dtype("<u4"))
        unit = (words >> np.uint32(8)).astype(np.float64) / 2**23 - 1.0
        return unit.astype(np.dtype(f"<f{tensor.dtype.bits // 8}")).tobytes()
    raise UsageError(
        f"input {tensor.name!r} has type {tensor.dtype}, for which no test inputs can be made",
        hint="use a model with integer or float inputs",
    )
