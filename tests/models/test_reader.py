"""What a well-formed file becomes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import tflite

from engine.errors import ModelError, UnsupportedOperatorError
from engine.models.graph import Activation, AddOptions, Conv2DOptions, DType, OtherOptions, Padding, Pool2DOptions
from engine.models.reader import parse_graph, read_graph
from tests.builders.tflite_builder import ModelBuilder
from tests.builders.tflite_spec import BufferSpec, OpcodeSpec, OperatorSpec, QuantSpec, SubgraphSpec, TensorSpec
from tests.models.small import one_conv, one_of_each, reference

REFERENCE_FILES = (
    "ad01_fp32", "ad01_int8", "kws_ref_model", "kws_ref_model_float32", "pretrainedResnet", "pretrainedResnet_quant",
    "str_ww_ref_model", "vww_96_float", "vww_96_int8",
)  # fmt: skip


def test_every_field_of_one_convolution():
    b = ModelBuilder(seed=2)
    x = b.input((2, 9, 7, 3), scale=0.25, zero_point=-5)
    scales = [0.5, 0.25]
    w = np.arange(2 * 3 * 2 * 3, dtype=np.int8).reshape(2, 3, 2, 3)
    y = b.conv_2d(
        x, 2, (3, 2), stride=(2, 3), dilation=(1, 2), padding="valid", activation="relu6",
        weights=w, biases=np.array([7, -9], np.int32), weight_scales=scales, scale=1.5, zero_point=11,
    )  # fmt: skip
    b.output(y)
    data = b.build()
    graph = parse_graph(data, "thing")
    assert graph.name == "thing"
    assert graph.sha256 == hashlib.sha256(data).hexdigest()
    assert graph.file_bytes == len(data)
    (operator,) = graph.main.operators
    assert operator.op == "CONV_2D"
    assert operator.options == Conv2DOptions(Padding.VALID, 2, 3, 1, 2, Activation.RELU6)
    tensors = graph.main.tensors
    x_t, w_t, bias_t = (tensors[t] for t in operator.inputs)
    (y_t,) = (tensors[t] for t in operator.outputs)
    assert (x_t.shape, x_t.dtype, x_t.data) == ((2, 9, 7, 3), DType.INT8, None)
    assert x_t.quantisation is not None
    assert (x_t.quantisation.scales, x_t.quantisation.zero_points) == ((0.25,), (-5,))
    assert w_t.quantisation is not None
    assert w_t.quantisation.per_channel
    assert w_t.quantisation.scales == (0.5, 0.25)
    assert w_t.quantisation.axis == 0
    np.testing.assert_array_equal(w_t.data, w)
    np.testing.assert_array_equal(bias_t.data, [7, -9])
    assert bias_t.dtype is DType.INT32
    assert y_t.shape == (2, 4, 2, 2)
    assert y_t.quantisation is not None
    assert (y_t.quantisation.scales, y_t.quantisation.zero_points) == ((1.5,), (11,))
    assert graph.main.inputs == (x_t.index,)
    assert graph.main.outputs == (y_t.index,)


def test_constants_cannot_be_written():
    tensor = parse_graph(one_conv().build(), "m").main.tensors[1]
    assert tensor.data is not None
    with pytest.raises(ValueError, match="read-only"):
        tensor.data[0] = 1


def test_all_known_operators_with_signature_and_dynamic_batch():
    graph = parse_graph(one_of_each().build(), "m")
    assert [o.op for o in graph.main.operators] == [
        "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip
    x = graph.main.tensors[graph.main.inputs[0]]
    assert x.shape == (1, 8, 8, 3)
    assert x.signature == (-1, 8, 8, 3)
    (signature,) = graph.signatures
    assert signature.key == "serving_default"
    assert signature.inputs == (("in0", graph.main.inputs[0]),)
    assert signature.outputs == (("out0", graph.main.outputs[0]),)
    assert graph.main.operators[2].options == AddOptions(Activation.RELU)
    assert graph.main.operators[4].options == Pool2DOptions(Padding.VALID, 1, 2, 1, 2, Activation.NONE)


@pytest.mark.parametrize(("options", "shape_tensor"), [(False, True), (True, False), (False, False)])
def test_reshape_needs_neither_options_nor_shape_tensor(options, shape_tensor):
    b = ModelBuilder()
    b.output(b.reshape(b.input((1, 2, 6)), (3, 4), options=options, shape_tensor=shape_tensor))
    graph = parse_graph(b.build(), "m")
    assert graph.main.tensors[graph.main.outputs[0]].shape == (3, 4)


def test_several_subgraphs_and_old_and_new_operator_codes():
    b = one_conv()
    second = ModelBuilder()
    second.output(second.softmax(second.input((1, 4))))
    second.graph.operators[0].opcode = 1
    second.graph.name = "helper"
    b.spec.subgraphs.append(second.graph)
    b.spec.opcodes.append(OpcodeSpec(builtin=0, deprecated=tflite.BuiltinOperator.SOFTMAX))
    graph = parse_graph(b.build(), "m")
    assert [s.name for s in graph.subgraphs] == ["main", "helper"]
    assert graph.subgraphs[1].operators[0].op == "SOFTMAX"


@pytest.mark.parametrize(("builtin", "deprecated"), [(25, 0), (0, 25), (25, 1), (1, 25), (25, 25), (25, 127)])
def test_the_larger_of_both_operator_code_fields_counts(builtin, deprecated):
    """As in TensorFlow Lite, so 127 (a placeholder for numbers above it) beside a smaller number is no operator."""
    b = ModelBuilder()
    b.output(b.softmax(b.input((1, 4))))
    b.spec.opcodes[0] = OpcodeSpec(builtin=builtin, deprecated=deprecated)
    if deprecated == 127:
        with pytest.raises(UnsupportedOperatorError):
            parse_graph(b.build(), "m")
    else:
        assert parse_graph(b.build(), "m").main.operators[0].op == "SOFTMAX"


def test_custom_and_unknown_to_us_operators_are_named():
    b = ModelBuilder()
    x = b.input((1, 4))
    y = b.operator(tflite.BuiltinOperator.CUSTOM, [x], b.activation_tensor((1, 9), 0.1, 0), custom="MyOp")
    z = b.operator(tflite.BuiltinOperator.TANH, [y], b.activation_tensor((1, 9), 0.1, 0))
    new = tflite.BuiltinOperator.STABLEHLO_CBRT  # a number above 127 needs the newer field
    b.output(b.operator(new, [z], b.activation_tensor((1, 9), 0.1, 0)))
    operators = parse_graph(b.build(), "m").main.operators
    assert [(o.op, o.custom) for o in operators] == [("MyOp", True), ("TANH", False), ("STABLEHLO_CBRT", False)]
    assert all(o.options == OtherOptions() for o in operators)


def _identity(kind: int, values: np.ndarray, shape: list[int] | None = None) -> ModelBuilder:
    b = ModelBuilder()
    x = b.input((1, 4))
    b.spec.buffers.append(BufferSpec(values.tobytes()))
    b.graph.tensors.append(TensorSpec("c", shape or list(values.shape), kind, len(b.spec.buffers) - 1))
    b.output(b.operator(tflite.BuiltinOperator.PACK, [x, 1], b.activation_tensor((1, 4), 0.1, 0)))
    return b


@pytest.mark.parametrize(
    ("kind", "dtype", "values"),
    [
        (tflite.TensorType.INT16, DType.INT16, np.array([-300, 300], "<i2")),
        (tflite.TensorType.FLOAT32, DType.FLOAT32, np.array([[1.5, -2.5]], "<f4")),
        (tflite.TensorType.FLOAT16, DType.FLOAT16, np.array([0.5], "<f2")),
        (tflite.TensorType.INT64, DType.INT64, np.array([-(2**40)], "<i8")),
        (tflite.TensorType.UINT8, DType.UINT8, np.array([200], "<u1")),
        (tflite.TensorType.BOOL, DType.BOOL, np.array([0, 1], "<u1")),
    ],
)
def test_element_types(kind, dtype, values):
    tensor = parse_graph(_identity(kind, values).build(), "m").main.tensors[1]
    assert tensor.dtype is dtype
    np.testing.assert_array_equal(tensor.data, values)


def test_int4_is_unpacked_low_nibble_first():
    tensor = parse_graph(
        _identity(tflite.TensorType.INT4, np.array([0x8F, 0x07], np.uint8), [3]).build(), "m"
    ).main.tensors[1]
    np.testing.assert_array_equal(tensor.data, [-1, -8, 7])
    assert tensor.bytes == 2


def test_a_variable_with_constant_content_is_refused():
    b = one_conv()
    weights = (b.graph.operators[0].inputs or [])[1]
    b.graph.tensors[weights].variable = True
    with pytest.raises(ModelError, match=f"tensor {weights} .* is a variable, but has constant content"):
        parse_graph(b.build(), "m")


def test_variables_may_be_read_before_they_are_written():
    b = ModelBuilder()
    x = b.input((1, 4))
    state = b.activation_tensor((1, 4), 0.1, 0)
    b.graph.tensors[state].variable = True
    b.output(b.add(x, state))
    tensors = parse_graph(b.build(), "m").main.tensors
    assert [t.is_variable for t in tensors] == [False, True, False]


def test_names_become_printable_and_short():
    b = one_conv()
    b.graph.tensors[0].name = b"a\x00\n\xff\x1b[31m*/" + b"x" * 5000
    name = parse_graph(b.build(), "m").main.tensors[0].name
    assert name.startswith("a????[31m*/xx")
    assert name.isprintable()
    assert len(name) == 200


def test_a_float_model_has_no_quantisation():
    b = one_conv()
    for tensor in b.graph.tensors:
        tensor.quant = QuantSpec([], []) if tensor.name == "input_0" else None
    assert all(t.quantisation is None for t in parse_graph(b.build(), "m").main.tensors)


def test_weights_outside_the_tables_are_refused_with_a_way_out():
    b = one_conv()
    b.spec.buffers[1] = BufferSpec(None, offset=4096, size=72)
    with pytest.raises(UnsupportedOperatorError, match="behind the model's tables") as error:
        parse_graph(b.build(), "m")
    assert "inside" in error.value.hint


def test_subgraph_without_operators_is_fine_but_not_as_main():
    b = one_conv()
    b.spec.subgraphs.append(SubgraphSpec(name="empty"))
    assert len(parse_graph(b.build(), "m").subgraphs) == 2
    b.spec.subgraphs.reverse()
    with pytest.raises(ModelError, match="no operators"):
        parse_graph(b.build(), "m")


def test_read_graph_names_the_graph_after_the_file(tmp_path):
    path = tmp_path / "mine.tflite"
    path.write_bytes(one_conv().build())
    assert read_graph(path).name == "mine"


@pytest.mark.parametrize("name", ["absent.tflite", "folder", "a\0b", "x" * 5000])
def test_what_is_no_readable_file_ends_in_one_message(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError) as error:
        read_graph(tmp_path / name)
    assert error.value.hint


@pytest.mark.parametrize("file", REFERENCE_FILES)
def test_reference_models_are_read_unmodified(file):
    graph = read_graph(reference(f"{file}.tflite"))
    assert graph.main.operators
    float_model = "fp32" in file or "float" in file or file == "pretrainedResnet"
    x = graph.main.tensors[graph.main.inputs[0]]
    if file != "kws_ref_model_float32":
        assert x.dtype is (DType.FLOAT32 if float_model else DType.INT8)
    assert x.shape[0] == 1


def test_operator_inputs_may_leave_out_a_bias():
    b = ModelBuilder()
    b.output(b.conv_2d(b.input((1, 3, 3, 1)), 2, bias=False))
    assert parse_graph(b.build(), "m").main.operators[0].inputs[2] == -1


def test_zoo_models_are_read():
    zoo = Path(__file__).parents[2] / "engine" / "models" / "zoo"
    for path in sorted(zoo.glob("*.tflite")):
        assert read_graph(path).main.tensors[0].quantisation is not None


def test_operator_spec_defaults_are_refused():
    b = one_conv()
    b.graph.operators.append(OperatorSpec(0, None, None))
    with pytest.raises(ModelError, match="no options"):
        parse_graph(b.build(), "m")
