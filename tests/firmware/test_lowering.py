"""What lowering produces, and what it refuses. Models are valid files whose graph is then damaged in one place."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

from engine.errors import ModelError, UnsupportedOperatorError, WhycyclesError
from engine.firmware.lowering import NO_KERNEL, LoweredModel, lower, supported_operators
from engine.firmware.lowering.codegen import printable
from engine.firmware.types import KernelLibrary
from engine.models.cost import model_cost
from engine.models.graph import Activation, DType, Graph, Quantisation, Subgraph
from engine.models.reader import parse_graph
from tests.builders.mutate import mutate
from tests.builders.random_ops import random_inputs
from tests.builders.tflite_builder import ModelBuilder
from tests.firmware.host_build import HostBuilder

Edit = Callable[[Graph], Graph]


def chain() -> ModelBuilder:
    """conv (0), depthwise (1), add (2), max pool (3), average pool (4), reshape (5), fully connected (6), softmax (7)."""
    b = ModelBuilder(3)
    x = b.input((1, 8, 8, 3), 0.05, 4)
    y = b.conv_2d(x, 4, activation="relu")
    z = b.depthwise_conv_2d(y, kernel=(2, 3))
    y = b.average_pool_2d(b.max_pool_2d(b.add(y, z)), (2, 2))
    y = b.softmax(b.fully_connected(b.reshape(y, (1, 16)), 5))
    b.output(y)
    return b


def graph_of(b: ModelBuilder) -> Graph:
    return parse_graph(b.build(), "test model")


def reference(graph: Graph) -> LoweredModel:
    return lower(graph, KernelLibrary.REFERENCE, core_features=())


def main_with(graph: Graph, **changes: Any) -> Graph:
    return replace(graph, subgraphs=(replace(graph.main, **changes), *graph.subgraphs[1:]))


def tensor(operator: int, role: str, slot: int = 0, **changes: Any) -> Edit:
    """An edit of one tensor of one operator."""

    def edit(graph: Graph) -> Graph:
        index = getattr(graph.main.operators[operator], role)[slot]
        tensors = list(graph.main.tensors)
        tensors[index] = replace(tensors[index], **changes)
        return main_with(graph, tensors=tuple(tensors))

    return edit


def operator(index: int, **changes: Any) -> Edit:
    def edit(graph: Graph) -> Graph:
        operators = list(graph.main.operators)
        operators[index] = replace(operators[index], **changes)
        return main_with(graph, operators=tuple(operators))

    return edit


def options(index: int, **changes: Any) -> Edit:
    return lambda graph: operator(index, options=replace(graph.main.operators[index].options, **changes))(graph)


def quant(scale: float = 0.05, zero_point: int = 0, axis: int = 0, n: int = 1) -> Quantisation:
    return Quantisation((scale,) * n, (zero_point,) * n, axis)


CONV, DEPTHWISE, ADD, MAX, AVERAGE, RESHAPE, FC, SOFTMAX = range(8)

REFUSED: dict[str, tuple[Edit, str]] = {
    "batch": (tensor(CONV, "inputs", shape=(2, 8, 8, 3)), "batch of 2"),
    "zero size": (tensor(CONV, "outputs", shape=(1, 8, 0, 4)), "at least 1"),
    "huge": (tensor(CONV, "inputs", shape=(1, 8, 40000, 3)), "40000"),
    "more than 32 bits": (tensor(CONV, "inputs", shape=(1, 2**16, 2**16, 3)), "32-bit"),
    "rank": (tensor(CONV, "inputs", shape=(8, 8, 3)), "3 dimensions"),
    "output does not follow": (tensor(CONV, "outputs", shape=(1, 7, 8, 4)), "size 7"),
    "stride": (options(CONV, stride_h=0), "at least 1"),
    "dilation": (options(DEPTHWISE, dilation_w=-1), "at least 1"),
    "dilation reach": (options(DEPTHWISE, dilation_w=20000), "40001"),
    "activation": (options(CONV, activation=Activation.TANH), "tanh"),
    "options of another": (lambda g: operator(CONV, options=g.main.operators[ADD].options)(g), "options"),
    "grouped": (tensor(CONV, "inputs", 1, shape=(4, 3, 3, 1)), "input channels"),
    "filter channels": (tensor(CONV, "inputs", 1, shape=(5, 3, 3, 3)), "output channels"),
    "filter rank": (tensor(CONV, "inputs", 1, shape=(4, 27)), "2 dimensions"),
    "filter type": (tensor(CONV, "inputs", 1, dtype=DType.INT4), "int4"),
    "filter not constant": (tensor(CONV, "inputs", 1, data=None), "before it is written"),
    "filter zero point": (tensor(CONV, "inputs", 1, quantisation=quant(0.01, 3)), "zero point"),
    "filter axis": (tensor(CONV, "inputs", 1, quantisation=quant(0.01, 0, 3, 4)), "axis 3"),
    "filter scales": (tensor(CONV, "inputs", 1, quantisation=quant(0.01, 0, 0, 3)), "4 channels"),
    "bias type": (tensor(CONV, "inputs", 2, dtype=DType.INT64), "int32"),
    "bias length": (tensor(CONV, "inputs", 2, shape=(3,)), "4 constant int32"),
    "bias zero point": (tensor(CONV, "inputs", 2, quantisation=quant(0.01, 1, 0, 4)), "bias has a zero point"),
    "bias scale": (tensor(CONV, "inputs", 2, quantisation=quant(9.0, 0, 0, 4)), "scale of its bias"),
    "overflow": (tensor(CONV, "inputs", 2, data=np.full(4, 2**31 - 1, np.int32)), "int32"),
    "overflow downwards": (tensor(FC, "inputs", 2, data=np.full(5, -(2**31), np.int32)), "int32"),
    "input type": (tensor(CONV, "inputs", dtype=DType.UINT8), "uint8"),
    "float output": (tensor(SOFTMAX, "outputs", dtype=DType.FLOAT32), "float32"),
    "no quantisation": (tensor(CONV, "outputs", quantisation=None), "one scale"),
    "scale zero": (tensor(CONV, "outputs", quantisation=quant(0.0)), "positive"),
    "scale nan": (tensor(CONV, "outputs", quantisation=quant(float("nan"))), "positive"),
    "scale infinite": (tensor(CONV, "outputs", quantisation=quant(float("inf"))), "positive"),
    "zero point": (tensor(CONV, "outputs", quantisation=quant(0.05, 128)), "128"),
    "per channel activation": (tensor(CONV, "outputs", quantisation=quant(n=4)), "one scale"),
    "depth multiplier": (options(DEPTHWISE, depth_multiplier=2), "depth multiplier 2"),
    "depthwise filter": (tensor(DEPTHWISE, "inputs", 1, shape=(2, 2, 3, 4)), "filter has the shape"),
    "add shapes": (tensor(ADD, "outputs", shape=(1, 8, 4, 4)), "do not make"),
    "add scale": (tensor(ADD, "outputs", quantisation=quant(1e-12)), "too small"),
    "pool quantisation": (tensor(MAX, "outputs", quantisation=quant(0.9)), "quantised differently"),
    "pool window": (options(AVERAGE, filter_h=0), "at least 1"),
    "pool channels": (tensor(AVERAGE, "outputs", shape=(1, 2, 2, 5)), "5"),
    "reshape elements": (tensor(RESHAPE, "outputs", shape=(1, 17)), "elements"),
    "weights of fully connected": (tensor(FC, "inputs", 1, shape=(5, 7)), "do not make"),
    "softmax output": (tensor(SOFTMAX, "outputs", quantisation=quant(1 / 255, -128)), "1/256"),
    "softmax beta": (options(SOFTMAX, beta=-1.0), "beta"),
    "softmax shape": (tensor(SOFTMAX, "outputs", shape=(5,)), "shape"),
    "too many inputs": (operator(SOFTMAX, inputs=(0, 1)), "2 inputs"),
    "absent first input": (operator(SOFTMAX, inputs=(-1,)), "first input"),
    "absent filter": (operator(CONV, inputs=(0, -1, -1)), "tensor -1"),
    "tensor out of range": (operator(SOFTMAX, inputs=(999,)), "tensor 999"),
    "written twice": (lambda g: operator(SOFTMAX, outputs=g.main.operators[FC].outputs)(g), "written before"),
    "writes the input": (operator(SOFTMAX, outputs=(0,)), "written before"),
    "reads the future": (lambda g: operator(CONV, inputs=g.main.operators[SOFTMAX].outputs)(g), "before it is written"),
    "state": (tensor(CONV, "outputs", is_variable=True), "state"),
    "no operators": (lambda g: main_with(g, operators=()), "no operators"),
    "no outputs": (lambda g: main_with(g, outputs=()), "no input or no output"),
    "output never computed": (lambda g: main_with(g, outputs=(1,)), "never computed"),
    "input twice": (lambda g: main_with(g, inputs=(0, 0)), "twice"),
}  # fmt: skip


@pytest.mark.parametrize("library", list(KernelLibrary))
@pytest.mark.parametrize("case", REFUSED)
def test_broken_models_are_refused_with_a_hint(case: str, library: KernelLibrary) -> None:
    edit, message = REFUSED[case]
    with pytest.raises(ModelError) as caught:
        lower(edit(graph_of(chain())), library, core_features=("dsp",))
    assert message in caught.value.message
    assert caught.value.hint


def test_the_undamaged_model_is_lowered() -> None:
    model = reference(graph_of(chain()))
    assert [layer.op for layer in model.layers] == [
        "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip
    assert model.source.count("wc_layer_begin();") == model.source.count("wc_layer_end();") == len(model.layers)
    assert all(p.is_file() for p in model.kernel_sources)
    assert model.cmsis_nn_sources == ()


def test_macs_and_weights_agree_with_the_cost_model() -> None:
    graph = graph_of(chain())
    layers = reference(graph).layers
    costs = model_cost(graph).operators
    assert [layer.macs for layer in layers] == [c.macs for c in costs]
    weighted = [(layer.weight_bytes, c.weight_bytes) for layer, c in zip(layers, costs, strict=True) if layer.macs]
    assert all(a == b for a, b in weighted)


def test_unsupported_operators_are_all_listed_with_what_is_supported() -> None:
    b = ModelBuilder()
    x = b.input((1, 4))
    y = b.operator(tflite.BuiltinOperator.TANH, [x], b.activation_tensor((1, 4), 0.1, 0))
    y = b.operator(tflite.BuiltinOperator.CUSTOM, [y], b.activation_tensor((1, 4), 0.1, 0), custom="MyOp")
    b.output(y)
    with pytest.raises(UnsupportedOperatorError) as caught:
        reference(graph_of(b))
    assert "TANH (operator 0)" in caught.value.message
    assert "MyOp (operator 1)" in caught.value.message
    assert all(name in caught.value.hint for name in supported_operators())


def test_float_models_are_told_to_quantise() -> None:
    b = chain()
    for t in b.graph.tensors:
        if t.buffer == 0:
            t.type, t.quant = tflite.TensorType.FLOAT32, None
    with pytest.raises(UnsupportedOperatorError, match="floating point") as caught:
        reference(graph_of(b))
    assert "representative dataset" in caught.value.hint


def test_reshape_costs_nothing_and_shares_its_input() -> None:
    model = reference(graph_of(chain()))
    assert model.layers[RESHAPE].kernel == NO_KERNEL
    places = {t.tensor: t for t in model.arena.tensors}
    source, target = (getattr(graph_of(chain()).main.operators[RESHAPE], r)[0] for r in ("inputs", "outputs"))
    assert places[source].offset == places[target].offset


def test_shared_storage_lives_as_long_as_all_who_share_it(tmp_path: Path) -> None:
    """The reshaped tensor is read last, long after its own RESHAPE: nothing may be written over it before."""
    b = ModelBuilder()
    x = b.input((1, 4, 4, 2))
    flat = b.reshape(x, (1, 32))
    y = b.conv_2d(b.conv_2d(x, 2), 2)
    b.output(b.add(b.reshape(y, (1, 32)), flat))
    model = reference(graph_of(b))
    values = random_inputs([(1, 4, 4, 2)], 5)
    places = {t.tensor: t for t in model.arena.tensors}
    held = places[x]
    for other in model.arena.tensors:
        apart = other.offset + other.bytes <= held.offset or held.offset + held.bytes <= other.offset
        assert apart or other.tensor in (x, flat)
    [[got]] = HostBuilder(tmp_path, dsp=False).build(model).infer([values])
    assert got.size == 32


def test_a_constant_is_copied_by_reshape_and_added(tmp_path: Path) -> None:
    b = ModelBuilder()
    x = b.input((1, 4), 0.1, 0)
    index = b.constant(np.array([[1], [2], [3], [4]], np.int8), tflite.TensorType.INT8)
    b.graph.tensors[index].quant = b.graph.tensors[x].quant
    copied = b.reshape(index, (1, 4))
    b.output(b.add(x, copied, scale=0.1))
    model = reference(graph_of(b))
    assert model.layers[0].kernel == "memcpy"
    [[got]] = HostBuilder(tmp_path, dsp=False).build(model).infer([[np.array([[10, 20, 30, 40]], np.int8)]])
    assert got.tolist() == [11, 22, 33, 44]


@pytest.mark.parametrize("library", list(KernelLibrary))
def test_lowering_is_deterministic(library: KernelLibrary) -> None:
    first, second = (lower(graph_of(chain()), library, core_features=("dsp",)) for _ in range(2))
    assert first == second


def test_names_cannot_break_out_of_the_generated_text() -> None:
    b = chain()
    b.graph.tensors[0].name = '"; int x = *(int *)0; //*/ \\ \n ünï'
    model = lower(parse_graph(b.build(), 'na"me*/\n'), KernelLibrary.REFERENCE, core_features=())
    assert "int x" not in model.source
    assert 'na"me' not in model.source
    assert printable("") == "model"


def test_too_many_operators() -> None:
    graph = graph_of(chain())
    many: Subgraph = replace(graph.main, operators=graph.main.operators * 300)
    with pytest.raises(ModelError, match="2400 operators"):
        reference(replace(graph, subgraphs=(many,)))


def test_damaged_files_that_still_lower_also_run(tmp_path: Path) -> None:
    """Whatever passes the checks must compile without warnings and run without a trap, on every library."""
    rng = random.Random(11)
    original = chain().build()
    variants = [(KernelLibrary.REFERENCE, False), (KernelLibrary.CMSIS_NN, False), (KernelLibrary.CMSIS_NN, True)]
    hints: list[str] = []
    ran = 0
    for _ in range(4000):
        library, dsp = variants[ran % 3]
        try:
            graph = parse_graph(mutate(original, rng), "fuzz")
        except WhycyclesError:
            continue
        try:
            model = lower(graph, library, core_features=("dsp",) if dsp else ())
        except WhycyclesError as error:
            hints.append(error.hint)
            continue
        if model.arena.bytes > 2**22:
            continue
        shapes = [graph.main.tensors[t].shape for t in graph.main.inputs]
        HostBuilder(tmp_path, dsp=dsp).build(model).infer([random_inputs(shapes, ran)])
        ran += 1
        if ran == 15:
            break
    assert ran == 15
    assert hints
    assert all(hints)
