"""What a timing rests on without a source, or with one that leaves a range: figures of a board and its core, with interval and reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.catalog.access_waits import used_figures
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.catalog.flash import INFERRED
from engine.catalog.walk import figures

NO_REASON = "the description names neither alternatives nor why there are none"


@dataclass(frozen=True)
class Assumption:
    """One figure. ``key``: where it stands, like "board.flash.width_bytes" or "core.latency.mac".

    ``value``, ``low`` and ``high`` are in the unit of the key; all three are None for what is several numbers at once or a yes or no
    and so has no interval: a cache's geometry, a ladder, a prefetcher. ``reason``: why it is believed. ``unvaried``: why nothing else is
    tried; empty where it is varied: over its interval, or over the alternatives of its board.
    """

    key: str
    value: float | int | None
    low: float | int | None
    high: float | int | None
    reason: str
    unvaried: str = ""


def assumptions(board: Board, core: Core) -> tuple[Assumption, ...]:
    """Every inferred figure that a run of ``core`` on ``board`` uses, the board's first, in the order of their tables."""
    found = [_assumption(key, figure) for key, figure in _used(board, core) if figure.inferred is not None]
    flash = board.flash
    for name, text, why in (
        ("ladder", flash.ladder_source, flash.ladder_unvaried),
        ("prefetch", flash.prefetch_source, flash.prefetch_unvaried),
    ):
        if text.startswith(INFERRED):
            varied = any(a.key == name for a in flash.alternatives)
            found.append(_untyped(name, text.removeprefix(INFERRED), varied, why))
    for name, cache in (("icache", flash.icache), ("dcache", flash.dcache)):
        if cache is not None and cache.inferred is not None:
            found.append(_untyped(name, cache.inferred, bool(cache.alternatives), cache.unvaried))
    return tuple(sorted(found, key=lambda a: a.key.startswith("core.")))


def in_no_interval(board: Board, core: Core) -> Iterator[str]:
    """Designs of the board without source, alternatives and a reason for that: worth a note of every run, whose interval is too narrow."""
    for a in assumptions(board, core):
        if a.unvaried == NO_REASON:
            key = a.key.removeprefix("board.")
            yield f"{key} is inferred and in no interval: the board names no alternatives of it, nor why there are none."


def uncertain(board: Board, core: Core) -> tuple[Assumption, ...]:
    """Every figure that a run of ``core`` on ``board`` uses and that has an interval of more than one point, inferred or sourced.

    The board's come first, in the order of their tables; ``reason`` is the figure's source where it has one.
    """
    return tuple(_assumption(key, f) for key, f in _used(board, core) if f.lowest < f.highest)


def _used(board: Board, core: Core) -> Iterator[tuple[str, Figure]]:
    used = {*used_figures(board), "max_clock_mhz"}
    yield from ((f"board.{key}", figure) for key, figure in figures(board) if key in used)
    yield from ((f"core.{key}", figure) for key, figure in core.figures())


def _assumption(key: str, f: Figure) -> Assumption:
    reason = f.inferred or f.source or ""
    return Assumption(key, f.value, f.lowest, f.highest, reason, "" if f.lowest < f.highest else reason)


def _untyped(name: str, reason: str, varied: bool, why: str | None) -> Assumption:
    return Assumption(f"board.flash.{name}", None, None, None, reason, "" if varied else why or NO_REASON)
