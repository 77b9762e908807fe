"""When an instruction may issue by its operands: the last producer of each register, and when its result is usable at each port.

Ports: ``address``, ``shift`` (shifted or extracted before it is used), ``accumulator``, ``store``, ``data`` and
``vector address``.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.counters.types import FLAGS_BIT
from engine.timing.classes import FLOATS, LOADS, MULTIPLIERS, STORES, VECTORS, Operation, Unit
from engine.timing.table import CYCLE, CoreTicks
from engine.timing.vector import result_ticks


@dataclass(frozen=True)
class Producer:
    """The instruction that writes a register, when it issued (ticks, relative to its block's start) and for how long.

    ``base``: the register is its updated base address. ``word``: which of the words that a multiple transfer brings one by one.
    """

    op: Operation
    start: int
    issue: int
    base: bool = False
    word: int = 0


def _ready(p: Producer, port: str, consumer: Operation, t: CoreTicks) -> int:
    """When a consumer may issue that needs this producer's result at a port (address, shift, accumulator, store, data)."""
    unit = p.op.unit
    if p.base:
        return p.start + max(p.issue, t.latency_alu)  # the address adder's result goes straight to the next address
    if unit in VECTORS:
        return p.start + result_ticks(p.op, port, t)
    if port == "store" and unit not in LOADS and unit not in FLOATS:
        # store data are taken late, some cores take them beside the instruction that makes them
        return p.start + (t.latency_mac_to_store if unit in MULTIPLIERS else t.latency_alu_to_store)
    if unit in LOADS:
        if port == "address":
            latency = t.latency_load_to_address
        elif port == "accumulator":
            latency = t.latency_load_to_accumulator
        elif consumer.unit in MULTIPLIERS:
            latency = t.latency_load_to_multiply
        elif consumer.unit in STORES:
            latency = t.latency_load_to_store
        else:
            latency = t.latency_load + (t.latency_load_to_shift_extra if port == "shift" else 0)
        if p.op.narrow and consumer.unit not in STORES:
            latency += t.latency_load_narrow_extra
        return p.start + p.word * t.issue_multiple_per_register + latency
    if unit in (Unit.MAC, Unit.MAC_LONG):
        latency = t.latency_mac_to_accumulator if port == "accumulator" else t.latency_mac
    elif unit in (Unit.MULTIPLY, Unit.MULTIPLY_LONG):
        latency = t.latency_multiply
        if port == "accumulator":
            latency = min(latency, t.latency_mac_to_accumulator)
    elif unit is Unit.ALU_LATE:
        latency = t.latency_alu_late
        if port == "accumulator":
            latency = min(latency, t.latency_mac_to_accumulator)
    elif unit is Unit.FP:
        latency = t.latency_fp_to_accumulator if port == "accumulator" else t.latency_fp
    elif unit in (Unit.FP_MOVE, Unit.FP_TRANSFER):
        latency = t.latency_fp_move
    elif unit is Unit.FP_MAC:
        latency = t.latency_fp_mac_to_accumulator if port == "accumulator" else t.latency_fp_mac
    elif unit is Unit.FP_DIVIDE:
        latency = t.latency_fp_divide_to_accumulator if port == "accumulator" else t.latency_fp_divide
    else:
        latency = t.latency_alu
    if port == "address":
        latency += t.latency_alu_to_address - t.latency_alu
    elif port == "shift":
        latency += t.latency_alu_to_shift_extra
    return p.start + max(p.issue, latency)


def latest_ready(p: Producer, t: CoreTicks) -> int:
    """When the slowest consumer may issue."""
    unit = p.op.unit
    if p.base:
        return p.start + max(p.issue, t.latency_alu)
    if unit in LOADS:
        latency = max(
            t.latency_load + t.latency_load_to_shift_extra,
            t.latency_load_to_address,
            t.latency_load_to_multiply,
            t.latency_load_to_accumulator,
            t.latency_load_to_store,
        )
        narrow = t.latency_load_narrow_extra if p.op.narrow else 0
        return p.start + p.word * t.issue_multiple_per_register + latency + narrow
    ports = ("address", "shift", "vector address") if unit in VECTORS else ("address", "shift")
    return max(_ready(p, port, p.op, t) for port in ports)


def write_results(op: Operation, producers: dict[int, Producer], start: int, issue: int) -> None:
    """Make an instruction that issues at ``start`` for ``issue`` ticks the producer of the registers it writes."""
    for word, bit in enumerate(op.result_bits):
        producers[bit] = Producer(op, start, issue, word=min(word, op.words - 1))
    for bit in op.base_bits:
        producers[bit] = Producer(op, start, issue, base=True)


def wait_for(op: Operation, producers: dict[int, Producer], t: CoreTicks) -> tuple[int, Producer | None]:
    """Earliest issue of ``op`` by its operands, and the producer that binds it; at the soonest beside the last cycle of the block before."""
    earliest, binding = -CYCLE, None
    data = "store" if op.unit in STORES else "data"
    ports = (("shift", op.shifted_bits), ("address", op.address_bits), ("accumulator", op.accumulator_bits))
    for port, bits in (*ports, (data, op.other_bits), ("vector address", op.vector_address_bits)):
        for bit in bits:
            producer = producers.get(bit)
            if producer is None or (bit == FLAGS_BIT and t.predicts and op.unit is Unit.BRANCH):
                continue  # a predicted branch does not wait for its flags
            ready = _ready(producer, port, op, t)
            if ready > earliest:
                earliest, binding = ready, producer
    return earliest, binding
