"""Figures of a board or its core overridden for one run: ``flash.wait_states=3``, ``flash.dcache=none``, ``core.latency.load=3``.

An override is written into the description as if its TOML file said so, and the description is validated again: what its own rules
refuse is refused here too. What is overridden has no interval any more and says that it was set on the command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Frozen
from engine.catalog.override_alternatives import drop_settled
from engine.catalog.override_keys import CORE, NONE, WAIT_STATES, no_figure, open_shapes, override_keys, unknown_key
from engine.catalog.override_text import SOURCE, Override, Value, parse_value
from engine.catalog.problems import Problem, problems, sentence
from engine.catalog.walk import Kind, Shape
from engine.errors import UsageError

T = TypeVar("T", bound=Frozen)

_MOST_OF_A_FIGURE = 100_000  # cycles, MHz or bytes of a width: ticks of a whole run must stay far within 64 bits
_INDEX = re.compile(r"([^.\[]+)\[(\d+)\]")


def override(board: Board, core: Core, overrides: Sequence[Override]) -> tuple[Board, Core]:
    """Both with the overrides applied and validated. Raises UsageError for a key that does not exist or a value that is refused."""
    _check_conflicts(overrides)
    known = override_keys(board, core)
    return override_board(board, overrides, known), override_core(core, overrides, known)


def override_board(board: Board, overrides: Sequence[Override], known: tuple[str, ...] = ()) -> Board:
    """The board with those of the overrides that are its own; ``known``: keys to hint at. Raises UsageError."""
    return _apply(board, "", [o for o in overrides if not o.key.startswith(CORE)], known)


def override_core(core: Core, overrides: Sequence[Override], known: tuple[str, ...] = ()) -> Core:
    """The core with those of the overrides that are its own; ``known``: keys to hint at. Raises UsageError."""
    return _apply(core, CORE, [o for o in overrides if o.key.startswith(CORE)], known)


def _check_conflicts(overrides: Sequence[Override]) -> None:
    for n, one in enumerate(overrides):
        for two in overrides[n + 1 :]:
            short, long = sorted((o.key.replace(WAIT_STATES, "flash.ladder") for o in (one, two)), key=len)
            if one.key == two.key:
                raise UsageError(f"--set {one} and --set {two}: {one.key} is given twice", hint="leave one of them out")
            if long == short or long.startswith(short + "."):
                raise UsageError(f"--set {one} and --set {two} contradict each other", hint="leave one of them out")


@dataclass
class _Draft:
    """A description as plain data while overrides are written into it; ``touched``: (table, keys whose origins change) in order."""

    data: dict[str, Any]
    touched: list[tuple[dict[str, Any], type[Frozen], list[str]]]

    def touch(self, table: dict[str, Any], model: type[Frozen], key: str) -> None:
        """Remember that a key of a table was overridden."""
        for known, _, keys in self.touched:
            if known is table:
                keys.append(key)
                return
        self.touched.append((table, model, [key]))


def _apply(item: T, root: str, overrides: Sequence[Override], known: tuple[str, ...]) -> T:
    if not overrides:
        return item
    draft = _Draft(item.model_dump(mode="json"), [])
    for o in sorted(
        overrides, key=lambda o: (o.key == WAIT_STATES, o.key)
    ):  # the ladder reaches the overridden maximum
        if o.key == WAIT_STATES:
            _flatten_ladder(draft, o)
        else:
            _write(draft, draft.data, type(item), o, root, tuple(o.key.removeprefix(root).split(".")), known)
    if "flash" in draft.data:
        drop_settled(draft.data, overrides)
    for table, model, keys in draft.touched:
        _amend_origins(table, model, keys)
    if "sources" in draft.data:  # figures of a core cite a document by its key
        draft.data["sources"][SOURCE] = "an override of one run"
    try:
        return type(item).model_validate_json(json.dumps(draft.data))
    except ValidationError as error:
        found = problems(type(item), error, "`whycycles boards show NAME` prints what the board is described as")
        found = (
            tuple(p for p in found if not p.what.startswith("must not be empty")) or found
        )  # for lack of a valid entry
        raise _refused(overrides, root, _as_typed(found, draft.data, overrides)) from None


def _as_typed(found: tuple[Problem, ...], data: dict[str, Any], overrides: Sequence[Override]) -> tuple[Problem, ...]:
    """The problems with their places as keys that can be typed, each said once."""

    def typed(where: str) -> str:
        table: Any = data
        steps = []
        for step in where.split(".") if where else ():
            listed = _INDEX.fullmatch(step)
            table = table[listed[1]][int(listed[2])] if listed else (table or {}).get(step)
            steps.append(f"{listed[1]}.{table.get('name', listed[2])}" if listed else step)
        key = ".".join(steps)
        flat = any(o.key == WAIT_STATES for o in overrides) and key.startswith("flash.ladder.")
        return WAIT_STATES if flat and key.endswith(".wait_states") else key

    return tuple(dict.fromkeys(replace(p, where=typed(p.where)) for p in found))


def _refused(overrides: Sequence[Override], root: str, found: tuple[Problem, ...]) -> UsageError:
    first, text = found[0], sentence(found)
    hint = first.hint
    if first.what == "missing":
        hint = f"also --set {root}{first.where}=VALUE"
    elif "flash.ladder" in text and not any(o.key == WAIT_STATES for o in overrides):
        hint += f"; here: also --set {WAIT_STATES}=N"
    given = " ".join(f"--set {o}" for o in overrides)
    return UsageError(f"{given}: {root if first.where else ''}{text}", hint=hint)


def _write(
    draft: _Draft,
    table: dict[str, Any],
    model: type[Frozen],
    o: Override,
    path: str,
    steps: tuple[str, ...],
    known: tuple[str, ...],
) -> None:
    """Write an override into the table it belongs to, making tables on the way that were left out."""
    step, rest = steps[0], steps[1:]
    shape = open_shapes(model).get(step)
    if shape is None:
        raise unknown_key(str(o), o.key, path.rstrip("."), step, step in model.model_fields, known)
    here = path + step
    if shape.kind is Kind.ENTRIES and rest and shape.model is not None:
        draft.touch(table, model, f"{step}.{'.'.join(rest)}")
        names = [str(e.get("name", n)) for n, e in enumerate(table.get(step) or [])]
        if rest[0] not in names:
            raise unknown_key(str(o), o.key, here, rest[0], False, known)
        entry = table[step][names.index(rest[0])]
        if len(rest) == 1:
            raise no_figure(str(o), f"{here}.{rest[0]}", known)
        _write(draft, entry, shape.model, o, f"{here}.{rest[0]}.", rest[1:], known)
    elif shape.kind is Kind.TABLE and rest and shape.model is not None:
        if table.get(step) is None:  # some tables are not written where they are left out
            table[step] = {}
        _write(draft, table[step], shape.model, o, f"{here}.", rest, known)
    elif rest:
        raise unknown_key(str(o), o.key, here, rest[0], False, known)
    elif known and o.key not in known and shape.kind not in (Kind.TABLE, Kind.ENTRIES):
        raise unknown_key(str(o), o.key, path.rstrip("."), step, False, known)
    else:
        draft.touch(table, model, step)
        _put(table, step, shape, o, here, known)


def _put(table: dict[str, Any], step: str, shape: Shape, o: Override, path: str, known: tuple[str, ...]) -> None:
    value: Value = parse_value(o.key, o.value)
    if shape.optional and value == NONE:
        table[step] = None
    elif shape.kind in (Kind.TABLE, Kind.ENTRIES):
        raise no_figure(str(o), path, known)
    elif shape.kind is Kind.FIGURE:
        if isinstance(value, int | float) and value > _MOST_OF_A_FIGURE:
            raise UsageError(
                f"--set {o}: more than {_MOST_OF_A_FIGURE}",
                hint="a figure is in cycles, MHz or bytes: look it up again",
            )
        about = {k: v for k, v in (table.get(step) or {}).items() if k not in ("low", "high", "inferred")}
        table[step] = about | {"value": value, "source": SOURCE}
    elif shape.kind is Kind.NAMES:
        names = value.split(",") if isinstance(value, str) else value
        table[step] = [] if names == [NONE] else names
    else:
        table[step] = value


def _flatten_ladder(draft: _Draft, o: Override) -> None:
    """One number of wait states at every clock; how much slower the flash's bus is at a clock stays."""
    value = parse_value(o.key, o.value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"--set {o}: wait states are whole cycles of the flash's bus", hint="write a number, like 3")
    flash = draft.data["flash"]
    top = max(flash["ladder"][-1]["up_to_mhz"], draft.data["max_clock_mhz"]["value"])
    steps: list[dict[str, Any]] = []
    for step in flash["ladder"]:
        if steps and steps[-1]["bus_ratio"] == step["bus_ratio"]:
            steps.pop()
        steps.append(step | {"wait_states": value})
    steps[-1] = steps[-1] | {"up_to_mhz": top}
    flash["ladder"], flash["ladder_source"] = steps, SOURCE


def _amend_origins(table: dict[str, Any], model: type[Frozen], keys: list[str]) -> None:
    """Say in a table's own origin, or in the origin that stands beside a key, what was overridden."""
    for key in keys:
        beside = f"{key.split('.')[0]}_source"
        if beside in model.model_fields:
            old = table[beside]
            mark = "inferred: " if old.startswith("inferred: ") else ""
            rest = old.removeprefix("inferred: ")
            table[beside] = f"{mark}{key} {SOURCE}; the rest: {rest}" if "." in key else SOURCE
    shapes = open_shapes(model)
    own = [k for k in keys if "." not in k and k in shapes and shapes[k].kind is not Kind.FIGURE]
    own = [k for k in own if shapes[k].kind is not Kind.TABLE and f"{k}_source" not in model.model_fields]
    if own and "source" in model.model_fields:
        origin = "inferred" if table.get("inferred") else "source"
        old = table.get(origin)
        table[origin] = f"{', '.join(own)} {SOURCE}" + (f"; the rest: {old}" if old else "")
