"""Whole models against the oracle, compiled for the host."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.firmware.lowering import lower
from engine.firmware.types import KernelLibrary
from engine.models.reader import read_graph
from tests.builders.oracle import Oracle
from tests.firmware.host_build import HostBuilder

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"
MLPERF = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "str_ww_ref_model", "vww_96_int8")


def model_file(name: str) -> Path:
    """A reference model below WHYCYCLES_MODELS, or one of the zoo."""
    if name not in MLPERF:
        return ZOO / name
    root = os.environ.get("WHYCYCLES_MODELS")
    if not root:
        pytest.skip("WHYCYCLES_MODELS is not set")
    found = sorted(Path(root).rglob(f"{name}.tflite"))
    if not found:
        pytest.skip(f"{name}.tflite is not below WHYCYCLES_MODELS")
    return found[0]


ZOO_MODELS = sorted(p.relative_to(ZOO).as_posix() for p in ZOO.rglob("*.tflite"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


def test_the_zoo_has_models() -> None:
    assert ZOO_MODELS


@pytest.mark.parametrize("name", [*MLPERF, *ZOO_MODELS])
@pytest.mark.parametrize(
    ("library", "dsp"),
    [
        pytest.param(KernelLibrary.REFERENCE, False, id="reference"),
        pytest.param(KernelLibrary.CMSIS_NN, False, id="cmsis-nn"),
        pytest.param(KernelLibrary.CMSIS_NN, True, id="cmsis-nn-dsp"),
    ],
)
def test_model_is_bit_exact(folder: Path, name: str, library: KernelLibrary, dsp: bool) -> None:
    path = model_file(name)
    graph = read_graph(path)
    shape = graph.main.tensors[graph.main.inputs[0]].shape
    rng = np.random.default_rng(7)
    rounds = [[rng.integers(-128, 128, shape).astype(np.int8)] for _ in range(4 if "vww" in name else 20)]
    model = lower(graph, library, core_features=("dsp",) if dsp else ())
    oracle = Oracle(path.read_bytes())
    for values, got in zip(rounds, HostBuilder(folder, dsp=dsp).build(model).infer(rounds), strict=True):
        for a, b in zip(got, oracle.infer(values, len(got)), strict=True):
            np.testing.assert_array_equal(a, b)
