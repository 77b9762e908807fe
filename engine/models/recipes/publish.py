"""Write a zoo entry: the ``.tflite``, its samples and its card, with nothing in them that changes between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import CheckFailedError
from engine.models.zoo.card import ModelCard, SampleSet

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
