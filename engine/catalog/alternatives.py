"""The other designs that a board may have where no source says which it has: each one a board with one key otherwise."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.figure import RefusalError
from engine.catalog.flash import Cache, CacheAlternative, FlashAlternative, FlashInterface


@dataclass(frozen=True)
class Alternative:
    """One board with one key of its flash interface or of a cache otherwise.

    ``key``: as ``--set`` takes it ("flash.icache.ways"). ``described`` and ``value``: what the description says and what the
    alternative is, in words. ``why``: why it is plausible. ``misses``: whether other accesses miss, so that the memory simulation
    has to run for it; else only what a miss costs is different.
    """

    key: str
    described: str
    value: str
    why: str
    board: Board
    misses: bool


@functools.lru_cache(maxsize=256)
def alternatives(board: Board) -> tuple[Alternative, ...]:
    """Every alternative of a board, in the order of its tables; its board has no alternatives itself.

    A board that was changed after it was loaded may have become one of its alternatives, or may not fit one: those are left out.
    """
    return tuple(_found(board))


def _found(board: Board) -> Iterator[Alternative]:
    flash = board.flash
    for of_flash in flash.alternatives:
        with contextlib.suppress(RefusalError):
            yield _of_flash(board, of_flash)
    for name, cache in (("icache", flash.icache), ("dcache", flash.dcache)):
        if cache is not None:
            for of_cache in cache.alternatives:
                with contextlib.suppress(RefusalError):
                    yield _of_cache(board, name, cache, of_cache)


def simulated_alternatives(board: Board) -> tuple[Alternative, ...]:
    """Those that the memory simulation runs for, in the same order."""
    return tuple(a for a in alternatives(board) if a.misses)


def without_alternatives(board: Board) -> Board:
    """The same board, its alternatives forgotten: nothing else is simulated beside it."""
    return _with(board, board.flash)


def _with(board: Board, flash: FlashInterface) -> Board:
    bare = {
        name: None if cache is None else cache.model_copy(update={"alternatives": ()})
        for name, cache in (("icache", flash.icache), ("dcache", flash.dcache))
    }
    return board.model_copy(update={"flash": flash.model_copy(update={**bare, "alternatives": ()})})


def _of_flash(board: Board, a: FlashAlternative) -> Alternative:
    made = _with(board, board.flash.at(a))
    return Alternative(
        f"flash.{a.key}", _flash_text(board.flash, a.key), _flash_text(made.flash, a.key), a.why, made, misses=False
    )


def _flash_text(flash: FlashInterface, key: str) -> str:
    if key == "prefetch":
        return "true" if flash.prefetch else "false"
    return ", ".join(f"{s.wait_states} up to {s.up_to_mhz:g} MHz" for s in flash.ladder)


def _of_cache(board: Board, name: str, cache: Cache, a: CacheAlternative) -> Alternative:
    width = board.flash.width_bytes.value
    made = _with(board, board.flash.model_copy(update={name: cache.at_width(a, width)}))
    said = {"line_bytes": cache.line_of(width), "ways": cache.ways_of(width)}.get(a.key, getattr(cache, a.key))
    return Alternative(f"flash.{name}.{a.key}", str(said), str(a.value), a.why, made, misses=True)
