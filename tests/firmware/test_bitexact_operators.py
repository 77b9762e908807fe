"""Two hundred random small operators, fifty to an ELF: each one's output is the oracle's, bit for bit, on every core."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.graph import Graph
from engine.models.oracle import Oracle
from engine.models.reader import parse_graph
from engine.targets.outputs import run_outputs
from tests.builders.random_ops import BATCH, KINDS, RandomOp, build, random_inputs, seeded_batches
from tests.firmware import bitexact

BATCHES = 5
ROUNDS = 3
CLANG, GCC = CompilerName.CLANG, CompilerName.GCC


pytestmark = pytest.mark.usefixtures("oracle_and_cache")


@cache
def batch_of(number: int) -> tuple[tuple[RandomOp, ...], Graph, tuple[bytes, ...], tuple[bytes, ...]]:
    """Operators, their model, inputs, and the oracle's outputs."""
    batch = seeded_batches(BATCHES)[number]
    data = build(batch)
    graph = parse_graph(data, f"random-{number}")
    shapes = [graph.main.tensors[t].shape for t in graph.main.inputs]
    inputs = tuple(b"".join(a.tobytes() for a in random_inputs(shapes, seed)) for seed in range(ROUNDS))
    return batch, graph, inputs, Oracle(data).run_many(inputs)


def wrong_operators(
    number: int, outputs: tuple[bytes, ...], wanted: tuple[bytes, ...], kernels: list[str]
) -> list[str]:
    """Operator, kernel, parameters and first differing element of each that is wrong, once per operator."""
    batch, graph, _, _ = batch_of(number)
    sizes = [graph.main.tensors[t].bytes for t in graph.main.outputs]
    found: dict[int, str] = {}
    for round_, (got, want) in enumerate(zip(outputs, wanted, strict=True)):
        at = 0
        for index, size in enumerate(sizes):
            what = bitexact.first_difference(got[at : at + size], want[at : at + size])
            at += size
            if what:
                found.setdefault(index, f"operator {index} by {kernels[index]}, round {round_}: {what}; {batch[index]}")
    return list(found.values())


def check(number: int, core: str, compiler: CompilerName, library: KernelLibrary) -> None:
    bitexact.require_compiler(compiler)
    board = bitexact.board_of(core)
    _, graph, inputs, wanted = batch_of(number)
    firmware = bitexact.build_for(graph, f"random-{number}", board, library, compiler)
    kernels = [layer.kernel for layer in firmware.layers]
    wrong = wrong_operators(number, run_outputs(firmware, inputs, board), wanted, kernels)
    assert not wrong, "\n".join(wrong)


def test_the_operators_are_many_and_of_all_kinds() -> None:
    operators = [op for number in range(BATCHES) for op in batch_of(number)[0]]
    assert len(set(operators)) >= 200
    assert all(len(batch_of(number)[0]) == BATCH for number in range(BATCHES))
    kinds = Counter(op.kind for op in operators)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 10
    assert {op.padding for op in operators} == {"same", "valid"}
    assert {op.activation for op in operators} == {"none", "relu", "relu6", "relu_n1_to_1"}
    assert any(op.dilation != (1, 1) for op in operators)
    assert {op.per_channel for op in operators} == {op.bias for op in operators} == {True, False}


def test_outputs_vary() -> None:
    """Operators whose outputs were all one value would prove little."""
    flat = 0
    for number in range(BATCHES):
        _, graph, _, wanted = batch_of(number)
        at = 0
        for t in graph.main.outputs:
            size = graph.main.tensors[t].bytes
            values = np.concatenate([np.frombuffer(w[at : at + size], np.int8) for w in wanted])
            flat += np.unique(values).size == 1
            at += size
    assert flat <= BATCHES * BATCH // 5


def test_a_wrong_element_is_told_with_operator_and_parameters() -> None:
    batch, graph, _, wanted = batch_of(0)
    sizes = [graph.main.tensors[t].bytes for t in graph.main.outputs]
    index = next(i for i, size in enumerate(sizes) if i and size > 2)
    place = sum(sizes[:index]) + 2
    broken = bytearray(wanted[1])
    broken[place] ^= 1
    [message] = wrong_operators(0, (wanted[0], bytes(broken), wanted[2]), wanted, ["some_kernel"] * BATCH)
    assert message.startswith(f"operator {index} by some_kernel, round 1: element 2 is ")
    assert repr(batch[index]) in message
    assert f"1 of {sizes[index]} differ" in message


@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize("number", range(BATCHES))
def test_operators_on_one_core(number: int, library: KernelLibrary) -> None:
    check(number, "m4", CLANG, library)


@pytest.mark.slow
@pytest.mark.parametrize("library", bitexact.LIBRARIES)
@pytest.mark.parametrize(
    ("core", "compiler"),
    [*((core, CLANG) for core in bitexact.BOARDS if core != "m4"), *((core, GCC) for core in bitexact.BOARDS)],
)
@pytest.mark.parametrize("number", range(BATCHES))
def test_operators(number: int, core: str, compiler: CompilerName, library: KernelLibrary) -> None:
    check(number, core, compiler, library)
