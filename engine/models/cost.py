"""Cost of every operator of a model from its shapes, and how long each activation lives."""

from __future__ import annotations

import math

from engine.models.cost_types import Lifetime, ModelCost, OperatorCost
from engine.models.graph import Graph, Operator, Subgraph


def model_cost(graph: Graph) -> ModelCost:
    """Cost of one inference of the main subgraph.

    MACs: CONV_2D output elements x filter height x width x input channels; DEPTHWISE_CONV_2D output elements x filter
    height x width; FULLY_CONNECTED output elements x input features; 0 for all others (they multiply nothing
    with weights). Parameters are the elements of weights and biases. Bytes count every operand once, without re-reads.
    """
    main = graph.main
    lifetimes = _lifetimes(main)
    return ModelCost(
        operators=tuple(_operator_cost(main, operator) for operator in main.operators),
        lifetimes=lifetimes,
        peak_bytes=_peak(lifetimes),
    )


_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def _macs(subgraph: Subgraph, operator: Operator) -> int:
    if operator.custom or operator.op not in _WEIGHTED:
        return 0
    output = subgraph.tensors[operator.outputs[0]].elements
    filter_shape = subgraph.tensors[operator.inputs[1]].shape
    # One output element takes one MAC per filter element that belongs to its channel.
    per_output = filter_shape[1:3] if operator.op == "DEPTHWISE_CONV_2D" else filter_shape[1:]
    return output * math.prod(per_output)


def _operator_cost(subgraph: Subgraph, operator: Operator) -> OperatorCost:
    inputs = [subgraph.tensors[t] for t in dict.fromkeys(operator.inputs) if t >= 0]
    outputs = [subgraph.tensors[t] for t in operator.outputs]
    constants = [t for t in inputs if t.data is not None]
    macs = _macs(subgraph, operator)
    weight_bytes = sum(t.bytes for t in constants)
    input_bytes = sum(t.bytes for t in inputs if t.data is None)
    output_bytes = sum(t.bytes for t in outputs)
    touched = weight_bytes + input_bytes + output_bytes
    return OperatorCost(
        index=operator.index,
        op=operator.op,
        name=outputs[0].name if outputs else "",
        output_shape=outputs[0].shape if outputs else (),
        macs=macs,
        parameters=sum(t.elements for t in constants) if operator.op in _WEIGHTED else 0,
        weight_bytes=weight_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arithmetic_intensity=2 * macs / touched if touched else 0.0,
    )


def _lifetimes(subgraph: Subgraph) -> tuple[Lifetime, ...]:
    """From the operator that writes a tensor to the last that reads it.

    Graph inputs live from operator 0, graph outputs to the end, variables through all of it.
    """
    end = len(subgraph.operators) - 1
    first: dict[int, int] = dict.fromkeys(subgraph.inputs, 0)
    last: dict[int, int] = dict.fromkeys(subgraph.inputs, 0)
    for operator in subgraph.operators:
        for t in operator.outputs:
            first.setdefault(t, operator.index)
        for t in (*operator.inputs, *operator.outputs):
            if t >= 0:
                last[t] = operator.index
    for t in subgraph.outputs:
        last[t] = end
    found = []
    for tensor in subgraph.tensors:
        if tensor.data is not None or tensor.bytes == 0 or tensor.index not in last:
            continue
        t = tensor.index
        begin, stop = (0, end) if tensor.is_variable else (first.get(t, 0), last[t])
        found.append(Lifetime(tensor=t, name=tensor.name, bytes=tensor.bytes, first=begin, last=stop))
    return tuple(found)


def _peak(lifetimes: tuple[Lifetime, ...]) -> int:
    changes: dict[int, int] = {}
    for life in lifetimes:
        changes[life.first] = changes.get(life.first, 0) + life.bytes
        changes[life.last + 1] = changes.get(life.last + 1, 0) - life.bytes
    alive = peak = 0
    for operator in sorted(changes):
        alive += changes[operator]
        peak = max(peak, alive)
    return peak
