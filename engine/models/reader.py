"""Reads a ``.tflite`` file into a ``Graph``; whatever is wrong with it ends in one ``ModelError``."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import tflite

from engine.errors import ModelError
from engine.models.graph import Graph, Operator, Signature, Subgraph, Tensor
from engine.models.read_operators import read_opcodes, read_operator
from engine.models.read_tensors import Constants, read_constants, read_tensor
from engine.models.read_values import ReadContext, ints, text
from engine.models.shapes import check_operator
from engine.models.verify import verify

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Larger files are refused unread: no microcontroller holds a hundredth of this."""


def read_graph(path: Path) -> Graph:
    """Read the model at ``path``; the graph's name is the file's name without suffix.

    Raises ModelError when the file is missing, unreadable, damaged, hostile or uses what this reader does not know.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ModelError(f"{path}: is not a file", hint="give the path of a .tflite file")
        if size > MAX_FILE_BYTES:
            raise ModelError(
                f"{path}: is {size} bytes long, more than the {MAX_FILE_BYTES} that are read",
                hint="a model for microcontrollers has a few hundred kilobytes; check that this is the right file",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"{path}: cannot be read ({reason})", hint="check the path and its permissions") from error
    return parse_graph(data, path.stem)


def parse_graph(data: bytes, name: str) -> Graph:
    """Parse the bytes of a ``.tflite`` file; ``name`` appears in the graph and in error messages.

    Every index, size and shape of the result is consistent: tensors exist, constants have the bytes their shape asks
    for, operators read only what exists by then, and known operators have the output shape their options imply.
    Memory and time are bounded by the file's size. Constants are read-only views of ``data``.
    Raises ModelError (UnsupportedOperatorError where only this project's support ends).
    """
    data = bytes(data)
    verify(data, name)
    try:
        return _Reader(data, name).graph()
    except ModelError:
        raise
    except (struct.error, ArithmeticError, LookupError, TypeError, ValueError, MemoryError, AttributeError) as error:
        # The verifier has been here before; this is for what a future version of the bindings may raise.
        raise ModelError(
            f"{name}: cannot be decoded ({type(error).__name__}: {error})",
            hint="the file is damaged; download or export the model again",
        ) from error


class _Reader:
    """Walks the verified tables of one file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._context = ReadContext(name)
        self._model: Any = tflite.Model.GetRootAs(data, 0)

    def graph(self) -> Graph:
        model, bad = self._model, self._context.bad
        if model.Version() != 3:
            raise bad(f"has schema version {model.Version()}, but only version 3 exists for TFLite models")
        tab = model._tab
        if tab.Offset(4 + 2 * 8) or tab.Offset(4 + 2 * 9):
            raise self._context.unsupported("keeps weights in external files", "export it with its weights inside")
        if model.SubgraphsLength() == 0:
            raise bad("has no subgraph")
        opcodes = read_opcodes(self._context, model)
        constants = read_constants(self._context, model)
        subgraphs = tuple(self._subgraph(index, opcodes, constants) for index in range(model.SubgraphsLength()))
        main = subgraphs[0]
        for what, present in (("operators", main.operators), ("inputs", main.inputs), ("outputs", main.outputs)):
            if not present:
                raise bad(f"the main subgraph has no {what}")
        return Graph(
            name=self._context.name,
            sha256=hashlib.sha256(self._data).hexdigest(),
            file_bytes=len(self._data),
            description=text(model.Description()),
            subgraphs=subgraphs,
            signatures=tuple(self._signature(i, subgraphs) for i in range(model.SignatureDefsLength())),
        )

    def _subgraph(self, index: int, opcodes: tuple[tuple[str, bool], ...], constants: Constants) -> Subgraph:
        source = self._model.Subgraphs(index)
        context = self._context.inside(f"subgraph {index}" if index else "")
        tensors = tuple(read_tensor(context, source.Tensors(i), i, constants) for i in range(source.TensorsLength()))
        operators = tuple(
            read_operator(context, source.Operators(i), i, opcodes, len(tensors))
            for i in range(source.OperatorsLength())
        )
        subgraph = Subgraph(
            index=index,
            name=text(source.Name()),
            tensors=tensors,
            operators=operators,
            inputs=ints(source, "Inputs"),
            outputs=ints(source, "Outputs"),
        )
        _check_order(context, subgraph)
        for operator in operators:
            check_operator(context, operator, tensors)
        return subgraph

    def _signature(self, index: int, subgraphs: tuple[Subgraph, ...]) -> Signature:
        source = self._model.SignatureDefs(index)
        context = self._context.inside(f"signature {index}")
        if not 0 <= source.SubgraphIndex() < len(subgraphs):
            raise context.bad(f"names subgraph {source.SubgraphIndex()}, but the file has {len(subgraphs)}")
        count = len(subgraphs[source.SubgraphIndex()].tensors)

        def entries(read: Any, length: int) -> tuple[tuple[str, int], ...]:
            found = tuple((text(read(i).Name()), int(read(i).TensorIndex())) for i in range(length))
            for entry, tensor in found:
                if tensor >= count:
                    raise context.bad(f"{entry!r} names tensor {tensor}, but the subgraph has {count}")
            return found

        return Signature(
            key=text(source.SignatureKey()),
            subgraph=int(source.SubgraphIndex()),
            inputs=entries(source.Inputs, source.InputsLength()),
            outputs=entries(source.Outputs, source.OutputsLength()),
        )


def _exists_before_run(tensor: Tensor) -> bool:
    return tensor.data is not None or tensor.is_variable or tensor.elements == 0


def _check_order(context: ReadContext, subgraph: Subgraph) -> None:
    """Every operator reads constants, variables, inputs or earlier results, and writes what nobody else wrote."""
    tensors = subgraph.tensors
    for what, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        for t in indices:
            if not 0 <= t < len(tensors):
                raise context.bad(f"graph {what} names tensor {t}, but there are {len(tensors)}")
    if len(set(subgraph.inputs)) != len(subgraph.inputs):
        raise context.bad("one tensor is listed twice among the graph's inputs")
    for t in subgraph.inputs:
        if tensors[t].data is not None:
            raise context.bad(f"graph input {tensors[t].name!r} (tensor {t}) is a constant")
    ready = {t.index for t in tensors if _exists_before_run(t)} | set(subgraph.inputs)
    written = set(subgraph.inputs) | {t.index for t in tensors if t.data is not None}
    for operator in subgraph.operators:
        _check_operands(context, operator, ready, written)
    for t in subgraph.outputs:
        if t not in ready:
            raise context.bad(f"graph output {tensors[t].name!r} (tensor {t}) is never computed")


def _check_operands(context: ReadContext, operator: Operator, ready: set[int], written: set[int]) -> None:
    where = f"operator {operator.index} ({operator.op})"
    for t in operator.inputs:
        if t >= 0 and t not in ready:
            raise context.bad(f"{where} reads tensor {t} before anything has computed it")
    for t in operator.outputs:
        if t in written:
            raise context.bad(f"{where} writes tensor {t}, which already has a value")
        written.add(t)
        ready.add(t)
