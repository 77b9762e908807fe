"""Small helpers of the reader: error messages that say where, strings and integer vectors from the bindings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError, UnsupportedOperatorError
from engine.models.verify import DAMAGED_HINT

MAX_TEXT = 200
"""Names longer than this are cut: they only label things."""


@dataclass(frozen=True)
class ReadContext:
    """Where in the file the reader is: builds the errors."""

    name: str
    place: str = ""

    def inside(self, place: str) -> ReadContext:
        """The same file, at ``place``."""
        return replace(self, place=place)

    def bad(self, what: str) -> ModelError:
        """The file contradicts itself or the format."""
        return ModelError(self._say(what), hint=DAMAGED_HINT)

    def unsupported(self, what: str, hint: str) -> UnsupportedOperatorError:
        """The file may be fine, but this project does not know what to do with it."""
        return UnsupportedOperatorError(self._say(what), hint=hint)

    def _say(self, what: str) -> str:
        return f"{self.name}: {self.place}: {what}" if self.place else f"{self.name}: {what}"


def text(raw: bytes | None) -> str:
    """A string of the file as one printable line; what is not UTF-8 or not printable becomes ``?``."""
    if raw is None:
        return ""
    decoded = raw[: 4 * MAX_TEXT].decode("utf-8", errors="replace")[:MAX_TEXT]
    return "".join(c if c.isprintable() and c != "\ufffd" else "?" for c in decoded)


def vector(table: Any, field: str) -> NDArray[np.generic] | None:
    """The numeric vector ``field`` of a bindings table, or None where the file leaves it out."""
    if getattr(table, f"{field}IsNone")():
        return None
    values: NDArray[np.generic] = getattr(table, f"{field}AsNumpy")()
    return values


def ints(table: Any, field: str) -> tuple[int, ...]:
    """The integer vector ``field`` of a bindings table; absent counts as empty."""
    values = vector(table, field)
    return () if values is None else tuple(int(v) for v in values)


def finite_positive(values: NDArray[np.generic]) -> bool:
    """Whether all values are finite and above zero."""
    return all(math.isfinite(float(v)) and float(v) > 0.0 for v in values)
