"""Helium in the pipeline: which pipe an instruction holds and for how long, and when its result may be used.

One instruction issues per cycle, as any other, but holds its pipe for longer; only the next instruction on the same pipe waits for that.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.counters.types import Pipe, Result
from engine.timing.classes import Operation, Unit
from engine.timing.table import CYCLE, CoreTicks

_SCALAR_REGISTERS = 16
_FREE = (-CYCLE, 0)

Busy = tuple[tuple[str, int, int], ...]
"""Pipes still held: name, when each is free (ticks), and the column its holder is charged to."""

_LOADS, _STORES, _INTEGER, _MULTIPLY, _PREDICATE = "load", "store", "integer", "multiply", "predicate"


class Pipes:
    """When each vector pipe is free again, and who holds it."""

    def __init__(self, busy: Busy = ()) -> None:
        self._held = {name: (free, column) for name, free, column in busy}

    def choose(self, op: Operation, t: CoreTicks) -> tuple[str, int, int]:
        """The pipe an operation will take: its name, when it is free, and the column of its holder."""
        name = min(_candidates(op, t), key=lambda n: self._held.get(n, _FREE)[0])
        free, column = self._held.get(name, _FREE)
        return name, free, column

    def take(self, name: str, start: int, op: Operation, column: int, t: CoreTicks) -> None:
        """An operation that issues at ``start`` holds the pipe."""
        self._held[name] = start + hold_ticks(op, t), column

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


def hold_ticks(op: Operation, t: CoreTicks) -> int:
    """How long an operation holds its pipe."""
    assert op.vector is not None
    if op.vector.pipe is Pipe.PREDICATE:
        return 0
    elements = t.vector_per_element * op.vector.elements if op.vector.gather else 0
    return max(t.vector_occupancy, elements)


def result_ticks(op: Operation, port: str, t: CoreTicks) -> int:
    """From the issue of a vector operation until a consumer may issue that takes its result at a port."""
    assert op.vector is not None
    if op.unit is Unit.VECTOR_LOAD:
        slow = op.vector.gather or op.vector.result is Result.LATE
        latency = t.vector_gather if slow else t.vector_load
    elif op.result_bits and op.result_bits[0] < _SCALAR_REGISTERS:
        moved = op.vector.result is Result.EARLY
        latency = t.vector_move_to_scalar if moved else t.vector_to_scalar
        if port == "accumulator":
            latency = min(latency, t.vector_mac_to_accumulator)
    elif op.vector.result is Result.EARLY:
        latency = t.vector_alu
    elif op.vector.result is Result.NARROW:
        latency = t.vector_narrow
    elif port == "store":
        latency = t.vector_late_to_store
    elif op.unit is Unit.VECTOR_MULTIPLY:
        latency = t.vector_mac_to_accumulator if port == "accumulator" else t.vector_mac
    else:
        latency = t.vector_alu_late
    return latency + (t.vector_gather_address_extra if port == "vector address" else 0)
