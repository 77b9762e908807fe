"""The model card of a zoo model (``<name>.toml`` beside ``<name>.tflite``) and its sample file, read and checked."""

from __future__ import annotations

import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import ModelError, UsageError

ZOO = Path(__file__).parent


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(_Frozen):
    """Where the training data comes from and how it was divided."""

    description: str = Field(min_length=1)
    licence_note: str = Field(min_length=1)
    training_examples: int = Field(gt=0)
    split_rule: str = Field(min_length=1)


class Accuracy(_Frozen):
    """Share of held-back examples whose largest output is the right label, in 0..1.

    ``int8`` is the committed file run by the interpreter named in ``int8_measured_with``.
    """

    float32: float = Field(ge=0, le=1)
    int8: float = Field(ge=0, le=1)
    int8_measured_with: str = Field(min_length=1)
    held_back_examples: int = Field(gt=0)
    int8_correct: int = Field(ge=0)
    groups: tuple[AccuracyGroup, ...] = ()


class AccuracyGroup(_Frozen):
    """int8 accuracy on a named part of the held-back data."""

    name: str
    examples: int = Field(gt=0)
    int8: float = Field(ge=0, le=1)


class Endpoint(_Frozen):
    """Input or output tensor of the model: what it means, and real = scale * (q - zero_point)."""

    meaning: str = Field(min_length=1)
    shape: tuple[int, ...]
    dtype: Literal["int8"]
    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)


class Training(_Frozen):
    """How to make the file again. ``recipe`` is the module for ``python -m``."""

    recipe: str
    seed: int
    epochs: int = Field(gt=0)
    tools: dict[str, str]


class Samples(_Frozen):
    """The sample file: real held-back inputs with labels and the oracle's outputs."""

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    examples: int = Field(ge=20)
    choice: str = Field(min_length=1)
    oracle: str = Field(min_length=1)


class ModelCard(_Frozen):
    """Everything a reader should know about a zoo model before trusting a number made with it."""

    name: str
    title: str
    task: str
    description: str = Field(min_length=1)
    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0)
    operators: tuple[str, ...]
    parameters: int = Field(gt=0)
    labels: tuple[str, ...]
    limits: tuple[str, ...] = Field(min_length=1)
    data: Data
    accuracy: Accuracy
    input: Endpoint
    output: Endpoint
    training: Training
    samples: Samples


@dataclass(frozen=True, eq=False)
class SampleSet:
    """``inputs`` int8 [n, *input shape], ``labels`` uint8 [n] (index into the card's labels), ``outputs`` int8 [n, classes].

    ``outputs`` are the oracle's, so that a machine without it can still check a kernel bit for bit.
    """

    inputs: NDArray[np.int8]
    labels: NDArray[np.uint8]
    outputs: NDArray[np.int8]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the largest output of each example is its label; shape [n]."""
        return np.asarray(self.outputs.argmax(axis=1) == self.labels)


def zoo_names() -> tuple[str, ...]:
    """Names of all zoo models, sorted."""
    return tuple(sorted(path.stem for path in ZOO.glob("*.toml")))


def load_card(name: str, folder: Path = ZOO) -> ModelCard:
    """Read and check the card of the zoo model ``name``.

    Raises UsageError for an unknown name, ModelError for a card that is broken.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        raise UsageError(
            f"there is no zoo model called {name!r}", hint=f"the zoo has: {', '.join(zoo_names()) or 'nothing'}"
        )
    try:
        return ModelCard.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ModelError(
            f"the model card {path.name} is broken: {error}", hint="restore the committed file, or run the recipe again"
        ) from error


def load_samples(name: str, folder: Path = ZOO) -> SampleSet:
    """Read the sample inputs of the zoo model ``name`` with the oracle's outputs.

    Raises UsageError for an unknown name, ModelError for a card or a sample file that is broken.
    """
    card = load_card(name, folder)
    path = folder / card.samples.file
    try:
        # numpy leaves a file that it opened itself open when the content is broken
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            samples = SampleSet(inputs=file["inputs"], labels=file["labels"], outputs=file["outputs"])
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(
            f"the sample file {path.name} cannot be read: {error}", hint="restore the committed file"
        ) from error
    n = card.samples.examples
    wanted = ((n, *card.input.shape[1:]), (n,), (n, len(card.labels)))
    arrays = (samples.inputs, samples.labels, samples.outputs)
    if tuple(a.shape for a in arrays) != wanted or [a.dtype.name for a in arrays] != ["int8", "uint8", "int8"]:
        raise ModelError(
            f"the sample file {path.name} does not have the shapes and types its card promises",
            hint="restore the committed file",
        )
    return samples
