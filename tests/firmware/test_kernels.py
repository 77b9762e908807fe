"""Kernels against the oracle, bit for bit, compiled for the host. DSP paths run on instructions written out in C."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

from engine.firmware.lowering import NO_KERNEL, lower
from engine.firmware.lowering.types import LoweredModel
from engine.firmware.types import KernelLibrary
from engine.models.reader import parse_graph
from tests.builders.oracle import Oracle
from tests.builders.random_ops import RandomOp, build, operator_batches, random_inputs
from tests.builders.tflite_builder import ModelBuilder
from tests.firmware.host_build import HostBuilder

VARIANTS = [
    pytest.param(KernelLibrary.REFERENCE, False, id="reference"),
    pytest.param(KernelLibrary.CMSIS_NN, False, id="cmsis-nn"),
    pytest.param(KernelLibrary.CMSIS_NN, True, id="cmsis-nn-dsp"),
]
Arrays = list[np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


def lowered(data: bytes, library: KernelLibrary, dsp: bool) -> LoweredModel:
    return lower(parse_graph(data, "test"), library, core_features=("dsp",) if dsp else ())


def differing(folder: Path, data: bytes, rounds: list[Arrays], library: KernelLibrary, dsp: bool) -> list[str]:
    """Layers whose output (one per layer) is not the oracle's."""
    model = lowered(data, library, dsp)
    oracle = Oracle(data)
    wrong = []
    for values, got in zip(rounds, HostBuilder(folder, dsp=dsp).build(model).infer(rounds), strict=True):
        expected = oracle.infer(values, len(got))
        pairs = zip(model.layers, got, expected, strict=True)
        wrong += [f"layer {layer.index}: {layer.kernel}" for layer, a, b in pairs if not np.array_equal(a, b)]
    return wrong


@pytest.mark.parametrize(("library", "dsp"), VARIANTS)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=operator_batches())
def test_random_operators(folder: Path, library: KernelLibrary, dsp: bool, batch: list[RandomOp]) -> None:
    data = build(batch)
    graph = parse_graph(data, "random")
    shapes = [graph.main.tensors[t].shape for t in graph.main.inputs]
    assert differing(folder, data, [random_inputs(shapes, s) for s in range(2)], library, dsp) == []


@seed(1)
@settings(max_examples=8, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=operator_batches())
def _collect(batch: list[RandomOp]) -> None:
    data = build(batch)
    for library, dsp in (
        (KernelLibrary.REFERENCE, False),
        (KernelLibrary.CMSIS_NN, False),
        (KernelLibrary.CMSIS_NN, True),
    ):
        _seen.update(layer.kernel for layer in lowered(data, library, dsp).layers)


_seen: set[str] = set()


def test_random_operators_reach_every_kernel() -> None:
    _collect()
    assert _seen == {
        "wc_conv_2d_s8", "wc_depthwise_conv_2d_s8", "wc_fully_connected_s8", "wc_fully_connected_per_channel_s8",
        "wc_average_pool_2d_s8", "wc_max_pool_2d_s8", "wc_add_s8", "wc_add_broadcast_s8", "wc_softmax_s8", NO_KERNEL,
        "arm_convolve_1x1_s8_fast", "arm_convolve_1x1_s8", "arm_convolve_s8", "arm_depthwise_conv_3x3_s8",
        "arm_depthwise_conv_s8", "arm_depthwise_conv_s8_opt", "arm_fully_connected_s8", "arm_avgpool_s8",
        "arm_max_pool_s8",
    }  # fmt: skip


@pytest.mark.parametrize(("library", "dsp"), VARIANTS)
@pytest.mark.parametrize("kind", ["conv", "depthwise", "fully_connected", "fully_connected_per_channel"])
def test_sums_on_rounding_boundaries(folder: Path, library: KernelLibrary, dsp: bool, kind: str) -> None:
    """Biases put every sum within a few units of where the output changes: one float where a double belongs shows here."""
    channels = 4000
    for trial in range(3):
        rng = np.random.default_rng(trial)
        b = ModelBuilder(trial)
        in_scale, weight_scale = (float(np.float32(s)) for s in rng.uniform(0.001, 0.1, 2))
        out_scale = float(np.float32(in_scale * weight_scale * 2**28 / 127))
        edges = (rng.integers(-120, 120, channels) + 0.5) * out_scale / (in_scale * weight_scale)
        biases = (np.round(edges) + rng.integers(-20, 21, channels)).astype(np.int32)
        w = rng.integers(-127, 128, channels).astype(np.int8)
        x = b.input((1, 1, 1, 1) if kind in ("conv", "depthwise") else (1, 1), in_scale, 3)
        common = {"biases": biases, "scale": out_scale}
        if kind == "conv":
            w = w.reshape(channels, 1, 1, 1)
            y = b.conv_2d(x, channels, (1, 1), per_channel=False, weights=w, weight_scales=[weight_scale], **common)
        elif kind == "depthwise":
            y = b.depthwise_conv_2d(
                x, (1, 1), depth_multiplier=channels, per_channel=False, weights=w.reshape(1, 1, 1, channels),
                weight_scales=[weight_scale], **common,
            )  # fmt: skip
        else:
            per_channel = kind.endswith("per_channel")
            scales = [weight_scale] * (channels if per_channel else 1)
            w = w.reshape(channels, 1)
            y = b.fully_connected(x, channels, per_channel=per_channel, weights=w, weight_scales=scales, **common)
        b.output(y)
        assert differing(folder, b.build(), [[np.full(b.shape(x), 3, np.int8)]], library, dsp) == []


def _neighbours(scale: float) -> list[float]:
    below = np.nextafter(np.float32(scale), np.float32(0))
    above = np.nextafter(np.float32(scale), np.float32(1e9))
    return [float(below), float(np.float32(scale)), float(above)]


@pytest.mark.parametrize(("activation", "bound", "value"), [("relu6", 6, 127), ("relu_n1_to_1", 1, 127)])
def test_activation_bounds_on_rounding_boundaries(folder: Path, activation: str, bound: int, value: int) -> None:
    """Scales for which the clamp lies half way between two steps, and their neighbours."""
    b = ModelBuilder()
    inputs = []
    for step in range(1, 250, 3):
        for scale in _neighbours(bound / (step + 0.5)):
            x = b.input((1, 1, 1, 1), scale, -128)
            b.output(b.max_pool_2d(x, (1, 1), stride=(1, 1), activation=activation))
            inputs.append(np.full((1, 1, 1, 1), value, np.int8))
    assert differing(folder, b.build(), [inputs], KernelLibrary.REFERENCE, False) == []


def test_add_of_all_pairs(folder: Path) -> None:
    rng = np.random.default_rng(2)
    first, second = (a.reshape(1, -1).astype(np.int8) for a in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    b = ModelBuilder()
    inputs = []
    for scales in [(0.5, 0.25, 0.5), (0.1, 0.1, 0.2), *np.exp(rng.uniform(-5, 1, (10, 3))).tolist()]:
        zero = rng.integers(-128, 128, 3).tolist()
        x, y = b.input((1, 65536), scales[0], zero[0]), b.input((1, 65536), scales[1], zero[1])
        b.output(b.add(x, y, scale=max(scales[2], max(scales) / 1000), zero_point=zero[2]))
        inputs += [first, second]
    assert differing(folder, b.build(), [inputs], KernelLibrary.REFERENCE, False) == []


@pytest.mark.parametrize("depth", [1, 2, 12, 100, 511, 1000])
def test_softmax_of_many_depths(folder: Path, depth: int) -> None:
    rng = np.random.default_rng(depth)
    b = ModelBuilder()
    inputs = []
    for trial in range(12):
        x = b.input((3, depth), math.exp(rng.uniform(-7, 1) if depth < 512 else rng.uniform(-3, 1)))
        b.output(b.softmax(x, beta=math.exp(rng.uniform(-1, 1) if depth < 512 else 0)))
        values = rng.integers(-128, 128, (3, depth)).astype(np.int8)
        if depth > 511:  # the oracle aborts on an even spread over more than 511 classes
            values = np.minimum(values, 0)
            values[:, 0] = 127
        elif trial % 4 == 0:
            values[:] = 5
        inputs.append(values)
    assert differing(folder, b.build(), [inputs], KernelLibrary.REFERENCE, False) == []


def test_softmax_over_more_classes_than_the_oracle_can_spread(folder: Path) -> None:
    """1000 equal classes: every probability is below half a step of 1/256."""
    b = ModelBuilder()
    x = b.input((1, 1000))
    b.output(b.softmax(x))
    model = lowered(b.build(), KernelLibrary.REFERENCE, False)
    [[got]] = HostBuilder(folder, dsp=False).build(model).infer([[np.full((1, 1000), 7, np.int8)]])
    assert set(got.tolist()) == {-128}


@pytest.mark.parametrize(("library", "dsp"), VARIANTS)
def test_average_of_large_windows(folder: Path, library: KernelLibrary, dsp: bool) -> None:
    rng = np.random.default_rng(3)
    b = ModelBuilder()
    inputs = []
    for side in (7, 13, 64):
        for padding in ("same", "valid"):
            x = b.input((1, side, side, 5), 0.1)
            b.output(b.average_pool_2d(x, (side, side), stride=(3, 2), padding=padding))
            inputs.append(rng.integers(-128, 128, (1, side, side, 5)).astype(np.int8))
    assert differing(folder, b.build(), [inputs], library, dsp) == []
