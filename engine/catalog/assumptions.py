"""What a timing rests on without a source, or with one that leaves a range: figures of a board and its core, with interval and reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.catalog.load import NO_PART_IN_RUN
from engine.catalog.walk import figures

_INFERRED = "inferred: "


@dataclass(frozen=True)
class Assumption:
    """One figure. ``key``: where it stands, like "board.flash.width_bytes" or "core.latency.mac".

    ``value``, ``low`` and ``high`` are in the unit of the key; all three are None for what is several numbers at once or a yes or no
    and so has no interval: a cache's geometry, a ladder, a prefetcher. ``reason``: why it is believed.
    """

    key: str
    value: float | int | None
    low: float | int | None
    high: float | int | None
    reason: str


def assumptions(board: Board, core: Core) -> tuple[Assumption, ...]:
    """Every inferred figure that a run of ``core`` on ``board`` uses, the board's first, in the order of their tables."""
    return (*_of_board(board), *(a for key, figure in core.figures() for a in _of_figure(f"core.{key}", figure)))


def uncertain(board: Board, core: Core) -> tuple[Assumption, ...]:
    """Every figure that a run of ``core`` on ``board`` uses and that has an interval of more than one point, inferred or sourced.

    The board's come first, in the order of their tables; ``reason`` is the figure's source where it has one.
    """
    on_board = [(f"board.{key}", f) for key, f in figures(board) if key.split(".")[0] not in NO_PART_IN_RUN]
    everything = [*on_board, *((f"core.{key}", f) for key, f in core.figures())]
    return tuple(
        Assumption(key, f.value, f.lowest, f.highest, f.inferred or f.source or "")
        for key, f in everything
        if f.lowest < f.highest
    )


def _of_board(board: Board) -> Iterator[Assumption]:
    yield from _of_figure("board.max_clock_mhz", board.max_clock_mhz)
    for memory in board.memories:
        for key, figure in memory.figures():
            yield from _of_figure(f"board.memories.{memory.name}.{key}", figure)
    flash = board.flash
    yield from _of_figure("board.flash.width_bytes", flash.width_bytes)
    for name, text in (("ladder", flash.ladder_source), ("prefetch", flash.prefetch_source)):
        if text.startswith(_INFERRED):
            yield Assumption(f"board.flash.{name}", None, None, None, text.removeprefix(_INFERRED))
    yield from _of_figure("board.flash.miss_extra_cycles", flash.miss_extra_cycles)
    for name, cache in (("icache", flash.icache), ("dcache", flash.dcache)):
        if cache is not None and cache.inferred is not None:
            yield Assumption(f"board.flash.{name}", None, None, None, cache.inferred)


def _of_figure(key: str, figure: Figure | None) -> Iterator[Assumption]:
    if figure is not None and figure.inferred is not None:
        yield Assumption(key, figure.value, figure.low, figure.high, figure.inferred)
