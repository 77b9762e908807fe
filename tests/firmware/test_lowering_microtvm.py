"""``--lowering microtvm``: one-channel convolutions as depthwise, float input and output where TVM's build had them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.load import load_board, load_core
from engine.errors import ModelError, UsageError
from engine.firmware.build import build
from engine.firmware.lowering import LoweredModel, lower, microtvm
from engine.firmware.stimulus import stimulus
from engine.firmware.types import CompilerName, Firmware, KernelLibrary, Lowering
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.reader import parse_graph, read_graph
from engine.paths import FIRMWARE_DIR
from engine.pipeline.measure import measure
from engine.pipeline.rerun import settings_of, verify_record
from engine.pipeline.settings import RunSettings, resolve
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine
from engine.targets.outputs import run_outputs
from tests.builders.oracle import Oracle
from tests.builders.tflite_builder import ModelBuilder

KWS, AD = "kws_ref_model", "ad01_int8"
BOARDS = ("nucleo-l4r5zi", "nrf5340-dk")  # Cortex-M4 and M33
SOFT_FLOAT = ("nucleo-g0b1re", "nucleo-f207zg")  # Cortex-M0+ and M3
ELEMENTS = 640


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "WHYCYCLES_CACHE" not in os.environ:
            patch.setenv("WHYCYCLES_CACHE", str(tmp_path_factory.getbasetemp() / "whycycles"))
        yield


def reference_model(name: str) -> Path:
    root = os.environ.get("WHYCYCLES_MODELS")
    found = sorted(Path(root).rglob(f"{name}.tflite")) if root else []
    if not found:
        pytest.skip(f"{name}.tflite is not below WHYCYCLES_MODELS")
    return found[0]


def lowered(graph: Graph, lowering: Lowering, library: KernelLibrary = KernelLibrary.CMSIS_NN) -> LoweredModel:
    return lower(graph, library, core_features=("dsp",), lowering=lowering)


def firmware_for(graph: Graph, board_name: str, opt: str = "O2") -> Firmware:
    board = load_board(board_name)
    return build(
        graph, model="test", library=KernelLibrary.CMSIS_NN, board=board, core=load_core(board.core),
        compiler=CompilerName.CLANG, opt=opt, lowering=Lowering.MICROTVM,
    )  # fmt: skip


def small(channels: int, outputs: int) -> bytes:
    b = ModelBuilder()
    b.output(b.conv_2d(b.input((1, 9, 7, channels)), outputs, (4, 3), stride=(2, 2)))
    return b.build()


def agree(graph: Graph, data: bytes, board_name: str) -> Firmware:
    """The firmware's outputs equal the oracle's, bit for bit."""
    firmware = firmware_for(graph, board_name)
    inputs = make_inputs(graph, count=4)
    shape = graph.main.tensors[graph.main.inputs[0]].shape
    found = run_outputs(firmware, stimulus(firmware, inputs), load_board(board_name))
    oracle = Oracle(data)
    for one, got in zip(inputs, found, strict=True):
        assert got == oracle.infer([np.frombuffer(one, np.int8).reshape(shape)], 1)[0].tobytes()
    return firmware


def test_a_convolution_of_one_channel_is_depthwise() -> None:
    graph = parse_graph(small(1, 8), "t")
    tflm, tvm = (lowered(graph, x) for x in Lowering)
    assert [m.layers[0].kernel for m in (tflm, tvm)] == ["arm_convolve_s8", "arm_depthwise_conv_s8"]
    assert tflm.layers[0].macs == tvm.layers[0].macs
    assert tflm.layers[0].weight_bytes == tvm.layers[0].weight_bytes


def test_a_convolution_of_more_channels_is_not() -> None:
    graph = parse_graph(small(2, 8), "t")
    tflm, tvm = (lowered(graph, x) for x in Lowering)
    assert tflm == tvm


@pytest.mark.parametrize("outputs", [1, 3, 4, 10])
def test_one_channel_agrees_with_the_oracle(outputs: int) -> None:
    # multiples of four take a path of their own in the kernel, one output that of plain depthwise
    data = small(1, outputs)
    firmware = agree(parse_graph(data, "t"), data, BOARDS[0])
    assert firmware.layers[0].kernel.startswith("arm_depthwise_conv_s8")


def test_microtvm_needs_cmsis_nn() -> None:
    with pytest.raises(UsageError, match="CMSIS-NN's kernels"):
        lowered(parse_graph(small(1, 8), "t"), Lowering.MICROTVM, KernelLibrary.REFERENCE)


def test_a_model_without_one_input_has_no_float_form() -> None:
    b = ModelBuilder()
    b.output(b.add(b.input((1, 4)), b.input((1, 4))))
    with pytest.raises(ModelError, match="one of each"):
        microtvm.with_float_io(parse_graph(b.build(), "t").main)


@pytest.mark.parametrize("board", BOARDS)
def test_keyword_spotting(board: str) -> None:
    path = reference_model(KWS)
    graph = read_graph(path)
    firmware = agree(graph, path.read_bytes(), board)
    tflm = lowered(graph, Lowering.TFLM)
    assert firmware.layers[0].kernel == "arm_depthwise_conv_s8"
    assert [x.kernel for x in firmware.layers[1:]] == [x.kernel for x in tflm.layers[1:]]
    assert firmware.float_input is None


@pytest.mark.parametrize("board", [*BOARDS, *(pytest.param(b, marks=pytest.mark.slow) for b in SOFT_FLOAT)])
def test_anomaly_detection(board: str) -> None:
    path = reference_model(AD)
    graph = read_graph(path)
    firmware = agree(graph, path.read_bytes(), board)
    operators = len(graph.main.operators)
    assert [x.index for x in firmware.layers] == [operators, *range(operators), operators + 1]
    assert [x.op for x in firmware.layers[:: operators + 1]] == ["QUANTIZE", "DEQUANTIZE"]
    assert [t.bytes for t in (*firmware.inputs, *firmware.outputs)] == [4 * ELEMENTS, ELEMENTS]


def test_the_float_output_is_what_the_int8_output_stands_for() -> None:
    graph = read_graph(reference_model(AD))
    firmware = firmware_for(graph, BOARDS[0])
    board = load_board(BOARDS[0])
    machine = Machine(firmware, Image(firmware.elf), board, board.core, Limits())
    machine.reset(str)
    (data,) = stimulus(firmware, make_inputs(graph, count=1))
    output = np.frombuffer(machine.infer_once(data, str), np.int8)
    (place,) = (t for t in firmware.arena.tensors if t.bytes == 4 * ELEMENTS and t.first == len(firmware.layers) - 1)
    found = np.frombuffer(machine.uc.mem_read(machine.arena + place.offset, place.bytes), np.float32)
    q = graph.main.tensors[graph.main.outputs[0]].quantisation
    assert q is not None
    expected = (output.astype(np.float32) - np.float32(q.zero_points[0])) * np.float32(q.scales[0])
    assert found.tobytes() == expected.tobytes()
    assert len(np.unique(output)) > 10


def test_without_microtvm_ad_takes_int8() -> None:
    graph = read_graph(reference_model(AD))
    assert len(lowered(graph, Lowering.TFLM).layers) == len(graph.main.operators)


def test_the_record_of_another_lowering_is_reproduced() -> None:
    settings = RunSettings("kws", BOARDS[0], lowering=Lowering.MICROTVM)
    record = measure(resolve(settings))
    assert record.output_matches_oracle
    assert record.lowering == "microtvm"
    assert settings_of(record).id == record.id
    assert verify_record(record) == ()
    with pytest.raises(UsageError, match="not known here"):
        settings_of(record.model_copy(update={"lowering": "unheard-of"}))


def test_the_record_of_float_input_has_two_more_layers() -> None:
    reference_model(AD)
    record = measure(resolve(RunSettings("mlperf-tiny/ad", BOARDS[0], lowering=Lowering.MICROTVM)))
    first, last = record.layers[0], record.layers[-1]
    assert [(x.op, x.macs, x.output_shape) for x in (first, last)] == [
        ("QUANTIZE", 0, (1, ELEMENTS)),
        ("DEQUANTIZE", 0, (1, ELEMENTS)),
    ]
    # every value is read once and written once
    assert first.counters.ram_read_bytes >= 4 * ELEMENTS
    assert last.counters.ram_write_bytes >= 4 * ELEMENTS
    assert record.output_matches_oracle


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = FIRMWARE_DIR / "kernels"
    library = tmp_path_factory.mktemp("floats") / "floats.so"
    # renamed, so that libm's roundf cannot stand in for ours; undefined behaviour traps
    done = subprocess.run(
        [
            sys.executable, "-m", "ziglang", "cc", "-shared", "-nostdlib", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
            "-fsanitize=undefined", "-fsanitize-trap=undefined", "-Droundf=wc_roundf", "-o", str(library),
            str(folder / "wc_float_io.c"), str(folder / "wc_roundf.c"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dll = ctypes.CDLL(str(library))
    dll.wc_roundf.restype, dll.wc_roundf.argtypes = ctypes.c_float, [ctypes.c_float]
    return dll


floats = st.floats(width=32, allow_nan=False)
halves = st.integers(-600, 600).map(lambda n: n / 2)
near = st.tuples(halves, st.sampled_from((-np.inf, np.inf))).map(
    lambda x: float(np.nextafter(np.float32(x[0]), np.float32(x[1])))
)


@given(x=floats | halves | near)
def test_roundf_rounds_ties_away_from_zero(kernels: ctypes.CDLL, x: float) -> None:
    expected = np.copysign(np.floor(np.abs(np.float64(x)) + 0.5), x)
    found = np.float32(kernels.wc_roundf(x))
    assert found == expected
    assert np.signbit(found) == np.signbit(np.float32(x))


@given(values=st.lists(st.floats(width=32) | halves, min_size=1, max_size=40), scale=st.floats(2**-10, 10, width=32))
def test_quantising_any_float(kernels: ctypes.CDLL, values: list[float], scale: float) -> None:
    quantize: Callable[..., None] = kernels.wc_quantize_f32_s8
    source = np.array(values, np.float32)
    target = np.zeros(len(source), np.int8)
    inverse = np.float32(1) / np.float32(scale)
    pointers = (source.ctypes.data_as(ctypes.c_void_p), target.ctypes.data_as(ctypes.c_void_p))
    quantize(len(source), ctypes.c_float(inverse), ctypes.c_float(-7.0), *pointers)
    with np.errstate(all="ignore"):
        scaled = (source * inverse).astype(np.float64)
        whole = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled) - 7
    expected = np.where(np.isnan(whole), 127, np.clip(whole, -128, 127)).astype(np.int8)
    assert target.tolist() == expected.tolist()


@given(scale=st.floats(2**-20, 2**20, width=32), zero_point=st.integers(-128, 127))
def test_float_input_comes_back_as_the_same_int8(kernels: ctypes.CDLL, scale: float, zero_point: int) -> None:
    every = np.arange(-128, 128, dtype=np.int8)
    real = (every.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    found = np.zeros(256, np.int8)
    inverse = np.float32(1) / np.float32(scale)
    pointers = (real.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p))
    kernels.wc_quantize_f32_s8(256, ctypes.c_float(inverse), ctypes.c_float(zero_point), *pointers)
    assert found.tolist() == every.tolist()
