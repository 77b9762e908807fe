"""What a checkout of CMSIS-NN wants is read from it, and lowered calls follow."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelError, ToolError
from engine.firmware.cmsis_nn import CMSIS_NN_PATH, find_cmsis_nn
from engine.firmware.cmsis_nn_interface import PACKAGED, CmsisNnInterface, KernelSums, read_interface
from engine.firmware.lowering import cmsis_nn, lower
from engine.firmware.lowering.types import LoweredModel
from engine.firmware.lowering.view import OperatorView
from engine.firmware.lowering.window import Window
from engine.firmware.types import KernelLibrary
from engine.models.graph import Operator, OtherOptions, Subgraph
from engine.models.reader import parse_graph
from tests.builders.tflite_builder import ModelBuilder

NEWEST = CmsisNnInterface(
    convolve_takes_upscale_dims=True,
    kernel_sums=KernelSums.WITH_BIAS,
    one_by_n_needs_quads=False,
    columns_are_aligned=True,
    widens_one_channel=True,
)

UP = "const cmsis_nn_dims *up, "


def convolution(name: str, params: str = "cmsis_nn_conv_params", up: str = "", first: str = "") -> str:
    return (
        f"arm_cmsis_nn_status {name}(const cmsis_nn_context *ctx, {first}const {params} *p,\n"
        "    const cmsis_nn_per_channel_quant_params *q, const cmsis_nn_dims *i, const int8_t *x, const cmsis_nn_dims *f,\n"
        f"    const int8_t *w, const cmsis_nn_dims *b, const int32_t *bias, {up}const cmsis_nn_dims *o, int8_t *y);\n"
    )


def header(convolve: str, more: str = "") -> str:
    depthwise = ("arm_depthwise_conv_s8", "arm_depthwise_conv_s8_opt", "arm_depthwise_conv_3x3_s8")
    pool = (
        "arm_cmsis_nn_status {}(const cmsis_nn_context *c, const cmsis_nn_pool_params *p, const cmsis_nn_dims *i,\n"
        "    const int8_t *x, const cmsis_nn_dims *f, const cmsis_nn_dims *o, int8_t *y);\n"
    )
    connected = convolution("arm_fully_connected_s8", "cmsis_nn_fc_params").replace("per_channel", "per_tensor")
    parts = [
        convolve,
        *(convolution(f"arm_convolve_{n}_s8{t}") for n, t in (("1_x_n", ""), ("1x1", ""), ("1x1", "_fast"))),
        *(convolution(n, "cmsis_nn_dw_conv_params") for n in (*depthwise, "arm_depthwise_conv_wrapper_s8")),
        connected,
        *(pool.format(n) for n in ("arm_avgpool_s8", "arm_max_pool_s8")),
    ]
    return "/* arm_vector_sum_s8(int x); is only spoken of here */\n" + "".join(parts) + more


def checkout(root: Path, text: str, files: dict[str, str] | None = None) -> Path:
    for name, content in {"Include/arm_nnfunctions.h": text, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


FOLDER = "Source/ConvolutionFunctions"
VECTOR_SUM = "int32_t arm_vector_sum_s8(int32_t *s, const int32_t cols, const int32_t rows, const int8_t *w{});\n"


def test_the_packaged_cmsis_nn_is_what_lowering_takes_for_granted() -> None:
    found = find_cmsis_nn()
    assert found.interface == PACKAGED
    assert read_interface(found.tree.path) == PACKAGED


def test_facts_of_a_new_release(tmp_path: Path) -> None:
    sums = VECTOR_SUM.format(", const int32_t lhs_offset, const int32_t rhs_offset, const int32_t *bias")
    files = {
        "Include/arm_nnsupportfunctions.h": "if (p->stride.w * input_dims->c) % 4 == 0) return 1;",
        f"{FOLDER}/arm_convolve_get_buffer_sizes_s8.c": "",
        f"{FOLDER}/arm_depthwise_conv_wrapper_s8.c": "static int arm_depthwise_conv_to_conv_s8(void);",
    }
    text = header(convolution("arm_convolve_s8", up=UP), sums)
    assert read_interface(checkout(tmp_path, text, files)) == NEWEST


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ("", KernelSums.PLAIN),
        (", const int32_t lhs_offset, const int32_t *bias", KernelSums.WITH_BIAS),
        (", const int32_t lhs_offset, const int32_t rhs_offset, const int32_t *bias", KernelSums.WITH_BIAS),
    ],
)
def test_what_the_kernel_sums_hold(tmp_path: Path, more: str, kind: KernelSums) -> None:
    text = header(convolution("arm_convolve_s8"), VECTOR_SUM.format(more))
    assert read_interface(checkout(tmp_path, text)).kernel_sums is kind


def test_the_condition_for_one_by_n_may_lie_in_the_wrapper(tmp_path: Path) -> None:
    text = header(convolution("arm_convolve_s8"))
    wrapper = f"{FOLDER}/arm_convolve_wrapper_s8.c"
    older = checkout(tmp_path / "older", text, {wrapper: "if (output_dims->w % 4 == 0)"})
    assert read_interface(older).one_by_n_needs_quads
    newer = checkout(tmp_path / "newer", text, {wrapper: "if (conv_params->stride.w * input_dims->c % 4 == 0)"})
    assert not read_interface(newer).one_by_n_needs_quads


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (header(convolution("arm_convolve_s8", first="const cmsis_nn_context *sums, ")), "arm_convolve_s8 with 12 arg"),
        (header(""), "declares no arm_convolve_s8"),
        (header(convolution("arm_convolve_s8"), VECTOR_SUM.format(", int64_t *b")), "arm_vector_sum_s8 with 5 arg"),
        (header(convolution("arm_convolve_s8").replace("int8_t", "int16_t")), "first at odds: int16_t"),
    ],
)
def test_an_unknown_interface_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv(CMSIS_NN_PATH, str(checkout(tmp_path, text)))
    with pytest.raises(ToolError, match=said) as caught:
        find_cmsis_nn()
    assert "CMSIS_NN_PATH" in caught.value.hint


def test_the_helpers_of_a_kernel_are_found_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        f"{FOLDER}/arm_convolve_s8.c": "int arm_convolve_s8(int a)\n{ /* not arm_spoken_of() */ return arm_helper(a); }\n",
        "Source/NNSupportFunctions/arm_moved_elsewhere.c": "int *arm_helper(\n    int a)\n{\n    return arm_deeper(a);\n}\n",
        "Source/NNSupportFunctions/arm_deeper.c": "void arm_deeper(int a) { arm_convolve_s8(a); }\n",
        "Source/NNSupportFunctions/arm_spoken_of.c": "void arm_spoken_of(void) {}\nstatic int arm_deeper(int a) {}\n",
    }
    monkeypatch.setenv(CMSIS_NN_PATH, str(checkout(tmp_path, header(convolution("arm_convolve_s8")), files)))
    names = [Path(f).name for f in find_cmsis_nn().files(("arm_convolve_s8.c",), mve=False)]
    assert names == ["arm_convolve_s8.c", "arm_deeper.c", "arm_moved_elsewhere.c"]


HELPERS = ("arm_a", "arm_b", "arm_c", "arm_d", "arm_e")


@pytest.mark.parametrize(
    ("condition", "plain", "helium"),
    [
        ("#if defined(ARM_MATH_MVEI)", "bde", "acde"),
        ("#ifdef ARM_MATH_MVEI // Helium", "bde", "acde"),
        ("#ifndef ARM_MATH_MVEI", "acde", "bde"),
        ("#if !defined(ARM_MATH_MVEI)", "acde", "bde"),
        ("#if defined(ARM_MATH_MVEI) && !defined(SLOW)", "bde", "abcde"),
        ("#if defined(ARM_MATH_DSP)", "abcde", "abcde"),
    ],
)
def test_only_what_the_core_compiles_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, plain: str, helium: str
) -> None:
    """The branch holds a condition of its own, which is not for Helium to decide."""
    kernel = f"{condition}\narm_a();\n#if X\narm_c();\n#endif\n#else\narm_b();\n#endif\narm_d();\n#if X\n#elif Y\narm_e();\n#endif\n"
    files = {f"{FOLDER}/{name}.c": f"void {name}(void)\n{{\n}}\n" for name in HELPERS}
    files[f"{FOLDER}/arm_convolve_s8.c"] = f"int arm_convolve_s8(int x)\n{{\n{kernel}}}\n"
    monkeypatch.setenv(CMSIS_NN_PATH, str(checkout(tmp_path, header(convolution("arm_convolve_s8")), files)))
    for mve, expected in ((False, plain), (True, helium)):
        found = find_cmsis_nn().files(("arm_convolve_s8.c",), mve=mve)
        assert "".join(Path(f).stem[4:] for f in found if "convolve" not in f) == expected


def test_what_a_checkout_holds_decides_how_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4.0.0 with one argument more: as a checkout it gets it."""
    root = tmp_path / "CMSIS-NN"
    shutil.copytree(find_cmsis_nn().tree.path, root)
    path = root / "Include" / "arm_nnfunctions.h"
    text = path.read_text(encoding="utf-8")
    prototype = re.search(r"arm_convolve_s8\(.*?\);", text, re.DOTALL)
    assert prototype is not None
    longer = prototype[0].replace("const cmsis_nn_dims *output_dims", f"{UP}const cmsis_nn_dims *output_dims")
    path.write_text(text.replace(prototype[0], longer), encoding="utf-8")
    monkeypatch.setenv(CMSIS_NN_PATH, str(root))
    assert find_cmsis_nn().interface == dataclasses.replace(PACKAGED, convolve_takes_upscale_dims=True)


def view(interface: CmsisNnInterface, *, mve: bool) -> OperatorView:
    operator = Operator(0, "CONV_2D", (), (), OtherOptions())
    graph = Subgraph(0, "", (), (operator,), (), ())
    return OperatorView(graph, operator, KernelLibrary.CMSIS_NN, dsp=True, mve=mve, interface=interface)


def lowered(b: ModelBuilder, interface: CmsisNnInterface, *features: str) -> LoweredModel:
    return lower(parse_graph(b.build(), "t"), KernelLibrary.CMSIS_NN, core_features=features, interface=interface)


@pytest.mark.parametrize("features", [("dsp",), ("dsp", "mve")])
def test_upscaling_is_passed_as_absent(features: tuple[str, ...]) -> None:
    b = ModelBuilder()
    b.output(b.conv_2d(b.input((1, 8, 8, 3)), 4, (3, 3)))
    for interface, call in ((PACKAGED, "&L0_bias, C1, &L0_out"), (NEWEST, "&L0_bias, C1, 0, &L0_out")):
        source = lowered(b, interface, *features).source
        found = re.search(r"\(int32_t\)arm_convolve_s8\((.*)\);", source)
        assert found is not None
        assert re.sub(r"\bC\d+\b", "C1", found[1]).endswith(f"{call}, T{found[1].rsplit('T', 1)[1]}")


def test_other_kernels_keep_their_arguments() -> None:
    b = ModelBuilder()
    b.output(b.conv_2d(b.input((1, 8, 8, 4)), 4, (1, 1)))
    assert lowered(b, NEWEST, "dsp", "mve").source == lowered(b, PACKAGED, "dsp", "mve").source


def sums_of(model: LoweredModel) -> list[int] | None:
    found = re.search(r"L0_kernel_sums\[\d+\] = \{\s*([^}]*)\}", model.source)
    return [int(v) for v in found[1].split(",")] if found else None


@pytest.mark.parametrize("bias", [True, False])
def test_kernel_sums_are_constants(bias: bool) -> None:
    b = ModelBuilder()
    b.output(b.fully_connected(b.input((1, 20)), 3, bias=bias))
    graph = parse_graph(b.build(), "t").main
    operator = graph.operators[0]
    weights = graph.tensors[operator.inputs[1]].data
    assert weights is not None
    plain = weights.astype(np.int64).sum(axis=1)
    quantisation = graph.tensors[operator.inputs[0]].quantisation
    assert quantisation is not None
    offset = -quantisation.zero_points[0]
    biases = graph.tensors[operator.inputs[2]].data if bias else np.zeros(3, np.int32)
    assert biases is not None
    assert sums_of(lowered(b, PACKAGED, "dsp", "mve")) is None
    assert sums_of(lowered(b, NEWEST, "dsp")) is None
    model = lowered(b, NEWEST, "dsp", "mve")
    assert sums_of(model) == (plain * offset + biases).tolist()
    assert "L0_context = {(void *)L0_kernel_sums, 12}" in model.source
    # the sums are derived, not the model's
    assert model.layers[0].weight_bytes == lowered(b, PACKAGED, "dsp").layers[0].weight_bytes
    only = dataclasses.replace(PACKAGED, kernel_sums=KernelSums.PLAIN)
    assert sums_of(lowered(b, only, "dsp", "mve")) == plain.tolist()


def window(**changes: int) -> Window:
    return dataclasses.replace(Window(8, 8, 3, 8, 8, 4, 3, 3, 1, 1, 1, 1, 1, 1), **changes)


def test_scratch_of_later_releases() -> None:
    """27 values a column: two of 28 at 16 bits, or four of 32 bytes; where less is wanted the larger size is no harm."""
    assert cmsis_nn.convolve_kernel(view(PACKAGED, mve=False), window()) == ("arm_convolve_s8", 2 * 27 * 2)
    assert cmsis_nn.convolve_kernel(view(NEWEST, mve=False), window()) == ("arm_convolve_s8", 2 * 28 * 2)
    assert cmsis_nn.convolve_kernel(view(PACKAGED, mve=True), window()) == ("arm_convolve_s8", 4 * 32)
    assert cmsis_nn.convolve_kernel(view(NEWEST, mve=True), window(in_c=4)) == ("arm_convolve_s8", 4 * 48)


ONE = {"in_h": 1, "out_h": 1, "kernel_h": 1, "pad_top": 0}


@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        pytest.param({"in_c": 4}, "arm_convolve_1_x_n_s8", id="padded on both sides"),
        pytest.param({"in_c": 4, "in_w": 7, "out_w": 7}, "arm_convolve_1_x_n_s8", id="any width"),
        pytest.param({"in_c": 3}, "arm_convolve_s8", id="3 channels are no multiple of 4"),
        pytest.param({"in_c": 2, "stride_w": 2, "out_w": 4, "pad_left": 0}, "arm_convolve_1_x_n_s8", id="stride 2"),
        pytest.param(
            {"in_c": 2, "stride_w": 2, "out_w": 4, "kernel_w": 5}, "arm_convolve_s8", id="two behind at stride 2"
        ),
        pytest.param(
            {"in_c": 2, "in_w": 10, "stride_w": 2, "out_w": 4, "pad_left": 0}, "arm_convolve_s8", id="unread input"
        ),
    ],
)
def test_one_by_n_with_helium(changes: dict[str, int], kernel: str) -> None:
    w = window(**{**ONE, **changes})
    found, scratch = cmsis_nn.convolve_kernel(view(NEWEST, mve=True), w)
    assert found == kernel
    assert scratch == 4 * (-(-w.kernel_w * w.in_c // 16) * 16)


def test_one_input_channel_becomes_a_convolution_with_helium() -> None:
    w = window(in_c=1, out_c=4)
    assert cmsis_nn.depthwise_kernel(view(NEWEST, mve=True), w) == ("arm_depthwise_conv_wrapper_s8", 4 * 16 + 9 * 4)
    assert cmsis_nn.depthwise_kernel(view(NEWEST, mve=False), w)[0] == "arm_depthwise_conv_s8"
    assert cmsis_nn.depthwise_kernel(view(PACKAGED, mve=True), w)[0] == "arm_depthwise_conv_s8"
    wrong = window(**ONE, in_c=1, out_c=4, in_w=16, stride_w=4, out_w=4, kernel_w=8, pad_left=2)
    assert cmsis_nn.depthwise_kernel(view(NEWEST, mve=True), wrong)[0] == "arm_depthwise_conv_s8"


OLDEST = CmsisNnInterface(
    one_by_one_needs_quads=True,
    one_by_one_strides=False,
    needs_bias=frozenset(
        {"arm_convolve_s8", "arm_depthwise_conv_s8", "arm_depthwise_conv_s8_opt", "arm_depthwise_conv_3x3_s8"}
    ),
    ignores_dilation=frozenset({"arm_convolve_s8", "arm_depthwise_conv_s8"}),
    helium_is_known=False,
)
"""That of CMSIS_5 5.8.0."""


def cmsis_5(root: Path, *, newer: bool = False) -> Path:
    """A checkout of CMSIS_5 by its shape: old names of types and status, no ``arm_convolve_1x1_s8``, ``newer``: as in 2022."""
    strided = convolution("arm_convolve_1x1_s8")
    text = header(convolution("arm_convolve_s8")).replace(strided, "")
    text = text.replace("int8_t", "q7_t").replace(
        "arm_cmsis_nn_status", "arm_cmsis_nn_status" if newer else "arm_status"
    )
    sum_ = (
        "int32_t sum = 0;\nif (bias)\n{\n sum = *bias;\n}\n"
        if newer
        else "int32_t sum = *bias; /* if (bias) is not asked */\n"
    )
    dilation = "int x = params->dilation.w;\n" if newer else "(void)params->dilation;\n"
    kernels = {
        "arm_convolve_s8.c": f"int arm_convolve_s8(int x)\n{{\n{dilation}}}\n",
        "arm_nn_mat_mult_kernel_s8_s16.c": f"int arm_nn_mat_mult_kernel_s8_s16(int x)\n{{\n{sum_}}}\n",
        "arm_convolve_1x1_s8_fast.c": "int arm_convolve_1x1_s8_fast(int x)\n{\nif (input_dims->c % 4 != 0) return 1;\n}\n",
        "arm_depthwise_conv_s8.c": f"int arm_depthwise_conv_s8(int x)\n{{\n{dilation}{sum_}}}\n",
        "arm_depthwise_conv_s8_opt.c": "int arm_depthwise_conv_s8_opt(int x)\n{\nint32_t sum = *bias++;\n}\n",
        "arm_depthwise_conv_3x3_s8.c": "int arm_depthwise_conv_3x3_s8(int x)\n{\nint32_t sum = bias[0];\n}\n",
    }
    checkout(root / "CMSIS" / "NN", text, {f"{FOLDER}/{name}": content for name, content in kernels.items()})
    for file in ("DSP/Include/arm_math_types.h", "Core/Include/cmsis_compiler.h"):
        path = root / "CMSIS" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("/* types */\n", encoding="utf-8")
    (root / "ARM.CMSIS.pdsc").write_text('<release version="5.8.0" date="2021-06-24">\n', encoding="utf-8")
    return root


def test_facts_of_the_kernels_in_cmsis_5(tmp_path: Path) -> None:
    assert read_interface(cmsis_5(tmp_path / "2021") / "CMSIS" / "NN") == OLDEST
    needing = frozenset({"arm_depthwise_conv_s8_opt", "arm_depthwise_conv_3x3_s8"})
    later = dataclasses.replace(OLDEST, needs_bias=needing, ignores_dilation=frozenset())
    assert read_interface(cmsis_5(tmp_path / "2022", newer=True) / "CMSIS" / "NN") == later


def test_a_checkout_of_cmsis_5_brings_its_own_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = cmsis_5(tmp_path)
    monkeypatch.setenv(CMSIS_NN_PATH, str(root))
    found = find_cmsis_nn()
    nn = root / "CMSIS" / "NN"
    assert found.tree.path == nn
    assert found.version.startswith("5.8.0 (checkout ")
    beside = [nn.parent / folder / "Include" for folder in ("DSP", "Core")]
    assert [t.path for t in found.includes] == [nn / "Include", *beside]
    (beside[0] / "arm_math_types.h").write_text("/* other types */\n", encoding="utf-8")
    assert find_cmsis_nn().version != found.version
    # named by the folder of CMSIS-NN itself it is the same; the release is written at the top alone
    monkeypatch.setenv(CMSIS_NN_PATH, str(nn))
    assert [t.path for t in find_cmsis_nn().includes] == [nn / "Include", *beside]


@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        pytest.param({"in_c": 4}, "arm_convolve_1x1_s8_fast", id="a multiple of 4"),
        pytest.param({"in_c": 6}, "arm_convolve_s8", id="no multiple of 4"),
        pytest.param(
            {"in_c": 4, "stride_h": 2, "stride_w": 2, "out_h": 4, "out_w": 4}, "arm_convolve_s8", id="strided"
        ),
    ],
)
def test_one_by_one_in_cmsis_5(changes: dict[str, int], kernel: str) -> None:
    w = window(kernel_h=1, kernel_w=1, pad_top=0, pad_left=0, **changes)
    found, scratch = cmsis_nn.convolve_kernel(view(OLDEST, mve=False), w)
    assert (found, scratch) == (kernel, 0 if kernel.endswith("fast") else 2 * w.in_c * 2)


def test_a_fully_connected_layer_per_channel_in_cmsis_5() -> None:
    """Six values a row: the 1x1 kernel refuses them, and the other wants a bias and scratch."""
    b = ModelBuilder()
    b.output(b.fully_connected(b.input((1, 6)), 3, bias=False, per_channel=True))
    now, then = (lowered(b, interface, "dsp").source for interface in (PACKAGED, OLDEST))
    assert "arm_convolve_1x1_s8_fast(" in now
    assert "no_bias" not in now
    assert "arm_convolve_s8(" in then
    assert "L0_no_bias" in then


@pytest.mark.parametrize("depthwise", [False, True])
def test_kernels_that_read_any_bias_get_one_of_zeros(depthwise: bool) -> None:
    b = ModelBuilder()
    x = b.input((1, 8, 8, 4))
    b.output(b.depthwise_conv_2d(x, (3, 3), bias=False) if depthwise else b.conv_2d(x, 4, (3, 3), bias=False))
    assert "no_bias" not in lowered(b, PACKAGED, "dsp").source
    assert "L0_no_bias" in lowered(b, OLDEST, "dsp").source


@pytest.mark.parametrize("depthwise", [False, True])
def test_what_the_kernels_of_cmsis_5_cannot_do_is_refused(depthwise: bool) -> None:
    kernel_of = cmsis_nn.depthwise_kernel if depthwise else cmsis_nn.convolve_kernel
    w = window(in_c=4, dilation_w=2)
    assert kernel_of(view(PACKAGED, mve=False), w)
    with pytest.raises(ModelError, match="knows no dilation"):
        kernel_of(view(OLDEST, mve=False), w)
    with pytest.raises(ModelError, match="Helium is not known"):
        kernel_of(view(OLDEST, mve=True), window(in_c=4))
