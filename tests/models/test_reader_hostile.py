"""Files that lie: each ends in one ModelError that says where, with a hint."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
import tflite

from engine.errors import ModelError
from engine.models.reader import parse_graph
from tests.builders.tflite_builder import ModelBuilder
from tests.builders.tflite_spec import BufferSpec, OpcodeSpec, OperatorSpec, QuantSpec, SignatureSpec
from tests.models.small import one_conv, one_of_each

INF, NAN = float("inf"), float("nan")


def refused(data: bytes, match: str) -> ModelError:
    with pytest.raises(ModelError, match=match) as error:
        parse_graph(data, "victim")
    assert error.value.message.startswith("victim: ")
    assert error.value.hint
    return error.value


def _tensor(index: int, **fields: object) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.graph.tensors[index], name, value)

    return change


def _operator(**fields: object) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.graph.operators[0], name, value)

    return change


def _graph(**fields: object) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.graph, name, value)

    return change


def _spec(**fields: object) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        for name, value in fields.items():
            setattr(b.spec, name, value)

    return change


def _option(**fields: int) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        table, options = b.graph.operators[0].options
        b.graph.operators[0].options = (table, options | fields)

    return change


def _buffer(index: int, buffer: BufferSpec) -> Callable[[ModelBuilder], None]:
    def change(b: ModelBuilder) -> None:
        b.spec.buffers[index] = buffer

    return change


# Tensors of the victim: 0 input 1x6x6x2, 1 filter 4x3x3x2 (buffer 1), 2 bias 4 (buffer 2), 3 output 1x6x6x4.
LIES = {
    "negative dimension": (_tensor(0, shape=[1, -6, 6, 2]), "negative dimension"),
    "dynamic shape": (_tensor(0, shape=[-1, 6, 6, 2]), "negative dimension"),
    "huge dimension": (_tensor(0, shape=[1, 2**31 - 1, 6, 2]), "more than"),
    "overflowing product": (_tensor(0, shape=[65536, 65536, 65536, 65536]), "more than"),
    "overflow hidden by a zero": (_tensor(3, shape=[0, 2**31 - 1, 2**31 - 1, 4]), "empty"),
    "too many dimensions": (_tensor(0, shape=[1] * 40), "40 dimensions"),
    "zero dimension": (_tensor(0, shape=[1, 0, 6, 2]), "empty"),
    "no shape": (_tensor(0, shape=None), "instead of 4 dimensions"),
    "signature of another rank": (_tensor(0, signature=[-1, 6]), "shape signature"),
    "signature that contradicts": (_tensor(0, signature=[-1, 7, 6, 2]), "shape signature"),
    "signature with -7": (_tensor(0, signature=[-7, 6, 6, 2]), "shape signature"),
    "unknown element type": (_tensor(0, type=77), "element type 77"),
    "negative element type": (_tensor(0, type=-1), "element type -1"),
    "buffer out of range": (_tensor(1, buffer=99), "buffer 99"),
    "buffer far out of range": (_tensor(1, buffer=2**32 - 1), "buffer 4294967295"),
    "constant input": (_tensor(0, buffer=1, shape=[4, 3, 3, 2]), "is a constant"),
    "buffer too short": (_buffer(1, BufferSpec(b"\0" * 71)), "takes 72 bytes, but its buffer holds 71"),
    "buffer too long": (_buffer(1, BufferSpec(b"\0" * 73)), "takes 72 bytes, but its buffer holds 73"),
    "buffer missing": (_buffer(1, BufferSpec(None)), "before anything has computed it"),
    "no buffers": (_spec(buffers=None), "buffer 0, but the file has 0"),
    "no scales for some channels": (_tensor(1, quant=QuantSpec([0.1] * 3, [0] * 3)), "3 scales along axis 0"),
    "scales along no axis": (_tensor(1, quant=QuantSpec([0.1] * 4, [0] * 4, 9)), "4 scales along axis 9"),
    "scales along a negative axis": (_tensor(1, quant=QuantSpec([0.1] * 4, [0] * 4, -1)), "along axis -1"),
    "scales along the wrong axis": (_tensor(1, quant=QuantSpec([0.1] * 3, [0] * 3, 1)), "filter scales along axis 1"),
    "fewer zero points": (_tensor(1, quant=QuantSpec([0.1] * 4, [0])), "4 scales, but 1 zero points"),
    "no zero points": (_tensor(0, quant=QuantSpec([0.1], None)), "1 scales, but 0 zero points"),
    "NaN scale": (_tensor(0, quant=QuantSpec([NAN], [0])), "not a positive finite"),
    "infinite scale": (_tensor(0, quant=QuantSpec([INF], [0])), "not a positive finite"),
    "zero scale": (_tensor(0, quant=QuantSpec([0.0], [0])), "not a positive finite"),
    "negative scale": (_tensor(1, quant=QuantSpec([0.1, 0.1, -0.1, 0.1], [0] * 4)), "not a positive finite"),
    "zero point too large": (_tensor(0, quant=QuantSpec([0.1], [128])), "zero point 128"),
    "zero point too small": (_tensor(0, quant=QuantSpec([0.1], [-(2**63)])), "zero point -9223372036854775808"),
    "operator code out of range": (_operator(opcode=9), "operator code 9"),
    "reads a tensor out of range": (_operator(inputs=[44, 1, 2]), "reads tensor 44"),
    "reads tensor -2": (_operator(inputs=[-2, 1, 2]), "reads tensor -2"),
    "reads its own output": (_operator(inputs=[3, 1, 2]), "before anything has computed it"),
    "lacks its input": (_operator(inputs=[-1, 1, 2]), "lacks an input"),
    "lacks its filter": (_operator(inputs=[0]), "has 1 inputs"),
    "has too many inputs": (_operator(inputs=[0, 1, 2, 2]), "has 4 inputs"),
    "no inputs at all": (_operator(inputs=None), "has 0 inputs"),
    "writes out of range": (_operator(outputs=[4]), "writes tensor 4"),
    "writes nowhere": (_operator(outputs=[-1]), "writes tensor -1"),
    "no outputs": (_operator(outputs=[]), "never computed"),
    "writes a constant": (_operator(outputs=[2]), "already has a value"),
    "writes the input": (_operator(outputs=[0]), "already has a value"),
    "writes twice": (_operator(outputs=[3, 3]), "already has a value"),
    "no options": (_operator(options=None), "has no options"),
    "options of another": (_operator(options=("SoftmaxOptions", {"Beta": 1.0})), "options of another operator"),
    "stride 0": (_option(StrideH=0), "vertical stride 0"),
    "stride -1": (_option(StrideW=-1), "horizontal stride -1"),
    "huge stride": (_option(StrideH=2**31 - 1), "vertical stride 2147483647"),
    "dilation 0": (_option(DilationHFactor=0), "vertical dilation 0"),
    "huge dilation": (_option(DilationWFactor=2**30), "horizontal dilation"),
    "window outside a VALID input": (_option(Padding=1, DilationHFactor=5), "does not fit"),
    "unknown padding": (_option(Padding=2), "padding 2"),
    "unknown activation": (_option(FusedActivationFunction=6), "activation 6"),
    "output too large": (_tensor(3, shape=[1, 7, 6, 4]), "claims output shape"),
    "output of another batch": (_tensor(3, shape=[2, 6, 6, 4]), "claims output shape"),
    "output with too many channels": (_tensor(3, shape=[1, 6, 6, 8]), "claims output shape"),
    "output of another rank": (_tensor(3, shape=[144]), "instead of 4 dimensions"),
    "filter for other channels": (_tensor(0, shape=[1, 6, 6, 3]), "has a filter for 2 channels"),
    "short bias": (lambda b: (_tensor(2, shape=[3])(b), _buffer(2, BufferSpec(b"\0" * 12))(b)), "4 scales along axis"),
    "graph input out of range": (_graph(inputs=[17]), "graph input names tensor 17"),
    "graph input -1": (_graph(inputs=[-1]), "graph input names tensor -1"),
    "graph input twice": (_graph(inputs=[0, 0]), "listed twice"),
    "graph output out of range": (_graph(outputs=[17]), "graph output names tensor 17"),
    "no graph inputs": (_graph(inputs=[]), "before anything has computed it"),
    "no graph outputs": (_graph(outputs=None), "no outputs"),
    "no tensors": (_graph(tensors=[]), "but there are 0"),
    "no operators": (_graph(operators=[]), "never computed"),
    "no subgraphs": (_spec(subgraphs=[]), "no subgraph"),
    "no subgraph vector": (_spec(subgraphs=None), "no subgraph"),
    "no operator codes": (_spec(opcodes=None), "operator code 0, but the file has 0"),
    "operator code that does not exist": (_spec(opcodes=[OpcodeSpec(9999, 127)]), "number 9999"),
    "negative operator code": (_spec(opcodes=[OpcodeSpec(-5, -1)]), "number -1"),
    "custom without a name": (_spec(opcodes=[OpcodeSpec(32, 32)]), "custom, but has no name"),
    "placeholder": (_spec(opcodes=[OpcodeSpec(127, 127)]), "number 127"),
    "schema version": (_spec(version=4), "schema version 4"),
    "signature for no subgraph": (_spec(signatures=[SignatureSpec("a", 5, [], [])]), "names subgraph 5"),
    "signature for no tensor": (_spec(signatures=[SignatureSpec("a", 0, [("x", 90)], [])]), "names tensor 90"),
    "identifier": (_spec(identifier=b"TFL2"), "no TensorFlow Lite model"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_one_convolution(lie):
    change, match = LIES[lie]
    b = one_conv()
    change(b)
    refused(b.build(), match)


def test_the_victim_itself_is_fine():
    assert parse_graph(one_conv().build(), "victim").main.operators[0].op == "CONV_2D"


def test_cyclic_operators():
    b = ModelBuilder()
    x = b.input((1, 4))
    p, q = b.activation_tensor((1, 4), 0.1, 0), b.activation_tensor((1, 4), 0.1, 0)
    b.operator(tflite.BuiltinOperator.ADD, [x, q], p, ("AddOptions", {}))
    b.operator(tflite.BuiltinOperator.ADD, [x, p], q, ("AddOptions", {}))
    b.output(q)
    refused(b.build(), r"operator 0 \(ADD\) reads tensor 2 before")


def test_operators_out_of_order():
    b = ModelBuilder()
    b.output(b.softmax(b.softmax(b.input((1, 4)))))
    b.graph.operators.reverse()
    refused(b.build(), "before anything has computed it")


def test_every_truncation_of_a_small_model():
    data = one_of_each().build()
    # The writer puts buffers last, so every byte but the padding behind the last weight is needed.
    for length in range(0, len(data) - 16, 3):
        with pytest.raises(ModelError) as error:
            parse_graph(data[:length], "victim")
        assert error.value.hint


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"TFL3", b"\0\0\0\0TFL3", b"\xff" * 7, b"\xff\xff\xff\xffTFL3", b"PK\3\4" * 99]
)
def test_tiny_and_foreign_files(data):
    with pytest.raises(ModelError) as error:
        parse_graph(data, "victim")
    assert error.value.hint


def _at(data: bytes, needle: bytes) -> int:
    at = data.index(needle)
    assert data.count(needle) == 1
    return at


def test_vector_longer_than_the_file_is_not_walked():
    b = one_conv()
    b.graph.tensors[0].shape = [1, 6, 6, 2]
    data = bytearray(b.build())
    at = _at(bytes(data), struct.pack("<5i", 4, 1, 6, 6, 2))
    data[at : at + 4] = struct.pack("<I", 2**31)
    refused(bytes(data), "Tensor.shape lies outside the file")


def test_root_and_vtable_offsets_outside_the_file():
    data = bytearray(one_conv().build())
    refused(struct.pack("<I", len(data)) + bytes(data[4:]), "outside the file")
    root = struct.unpack_from("<I", data, 0)[0]
    for offset in (-(2**31), 2**31 - 1, -len(data), len(data)):
        damaged = bytearray(data)
        struct.pack_into("<i", damaged, root, offset)
        refused(bytes(damaged), "outside the file")


def test_one_subgraph_listed_a_hundred_thousand_times_is_cheap():
    """A vector of offsets that all lead to one table makes a small file look like a huge one."""
    b = ModelBuilder(seed=3)
    for _ in range(20):
        b.output(b.softmax(b.input((1, 4))))
    data = b.build()
    count = 100_000
    # The old root is reached through a new vector of subgraphs, appended behind the file.
    model = tflite.Model.GetRootAs(data, 0)
    table = model._tab
    slot = table.Pos + table.Offset(4 + 2 * 2)
    subgraph = table.Indirect(table.Vector(table.Offset(4 + 2 * 2)))
    tail = len(data) + (-len(data)) % 4
    out = bytearray(data.ljust(tail, b"\0"))
    # Offsets are unsigned and relative, so the target must follow: put a copy of the whole file behind the vector.
    vector = tail
    copy = vector + 4 + 4 * count
    out += struct.pack("<I", count)
    out += b"".join(struct.pack("<I", copy + subgraph - (vector + 4 + 4 * i)) for i in range(count))
    out += data
    struct.pack_into("<I", out, slot, vector - slot)
    refused(bytes(out), "refers to more content than the file holds|tables")


def test_grouped_convolution_is_refused_as_unsupported():
    b = ModelBuilder()
    x = b.input((1, 4, 4, 4))
    w = b.constant(np.zeros((2, 1, 1, 2), np.int8), tflite.TensorType.INT8, QuantSpec([0.1], [0]))
    y = b.activation_tensor((1, 4, 4, 2), 0.1, 0)
    options = {"Padding": 0, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    b.output(b.operator(tflite.BuiltinOperator.CONV_2D, [x, w, -1], y, ("Conv2DOptions", options)))
    assert "grouped" in refused(b.build(), "grouped").message


def test_operator_without_outputs_in_another_subgraph():
    b, other = one_conv(), one_conv()
    other.graph.operators.append(OperatorSpec(0, [0, 1, 2], [77]))
    b.spec.subgraphs.append(other.graph)
    refused(b.build(), r"victim: subgraph 1: operator 1 \(CONV_2D\): writes tensor 77")
