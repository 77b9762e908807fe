"""Mutated models: the reader answers with a graph or a ModelError, never anything else, and never slowly."""

import random
import time
from functools import cache
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.models.cost import model_cost
from engine.models.reader import parse_graph
from tests.builders.mutate import mutate, mutate_bytes
from tests.models.small import one_conv, one_of_each

ZOO = Path(__file__).parents[2] / "engine" / "models" / "zoo"
LIMIT_S = 20.0
"""A hang, not a speed: these files take milliseconds."""


@cache
def seeds() -> tuple[bytes, ...]:
    return (one_conv().build(), one_of_each().build(), (ZOO / "kws.tflite").read_bytes())


def read(data: bytes) -> ModelError | None:
    """What reading ends in; any other exception fails the test."""
    try:
        model_cost(parse_graph(data, "fuzz"))
    except ModelError as error:
        return error
    return None


def feed(count: int, seed: int) -> int:
    """Feed ``count`` mutations; how many of them still were models."""
    rng = random.Random(seed)
    parsed = 0
    for i in range(count):
        # The larger zoo model less often: it takes ten times as long.
        data = mutate(rng.choices(seeds(), (4, 4, 1))[0], rng)
        start = time.monotonic()
        error = read(data)
        assert time.monotonic() - start < LIMIT_S, f"mutation {i} of seed {seed} hangs"
        if error is None:
            parsed += 1
            continue
        assert error.message.startswith("fuzz: "), error.message
        assert error.hint
        assert error.__cause__ is None, f"mutation {i} of seed {seed} got past the verifier: {error.__cause__!r}"
    return parsed


def test_a_thousand_mutated_models():
    parsed = feed(1000, seed=0)
    # Both ways of a good mutator: some files stay models, some do not.
    assert 50 < parsed < 950


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_thousand_mutated_models(seed):
    feed(1000, seed)


def test_mutations_repeat_with_the_same_seed_and_differ_from_the_original():
    data = seeds()[0]
    assert [mutate_bytes(data, random.Random(i)) for i in range(20)] == [
        mutate_bytes(data, random.Random(i)) for i in range(20)
    ]
    assert sum(mutate_bytes(data, random.Random(i)) != data for i in range(100)) > 90


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_behind_a_right_identifier(seed):
    rng = random.Random(seed)
    for _ in range(100):
        data = rng.randbytes(4) + b"TFL3" + rng.randbytes(rng.randrange(400))
        with pytest.raises(ModelError):
            parse_graph(data, "fuzz")
