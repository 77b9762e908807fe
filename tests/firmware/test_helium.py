"""Firmware for a core with Helium against the oracle, bit for bit, on QEMU: models and random operators, both compilers."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from engine.catalog.load import load_board, load_core
from engine.firmware.build import build
from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.reader import parse_graph
from engine.targets.device import Limits
from engine.targets.llvm_tools import find_llvm_tool
from engine.targets.qemu.target import QemuTarget
from tests.builders.oracle import Oracle
from tests.builders.tflite_builder import ModelBuilder
from tests.firmware.test_oracle_emulated import ZOO, check_kernels, mlperf, random_models, rounds_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None or find_llvm_tool("llvm-objdump") is None,
        reason="needs qemu-system-arm and llvm-objdump (extra 'llvm')",
    ),
]
GCC = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
BOTH = pytest.mark.parametrize("compiler", [CompilerName.CLANG, pytest.param(CompilerName.GCC, marks=GCC)])
BOARD = "apollo510-evb"


def check(
    data: bytes, name: str, library: KernelLibrary, compiler: CompilerName, opt: str, board_name: str = BOARD
) -> None:
    graph, board = parse_graph(data, name), load_board(board_name)
    core = load_core(board.core)
    link = partial(build, graph, model=name, library=library, board=board, core=core, compiler=compiler, opt=opt)
    rounds = rounds_for(graph, 3)
    firmware = link()
    target = QemuTarget(board, core, lambda memories: link(memory_map=memories), limits=Limits(2_000_000_000, 300))
    execution = target.run(firmware, [b"".join(a.tobytes() for a in r) for r in rounds])
    oracle = Oracle(data)
    for values, got in zip(rounds, execution.outputs, strict=True):
        assert got == b"".join(a.tobytes() for a in oracle.infer(values, len(firmware.outputs)))
    check_kernels(firmware, execution.profile)


@pytest.mark.parametrize(
    ("batch", "library", "compiler"),
    [
        (0, KernelLibrary.CMSIS_NN, CompilerName.CLANG),
        (0, KernelLibrary.REFERENCE, CompilerName.CLANG),
        pytest.param(1, KernelLibrary.CMSIS_NN, CompilerName.GCC, marks=GCC),
    ],
)
def test_random_operators(batch: int, library: KernelLibrary, compiler: CompilerName) -> None:
    check(random_models()[batch], f"random-{batch}", library, compiler, "O2")


@BOTH
def test_one_row_and_one_channel(compiler: CompilerName) -> None:
    """Windows along one row (later CMSIS-NN pads them otherwise), one input channel (a convolution there), and long rows of weights.

    Strides and widths so that nothing, one and several columns lie behind the input, or some of it is never read.
    """
    b = ModelBuilder()
    for channels, width in ((4, 16), (2, 13), (8, 49)):
        x = b.input((1, 1, width, channels))
        for kernel in (1, 3, 5, 9):
            for stride in (1, 2, 3):
                for padding in ("same", "valid"):
                    b.output(b.conv_2d(x, 5, (1, kernel), stride=(1, stride), padding=padding, bias=stride == 1))
    for shape in ((1, 6, 7, 1), (1, 1, 16, 1)):
        x = b.input(shape)
        for kernel in ((1, 1), (1, 3), (1, 8)):
            for stride in (1, 4):
                b.output(b.depthwise_conv_2d(x, kernel, depth_multiplier=8, stride=(1, stride)))
    for depth in (3, 16, 130):
        b.output(b.fully_connected(b.input((1, depth)), 7, bias=depth != 16))
    check(b.build(), "rows", KernelLibrary.CMSIS_NN, compiler, "O2")


@BOTH
@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "ad01_int8"])
def test_mlperf_tiny(name: str, compiler: CompilerName) -> None:
    check(mlperf(name), name, KernelLibrary.CMSIS_NN, compiler, "O2")


@pytest.mark.parametrize("opt", ["O3", "Os"])
def test_optimised_otherwise_on_a_cortex_m85(opt: str) -> None:
    kws = next(ZOO.rglob("kws.tflite")).read_bytes()
    check(kws, "kws", KernelLibrary.CMSIS_NN, CompilerName.CLANG, opt, "ek-ra8d1")
