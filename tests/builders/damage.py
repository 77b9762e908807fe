"""Text that something went wrong with: whole words and numbers replaced by what parsers trip over, pieces lost or added."""

from __future__ import annotations

import re

from hypothesis import strategies as st

_WORD = re.compile(r"[\d.]+|[A-Za-z_]+")
_ODD = (
    "", "-", "-1", "0", "1", "+5", "1_0", "1.5", ".", "1e5", "1e999", "1e-320", "-0.0", "nan", "inf", "0x", "²", "٣", "9" * 19, "9" * 5000,
    "a", ",", ";", "[", "]", "[[1]]", "{", "}", '"', "\n", "\x7f", "true", "1979-05-27",
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text with one to three such changes."""
    for _ in range(draw(st.integers(1, 3))):
        words = [m.span() for m in _WORD.finditer(text)]
        if words and draw(st.booleans()):
            start, end = draw(st.sampled_from(words))
        else:
            start = draw(st.integers(0, len(text)))
            end = min(len(text), start + draw(st.integers(0, 6)))
        text = text[:start] + draw(st.sampled_from(_ODD) | st.text(max_size=3)) + text[end:]
    return text
