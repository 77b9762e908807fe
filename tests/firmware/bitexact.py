"""What the bit-exactness tests share: models, oracle outputs (one oracle run per model), builds, comparisons."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.catalog.board import Board
from engine.catalog.load import load_board, load_core
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.oracle import Oracle
from engine.models.reader import read_graph

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"
ZOO_MODELS = tuple(sorted(p.stem for p in ZOO.glob("*.tflite")))
REFERENCE_MODELS = {
    "mlperf-tiny/kws": "kws_ref_model",
    "mlperf-tiny/ic": "pretrainedResnet_quant",
    "mlperf-tiny/vww": "vww_96_int8",
    "mlperf-tiny/ad": "ad01_int8",
    "mlperf-tiny/sww": "str_ww_ref_model",
}
MODELS = (*REFERENCE_MODELS, *ZOO_MODELS)
BOARDS = {
    "m0plus": "nucleo-g0b1re",
    "m3": "nucleo-f207zg",
    "m4": "nucleo-l4r5zi",
    "m7": "nucleo-h743zi",
    "m33": "nrf5340-dk",
}
LIBRARIES = tuple(KernelLibrary)
INPUTS = 20
INPUTS_OF_VWW = 4


def model_path(name: str) -> Path:
    """A model of the zoo, or a reference model below WHYCYCLES_MODELS (else the test is skipped)."""
    if name not in REFERENCE_MODELS:
        return ZOO / f"{name}.tflite"
    root = os.environ.get("WHYCYCLES_MODELS")
    found = sorted(Path(root).rglob(f"{REFERENCE_MODELS[name]}.tflite")) if root else []
    if not found:
        pytest.skip(f"{REFERENCE_MODELS[name]}.tflite is not below WHYCYCLES_MODELS")
    return found[0]


def require_compiler(compiler: CompilerName) -> None:
    """Skip where the compiler cannot be had from pip and is not installed."""
    if compiler is CompilerName.GCC and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not on the PATH")


def require_oracle() -> None:
    """Skip where the oracle has no wheel."""
    pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")


@cache
def graph_of(name: str) -> Graph:
    """The model, read once."""
    return read_graph(model_path(name))


@cache
def expected(name: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Inputs (the zoo's samples first, then random bytes) and what the oracle makes of them."""
    inputs = make_inputs(graph_of(name), INPUTS_OF_VWW if name.endswith("vww") else INPUTS)
    return inputs, Oracle(model_path(name)).run_many(inputs)


@cache
def intermediates(name: str) -> tuple[bytes, tuple[bytes | None, ...]]:
    """One input of random bytes, and every activation the oracle computes from it, by tensor index."""
    data = make_inputs(graph_of(name), INPUTS_OF_VWW if name.endswith("vww") else INPUTS)[-1]
    tensors = Oracle(model_path(name)).tensors(data)
    return data, tuple(None if t is None else t.tobytes() for t in tensors)


def build_for(
    graph: Graph, name: str, board: Board, library: KernelLibrary, compiler: CompilerName, opt: str = "O2"
) -> Firmware:
    """A firmware of ``graph``."""
    core = load_core(board.core)
    return build(graph, model=name, library=library, board=board, core=core, compiler=compiler, opt=opt)


def board_of(core: str) -> Board:
    """The board of the catalogue with this core."""
    return load_board(BOARDS[core])


def tapped(graph: Graph) -> Graph:
    """The same model with every activation as an output, in the operators' order: all of them then stay in the arena."""
    taps = tuple(t for o in graph.main.operators for t in o.outputs)
    main = dataclasses.replace(graph.main, outputs=taps)
    return dataclasses.replace(graph, subgraphs=(main, *graph.subgraphs[1:]))


def first_difference(got: bytes, wanted: bytes) -> str:
    """ "" if equal, else where two int8 tensors first differ, and in how many elements."""
    if got == wanted:
        return ""
    a, b = np.frombuffer(got, np.int8), np.frombuffer(wanted, np.int8)
    if a.size != b.size:
        return f"{a.size} elements instead of {b.size}"
    at = int(np.flatnonzero(a != b)[0])
    return f"element {at} is {a[at]} instead of {b[at]}, {np.count_nonzero(a != b)} of {a.size} differ"


def differences(outputs: Sequence[bytes], wanted: Sequence[bytes]) -> list[str]:
    """One line per inference whose output is not the oracle's."""
    pairs = enumerate(zip(outputs, wanted, strict=True))
    return [f"inference {n}: {what}" for n, (a, b) in pairs if (what := first_difference(a, b))]


def use_shared_cache(patch: pytest.MonkeyPatch, factory: pytest.TempPathFactory) -> None:
    """One cache for all tests of a session, and for all workers of pytest-xdist, unless the caller has one to share."""
    if "WHYCYCLES_CACHE" not in os.environ:
        base = factory.getbasetemp()
        patch.setenv(
            "WHYCYCLES_CACHE", str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "whycycles")
        )
