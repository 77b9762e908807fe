"""A graph becomes C: every operator a kernel call, every tensor a place in the arena."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from engine.errors import ModelError, UnsupportedOperatorError, UsageError
from engine.firmware import planner
from engine.firmware.cmsis_nn_interface import PACKAGED, CmsisNnInterface
from engine.firmware.lowering.codegen import Listing, render
from engine.firmware.lowering.microtvm import FLOAT_IO, FLOAT_LOWERINGS, with_float_io
from engine.firmware.lowering.registry import LOWERINGS, supported_operators
from engine.firmware.lowering.types import Call, LoweredModel
from engine.firmware.lowering.view import BROKEN_HINT, OperatorView
from engine.firmware.quantise import INT32_MAX
from engine.firmware.types import ArenaPlan, ArenaTensor, KernelLibrary, LoweredLayer, Lowering
from engine.models.graph import DType, Graph, Operator, Subgraph
from engine.paths import FIRMWARE_DIR
from engine.words import layer_name

MAX_OPERATORS = 2048


def lower(
    graph: Graph,
    library: KernelLibrary,
    *,
    core_features: Collection[str],
    lowering: Lowering = Lowering.TFLM,
    interface: CmsisNnInterface = PACKAGED,
) -> LoweredModel:
    """Lower the main subgraph of ``graph`` to C that calls ``library``, with the choices of ``lowering``.

    ``core_features`` names the core's extensions; "dsp" and "mve" decide which CMSIS-NN kernels and scratch buffers are used.
    ``interface`` is that of the CMSIS-NN to be called; the packaged one's unless told otherwise.
    Raises UnsupportedOperatorError for operators without a lowering and for float models, ModelError for a model that is
    broken or that a kernel cannot take, UsageError for a ``lowering`` that ``library`` has none for.
    """
    if lowering is Lowering.MICROTVM and library is not KernelLibrary.CMSIS_NN:
        raise UsageError(
            f"the microtvm lowering calls CMSIS-NN's kernels, not {library}",
            hint="Use --kernels cmsis-nn, or leave --lowering out.",
        )
    main = graph.main
    _check_operators(main)
    _check_flow(main)
    dsp, mve = ("dsp" in core_features), ("mve" in core_features)
    float_input = None
    table = LOWERINGS
    if lowering is Lowering.MICROTVM and graph.sha256 in FLOAT_IO:
        main, float_input = with_float_io(main)
        table = {**LOWERINGS, **FLOAT_LOWERINGS}
    calls = [table[o.op](OperatorView(main, o, library, dsp, lowering, mve, interface)) for o in main.operators]
    arena, storage = _plan(main, calls)
    layers = tuple(_layer(main, o, c) for o, c in zip(main.operators, calls, strict=True))
    inputs = tuple(storage[t] for t in main.inputs)
    outputs = tuple(storage[t] for t in main.outputs)
    listing = Listing(
        name=graph.name, library=library, graph=main, calls=tuple(calls), layers=layers, arena=arena,
        inputs=inputs, outputs=outputs,
    )  # fmt: skip
    ours = sorted({s for c in calls for s in c.sources if c.library is KernelLibrary.REFERENCE})
    arm = sorted({s for c in calls for s in c.sources if c.library is KernelLibrary.CMSIS_NN})
    return LoweredModel(
        library=library,
        source=render(listing),
        layers=layers,
        arena=arena,
        inputs=inputs,
        outputs=outputs,
        kernel_sources=tuple(FIRMWARE_DIR / "kernels" / s for s in ours),
        cmsis_nn_sources=tuple(arm),
        float_input=float_input,
    )


def _layer(graph: Subgraph, operator: Operator, call: Call) -> LoweredLayer:
    return LoweredLayer(
        index=operator.index,
        name=layer_name(operator.op, operator.index),
        op=operator.op,
        kernel=call.kernel,
        library=call.library,
        macs=call.macs,
        weight_bytes=call.weight_bytes,
        output_shape=graph.tensors[operator.outputs[0]].shape,
    )


def _check_operators(graph: Subgraph) -> None:
    if not graph.operators:
        raise ModelError("the model has no operators", hint=BROKEN_HINT)
    if len(graph.operators) > MAX_OPERATORS:
        raise ModelError(
            f"the model has {len(graph.operators)} operators, at most {MAX_OPERATORS} are supported", hint=BROKEN_HINT
        )
    known = f"Supported (int8): {', '.join(supported_operators())}."
    unknown = [o for o in graph.operators if o.custom or o.op not in LOWERINGS]
    if unknown:
        listed = ", ".join(f"{o.op[:40]} (operator {o.index})" for o in unknown[:10])
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        raise UnsupportedOperatorError(f"no lowering for {listed}{more}", hint=known)
    first = [t for t in graph.inputs if 0 <= t < len(graph.tensors)]
    if any(graph.tensors[t].dtype in (DType.FLOAT32, DType.FLOAT16) for t in first):
        raise UnsupportedOperatorError(
            "the model computes in floating point; only int8 models are supported",
            hint="Quantise it: TFLiteConverter with a representative dataset, int8 operators, int8 input and output.",
        )


def _check_flow(graph: Subgraph) -> None:
    """Every tensor is written once, and before it is read; inputs and outputs are int8 activations."""
    if not graph.inputs or not graph.outputs:
        raise ModelError("the model has no input or no output", hint=BROKEN_HINT)
    written: set[int] = set()
    for t in graph.inputs:
        if not 0 <= t < len(graph.tensors) or graph.tensors[t].data is not None or t in written:
            raise ModelError(f"the model's input (tensor {t}) is missing, constant or listed twice", hint=BROKEN_HINT)
        if graph.tensors[t].dtype is not DType.INT8 or graph.tensors[t].elements < 1:
            raise ModelError(
                f"the model's input (tensor {t}) is {graph.tensors[t].dtype} {list(graph.tensors[t].shape)}, expected int8",
                hint="Convert the model with int8 inputs and outputs.",
            )
        written.add(t)
    for o in graph.operators:
        for t in o.inputs:
            if t < 0:
                continue
            if t >= len(graph.tensors) or (t not in written and graph.tensors[t].data is None):
                raise ModelError(f"operator {o.index} ({o.op}) reads tensor {t} before it is written", hint=BROKEN_HINT)
        if any(t < 0 for t in o.inputs[:1]):
            raise ModelError(f"operator {o.index} ({o.op}) lacks its first input", hint=BROKEN_HINT)
        for t in o.outputs:
            if not 0 <= t < len(graph.tensors) or t in written or graph.tensors[t].data is not None:
                raise ModelError(
                    f"operator {o.index} ({o.op}) writes tensor {t}, which is missing, constant or written before",
                    hint=BROKEN_HINT,
                )
            if graph.tensors[t].is_variable:
                raise ModelError(f"tensor {t} keeps state between inferences, which is not supported", hint=BROKEN_HINT)
            written.add(t)
    for t in graph.outputs:
        if t not in written:
            raise ModelError(f"the model's output (tensor {t}) is never computed", hint=BROKEN_HINT)


@dataclass
class _Life:
    bytes: int
    first: int
    last: int


def _plan(graph: Subgraph, calls: list[Call]) -> tuple[ArenaPlan, dict[int, ArenaTensor]]:
    """Lifetimes of tensors and scratch buffers, and where they lie. Tensors that share storage share an offset."""
    lives: dict[int, _Life] = {t: _Life(graph.tensors[t].bytes, 0, 0) for t in graph.inputs}
    root: dict[int, int] = {t: t for t in graph.inputs}
    for time, (o, call) in enumerate(zip(graph.operators, calls, strict=True)):
        for t in o.inputs:
            if t in lives:
                lives[t].last = time
        for t in o.outputs:
            lives[t] = _Life(graph.tensors[t].bytes, time, time)
            root[t] = root[o.inputs[0]] if call.alias else t
    for t in graph.outputs:
        lives[t].last = len(calls) - 1

    shared: dict[int, planner.Buffer] = {}
    for t, life in lives.items():
        old = shared.get(root[t])
        shared[root[t]] = planner.Buffer(
            bytes=life.bytes,
            first=min(life.first, old.first) if old else life.first,
            last=max(life.last, old.last) if old else life.last,
        )
    scratch = {n: planner.Buffer(c.scratch_bytes, n, n) for n, c in enumerate(calls) if c.scratch_bytes}
    plan = planner.plan([*shared.values(), *scratch.values()])
    if plan.bytes > INT32_MAX:
        raise ModelError(f"the activations need {plan.bytes} bytes, more than 32 bits address", hint=BROKEN_HINT)

    offsets = dict(zip(shared, plan.offsets, strict=False))
    storage = {
        t: ArenaTensor(t, graph.tensors[t].name, offsets[root[t]], life.bytes, life.first, life.last)
        for t, life in lives.items()
    }
    buffers = (
        ArenaTensor(None, f"scratch of layer {n}", offset, b.bytes, n, n)
        for (n, b), offset in zip(scratch.items(), plan.offsets[len(shared) :], strict=True)
    )
    return ArenaPlan(plan.bytes, plan.lower_bound_bytes, (*storage.values(), *buffers)), storage
