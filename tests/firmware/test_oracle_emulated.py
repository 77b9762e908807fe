"""Firmware on emulated cores against the oracle, bit for bit; and every layer really enters the kernel it names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, Phase, given, seed, settings

from engine.catalog.load import load_board, load_core
from engine.firmware.build import build as build_firmware
from engine.firmware.lowering import NO_KERNEL
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.graph import Graph
from engine.models.reader import parse_graph
from engine.targets.image import Image
from engine.targets.types import Profile
from engine.targets.unicorn_target import UnicornTarget
from tests.builders.oracle import Oracle
from tests.builders.random_ops import build, operator_batches, random_inputs

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"
MLPERF = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "str_ww_ref_model", "vww_96_int8")
FAST_BOARD = "nucleo-l4r5zi"
SLOW_BOARD = "nucleo-g0b1re"
LIBRARIES = list(KernelLibrary)
BATCHES = 4  # of 50 operators

Round = Sequence[np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firmware goes to pytest's folder unless the caller has a cache to share."""
    with pytest.MonkeyPatch.context() as patch:
        if "WHYCYCLES_CACHE" not in os.environ:
            patch.setenv("WHYCYCLES_CACHE", str(tmp_path_factory.getbasetemp() / "whycycles"))
        yield


def random_models() -> list[bytes]:
    """The same batches every time, so that firmware of theirs is found in a cache."""
    models: list[bytes] = []

    @seed(20)
    @settings(
        max_examples=BATCHES + 1, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(batch=operator_batches())
    def collect(batch: object) -> None:
        models.append(build(batch))  # type: ignore[arg-type]

    collect()
    return models[1 : BATCHES + 1]  # the first is Hypothesis' simplest: fifty times the same


def rounds_for(graph: Graph, count: int) -> list[list[np.ndarray]]:
    shapes = [graph.main.tensors[t].shape for t in graph.main.inputs]
    return [random_inputs(shapes, n) for n in range(count)]


def check(data: bytes, name: str, board_name: str, library: KernelLibrary, opt: str, count: int) -> None:
    graph = parse_graph(data, name)
    board = load_board(board_name)
    core = load_core(board.core)
    firmware = build_firmware(
        graph, model=name, library=library, board=board, core=core, compiler=CompilerName.CLANG, opt=opt
    )
    rounds = rounds_for(graph, count)
    oracle = Oracle(data)
    target = UnicornTarget(board)
    profile, outputs = target.count(firmware, Image(firmware.elf), [b"".join(a.tobytes() for a in r) for r in rounds])
    for values, got in zip(rounds, outputs, strict=True):
        assert got == b"".join(a.tobytes() for a in oracle.infer(values, len(firmware.outputs)))
    check_kernels(firmware, profile)


def check_kernels(firmware: Firmware, profile: Profile) -> None:
    with firmware.elf.open("rb") as f:
        symbols = ELFFile(f).get_section_by_name(".symtab")
        address = {s.name: s["st_value"] & ~1 for s in symbols.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"}
    for layer in firmware.layers:
        entered = set(profile.dst[profile.region == layer.index].tolist())
        if layer.kernel == NO_KERNEL:
            assert not entered & {a for n, a in address.items() if n.startswith(("arm_", "wc_")) and "layer" not in n}
        else:
            assert address[layer.kernel] in entered, f"layer {layer.index} does not enter {layer.kernel}"


def mlperf(name: str) -> bytes:
    root = os.environ.get("WHYCYCLES_MODELS")
    found = sorted(Path(root).rglob(f"{name}.tflite")) if root else []
    if not found:
        pytest.skip(f"{name}.tflite is not below WHYCYCLES_MODELS")
    return found[0].read_bytes()


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_hundred_random_operators(library: KernelLibrary) -> None:
    models = random_models()
    assert len(models) == BATCHES
    for n, data in enumerate(models):
        check(data, f"random-{n}", FAST_BOARD, library, "O2", 2)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", sorted(p.stem for p in ZOO.rglob("*.tflite")))
def test_zoo_model(name: str, library: KernelLibrary) -> None:
    check(next(ZOO.rglob(f"{name}.tflite")).read_bytes(), name, FAST_BOARD, library, "O2", 2)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("opt", ["Os", "O3"])
@pytest.mark.parametrize("board", [FAST_BOARD, SLOW_BOARD])
def test_random_operators_at_other_optimisations(board: str, opt: str, library: KernelLibrary) -> None:
    for n, data in enumerate(random_models()[:2]):
        check(data, f"random-{n}", board, library, opt, 2)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("board", [FAST_BOARD, SLOW_BOARD])
@pytest.mark.parametrize("name", MLPERF)
def test_reference_models_enter_the_kernels_they_name(name: str, board: str, library: KernelLibrary) -> None:
    # one core with DSP and one without: dispatch knows no other difference; test_bitexact has every core and input
    check(mlperf(name), name, board, library, "O2", 1)
