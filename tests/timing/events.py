"""Memory events of a region, written as short as a test wants them."""

from __future__ import annotations

from engine.catalog.board import Board
from engine.catalog.load import list_boards, load_board
from engine.targets.types import MemoryEvents, MemoryProfile


def flash(
    region: int, lines: int, sequential: int, jump: int, reads: int, read_seq: int, read_jump: int
) -> MemoryEvents:
    """Of the flash: lines fetched with their misses, constants read (a line each) with theirs."""
    return MemoryEvents(
        region,
        "flash",
        reads=reads,
        fetch_lines=lines,
        fetch_misses_sequential=sequential,
        fetch_misses_jump=jump,
        read_lines=reads,
        read_misses_sequential=read_seq,
        read_misses_jump=read_jump,
    )


def boards() -> tuple[Board, ...]:
    """The catalogue's boards whose flash these events can be of."""
    return tuple(b for b in list_boards() if any(m.name == "flash" for m in b.memories))


def memory(*events: MemoryEvents) -> MemoryProfile:
    return MemoryProfile(events)


def l4r5(*, prefetch: bool) -> Board:
    """NUCLEO-L4R5ZI with its prefetcher on or off."""
    board = load_board("nucleo-l4r5zi")
    return board.model_copy(update={"flash": board.flash.model_copy(update={"prefetch": prefetch})})
