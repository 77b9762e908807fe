"""What is said about the overrides of a run: what the description says without them, and which of them change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from engine.catalog.access_waits import front_of, used_figures
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Frozen
from engine.catalog.override_keys import CORE, NONE, WAIT_STATES
from engine.catalog.override_text import Override, spelt
from engine.catalog.walk import figures, value_at


def override_notes(board: Board, core: Core, overrides: Sequence[Override]) -> tuple[str, ...]:
    """What was overridden, in words, with what ``board`` and ``core`` say without it."""
    notes = []
    for o in overrides:
        if o.key == WAIT_STATES:
            states = [step.wait_states for step in board.flash.ladder]
            said = f"says {min(states)} to {max(states)}, by the clock"
        else:
            said = _said(_stands(board, core, o))
        notes.append(f"{o} was set on the command line for this run; the description {said}.")
    return tuple(notes)


def without_effect(board: Board, core: Core, made: Board, o: Override) -> str | None:
    """Why an override cannot change the time of a run, whatever the run is; None where it can.

    ``board`` and ``core`` are as without overrides, ``made`` is the board with all of them.
    """
    if o.key == WAIT_STATES:
        return None
    before = _stands(board, core, o)
    if (NONE if before is None else _plain(before)) == o.value:
        return "the description says the same"
    if o.key.startswith(CORE):
        return None
    if o.key == "max_clock_mhz":
        return "it limits the clock that may be asked for, and no time follows from it"
    if o.key in dict(figures(made)) and o.key not in used_figures(made):
        return _unused(made, o.key)
    if o.key == "flash.width_bytes":
        reads = _reads_of_lines(made)
        return "every line takes as many reads of the flash" if reads and reads == _reads_of_lines(board) else None
    table, _, last = o.key.rpartition(".")
    cache = {"flash.icache": made.flash.icache, "flash.dcache": made.flash.dcache}.get(table)
    if cache is not None and last == "policy" and (not cache.also_serves or cache is not made.flash.data_cache):
        return "no data of a RAM goes through this cache, and flash is not written"
    return (
        "it decides what fits, not how long anything takes"
        if table.startswith("memories.") and last == "bytes"
        else None
    )


def _reads_of_lines(board: Board) -> tuple[int, ...] | None:
    """Reads of the flash that bring a line of code and of constants; None where lines, or what stands in for a cache, are as wide as it."""
    width, found = int(board.flash.width_bytes.value), []
    for cache in (board.flash.icache, board.flash.data_cache):
        if cache is None or cache.line_bytes is None:
            return None
        found.append(-(-cache.line_bytes // width))
    return tuple(found)


def _unused(made: Board, key: str) -> str:
    """Why no access waits for a figure."""
    if key.startswith("flash.uncached_"):
        return "a cache is in front of the flash"
    if key == "flash.miss_extra_cycles":
        return "no cache is in front of the flash"
    memory = made.memory(key.split(".")[1])
    front, name = front_of(memory, made.flash), key.split(".")[-1]
    if name == "line_fill_cycles":
        return f"no cache is in front of {memory.name}"
    if name == "fetch_wait_states":
        return f"a cache is in front of {memory.name}: a missed line waits line_fill_cycles"
    if front.data is None:
        return f"no data cache is in front of {memory.name}"
    if front.passes_writes_on:
        return f"a cache is in front of {memory.name} and passes every write on"
    return f"a cache is in front of {memory.name}: what misses waits line_fill_cycles, write_miss_cycles and write_back_cycles"


def _stands(board: Board, core: Core, o: Override) -> object:
    """What the description says at the key of an override."""
    item, key = (core, o.key.removeprefix(CORE)) if o.key.startswith(CORE) else (board, o.key)
    return value_at(item, key)


def _plain(value: object) -> str:
    """A value as an override spells it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or NONE
    if isinstance(value, bool | int | float | str):
        return spelt(int(value) if isinstance(value, float) and value == int(value) else value)
    return str(value)


def _said(value: object) -> str:
    if value is None or value == ():
        return "leaves it out"
    if isinstance(value, Frozen):
        plain = {k: v for k, v in value if isinstance(v, int | float | str) and k not in ("source", "inferred")}
        return "says " + ", ".join(f"{k} {v}" for k, v in plain.items())
    if isinstance(value, tuple):
        return "says " + ", ".join(str(x) for x in value)
    return f"says {spelt(value) if isinstance(value, bool | int | float | str) else value}"
