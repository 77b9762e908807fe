"""Which keys an override may name, and what is said about one that is not among them."""

from __future__ import annotations

from engine.catalog.board import Board, Memory
from engine.catalog.core import Core
from engine.catalog.figure import Frozen
from engine.catalog.load import NO_PART_IN_RUN
from engine.catalog.problems import closest
from engine.catalog.walk import Kind, Shape, entry_name, shape_of
from engine.errors import UsageError

WAIT_STATES = "flash.wait_states"
"""The one key that no description has: that many wait states at every clock, instead of the ladder's."""

CORE = "core."
"""How the keys of a core begin; all others are the board's."""

NONE = "none"
"""The value that takes away what a description may leave out."""

_NOT_FIGURES = NO_PART_IN_RUN | {"notes", "log", "architecture", "alternatives"}


def override_keys(board: Board, core: Core) -> tuple[str, ...]:
    """Every key that can be overridden."""
    return (*_keys(type(board), board, ""), WAIT_STATES, *_keys(type(core), core, CORE))


def _keys(model: type[Frozen], item: Frozen | None, prefix: str) -> list[str]:
    found = []
    closed = item.closed_keys() if isinstance(item, Memory) else frozenset()
    for name, shape in open_shapes(model).items():
        if name in closed:
            continue
        value = None if item is None else getattr(item, name)
        if shape.kind in (Kind.FIGURE, Kind.PLAIN, Kind.NAMES):
            found.append(prefix + name)
        elif shape.kind is Kind.ENTRIES and value is not None and shape.model is not None:
            for index, entry in enumerate(value):
                found += _keys(shape.model, entry, f"{prefix}{name}.{entry_name(entry, index)}.")
        elif shape.kind is Kind.TABLE and shape.model is not None:
            found += [prefix + name] if shape.optional else []
            found += _keys(shape.model, value, f"{prefix}{name}.")
    return found


def only_times(model: type[Board] | type[Core], key: str) -> bool:
    """Does a figure at this key of a board or core (without its prefix) change what things cost and nothing of what happens?

    Caches, the width of the flash and whether its uncached code is counted word by word decide what misses.
    """
    if key in ("flash.width_bytes", "flash.uncached_fetch_cycles"):
        return False
    if key in (WAIT_STATES, "flash.prefetch") or key.startswith("flash.ladder."):
        return True
    shapes, shape = open_shapes(model), None
    for step in key.split("."):
        if shape is not None and shape.kind is Kind.ENTRIES:
            shape = Shape(Kind.TABLE, shape.model, False)  # the entry's name
            shapes = open_shapes(shape.model) if shape.model else {}
            continue
        shape = shapes.get(step)
        if shape is None:
            return False
        shapes = open_shapes(shape.model) if shape.model and shape.kind is Kind.TABLE else {}
    return shape is not None and shape.kind is Kind.FIGURE


def open_shapes(model: type[Frozen]) -> dict[str, Shape]:
    """The fields of a table that an override may go into or through."""
    shapes = {name: shape_of(f.annotation) for name, f in model.model_fields.items() if name not in _NOT_FIGURES}
    return {name: shape for name, shape in shapes.items() if shape.kind is not Kind.TEXT}


def unknown_key(given: str, key: str, table: str, step: str, told: bool, known: tuple[str, ...]) -> UsageError:
    """The error for a step of a key that leads nowhere; ``told``: the description has it, but no run is computed from it."""
    where = f" in {table}" if table else ""
    if table == "placement":
        return UsageError(f"--set {given}: the placement is no figure", hint=f"write --place {step}=MEMORY")
    if told:
        what = f"'{step}'{where} is no figure that a run is computed from"
        return UsageError(f"--set {given}: {what}", hint=f"known: {_inside(table, known) or _inside('', known)}")
    return UsageError(f"--set {given}: unknown key '{step}'{where}", hint=_near(key, table, known))


def no_figure(given: str, table: str, known: tuple[str, ...]) -> UsageError:
    """The error for a value given to a whole table."""
    also = f", or {table}={NONE}" if table in known else ""
    return UsageError(
        f"--set {given}: {table} is a table, not a figure", hint=f"set one of {_inside(table, known)}{also}"
    )


def _near(key: str, table: str, known: tuple[str, ...]) -> str:
    """The keys that look like a mistyped one, those that end alike first; else those beside it, else the tables there are."""
    last = key.split(".")[-1]
    same = sorted((k for k in known if k.split(".")[-1] == last), key=lambda k: (not k.endswith(f".{key}"), len(k)))
    close = tuple(dict.fromkeys((*same[:1], *closest(key, known), *same)))[:3]
    return f"did you mean {' or '.join(close)}?" if close else f"known: {_inside(table, known) or _inside('', known)}"


def _inside(table: str, known: tuple[str, ...]) -> str:
    """The keys right inside a table ("" for all there are), with an ellipsis where they are tables themselves."""
    prefix = f"{table}." if table else ""
    rest = [k.removeprefix(prefix).partition(".") for k in known if k.startswith(prefix)]
    deep = {name for name, dot, _ in rest if dot}
    names = dict.fromkeys(name for name, _, _ in rest)
    return ", ".join(f"{prefix}{name}" + (".…" if name in deep else "") for name in names)
