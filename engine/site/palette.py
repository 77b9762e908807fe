"""Every colour of the site's charts, in one place, chosen to be told apart by colour-blind readers.

Charts are written in the light colours. The dark variant is the same text with ``DARK`` applied, in Python for the static
SVG and in the browser for live charts, so that both always agree.
"""

from __future__ import annotations

import re

from engine.records.cause import Cause

# The first eight follow Okabe and Ito's colour-blind safe set (jfly.uni-koeln.de/color), shifted where two causes stack
# next to each other; work is blue, data movement green to yellow, control flow red to pink.
CAUSE_COLOURS: dict[Cause, str] = {
    Cause.MAC: "#0067a5",
    Cause.OTHER_ALU: "#6db6e8",
    Cause.LOAD_STORE_ISSUE: "#00916b",
    Cause.MULTIPLY_DIVIDE_LATENCY: "#63666f",
    Cause.LOAD_USE: "#efe04a",
    Cause.BRANCH_REFILL: "#dd86b9",
    Cause.INSTRUCTION_FETCH: "#cf5500",
    Cause.DATA_READ: "#eaa21b",
    Cause.DATA_WRITE: "#3c1f70",
}

INK = "#1c2530"
MUTED = "#5a6574"
GRID = "#dde2e8"
SURFACE = "#fefefe"
ACCENT = "#01609a"
SECOND = "#b8580b"
"""Text, secondary text, grid lines, page background, and the colours of single-series and two-series charts."""

SERIES = ("#02659f", "#e0912f", "#0a8f6c", "#c5709f", "#75b5e2", "#55565c", "#d0590a", "#7c55b8")
"""Colours for categories that are not causes (kernel libraries, tensors, memory parts)."""

DARK: dict[str, str] = {
    INK: "#e4e8ee",
    MUTED: "#a4aebc",
    GRID: "#3b424f",
    SURFACE: "#1f2129",
    ACCENT: "#6ab7ea",
    SECOND: "#f0a35c",
    CAUSE_COLOURS[Cause.MAC]: "#2f86c9",
    CAUSE_COLOURS[Cause.OTHER_ALU]: "#8fcbf3",
    CAUSE_COLOURS[Cause.LOAD_STORE_ISSUE]: "#23b48b",
    CAUSE_COLOURS[Cause.MULTIPLY_DIVIDE_LATENCY]: "#777a83",
    CAUSE_COLOURS[Cause.DATA_WRITE]: "#f6f0ff",
    SERIES[0]: "#4a9bd8",
    SERIES[5]: "#a9abb3",
}
"""Light colour to dark colour; colours that are missing serve both."""

_KNOWN = re.compile("|".join(re.escape(c) for c in DARK), re.IGNORECASE)


def darkened(text: str) -> str:
    """The same chart (a Vega-Lite spec or an SVG) for the dark page."""
    return _KNOWN.sub(lambda m: DARK[m.group(0).lower()], text)


def series_colour(index: int) -> str:
    """Colour of the n-th category; they repeat after eight."""
    return SERIES[index % len(SERIES)]
