"""What is wrong with a description, in words for the person who wrote it: pydantic's errors translated in one place."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine.catalog.figure import Figure, Frozen, RefusalError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_MOST_FURTHER = 3
_LEAST_OF_A_NAME, _MOST_OF_A_NAME = 3, 100
_WORD = re.compile(r"[a-z0-9+]+")
_UNION_STEPS = ("float", "int")  # pydantic names the member of `float | int` as a step
_FIGURE = '{{ value = {value}, source = "…" }}'
_TYPES = {
    "int_type": ("a valid integer", "write a whole number without quotes or unit, like 65536 or 0x10000"),
    "int_from_float": ("a valid integer", "write a whole number"),
    "int_parsing_size": ("a smaller integer", "write a number of at most 32 bits"),
    "float_type": ("a valid number", "write a number without quotes or unit"),
    "string_type": ("text", "put the text in quotes"),
    "bool_type": ("true or false", "write true or false"),
    "tuple_type": ("a list", "write [ … ]"),
    "dict_type": ("a table", "write a section, or { key = value }"),
}
_LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_PATTERNS = {
    "^[a-z0-9][a-z0-9-]*$": "lower-case letters, digits and dashes, beginning with a letter or digit",
    "^[a-z][a-z0-9_]*$": "lower-case letters, digits and underscores, beginning with a letter",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where ("memories[0].bytes", "" for the whole), what, and what to do."""

    where: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


def problems(kind: type[Frozen], error: ValidationError, example: str) -> tuple[Problem, ...]:
    """All that is wrong with a description of that kind, unknown keys first; ``example`` is the hint where no better one is known.

    A misspelt key is one problem, not an unknown key and a missing one.
    """
    first_at: dict[Location, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        first_at.setdefault(tuple(x for x in detail["loc"] if x not in _UNION_STEPS), detail)
    missing = {loc for loc, detail in first_at.items() if detail["type"] == "missing"}
    found: list[Problem] = []
    for loc, detail in first_at.items():
        if detail["type"] == "extra_forbidden":
            problem, meant = _unknown(kind, loc, detail["input"], missing, example)
            missing.discard(meant)
            found.append(problem)
    for loc, detail in first_at.items():
        if detail["type"] == "missing":
            if loc in missing:
                found.append(_missing(kind, loc))
        elif detail["type"] != "extra_forbidden":
            found.append(_wrong(kind, loc, detail, example))
    return tuple(found)


def sentence(found: tuple[Problem, ...]) -> str:
    """The first problem and up to three further ones; of more only the number."""
    further = [str(p) for p in found[1 : 1 + _MOST_FURTHER]]
    text = "; also ".join([str(found[0]), *further])
    more = len(found) - 1 - len(further)
    return f"{text} (and {more} more)" if more else text


def near(name: str, known: tuple[str, ...], more: str = "") -> str:
    """A hint on the name of a thing: "did you mean …?", or all known names; ``more`` is a sentence that follows."""
    close = alike(name, known)
    if close:
        return f"did you mean {' or '.join(close)}?" + (f" {more}" if more else "")
    return f"known: {', '.join(known)}" + (f"; {more}" if more else "")


def alike(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Up to three names of things that a name may mean: they begin with it, share a part of it ("vww", "l4r5zi"), or look like it."""
    text = name[:_MOST_OF_A_NAME].lower().replace("_", "-")
    words = set(_WORD.findall(text))

    def likeness(candidate: str) -> tuple[bool, int, bool, float]:
        own = set(_WORD.findall(candidate))
        within = len(text) >= _LEAST_OF_A_NAME and (
            text in candidate or any(len(w) > _LEAST_OF_A_NAME and w in text for w in own)
        )
        ratio = difflib.SequenceMatcher(None, text, candidate).ratio()
        return bool(text) and candidate.startswith(text), len(words & own), within, ratio

    found = {k: likeness(k) for k in known}
    close = [k for k, (begins, shared, within, ratio) in found.items() if begins or shared or within or ratio >= 0.6]
    return tuple(sorted(close, key=lambda k: found[k], reverse=True)[:3])


def closest(name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Up to three known keys that look like this one."""
    start = [k for k in known if name and k.startswith(name.lower())]
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    return tuple((start + [k for k in close if k not in start])[:3])


def _unknown(
    kind: type[Frozen], loc: Location, value: object, missing: set[Location], example: str
) -> tuple[Problem, Location]:
    name, keys = str(loc[-1]), _keys(kind, loc)
    absent = tuple(str(m[-1]) for m in missing if m[:-1] == loc[:-1])
    close = closest(name, absent)[:1] or closest(name, keys)[:1]
    section = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    what = f"unknown {'section' if section else 'key'} '{name}'"
    if close:
        meant = (*loc[:-1], close[0])
        return Problem(
            _dotted(loc[:-1]), f"{what} (did you mean {close[0]}?)", f"rename it to {close[0]}, or remove it"
        ), meant
    return Problem(_dotted(loc[:-1]), what, f"known: {', '.join(keys)}" if keys else example), ()


def _missing(kind: type[Frozen], loc: Location) -> Problem:
    name, annotation = str(loc[-1]), _annotation(kind, loc)
    model = _model_in(annotation)
    if model is None:
        return Problem(_dotted(loc), "missing", f"add {name} = … {_beside(loc)}")
    if issubclass(model, Figure):
        return Problem(_dotted(loc), "missing", f"add {name} = {_FIGURE.format(value='…')} {_beside(loc)}")
    required = ", ".join(key for key, field in model.model_fields.items() if field.is_required())
    if annotation is not model and len(loc) > 1:  # a list inside a section is written in one line
        return Problem(_dotted(loc), "missing", f"add {name} = [ {{ … }}, … ], each entry with {required}")
    header = f"[{_dotted(loc)}]" if annotation is model else f"[[{_dotted(loc)}]]"
    return Problem("", f"the section {header} is missing", f"add {header} with {required}")


def _beside(loc: Location) -> str:
    return f"to {_dotted(loc[:-1])}" if len(loc) > 1 else "at the top of the file, before the first section"


def _wrong(kind: type[Frozen], loc: Location, detail: ErrorDetails, example: str) -> Problem:
    where, problem, value = _dotted(loc), detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if problem == "value_error":
        reason = context["error"]
        return Problem(where, str(reason), reason.hint if isinstance(reason, RefusalError) and reason.hint else example)
    found = f"found {_short(value)}"
    if problem in _TYPES:
        expected, hint = _TYPES[problem]
        return Problem(where, f"expected {expected}, {found}", hint)
    if problem in _LIMITS:
        key, words = _LIMITS[problem]
        return Problem(where, f"must be {words} {context[key]:g}, {found}", f"write a number {words} {context[key]:g}")
    if problem == "string_pattern_mismatch":
        rule = _PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
        return Problem(where, f"must be {rule}, {found}", "choose another name")
    if problem in ("literal_error", "enum"):
        return Problem(where, f"expected {context['expected']}, {found}", f"write one of {context['expected']}")
    if problem in ("too_short", "string_too_short"):
        return Problem(
            where, "must not be empty", "add at least one entry" if problem == "too_short" else "write a text"
        )
    model = _model_in(_annotation(kind, loc))
    if model is not None and issubclass(model, Figure):
        text = _short(value) if isinstance(value, int | float) and not isinstance(value, bool) else "…"
        form = _FIGURE.format(value=text)
        return Problem(where, f"expected a figure with its origin, {found}", f"write {form}")
    if model is not None:
        return Problem(where, f"expected a section, {found}", f"write {', '.join(model.model_fields)} under [{where}]")
    return Problem(where, f"not understood, {found}", example)


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(loc: Location) -> str:
    return ".".join(f"[{x}]" if isinstance(x, int) else x for x in loc).replace(".[", "[")


def _keys(kind: type[Frozen], loc: Location) -> tuple[str, ...]:
    """Keys allowed beside the last step of ``loc``."""
    current = kind if len(loc) == 1 else _model_in(_annotation(kind, loc[:-1]))
    return tuple(current.model_fields) if current else ()


def _annotation(kind: type[Frozen], loc: Location) -> object:
    """The declared type at ``loc`` (of the list where ``loc`` ends with an index); None if there is no such field."""
    current: type[Frozen] | None = kind
    annotation: object = kind
    for part in loc:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if current else None
        if field is None:
            return None
        annotation = field.annotation
        current = _model_in(annotation)
    return annotation


def _model_in(annotation: object) -> type[Frozen] | None:
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None
