"""Damaged models that still parse: each is lowered, built and run on an emulated core, or refused with one message and a hint."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from engine.catalog.load import load_board, load_core
from engine.errors import BadInputError, WhycyclesError
from engine.firmware.build import build as build_firmware
from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.graph import Graph
from engine.models.reader import parse_graph
from engine.targets.image import Image
from engine.targets.unicorn_target import UnicornTarget
from tests.builders.mutate import mutate
from tests.builders.random_ops import random_inputs
from tests.builders.tflite_builder import ModelBuilder


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "WHYCYCLES_CACHE" not in os.environ:
            patch.setenv("WHYCYCLES_CACHE", str(tmp_path_factory.getbasetemp() / "whycycles"))
        yield


def originals() -> list[bytes]:
    """Small chains that hold every operator."""
    found = []
    for number in range(4):
        b = ModelBuilder(number)
        x = b.input((1, 7, 6, 3), 0.05, number - 2)
        y = b.conv_2d(x, 4, (3, 2), stride=(1, 1 + number % 2), activation="relu6")
        y = b.add(y, b.depthwise_conv_2d(y, (3, 3) if number % 2 else (2, 3)))
        y = b.max_pool_2d(b.average_pool_2d(y, (2, 1), stride=(1, 1), padding="same"), (2, 2))
        flat = b.reshape(y, (1, b.shape(y)[1] * b.shape(y)[2] * 4))
        b.output(b.softmax(b.fully_connected(flat, 5)))
        found.append(b.build())
    return found


def parsed(rng: random.Random, sources: list[bytes]) -> Iterator[Graph]:
    """Damaged models that the reader lets through."""
    while True:
        try:
            yield parse_graph(mutate(rng.choice(sources), rng), "damaged")
        except BadInputError:
            continue


def fate(graph: Graph, board_name: str, library: KernelLibrary) -> str:
    """``ran`` or the name of the error; anything but a WhycyclesError with a hint is let through."""
    board = load_board(board_name)
    core = load_core(board.core)
    shapes = [graph.main.tensors[t].shape for t in graph.main.inputs]
    try:
        firmware = build_firmware(
            graph, model="damaged", library=library, board=board, core=core, compiler=CompilerName.CLANG, opt="O2"
        )
        data = b"".join(a.tobytes() for a in random_inputs(shapes, 1))
        UnicornTarget(board).count(firmware, Image(firmware.elf), [data])
    except WhycyclesError as error:
        return type(error).__name__ if error.message and error.hint else "no hint"
    return "ran"


def fates(count: int, start: int) -> Counter[str]:
    rng = random.Random(start)
    boards = ("nucleo-l4r5zi", "nucleo-g0b1re")
    libraries = list(KernelLibrary)
    models = parsed(rng, originals())
    return Counter(fate(next(models), boards[n // 2 % 2], libraries[n % 2]) for n in range(count))


ALLOWED = {"ran", "ModelError", "UnsupportedOperatorError", "DoesNotFitError"}


def test_damaged_models_run_or_are_refused() -> None:
    found = fates(20, 1)
    assert set(found) <= ALLOWED
    assert found["ran"] >= 5
