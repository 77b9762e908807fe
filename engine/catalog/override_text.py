"""One override as text: ``flash.wait_states=3``."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass

from engine.catalog.override_keys import NONE, WAIT_STATES
from engine.errors import UsageError

Value = bool | int | float | str | list[str]

SOURCE = "set on the command line"
"""The source of an overridden figure."""

_MOST = 2**32
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]*(,[A-Za-z][A-Za-z0-9._-]*)*")
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


@dataclass(frozen=True)
class Override:
    """One ``KEY=VALUE``; ``value`` in its shortest spelling, so that one meaning has one name."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def parse_override(text: str) -> Override:
    """``flash.wait_states=3`` as an override. Raises UsageError for what has not this form; whether the key exists is asked later."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not _KEY.fullmatch(key) or not value:
        raise UsageError(
            f"--set {text} is not understood", hint=f"write KEY=VALUE with a dotted key, like --set {WAIT_STATES}=3"
        )
    return Override(key, spelt(parse_value(key, value)))


def parse_value(key: str, text: str) -> Value:
    """The value of a key. Raises UsageError for what no description holds."""
    try:
        value = tomllib.loads(f"x = {text}").get("x") if "\n" not in text else None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        value = text
    if isinstance(value, bool) or (isinstance(value, str) and _WORD.fullmatch(value)):
        return value
    if isinstance(value, list) and value and all(isinstance(x, str) and _WORD.fullmatch(x) for x in value):
        return value
    if isinstance(value, int | float):
        if math.isfinite(value) and 0 <= value <= _MOST:
            return int(value) if value == int(value) else value
        raise UsageError(
            f"--set {key}={text}: no figure of a board or core is {text}", hint=f"write a number from 0 to {_MOST}"
        )
    raise UsageError(
        f"--set {key}={text}: the value is not understood", hint=f"write a number, true, false, a word, or {NONE}"
    )


def spelt(value: Value) -> str:
    """A value as it is written on the command line, one spelling for each."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, list) else str(value)
