"""Costs against totals worked out by hand from the architectures."""

from pathlib import Path

import pytest

from engine.models.cost import model_cost
from engine.models.reader import parse_graph, read_graph
from tests.builders.tflite_builder import ModelBuilder
from tests.models.small import reference

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"

# DS-CNN on 49x10x1: a 10x4 convolution with stride 2 to 25x5x64, four times (3x3 depthwise, 1x1), 64 -> 12.
KWS_MACS = 25 * 5 * 64 * (10 * 4 * 1) + 4 * (25 * 5 * 64 * 9 + 25 * 5 * 64 * 64) + 64 * 12
KWS_PARAMETERS = (10 * 4 * 64 + 64) + 4 * ((9 * 64 + 64) + (64 * 64 + 64)) + (64 * 12 + 12)

# ResNet-8 on 32x32x3: 3x3 convolutions to 16, 16, 16 channels at 32x32, then 32, 32 at 16x16 and 64, 64 at 8x8, the
# first of each pair with stride 2 and a 1x1 shortcut beside it; 64 -> 10.
IC_MACS = (
    32 * 32 * 16 * 9 * (3 + 16 + 16)
    + 16 * 16 * 32 * (9 * 16 + 9 * 32 + 16)
    + 8 * 8 * 64 * (9 * 32 + 9 * 64 + 32)
    + 64 * 10
)

# Autoencoder: 640, four layers of 128, 8, four layers of 128, 640.
AD_MACS = 640 * 128 + 3 * 128 * 128 + 128 * 8 + 8 * 128 + 3 * 128 * 128 + 128 * 640

# Streaming wake word: 1D depthwise + 1x1 pairs, all VALID: 30x40 -3-> 28 -> 128; -5-> 24; -10-> 15; -15-> 1 -> 32; 3.
SWW_MACS = (
    28 * 40 * 3 + 28 * 40 * 128
    + 24 * 128 * 5 + 24 * 128 * 128
    + 15 * 128 * 10 + 15 * 128 * 128
    + 1 * 128 * 15 + 1 * 128 * 32
    + 32 * 3
)  # fmt: skip


def _vww_macs() -> int:
    """MobileNetV1 with width 0.25 on 96x96x3: (output side, channels in, channels out) of the depthwise separable pairs."""
    pairs = [(48, 8, 16), (24, 16, 32), (24, 32, 32), (12, 32, 64), (12, 64, 64), (6, 64, 128)]
    pairs += [(6, 128, 128)] * 5 + [(3, 128, 256), (3, 256, 256)]
    separable = sum(side * side * (i * 9 + i * o) for side, i, o in pairs)
    return 48 * 48 * 8 * 27 + separable + 256 * 2


@pytest.mark.parametrize(
    ("file", "macs"),
    [
        ("kws_ref_model", KWS_MACS),
        ("kws_ref_model_float32", KWS_MACS),
        ("pretrainedResnet_quant", IC_MACS),
        ("pretrainedResnet", IC_MACS),
        ("vww_96_int8", _vww_macs()),
        ("vww_96_float", _vww_macs()),
        ("ad01_int8", AD_MACS),
        ("ad01_fp32", AD_MACS),
        ("str_ww_ref_model", SWW_MACS),
    ],
)
def test_macs_of_the_reference_models(file, macs):
    assert model_cost(read_graph(reference(f"{file}.tflite"))).macs == macs


@pytest.mark.parametrize(("name", "macs"), [("kws", KWS_MACS), ("ic", IC_MACS)])
def test_macs_of_the_zoo(name, macs):
    assert model_cost(read_graph(ZOO / f"{name}.tflite")).macs == macs


def test_kws_parameters_and_peak():
    cost = model_cost(read_graph(ZOO / "kws.tflite"))
    assert cost.parameters == KWS_PARAMETERS
    # Between two of the middle layers, 25x5x64 int8 are read while 25x5x64 are written.
    assert cost.peak_bytes == 2 * 25 * 5 * 64


def test_one_convolution_in_detail():
    b = ModelBuilder()
    b.output(b.conv_2d(b.input((1, 6, 6, 2)), 4, (3, 3)))
    (op,) = model_cost(parse_graph(b.build(), "m")).operators
    assert (op.macs, op.parameters) == (36 * 4 * 18, 72 + 4)
    assert (op.weight_bytes, op.input_bytes, op.output_bytes) == (72 + 4 * 4, 72, 144)
    assert op.arithmetic_intensity == pytest.approx(2 * 36 * 4 * 18 / (72 + 16 + 72 + 144))
    assert op.output_shape == (1, 6, 6, 4)


def test_depthwise_and_fully_connected_macs():
    b = ModelBuilder()
    y = b.depthwise_conv_2d(b.input((1, 4, 4, 3)), (2, 3), depth_multiplier=2, padding="valid")
    b.output(b.fully_connected(y, 7))
    depthwise, dense = model_cost(parse_graph(b.build(), "m")).operators
    assert depthwise.macs == 3 * 2 * 6 * (2 * 3)
    assert dense.macs == 3 * 2 * 6 * 7


def test_what_multiplies_no_weights_has_no_macs_and_no_parameters():
    b = ModelBuilder()
    y = b.max_pool_2d(b.input((1, 4, 4, 3)))
    y = b.add(y, y)
    b.output(b.softmax(b.reshape(y, (1, 12))))
    cost = model_cost(parse_graph(b.build(), "m"))
    assert [o.macs for o in cost.operators] == [0, 0, 0, 0]
    assert cost.parameters == 0
    # One tensor read twice is touched once.
    assert cost.operators[1].input_bytes == 12
    # A shape is a constant, but no parameter.
    assert cost.operators[2].weight_bytes == 8


def test_lifetimes_and_peak_of_a_residual():
    b = ModelBuilder()
    x = b.input((1, 2, 2, 10))  # 40 bytes, read by operators 0 and 2
    p = b.conv_2d(x, 5, (1, 1))  # 20 bytes
    q = b.conv_2d(p, 10, (1, 1))  # 40 bytes
    y = b.add(x, q)  # 40 bytes
    z = b.softmax(y)  # 40 bytes
    b.output(y)
    b.output(z)
    cost = model_cost(parse_graph(b.build(), "m"))
    assert {life.tensor: (life.first, life.last) for life in cost.lifetimes} == {
        x: (0, 2), p: (0, 1), q: (1, 2), y: (2, 3), z: (3, 3),
    }  # fmt: skip
    assert cost.peak_bytes == 40 + 40 + 40


def test_an_input_nobody_reads_still_needs_its_place():
    b = ModelBuilder()
    unused = b.input((1, 100))
    b.output(b.softmax(b.input((1, 4))))
    cost = model_cost(parse_graph(b.build(), "m"))
    assert next(life for life in cost.lifetimes if life.tensor == unused).bytes == 100
    assert cost.peak_bytes == 108
