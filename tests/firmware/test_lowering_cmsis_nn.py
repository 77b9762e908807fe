"""The kernel and the scratch size chosen at lowering are those that CMSIS-NN's own wrappers and size functions choose."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.firmware.lowering import cmsis_nn, lower
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Window
from engine.firmware.types import KernelLibrary
from engine.models.graph import Operator, OtherOptions, Subgraph
from engine.models.reader import parse_graph
from tests.builders.tflite_builder import ModelBuilder
from tests.firmware.host_build import HostBuilder

PROBED = {
    1: "arm_convolve_1x1_s8_fast",
    2: "arm_convolve_1x1_s8",
    3: "arm_convolve_1_x_n_s8",
    4: "arm_convolve_s8",
    5: "arm_depthwise_conv_3x3_s8",
    6: "arm_depthwise_conv_s8_opt",
    7: "arm_depthwise_conv_s8",
}
Probe = Callable[[str, Window], int]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "dsp"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Probe]:
    dsp: bool = request.param
    library = HostBuilder(tmp_path_factory.mktemp("probe"), dsp=dsp).build_probe()
    dll = ctypes.CDLL(str(library))

    def ask(function: str, w: Window) -> int:
        return int(getattr(dll, function)((ctypes.c_int32 * 14)(*astuple(w))))

    return dsp, ask


@st.composite
def windows(draw: st.DrawFn, *, depthwise: bool) -> Window:
    size = st.integers(1, 12)
    kernel = st.sampled_from((1, 1, 3, 3, 3, 2, 5))
    kh, kw = draw(kernel), draw(kernel)
    dilation = st.sampled_from((1, 1, 1, 2))
    in_c = draw(size)
    return Window(
        in_h=draw(st.sampled_from((1, 1, 4, 9))), in_w=draw(size), in_c=in_c, out_h=draw(size), out_w=draw(size),
        out_c=in_c * draw(st.sampled_from((1, 1, 1, 2, 4))) if depthwise else draw(size), kernel_h=kh, kernel_w=kw,
        stride_h=draw(st.integers(1, 2)), stride_w=draw(st.integers(1, 2)),
        dilation_h=draw(dilation) if kh > 1 else 1, dilation_w=draw(dilation) if kw > 1 else 1,
        pad_top=draw(st.integers(0, min(2, kh - 1))), pad_left=draw(st.integers(0, min(2, kw - 1))),
    )  # fmt: skip


@pytest.fixture(scope="module")
def helium(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    library = HostBuilder(tmp_path_factory.mktemp("probe"), dsp=True).build_probe(mve=True)
    dll = ctypes.CDLL(str(library))

    def ask(function: str, w: Window) -> int:
        return int(getattr(dll, function)((ctypes.c_int32 * 14)(*astuple(w))))

    return ask


def view(dsp: bool, mve: bool = False) -> OperatorView:
    operator = Operator(0, "CONV_2D", (), (), OtherOptions())
    return OperatorView(Subgraph(0, "", (), (operator,), (), ()), operator, KernelLibrary.CMSIS_NN, dsp, mve=mve)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(w=windows(depthwise=False))
def test_convolve_as_the_wrapper(probe: tuple[bool, Probe], w: Window) -> None:
    dsp, ask = probe
    kernel, scratch = cmsis_nn.convolve_kernel(view(dsp), w)
    probed = PROBED[ask("probe_convolve", w)]
    if probed == "arm_convolve_1_x_n_s8":
        probed = "arm_convolve_s8"  # it forwards to it without Helium
    assert kernel == probed
    assert scratch == (ask("probe_convolve_bytes", w) if kernel == "arm_convolve_s8" else 0)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(w=windows(depthwise=True))
def test_depthwise_as_the_wrapper(probe: tuple[bool, Probe], w: Window) -> None:
    dsp, ask = probe
    kernel, scratch = cmsis_nn.depthwise_kernel(view(dsp), w)
    probed = PROBED[ask("probe_depthwise_conv", w)]
    if not dsp and probed == "arm_depthwise_conv_s8_opt":
        probed = "arm_depthwise_conv_s8"  # _opt forwards to it without the DSP extension
    assert kernel == probed
    assert scratch == (ask("probe_depthwise_opt_bytes", w) if kernel == "arm_depthwise_conv_s8_opt" else 0)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(conv=windows(depthwise=False), depthwise=windows(depthwise=True))
def test_kernels_for_helium_as_the_wrappers(helium: Probe, conv: Window, depthwise: Window) -> None:
    probed = PROBED[helium("probe_convolve", conv)]
    if probed == "arm_convolve_1_x_n_s8" and conv.out_w % 4:
        probed = "arm_convolve_s8"  # to which it forwards then
    assert cmsis_nn.convolve_kernel(view(True, True), conv)[0] == probed
    assert (
        cmsis_nn.depthwise_kernel(view(True, True), depthwise)[0] == PROBED[helium("probe_depthwise_conv", depthwise)]
    )


def test_scratch_for_helium() -> None:
    """By hand from ``arm_convolve_s8.c`` and ``arm_depthwise_conv_s8_opt.c``: four columns of whole half vectors; 4 x 124 columns."""
    w = Window(8, 8, 4, 6, 6, 4, 3, 3, 1, 1, 1, 1, 0, 0)
    assert cmsis_nn.convolve_kernel(view(True, True), w) == ("arm_convolve_s8", 4 * 40)
    assert cmsis_nn.depthwise_kernel(view(True, True), w) == ("arm_depthwise_conv_s8_opt", 4 * 124 * 9)
    b = ModelBuilder()
    b.output(b.average_pool_2d(b.input((1, 4, 4, 8))))
    model = lower(parse_graph(b.build(), "t"), KernelLibrary.CMSIS_NN, core_features=("dsp", "mve"))
    assert [t for t in model.arena.tensors if t.tensor is None] == []


def test_the_kernel_for_helium_gets_a_bias_of_zeros_where_there_is_none() -> None:
    b = ModelBuilder()
    b.output(b.depthwise_conv_2d(b.input((1, 8, 8, 4)), bias=False))
    graph = parse_graph(b.build(), "t")
    assert "L0_no_bias" in lower(graph, KernelLibrary.CMSIS_NN, core_features=("dsp", "mve")).source
    assert "no_bias" not in lower(graph, KernelLibrary.CMSIS_NN, core_features=("dsp",)).source


@pytest.mark.parametrize("channels", [1, 3, 64])
def test_average_pool_scratch(probe: tuple[bool, Probe], channels: int) -> None:
    dsp, ask = probe
    b = ModelBuilder()
    b.output(b.average_pool_2d(b.input((1, 4, 4, channels))))
    model = lower(parse_graph(b.build(), "t"), KernelLibrary.CMSIS_NN, core_features=("dsp",) if dsp else ())
    scratch = sum(t.bytes for t in model.arena.tensors if t.tensor is None)
    w = Window(4, 4, channels, 2, 2, channels, 2, 2, 2, 2, 1, 1, 0, 0)
    assert scratch == ask("probe_average_bytes", w)


def test_a_sum_too_long_for_cmsis_nn_is_refused_not_replaced() -> None:
    b = ModelBuilder()
    x = b.input((1, 9, 9, 820))
    b.output(b.conv_2d(x, 1, (9, 9), padding="valid"))
    graph = parse_graph(b.build(), "t")
    assert lower(graph, KernelLibrary.REFERENCE, core_features=()).layers[0].kernel == "wc_conv_2d_s8"
    with pytest.raises(ModelError, match="66420 products") as caught:
        lower(graph, KernelLibrary.CMSIS_NN, core_features=())
    assert "reference" in caught.value.hint


def test_only_operators_that_cmsis_nn_lacks_use_our_kernels(tmp_path: Path) -> None:
    b = ModelBuilder()
    x = b.input((1, 8, 8, 4))
    y = b.conv_2d(x, 4)
    y = b.add(y, b.depthwise_conv_2d(y))
    y = b.max_pool_2d(b.average_pool_2d(y))
    y = b.softmax(b.fully_connected(b.reshape(y, (1, 16)), 3))
    b.output(y)
    model = lower(parse_graph(b.build(), "t"), KernelLibrary.CMSIS_NN, core_features=("dsp",))
    ours = {layer.op for layer in model.layers if layer.library is KernelLibrary.REFERENCE}
    assert ours == {"ADD", "RESHAPE", "SOFTMAX"}
    assert {p.name for p in model.kernel_sources} == {"wc_add_s8.c", "wc_softmax_s8.c"}
    assert not any("wrapper" in s for s in model.cmsis_nn_sources)
