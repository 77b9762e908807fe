"""Whole models: every kernel library, compiler and core computes what TensorFlow Lite Micro computes, bit for bit.

Final outputs of a well-trained classifier saturate, so every activation is compared as well.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.catalog.board import Board, MemoryKind
from engine.catalog.load import load_core
from engine.firmware.mps2 import mps2_board
from engine.firmware.types import CompilerName, KernelLibrary
from engine.targets.machine import Machine
from engine.targets.outputs import run_outputs
from tests.firmware import bitexact

CLANG, GCC = CompilerName.CLANG, CompilerName.GCC


pytestmark = pytest.mark.usefixtures("oracle_and_cache")


def check(name: str, core: str, compiler: CompilerName, library: KernelLibrary, first: int | None = None) -> None:
    bitexact.require_compiler(compiler)
    board = bitexact.board_of(core)
    inputs, wanted = bitexact.expected(name)
    firmware = bitexact.build_for(bitexact.graph_of(name), name, board, library, compiler)
    outputs = run_outputs(firmware, inputs[:first], board)
    assert bitexact.differences(outputs, wanted[:first]) == []


def check_activations(name: str, board: Board, compiler: CompilerName, library: KernelLibrary) -> None:
    bitexact.require_compiler(compiler)
    graph = bitexact.graph_of(name)
    data, wanted = bitexact.intermediates(name)
    tapped = bitexact.tapped(graph)
    firmware = bitexact.build_for(tapped, name, board, library, compiler)
    [output] = run_outputs(firmware, [data], board)
    wrong, at = [], 0
    for layer, tensor in zip(firmware.layers, firmware.outputs, strict=True):
        assert tensor.tensor is not None
        expected = wanted[tensor.tensor]
        assert expected is not None
        what = bitexact.first_difference(output[at : at + tensor.bytes], expected)
        at += tensor.bytes
        if what:
            wrong.append(f"layer {layer.index} ({layer.name}, {layer.kernel}): {what}")
    assert wrong == []


@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize("name", bitexact.ZOO_MODELS)
def test_zoo_on_one_core(name: str, library: KernelLibrary) -> None:
    check(name, "m4", CLANG, library, first=3)


@pytest.mark.slow
@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize("compiler", [CLANG, GCC])
@pytest.mark.parametrize("core", bitexact.BOARDS)
@pytest.mark.parametrize("name", bitexact.MODELS)
def test_model(name: str, core: str, compiler: CompilerName, library: KernelLibrary) -> None:
    check(name, core, compiler, library)


@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize("name", bitexact.ZOO_MODELS)
def test_every_activation_on_one_core(name: str, library: KernelLibrary) -> None:
    check_activations(name, bitexact.board_of("m4"), CLANG, library)


@pytest.mark.slow
@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize(("core", "compiler"), [("m3", CLANG), ("m4", CLANG), ("m33", GCC)])
@pytest.mark.parametrize("name", bitexact.MODELS)
def test_every_activation(name: str, core: str, compiler: CompilerName, library: KernelLibrary) -> None:
    """On a board with memory enough to keep them all."""
    check_activations(name, mps2_board(load_core(bitexact.board_of(core).core)), compiler, library)


def garbage_instead_of_zeros(patch: pytest.MonkeyPatch, seed: int) -> None:
    """RAM holds random bytes before reset, as a real chip's does."""
    mapped = Machine._map

    def fill(machine: Machine) -> None:
        mapped(machine)
        rng = np.random.default_rng(seed)
        for memory in machine.board.memories:
            if memory.kind is not MemoryKind.FLASH:
                machine.uc.mem_write(memory.origin, rng.bytes(memory.bytes))

    patch.setattr(Machine, "_map", fill)


@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize(
    "core", ["m4", *(pytest.param(c, marks=pytest.mark.slow) for c in ("m0plus", "m3", "m7", "m33"))]
)
def test_nothing_reads_memory_it_did_not_write(
    core: str, library: KernelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels that read stale scratch, padding or stack would answer differently with other bytes in RAM at reset."""
    for seed in range(2):
        with monkeypatch.context() as patch:
            garbage_instead_of_zeros(patch, seed)
            check("kws", core, CLANG, library, first=2)


def test_a_wrong_output_is_told_by_its_place() -> None:
    inputs, wanted = bitexact.expected("kws")
    board = bitexact.board_of("m4")
    firmware = bitexact.build_for(bitexact.graph_of("kws"), "kws", board, KernelLibrary.REFERENCE, CLANG)
    flipped = bytes([wanted[0][0] ^ 1, *wanted[0][1:]])
    found = bitexact.differences(run_outputs(firmware, inputs[:1], board), [flipped])
    assert found == [
        f"inference 0: element 0 is {np.int8(np.uint8(wanted[0][0]).view(np.int8))} instead of "
        f"{np.frombuffer(flipped, np.int8)[0]}, 1 of {len(flipped)} differ"
    ]
