"""Bounds checks over the FlatBuffer tables of a ``.tflite`` file, before anything is read from it.

The generated bindings trust every offset. This pass walks the same tables, checks that each table, vtable, vector and
string lies inside the file, and bounds the work that a reader will do: shared or looping offsets can make a small file
look huge, so every visit is charged against a budget proportional to the file's size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto

import tflite

from engine.errors import ModelError

DAMAGED_HINT = "the file is damaged or was not written by a TFLite converter; download or export the model again"

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")

MAX_TABLES = 30_000
"""Tables a reader will visit at most. An operator comes with about seven: its options, two tensors, their scales, buffers."""

_SHARING = 4  # A writer may share strings and vectors; unshared content can never exceed the file itself.


class Kind(Enum):
    """What a field holds."""

    SCALAR = auto()
    STRING = auto()
    VECTOR = auto()  # of scalars
    BLOB = auto()  # vector of bytes that is only viewed, never copied
    TABLE = auto()
    TABLES = auto()  # vector of tables
    UNION = auto()  # table whose type another field tells


@dataclass(frozen=True)
class Field:
    """One field of a table: vtable slot, kind, size of the scalar or vector element, name of the table it points to."""

    name: str
    slot: int
    kind: Kind
    size: int = 4
    table: str = ""


def _s(name: str, slot: int, size: int) -> Field:
    return Field(name, slot, Kind.SCALAR, size)


def _v(name: str, slot: int, size: int) -> Field:
    return Field(name, slot, Kind.VECTOR, size)


def _t(name: str, slot: int, table: str) -> Field:
    return Field(name, slot, Kind.TABLES, 4, table)


def _str(name: str, slot: int) -> Field:
    return Field(name, slot, Kind.STRING, 1)


def _scalars(*sizes: int) -> tuple[Field, ...]:
    return tuple(_s(f"field {slot}", slot, size) for slot, size in enumerate(sizes))


# Slots as the bindings of the PyPI package `tflite` 2.18 number them (the *Add* functions of each table).
_SCHEMA: dict[str, tuple[Field, ...]] = {
    "Model": (
        _s("version", 0, 4),
        _t("operator_codes", 1, "OperatorCode"),
        _t("subgraphs", 2, "SubGraph"),
        _str("description", 3),
        _t("buffers", 4, "Buffer"),
        _v("metadata_buffer", 5, 4),
        _t("metadata", 6, "Metadata"),
        _t("signature_defs", 7, "SignatureDef"),
    ),
    "OperatorCode": (
        _s("deprecated_builtin_code", 0, 1),
        _str("custom_code", 1),
        _s("version", 2, 4),
        _s("builtin_code", 3, 4),
    ),
    "SubGraph": (
        _t("tensors", 0, "Tensor"),
        _v("inputs", 1, 4),
        _v("outputs", 2, 4),
        _t("operators", 3, "Operator"),
        _str("name", 4),
    ),
    "Tensor": (
        _v("shape", 0, 4),
        _s("type", 1, 1),
        _s("buffer", 2, 4),
        _str("name", 3),
        Field("quantization", 4, Kind.TABLE, 4, "QuantizationParameters"),
        _s("is_variable", 5, 1),
        Field("sparsity", 6, Kind.TABLE, 4, "Opaque"),
        _v("shape_signature", 7, 4),
        _s("has_rank", 8, 1),
        _s("external_buffer", 10, 4),
    ),
    "QuantizationParameters": (
        _v("min", 0, 4),
        _v("max", 1, 4),
        _v("scale", 2, 4),
        _v("zero_point", 3, 8),
        _s("details_type", 4, 1),
        Field("details", 5, Kind.UNION, 4, "Opaque"),
        _s("quantized_dimension", 6, 4),
    ),
    "Operator": (
        _s("opcode_index", 0, 4),
        _v("inputs", 1, 4),
        _v("outputs", 2, 4),
        _s("builtin_options_type", 3, 1),
        Field("builtin_options", 4, Kind.UNION, 4, "Options"),
        _v("custom_options", 5, 1),
        _s("custom_options_format", 6, 1),
        _v("mutating_variable_inputs", 7, 1),
        _v("intermediates", 8, 4),
        _s("large_custom_options_offset", 9, 8),
        _s("large_custom_options_size", 10, 8),
        _s("builtin_options_2_type", 11, 1),
        Field("builtin_options_2", 12, Kind.UNION, 4, "Opaque"),
    ),
    "Buffer": (Field("data", 0, Kind.BLOB, 1), _s("offset", 1, 8), _s("size", 2, 8)),
    "Metadata": (_str("name", 0), _s("buffer", 1, 4)),
    "SignatureDef": (
        _t("inputs", 0, "TensorMap"),
        _t("outputs", 1, "TensorMap"),
        _str("signature_key", 2),
        _s("subgraph_index", 4, 4),
    ),
    "TensorMap": (_str("name", 0), _s("tensor_index", 1, 4)),
    "Conv2DOptions": _scalars(1, 4, 4, 1, 4, 4),
    "DepthwiseConv2DOptions": _scalars(1, 4, 4, 4, 1, 4, 4),
    "Pool2DOptions": _scalars(1, 4, 4, 4, 4, 1),
    "FullyConnectedOptions": _scalars(1, 1, 1),
    "SoftmaxOptions": _scalars(4),
    "AddOptions": _scalars(1),
    "ReshapeOptions": (_v("new_shape", 0, 4),),
    "Options": (),
    "Opaque": (),
}

# Members of the union BuiltinOptions that the reader opens.
_OPTIONS = {getattr(tflite.BuiltinOptions, name): name for name in _SCHEMA if hasattr(tflite.BuiltinOptions, name)}


class Verifier:
    """Walks a file from its root; ``run`` raises ModelError at the first thing out of bounds."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._budget = _SHARING * len(data) + 4096
        self._tables = MAX_TABLES

    def run(self) -> None:
        """Check everything the reader reads. Raises ModelError."""
        if len(self._data) < 8:
            raise self._bad(f"holds {len(self._data)} bytes, which is no .tflite file")
        if self._data[4:8] != b"TFL3":
            raise ModelError(
                f"{self._name}: is no TensorFlow Lite model (identifier {self._data[4:8]!r} instead of b'TFL3')",
                hint="give the path of a .tflite file; .pb, .h5, .keras and .onnx models must be converted first",
            )
        self._table(self._u32(0, "root"), "Model")

    def _bad(self, what: str) -> ModelError:
        return ModelError(f"{self._name}: {what}", hint=DAMAGED_HINT)

    def _charge(self, size: int, what: str) -> None:
        self._budget -= size
        if self._budget < 0:
            raise self._bad(f"refers to more content than the file holds (at {what})")

    def _u32(self, at: int, what: str) -> int:
        self._inside(at, 4, what)
        value: int = _U32.unpack_from(self._data, at)[0]
        return value

    def _inside(self, at: int, size: int, what: str) -> None:
        if at < 0 or size < 0 or at + size > len(self._data):
            raise self._bad(f"{what} lies outside the file (byte {at}, {size} bytes, of {len(self._data)})")

    def _table(self, at: int, kind: str) -> None:
        self._tables -= 1
        if self._tables < 0:
            raise self._bad(f"has more than {MAX_TABLES} tables")
        self._inside(at, 4, f"a {kind} table")
        vtable = at - _I32.unpack_from(self._data, at)[0]
        self._inside(vtable, 4, f"the vtable of a {kind}")
        vtable_size: int = _U16.unpack_from(self._data, vtable)[0]
        table_size: int = _U16.unpack_from(self._data, vtable + 2)[0]
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            raise self._bad(f"the vtable of a {kind} is malformed")
        self._inside(vtable, vtable_size, f"the vtable of a {kind}")
        self._inside(at, table_size, f"a {kind} table")
        self._charge(table_size, kind)
        for field in _SCHEMA[kind]:
            slot = 4 + 2 * field.slot
            if slot + 2 > vtable_size:
                continue
            offset: int = _U16.unpack_from(self._data, vtable + slot)[0]
            if offset:
                inline = field.size if field.kind is Kind.SCALAR else 4
                if offset < 4 or offset + inline > table_size:
                    raise self._bad(f"{kind}.{field.name} lies outside its table")
                table = field.table
                if field.kind is Kind.UNION and slot - 2 >= 4:
                    tag: int = _U16.unpack_from(self._data, vtable + slot - 2)[
                        0
                    ]  # A union's tag sits in the slot before.
                    table = _OPTIONS.get(self._data[at + tag], table) if table == "Options" and tag else "Opaque"
                self._field(at + offset, field, table, f"{kind}.{field.name}")

    def _field(self, at: int, field: Field, table: str, what: str) -> None:
        if field.kind is Kind.SCALAR:
            return
        target = at + self._u32(at, what)
        if field.kind in (Kind.TABLE, Kind.UNION):
            self._table(target, table)
            return
        length = self._u32(target, what)
        size = length * field.size
        self._inside(target + 4, size, what)
        self._charge(4 if field.kind is Kind.BLOB else size + 4, what)
        if field.kind is Kind.TABLES:
            for i in range(length):
                entry = target + 4 + 4 * i
                self._table(entry + self._u32(entry, what), table)


def verify(data: bytes, name: str) -> None:
    """Check that every table of the model lies inside ``data``.

    Takes time proportional to the number of tables (at most ``MAX_TABLES``). Raises ModelError, with ``name`` in it.
    """
    Verifier(data, name).run()
