"""Damaged models that still parse: lowered, built and run on an emulated core. Each is refused with one message and a hint,
or computes what the oracle computes.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engine.catalog.load import load_board
from engine.errors import BadInputError, WhycyclesError
from engine.firmware.types import CompilerName, KernelLibrary
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.reader import parse_graph
from engine.targets.device import Limits
from engine.targets.outputs import run_outputs
from tests.builders.mutate import mutate
from tests.builders.oracle_fork import ForkedOracle
from tests.builders.random_ops import build, seeded_batches
from tests.builders.tflite_builder import ModelBuilder
from tests.firmware import bitexact

LIMITS = Limits(wall_seconds=60)
ALLOWED = {"equal", "ran, no oracle", "ModelError", "UnsupportedOperatorError", "DoesNotFitError"}
PARTS, PER_PART = 8, 80


pytestmark = pytest.mark.usefixtures("oracle_and_cache")


@pytest.fixture(scope="module")
def oracle() -> Iterator[ForkedOracle]:
    with ForkedOracle() as server:
        yield server


def chain(number: int) -> bytes:
    """A small model that holds every operator."""
    b = ModelBuilder(number)
    x = b.input((1, 7, 6, 3), 0.05, number - 2)
    y = b.conv_2d(x, 4, (3, 2), stride=(1, 1 + number % 2), activation="relu6")
    y = b.add(y, b.depthwise_conv_2d(y, (3, 3) if number % 2 else (2, 3)))
    y = b.max_pool_2d(b.average_pool_2d(y, (2, 1), stride=(1, 1), padding="same"), (2, 2))
    flat = b.reshape(y, (1, b.shape(y)[1] * b.shape(y)[2] * 4))
    b.output(b.softmax(b.fully_connected(flat, 5, scale=0.2)))
    return b.build()


def originals() -> list[bytes]:
    """Mostly small models, so that a build and a run take a fraction of a second; and the zoo's keyword spotter."""
    beside = [build(batch) for batch in seeded_batches(8, size=6, seed=3)]
    return [*(chain(n) for n in range(4)), *beside, (bitexact.ZOO / "kws.tflite").read_bytes()]


@dataclass(frozen=True)
class Damaged:
    data: bytes
    graph: Graph


def damaged(rng: random.Random) -> Iterator[Damaged]:
    """Damaged models that the reader lets through."""
    sources = originals()
    while True:
        data = mutate(rng.choice(sources), rng)
        try:
            yield Damaged(data, parse_graph(data, "damaged"))
        except BadInputError:
            continue


def fate(model: Damaged, oracle: ForkedOracle, library: KernelLibrary, compiler: CompilerName) -> str:
    """What became of it; anything raised but a WhycyclesError with a hint is let through."""
    board = load_board("nucleo-l4r5zi")
    try:
        firmware = bitexact.build_for(model.graph, "damaged", board, library, compiler)
        inputs = make_inputs(model.graph, 1)
        [output] = run_outputs(firmware, inputs, board, limits=LIMITS)
    except WhycyclesError as error:
        return type(error).__name__ if error.message and error.hint else f"{error!r} without message or hint"
    wanted = oracle.ask(model.data, inputs[0])
    if wanted is None:
        return "ran, no oracle"
    return "equal" if output == wanted else f"{library}, {compiler}: {bitexact.first_difference(output, wanted)}"


def fates(oracle: ForkedOracle, count: int, seed: int) -> Counter[str]:
    models = damaged(random.Random(seed))
    compilers = list(CompilerName) if shutil.which("arm-none-eabi-gcc") else [CompilerName.CLANG]
    libraries = bitexact.LIBRARIES
    return Counter(
        fate(next(models), oracle, libraries[n % len(libraries)], compilers[n // 2 % len(compilers)])
        for n in range(count)
    )


def test_damaged_models_run_or_are_refused(oracle: ForkedOracle) -> None:
    found = fates(oracle, 12, 1)
    assert set(found) <= ALLOWED, found
    assert found["equal"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_models_at_length(part: int, oracle: ForkedOracle) -> None:
    found = fates(oracle, PER_PART, 100 + part)
    assert set(found) <= ALLOWED, found
    assert found["equal"] >= PER_PART // 4


def test_the_forked_oracle_survives_a_crash(oracle: ForkedOracle) -> None:
    model = chain(0)
    data = make_inputs(parse_graph(model, "chain"), 1)[0]
    first = oracle.ask(model, data)
    assert first is not None
    assert oracle.ask(b"not a model", data) is None
    assert oracle.ask(model, data) == first
