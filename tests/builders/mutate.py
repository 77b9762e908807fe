"""Damages .tflite files in many ways, for fuzz tests: ``mutate(data, rng)``.

Damage goes mostly into tables, vtables, shapes and options: a flipped weight leaves a model as valid as before.
"""

from __future__ import annotations

import random
import struct
from functools import lru_cache
from typing import Any

from engine.models.verify import Verifier

try:  # The object API comes with the oracle's wheel; elsewhere only bytes are mutated.
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
except ImportError:
    schema = None

INTERESTING = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 64, 100, 127, 128, 255, 256, 257, 1000, 4096, 32767, 32768, 65535,
    65536, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1, -1, -2, -3, -128, -129, -32768, -(2**31), 2**62, 2**63 - 1, -(2**63),
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-30, 1e30, 3.4e38, float("inf"), float("-inf"), float("nan"), 0.5, 2.0**-8)


class _Recorder(Verifier):
    """Notes which bytes the verifier looks at, without the content of weights."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "fuzz")
        self.seen: set[int] = set()

    def _inside(self, at: int, size: int, what: str) -> None:
        super()._inside(at, size, what)
        if size <= 256:
            self.seen.update(range(at, at + size))


@lru_cache(maxsize=32)
def structure(data: bytes) -> tuple[int, ...]:
    """Positions of the bytes that form the tables of a valid file."""
    recorder = _Recorder(data)
    recorder.run()
    return tuple(sorted(recorder.seen))


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A damaged copy of a valid file: bytes, or single fields of its objects where the object API is installed."""
    if schema is not None and rng.random() < 0.4:
        return mutate_fields(data, rng)
    return mutate_bytes(data, rng)


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """1 to 4 damages to the bytes: bit flips, integer overwrites, splices, truncation, growth."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        rng.choice(
            (_flip, _flip, _overwrite, _overwrite, _overwrite, _overwrite, _float, _splice, _cut, _grow, _truncate)
        )(out, data, rng)
    return bytes(out)


def _position(out: bytearray, data: bytes, rng: random.Random) -> int:
    if not out:
        return 0
    at = rng.choice(structure(data)) if rng.random() < 0.85 else rng.randrange(len(out))
    return min(at, len(out) - 1)


def _flip(out: bytearray, data: bytes, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        if out:
            out[_position(out, data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(out: bytearray, data: bytes, rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 4, 4, 8))
    at = _position(out, data, rng) // size * size
    value = (rng.choice(INTERESTING) + rng.choice((0, 0, 0, 1, -1))) & (2 ** (8 * size) - 1)
    piece = value.to_bytes(size, "little")[: max(len(out) - at, 0)]
    out[at : at + len(piece)] = piece


def _float(out: bytearray, data: bytes, rng: random.Random) -> None:
    at = _position(out, data, rng) // 4 * 4
    piece = struct.pack("<f", rng.choice(FLOATS))[: max(len(out) - at, 0)]
    out[at : at + len(piece)] = piece


def _splice(out: bytearray, data: bytes, rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 8, 16, 64))
    source, target = _position(out, data, rng), _position(out, data, rng)
    piece = out[source : source + size]
    out[target : target + len(piece)] = piece
    del out[max(len(data), len(out)) :]


def _cut(out: bytearray, data: bytes, rng: random.Random) -> None:
    at = _position(out, data, rng)
    del out[at : at + rng.choice((1, 2, 4, 8, 100))]


def _grow(out: bytearray, data: bytes, rng: random.Random) -> None:
    at = _position(out, data, rng)
    out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 100)))


def _truncate(out: bytearray, data: bytes, rng: random.Random) -> None:
    del out[rng.randrange(len(out) + 1) :]


def mutate_fields(data: bytes, rng: random.Random) -> bytes:
    """Changes 1 to 3 fields of the file's objects and writes a well-formed file again (needs the object API)."""
    import flatbuffers

    while True:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _mutate_object(_pick(model, rng), rng)
        builder = flatbuffers.Builder(len(data) + 1024)
        try:
            builder.Finish(model.Pack(builder), b"TFL3")
        except (TypeError, ValueError, AttributeError, OverflowError, struct.error, IndexError):
            continue  # What the writer cannot express is no file to read.
        return bytes(builder.Output())


def _is_object(value: Any) -> bool:
    return type(value).__module__ == schema.__name__


def _pick(model: Any, rng: random.Random) -> Any:
    """A random object of the tree, tensors and operators preferred over buffers."""
    at = model
    while True:
        children = [v for k, v in vars(at).items() if _is_object(v)]
        for key, value in vars(at).items():
            if isinstance(value, list) and value and _is_object(value[0]) and (key != "buffers" or rng.random() < 0.2):
                children += [rng.choice(value)] * 2
        if not children or rng.random() < 0.15:
            return at
        at = rng.choice(children)


def _mutate_object(target: Any, rng: random.Random) -> None:
    fields = list(vars(target))
    if not fields:
        return
    name = rng.choice(fields)
    value = getattr(target, name)
    if isinstance(value, bool):
        setattr(target, name, not value)
    elif isinstance(value, int):
        setattr(target, name, rng.choice((value + 1, value - 1, rng.choice(INTERESTING), rng.randrange(0, 40))))
    elif isinstance(value, float):
        setattr(target, name, rng.choice(FLOATS))
    elif value is None or _is_object(value) or isinstance(value, bytes | str):
        setattr(target, name, None)
    else:
        setattr(target, name, _mutate_vector(list(value), rng))


def _mutate_vector(values: list[Any], rng: random.Random) -> list[Any] | None:
    action = rng.randrange(7)
    if action == 0:
        return None
    if action == 1:
        return []
    if not values:
        return [rng.choice(INTERESTING)]
    i, j = rng.randrange(len(values)), rng.randrange(len(values))
    if action == 2:
        values.append(values[i])
    elif action == 3:
        del values[i]
    elif action == 4 or _is_object(values[0]):
        values[i], values[j] = values[j], values[i]
    elif isinstance(values[0], float) or "float" in type(values[0]).__name__:
        values[i] = rng.choice(FLOATS)
    else:
        values[i] = rng.choice((int(values[i]) + 1, int(values[i]) - 1, rng.choice(INTERESTING), rng.randrange(0, 40)))
    return values
