"""Units that an instruction holds for longer than the issue stage: the pipes of Helium, and the FPU behind a divide or an FP MAC.

One instruction issues per cycle, as any other, but holds its pipe for longer; only the next instruction on the same pipe waits for that.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.counters.types import Pipe
from engine.timing.classes import Operation, Unit
from engine.timing.table import CYCLE, CoreTicks

_FREE = (-CYCLE, 0)

Busy = tuple[tuple[str, int, int], ...]
"""Pipes still held: name, when each is free (ticks), and the column its holder is charged to."""

_LOADS, _STORES, _INTEGER, _MULTIPLY, _PREDICATE = "load", "store", "integer", "multiply", "predicate"
_FPU = "fpu"


class Pipes:
    """When each pipe is free again, and who holds it."""

    def __init__(self, busy: Busy = ()) -> None:
        self._held = {name: (free, column) for name, free, column in busy}

    def choose(self, op: Operation, t: CoreTicks) -> tuple[str, int, int]:
        """The pipe an operation will take: its name ("" for none), when it is free, and the column of its holder."""
        if op.vector is None:
            name = _FPU if op.needs_fpu else ""
            return name, *self._held.get(name, _FREE)
        name = min(_candidates(op, t), key=lambda n: self._held.get(n, _FREE)[0])
        return name, *self._held.get(name, _FREE)

    def take(self, name: str, start: int, op: Operation, columns: tuple[int, int], t: CoreTicks) -> None:
        """An operation that issues at ``start`` holds the pipe; ``columns``: of its first issue cycle and of the further ones."""
        if op.vector is not None:
            self._held[name] = start + _vector_hold_ticks(op, t), columns[0]
        elif hold := _fpu_hold_ticks(op, t):
            self._held[name] = start + hold, columns[1]

    def busy_at(self, now: int) -> Busy:
        """What is still held then; times as they are."""
        return tuple((name, free, column) for name, (free, column) in self._held.items() if free > now)


def _candidates(op: Operation, t: CoreTicks) -> Iterator[str]:
    assert op.vector is not None
    pipe = op.vector.pipe
    if pipe is Pipe.MEMORY:
        yield _STORES if op.unit is Unit.VECTOR_STORE and not t.shared_memory_pipe else _LOADS
    elif pipe is Pipe.PREDICATE:
        yield _PREDICATE
    else:
        either = pipe is Pipe.EITHER or (pipe is Pipe.BITWISE and t.bitwise_any_pipe)
        if either or pipe in (Pipe.INTEGER, Pipe.BITWISE):
            yield _INTEGER
        if either or pipe is Pipe.MULTIPLY:
            yield _MULTIPLY


def _vector_hold_ticks(op: Operation, t: CoreTicks) -> int:
    assert op.vector is not None
    if op.vector.pipe is Pipe.PREDICATE:
        return 0
    elements = t.vector_per_element * op.vector.elements if op.vector.gather else 0
    return max(t.vector_occupancy, elements)


def _fpu_hold_ticks(op: Operation, t: CoreTicks) -> int:
    if op.unit is Unit.FP_MAC:
        busy, issue = t.issue_fp_mac_busy, t.issue_fp_mac
    elif op.unit is Unit.FP_DIVIDE:
        busy, issue = t.issue_fp_divide_busy, t.issue_fp_divide
    else:
        return 0
    return busy if busy > issue else 0  # else the issue stage holds up all that follows, but what pairs with it
