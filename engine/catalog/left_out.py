"""What the model takes for figures that a board leaves out, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.catalog.access_waits import front_of, used_figures, waits_of
from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.figure import Figure

_EVERY = (
    ("a read", "wait_states", "read"),
    ("a write", "write_wait_states", "write"),
    ("a word of code", "fetch_wait_states", "fetch"),
)
_OF_A_CACHE = {
    "write_miss_cycles": "a write that takes a line in does not wait",
    "write_back_cycles": "a dirty line that is driven out does not stall",
}


_NO_EXTRA = "a miss costs the wait states of its reads, nothing more"
_ONE = Figure(value=1, source="one cycle, to see what it changes")


@dataclass(frozen=True)
class TakenAsZero:
    """A figure that a board leaves out and that is then no cycle at all. ``key``: as ``--set`` takes it; ``what`` that means, in words.

    ``board``: the same board with one cycle there. It says how much the figure matters, not what it is.
    """

    key: str
    what: str
    board: Board


def taken_as_zero(board: Board) -> tuple[TakenAsZero, ...]:
    """Every such figure that a run could wait for, the flash's first."""
    found, flash = [], board.flash
    if flash.miss_extra_cycles is None and "flash.miss_extra_cycles" in used_figures(board):
        one = flash.model_copy(update={"miss_extra_cycles": _ONE})
        found.append(TakenAsZero("flash.miss_extra_cycles", _NO_EXTRA, board.model_copy(update={"flash": one})))
    for memory in board.memories:
        for key, what in _of_ram(memory, board) if memory.kind is not MemoryKind.FLASH else ():
            changed = memory.model_copy(update={key: _ONE})
            memories = tuple(changed if m is memory else m for m in board.memories)
            made = board.model_copy(update={"memories": memories})
            found.append(TakenAsZero(f"memories.{memory.name}.{key}", what, made))
    return tuple(found)


def stand_ins(board: Board) -> Iterator[str]:
    """Figures of cached accesses that stand in for those of uncached ones: worth a note of every run."""
    for memory in board.memories:
        waits = vars(waits_of(memory, board.flash))
        for what, key, field in _EVERY:
            if any(k.endswith("_cycles") for k in waits[field]):
                yield (
                    f"{memory.name} has no cache in front and no figure for what {what} waits then "
                    f"(memories.{memory.name}.{key}): {' and '.join(waits[field])} of a cached one stands in."
                )


def taken_for_granted(board: Board) -> Iterator[str]:
    """Everything that is left out and could say otherwise, with what is taken instead: "miss_extra_cycles of flash: …"."""
    flash = board.flash
    for key, uncached, what in (
        ("uncached_fetch_cycles", flash.icache is None, "code"),
        ("uncached_read_cycles", flash.data_cache is None, "constants"),
    ):
        if uncached and getattr(flash, key) is None:
            read = f"a buffer of one read ({flash.width_bytes.value} bytes)"
            yield f"{key} of flash: {what} without a cache wait for the array alone, behind {read}"
    if flash.miss_extra_cycles is None:
        yield f"miss_extra_cycles of flash: {_NO_EXTRA}"
    found: dict[tuple[str, str], list[str]] = {}
    for memory in board.memories:
        if memory.kind is not MemoryKind.FLASH:
            for key, what in _of_ram(memory, board):
                found.setdefault((key, what), []).append(memory.name)
    yield from (f"{key} of {', '.join(names)}: {what}" for (key, what), names in found.items())
    yield from stand_ins(board)


def _of_ram(memory: Memory, board: Board) -> Iterator[tuple[str, str]]:
    given, waits, front = dict(memory.figures()), vars(waits_of(memory, board.flash)), front_of(memory, board.flash)
    if front.data is None and not waits["read"]:
        yield "wait_states", "data accesses do not wait"
    if front.fetch is None and not waits["fetch"]:
        yield "fetch_wait_states", "code that runs there does not wait"
    if front.data is not None and front.passes_writes_on and not waits["write"]:
        yield "write_wait_states", "writes that the cache passes on do not wait"
    if front.data is not None and not front.passes_writes_on:
        yield from ((key, what) for key, what in _OF_A_CACHE.items() if key not in given)
