"""Committed samples of the zoo: real inputs of a model with the oracle's outputs, found by the model's hash."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from engine.models.zoo.card import load_card, load_samples, zoo_names


@dataclass(frozen=True)
class Sample:
    """One inference: raw bytes of the input and of the oracle's output."""

    inputs: bytes
    outputs: bytes


@cache
def zoo_samples(model_sha256: str) -> tuple[Sample, ...]:
    """Samples of the zoo model with this hash, in file order; empty for a model that is not in the zoo.

    Raises ModelError where a committed card or sample file is broken.
    """
    for name in zoo_names():
        if load_card(name).sha256 == model_sha256:
            found = load_samples(name)
            return tuple(Sample(x.tobytes(), y.tobytes()) for x, y in zip(found.inputs, found.outputs, strict=True))
    return ()
