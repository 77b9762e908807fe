"""From raw output bytes to the real values they stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.models.graph import Graph
from engine.models.read_tensors import numpy_dtype


def real_outputs(graph: Graph, raw: bytes) -> NDArray[np.float64]:
    """The real values of all outputs, in graph order; ``raw`` are their bytes one after the other."""
    parts, at = [], 0
    for index in graph.main.outputs:
        tensor = graph.main.tensors[index]
        values = np.frombuffer(raw, numpy_dtype(tensor.dtype), tensor.elements, at).astype(np.float64)
        at += tensor.bytes
        q = tensor.quantisation
        if q is not None and q.scales:
            values = (values - (q.zero_points[0] if q.zero_points else 0)) * q.scales[0]
        parts.append(values)
    return np.concatenate(parts)


def output_step(graph: Graph) -> float:
    """The largest quantisation step of an output; 0 for a float model."""
    steps = (graph.main.tensors[i].quantisation for i in graph.main.outputs)
    return max((q.scales[0] for q in steps if q is not None and q.scales), default=0.0)
