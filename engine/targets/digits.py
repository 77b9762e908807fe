"""Whole numbers in what other programs write."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,19}")


def whole(text: str) -> int | None:
    """The number that a text is, None for what is no count: signs, other scripts' digits, and more digits than 64 bits have (which int() may refuse)."""
    return int(text) if _WHOLE.fullmatch(text) else None
