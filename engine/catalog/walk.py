"""Boards and cores as trees of dotted keys: which there are, what stands at each, and the same description with one figure changed.

A key is written as in the TOML file, ``flash.icache.bytes``; an entry of a list is named by its ``name``, ``memories.sram.bytes``, or
counted from 0 where it has none, ``flash.ladder.0.wait_states``. All of it follows from the declared types: a key that a description
gains is found here without more ado.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import NoneType
from typing import Literal, TypeVar, get_args, get_origin

from engine.catalog.figure import Figure, Frozen

T = TypeVar("T", bound=Frozen)


class Kind(StrEnum):
    """What stands at a key."""

    FIGURE = "figure"
    TABLE = "table"
    ENTRIES = "entries"
    PLAIN = "plain"
    NAMES = "names"
    TEXT = "text"


@dataclass(frozen=True)
class Shape:
    """The declared type of a key: ``model`` of a figure, a table or the entries of a list; ``optional`` where it may be left out.

    ``PLAIN`` is a number, a yes or no, or one of a fixed choice; ``NAMES`` a list of words; ``TEXT`` everything that is told, not
    computed with.
    """

    kind: Kind
    model: type[Frozen] | None
    optional: bool


def shape_of(annotation: object) -> Shape:
    """The shape of a field's annotation."""
    members = _members(annotation)
    optional = NoneType in members
    model = next((m for m in members if isinstance(m, type) and issubclass(m, Frozen)), None)
    if model is not None:
        return Shape(Kind.FIGURE if issubclass(model, Figure) else Kind.TABLE, model, optional)
    for member in members:
        if get_origin(member) is tuple:
            entry = shape_of(get_args(member)[0])
            if entry.model is not None:
                return Shape(Kind.ENTRIES, entry.model, optional)
            return Shape(Kind.NAMES if entry.kind is Kind.TEXT else Kind.TEXT, None, optional)
    plain = any(
        m in (int, float, bool) or get_origin(m) is Literal or (isinstance(m, type) and issubclass(m, Enum))
        for m in members
    )
    return Shape(Kind.PLAIN if plain else Kind.TEXT, None, optional)


def _members(annotation: object) -> tuple[object, ...]:
    """The alternatives of a union; the type itself where it is none."""
    if get_origin(annotation) in (None, tuple, dict, Literal):
        return (annotation,)
    return tuple(m for a in get_args(annotation) for m in _members(a)) if get_args(annotation) else (annotation,)


def entry_name(entry: Frozen, index: int) -> str:
    """What an entry of a list is called in a key."""
    return str(getattr(entry, "name", index))


def figures(item: Frozen) -> Iterator[tuple[str, Figure]]:
    """Every figure of a description that is given, with its key, in the order of the tables."""
    for key in type(item).model_fields:
        value = getattr(item, key)
        if isinstance(value, Figure):
            yield key, value
        elif isinstance(value, Frozen):
            yield from ((f"{key}.{rest}", figure) for rest, figure in figures(value))
        elif isinstance(value, tuple):
            for index, entry in enumerate(value):
                if isinstance(entry, Frozen) and not isinstance(entry, Figure):
                    name = entry_name(entry, index)
                    yield from ((f"{key}.{name}.{rest}", figure) for rest, figure in figures(entry))


def with_figure(item: T, key: str, figure: Figure) -> T:
    """The same description with the figure at a key of ``figures`` replaced; nothing is validated. Raises KeyError."""
    first, _, rest = key.partition(".")
    if first not in type(item).model_fields:
        raise KeyError(key)
    value = getattr(item, first)
    changed: object
    if isinstance(value, tuple):
        name, _, rest = rest.partition(".")
        entries = [(e, entry_name(e, i) == name) for i, e in enumerate(value) if isinstance(e, Frozen)]
        if not any(meant for _, meant in entries):
            raise KeyError(key)
        changed = tuple(with_figure(e, rest, figure) if meant else e for e, meant in entries)
    elif rest:
        if not isinstance(value, Frozen):
            raise KeyError(key)
        changed = with_figure(value, rest, figure)
    else:
        changed = figure
    return item.model_copy(update={first: changed})


def value_at(item: Frozen, key: str) -> object:
    """What stands at a key: a figure's number, a table, None for what is left out. Raises KeyError."""
    current: object = item
    for step in key.split("."):
        if isinstance(current, tuple):
            found = [e for i, e in enumerate(current) if isinstance(e, Frozen) and entry_name(e, i) == step]
            if not found:
                raise KeyError(key)
            current = found[0]
        elif isinstance(current, Frozen) and step in type(current).model_fields:
            current = getattr(current, step)
        elif current is None:
            return None
        else:
            raise KeyError(key)
    return current.value if isinstance(current, Figure) else current
