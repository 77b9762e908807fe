"""Helium in the pipeline: when the result of an instruction may be used."""

from __future__ import annotations

from engine.counters.types import Result
from engine.timing.classes import Operation, Unit
from engine.timing.table import CoreTicks

_SCALAR_REGISTERS = 16


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
