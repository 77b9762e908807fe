"""Write a zoo entry: the ``.tflite``, its samples and its card, with nothing in them that changes between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import CheckFailedError
from engine.models.recipes.quantise import Affine
from engine.models.zoo.card import Accuracy, AccuracyGroup, Endpoint, ModelCard, Samples, SampleSet

SIZE_LIMIT_BYTES = 150_000
SAMPLES_LIMIT_BYTES = 80_000


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def write_model(folder: Path, name: str, content: bytes) -> Path:
    """Write ``<name>.tflite``; raises CheckFailedError where it is too big for the zoo."""
    if len(content) > SIZE_LIMIT_BYTES:
        raise CheckFailedError(
            f"{name}.tflite has {len(content)} bytes, the zoo's limit is {SIZE_LIMIT_BYTES}",
            hint="make the network narrower",
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    return path


def write_samples(folder: Path, name: str, samples: SampleSet) -> Path:
    """Write ``<name>_samples.npz``; numpy stamps its archive members with 1980, so equal data gives equal bytes."""
    path = folder / f"{name}_samples.npz"
    np.savez_compressed(path, inputs=samples.inputs, labels=samples.labels, outputs=samples.outputs)
    if path.stat().st_size > SAMPLES_LIMIT_BYTES:
        raise CheckFailedError(
            f"{path.name} has {path.stat().st_size} bytes, the limit is {SAMPLES_LIMIT_BYTES}",
            hint="choose fewer samples per class",
        )
    return path


def draw_of_each(labels: NDArray[np.int64], per_class: int, seed: int) -> NDArray[np.int64]:
    """Indices of ``per_class`` examples of every class, drawn by lot: a choice blind to the model."""
    order = np.random.default_rng([seed, 7]).permutation(len(labels))
    return np.concatenate([order[labels[order] == c][:per_class] for c in np.unique(labels)])


def publish_samples(
    folder: Path, name: str, held_back: SampleSet, *, per_class: int, seed: int, oracle: str
) -> Samples:
    """Write ``per_class`` examples of every class, and say so; ``oracle`` made the outputs."""
    chosen = draw_of_each(held_back.labels.astype(np.int64), per_class, seed)
    path = write_samples(
        folder, name, SampleSet(held_back.inputs[chosen], held_back.labels[chosen], held_back.outputs[chosen])
    )
    return Samples(
        file=path.name,
        sha256=sha256(path.read_bytes()),
        examples=len(chosen),
        choice=f"{per_class} held-back examples of every class, drawn by lot, right or wrong",
        oracle=oracle,
    )


def accuracy_of(
    held_back: SampleSet, guess: NDArray[np.int64], oracle: str, groups: tuple[AccuracyGroup, ...] = ()
) -> Accuracy:
    """Shares of right answers; ``guess`` are the labels that the float model gives."""
    right = held_back.right
    return Accuracy(
        float32=round(float((guess == held_back.labels).mean()), 4),
        int8=round(float(right.mean()), 4),
        int8_measured_with=oracle,
        held_back_examples=len(right),
        int8_correct=int(right.sum()),
        groups=groups,
    )


def endpoint(meaning: str, tensor: Affine) -> Endpoint:
    """An input or output of the model."""
    return Endpoint(meaning=meaning, shape=tensor.shape, dtype="int8", scale=tensor.scale, zero_point=tensor.zero_point)


def write_card(folder: Path, card: ModelCard) -> Path:
    """Write ``<name>.toml``."""
    path = folder / f"{card.name}.toml"
    path.write_text(_toml(card.model_dump(mode="json")), encoding="utf-8")
    return path


def _toml(tree: Mapping[str, object], prefix: str = "") -> str:
    """TOML text of nested tables, scalars and lists; lists of tables become inline tables."""
    lines = [f"{key} = {_value(value)}" for key, value in tree.items() if not isinstance(value, Mapping)]
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{prefix}{key}]", _toml(value, f"{prefix}{key}.").rstrip("\n")]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        one_line = "[" + ", ".join(_value(v) for v in value) + "]"
        if len(one_line) <= 100:
            return one_line
        return "[\n" + "".join(f"  {_value(v)},\n" for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)
