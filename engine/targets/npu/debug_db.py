"""Vela's debug database: which operator of the model each operation is for. The tables name tensors only, which need not have names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.errors import ModelError, ToolError
from engine.targets.digits import whole
from engine.targets.npu.tables import HINT, VelaRow

_TABLE = '<table name="{}">\n<![CDATA[\n'
_END = "]]>\n</table>"
_PERF = ('"id"', '"source_id"')
_SOURCE = ('"id"', '"operator"')
_KEY = '"ext_key"'


def parse_owners(text: str, rows: Sequence[VelaRow], operators: int) -> tuple[int | None, ...]:
    """Per row the index of its operator in the model, None for what Vela added; ``operators`` is how many the model has.

    Raises ToolError where the database is not as known or is of other rows, ModelError for a model of several subgraphs whose operators it
    does not tell apart.
    """
    where = "Vela's debug database"
    sources = _sources(text, where, operators)
    head, *lines = _table(text, "perf", where)
    if tuple(head.split(",", 2)[:2]) != _PERF:
        raise ToolError(f"{where}: the table perf does not begin with id and source_id", hint=HINT)
    if len(lines) != len(rows):
        raise ToolError(f"{where} has {len(lines)} operations, the table per operation {len(rows)}", hint=HINT)
    owners: list[int | None] = []
    for row, line in zip(rows, lines, strict=True):
        found = re.match(r"[0-9]{1,19},([0-9]{1,19}),", line)
        if found is None:
            raise ToolError(f"{where}: {line[:40]!r} does not begin with two numbers", hint=HINT)
        kind, index = sources.get(int(found[1]), ("", None))
        if index is not None and kind != row.source:
            raise ToolError(f"{where} gives a {row.source} to operator {index}, a {kind}", hint=HINT)
        owners.append(index)
    return tuple(owners)


def _sources(text: str, where: str, operators: int) -> dict[int, tuple[str, int]]:
    """By source id: the kind and the index of an operator of the model."""
    head, *lines = _table(text, "source", where)
    columns = head.split(",")
    if tuple(columns[:2]) != _SOURCE or columns[-1] != _KEY:
        raise ToolError(f"{where}: the table source does not go from id and operator to ext_key", hint=HINT)
    found: dict[int, tuple[str, int]] = {}
    for line in lines:
        cells = line.split(",")
        source, index = whole(cells[0]), whole(cells[-1])
        if len(cells) != len(columns) or source is None or index is None:
            raise ToolError(f"{where}: {line[:40]!r} is no operator", hint=HINT)
        found[source] = (cells[1].strip('"'), index)
    indices = [i for _, i in found.values()]
    if len(set(indices)) != len(indices) or max(indices, default=0) >= operators:
        raise ModelError(
            "Vela's estimate cannot be given back to the operators of a model with several subgraphs",
            hint="export the model without control flow",
        )
    return found


def _table(text: str, name: str, where: str) -> list[str]:
    """The lines of a table, its head first."""
    _, begin, rest = text.partition(_TABLE.format(name))
    content, end, _ = rest.partition(_END)
    if not begin or not end:
        raise ToolError(f"{where} has no table {name}", hint=HINT)
    return content.removesuffix("\n").split("\n")
