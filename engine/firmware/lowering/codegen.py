"""The C text of a lowered model: fills in firmware/templates/model.c.j2."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.firmware.lowering.types import NO_KERNEL, Call, Constant, Struct
from engine.firmware.templates import template
from engine.firmware.types import ArenaPlan, ArenaTensor, KernelLibrary, LoweredLayer
from engine.models.graph import Subgraph

_VALUES_PER_LINE = 24
_NAME_LENGTH = 64
_TENSOR = re.compile(r"T(\d+)")


@dataclass(frozen=True, eq=False)
class Listing:
    """All that the template writes down."""

    name: str
    library: KernelLibrary
    graph: Subgraph
    calls: tuple[Call, ...]
    layers: tuple[LoweredLayer, ...]
    arena: ArenaPlan
    inputs: tuple[ArenaTensor, ...]
    outputs: tuple[ArenaTensor, ...]


@dataclass(frozen=True)
class _Array:
    name: str
    ctype: str
    length: int
    values: str


@dataclass(frozen=True)
class _Place:
    macro: str
    offset: int
    comment: str


@dataclass(frozen=True)
class _Step:
    comment: str
    call: str
    checked: bool


@dataclass(frozen=True)
class _Port:
    name: str
    place: str
    bytes: int


def render(listing: Listing) -> str:
    """The whole of model.c."""
    constants = _constants(listing)
    structs: tuple[Struct, ...] = tuple(s for c in listing.calls for s in c.structs)
    return template("templates/model.c.j2", trim=True).render(
        model_name=printable(listing.name),
        library=listing.library.value,
        cmsis_nn=any(c.library is KernelLibrary.CMSIS_NN for c in listing.calls),
        ours=any(c.library is KernelLibrary.REFERENCE for c in listing.calls),
        arena_bytes=max(listing.arena.bytes, 1),
        places=_places(listing),
        weights=[_array(c) for c in constants if c.weights],
        quantisation=[_array(c) for c in constants if not c.weights],
        structs=structs,
        steps=[_step(layer, call) for layer, call in zip(listing.layers, listing.calls, strict=True)],
        any_checked=any(c.checked for c in listing.calls),
        inputs=[_port(t) for t in listing.inputs],
        outputs=[_port(t) for t in listing.outputs],
        layer_names=[layer.name for layer in listing.layers],
    )


def printable(name: str) -> str:
    """A name as it may stand in C text and on a serial line: printable ASCII without quotes, at most 64 characters."""
    return re.sub(r"[^A-Za-z0-9_.:/+-]", "_", name)[:_NAME_LENGTH] or "model"


def _constants(listing: Listing) -> list[Constant]:
    found: dict[str, Constant] = {}
    placed = {t.tensor for t in listing.arena.tensors}
    for call in listing.calls:
        for constant in call.constants:
            found.setdefault(constant.name, constant)
        for argument in call.arguments:
            match = _TENSOR.fullmatch(argument)
            if match and int(match[1]) not in placed:
                data = listing.graph.tensors[int(match[1])].data
                assert data is not None
                found.setdefault(argument, Constant(argument, np.ascontiguousarray(data, np.int8), weights=True))
    return list(found.values())


def _array(constant: Constant) -> _Array:
    flat = constant.values.reshape(-1)
    return _Array(constant.name, f"{flat.dtype}_t", flat.size, _numbers(flat))


def _numbers(flat: NDArray[np.int8] | NDArray[np.int32]) -> str:
    # -2147483648 would be read as minus an unsigned number
    texts = ["(-2147483647 - 1)" if v == -(2**31) else str(v) for v in flat.tolist()]
    lines = (", ".join(texts[i : i + _VALUES_PER_LINE]) for i in range(0, len(texts), _VALUES_PER_LINE))
    return ",\n    ".join(lines)


def _places(listing: Listing) -> list[_Place]:
    places = []
    for t in listing.arena.tensors:
        # lifetimes count layers as executed, scratch is named after the operator
        macro = f"T{t.tensor}" if t.tensor is not None else f"S{listing.layers[t.first].index}"
        comment = f"{printable(t.name)}: {t.bytes} bytes, layers {t.first} to {t.last}"
        places.append(_Place(macro, t.offset, comment))
    return places


def _step(layer: LoweredLayer, call: Call) -> _Step:
    text = "" if call.kernel == NO_KERNEL else f"{call.kernel}({', '.join(call.arguments)})"
    return _Step(f"{layer.index}: {layer.op}", text, call.checked)


def _port(tensor: ArenaTensor) -> _Port:
    return _Port(printable(tensor.name), f"T{tensor.tensor}", tensor.bytes)
