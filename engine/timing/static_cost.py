"""What a basic block costs by itself: issue and hazards, every cycle charged to a cause at the moment it is spent.

An in-order scoreboard. Per register it keeps the last producer; a consumer issues when all its operands are ready at the port
where it needs them (address, accumulator, data), and the wait is charged to the producer that bound: loads to ``load_use``,
multiplies, divides and FP to ``multiply_divide_latency``, others to ``other_alu``. Issue cycles: ``mac`` for the first cycle of
MAC, SIMD MAC and FP MAC (and of MULS on a core without MAC), ``multiply_divide_latency`` for the further cycles of multiplies,
divides and FP, ``load_store_issue`` for all issue cycles of transfers including the data phase that nothing overlaps,
``other_alu`` for the rest, what the fetch of unaligned wide instructions holds up included. A pair issued together is charged to
its slower half; one that spans two blocks to the older, in its block. A Helium instruction that waits for its pipe is charged to
what the pipe's holder was, one that waits for the FPU to ``multiply_divide_latency``. What a block leaves behind at its end
(results still on their way, pipes still held) is in its ``Passage``; the block after it starts with that, less the refill of a
taken branch: its ``Entry``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.counters.types import PC_BIT, Block
from engine.records.cause import Cause
from engine.timing.classes import FLOATS, LOADS, MULTIPLIERS, SINGLE_TRANSFERS, STORES, Operation, Unit, prepare
from engine.timing.operands import Producer, latest_ready, wait_for, write_results
from engine.timing.pairing import pair_extra, slowness
from engine.timing.pipes import Busy, Pipes
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks

_MAC = COLUMN[Cause.MAC]
_ALU = COLUMN[Cause.OTHER_ALU]
_TRANSFER = COLUMN[Cause.LOAD_STORE_ISSUE]
_LONG = COLUMN[Cause.MULTIPLY_DIVIDE_LATENCY]
_LOAD_USE = COLUMN[Cause.LOAD_USE]
_LONG_RUN, _LONG_STORE_RUN = 3, 4  # see catalog.core.FetchTable


@dataclass(frozen=True)
class Entry:
    """What a block finds in the pipeline: results on their way, by register (``start`` is negative), and the instruction before it.

    ``before`` is given where control falls through to an instruction that may pair with it. ``beside``: ``before`` issued a cycle
    ago without a partner, so the first instruction may still issue beside it. ``busy``: pipes still held.
    """

    producers: tuple[tuple[int, Producer], ...] = ()
    before: Operation | None = None
    beside: bool = False
    busy: Busy = ()


EMPTY = Entry()
"""Nothing on its way."""


@dataclass(frozen=True)
class Passage:
    """One execution of a block: ``ticks`` by cause (order of ``table.CAUSES``), and the results not yet usable at its ``end``.

    ``idle``: of all ticks, those in which nothing was issued; ``vector_idle``: of these, those that waited for a Helium
    instruction, its result or its pipe; ``vector_waits``: those that a Helium instruction waited for another's result. The further words of a multiple transfer are issued one by one; a divide is issued once. ``joined``: the first instruction issued beside the one before the block. ``open``: the last one has no partner, and what
    follows may issue beside it.
    """

    ticks: tuple[int, ...]
    end: int
    pending: tuple[tuple[int, Producer], ...]
    joined: bool = False
    open: bool = False
    busy: Busy = ()
    idle: int = 0
    vector_idle: int = 0
    vector_waits: int = 0

    def entry(self, gap: int, before: Operation | None, t: CoreTicks, *, beside: bool = False) -> Entry:
        """What a block finds that begins ``gap`` ticks after this one's end."""
        begin = self.end + gap
        kept = tuple(
            (bit, Producer(p.op, p.start - begin, p.issue, p.base, p.word))
            for bit, p in self.pending
            if latest_ready(p, t) > begin
        )
        busy = tuple((name, free - begin, column) for name, free, column in self.busy if free > begin)
        return Entry(kept, before, beside, busy) if kept or busy or before is not None else EMPTY


@dataclass
class _Slot:
    """The instruction issued last, and whether another may still join it; ``column``: None where another block was charged."""

    op: Operation
    start: int
    issue: int
    column: int | None
    open: bool


def issue_ticks(op: Operation, before: Operation | None, t: CoreTicks) -> int:
    """Ticks the instruction occupies the issue stage; ``before`` is the instruction in front of it in the block."""
    behind_16_bit = before is not None and before.size == 2
    behind_load = before is not None and before.unit is Unit.LOAD
    match op.unit:
        case Unit.ALU | Unit.ALU_LATE:
            return t.issue_alu
        case Unit.SYSTEM:
            return t.issue_system
        case Unit.SPECIAL:
            return t.issue_special
        case Unit.IT:
            return t.issue_it_paired if behind_16_bit else t.issue_it
        case Unit.MULTIPLY:
            return t.issue_multiply
        case Unit.MULTIPLY_LONG:
            return t.issue_multiply_long
        case Unit.MAC:
            return t.issue_mac
        case Unit.MAC_LONG:
            return t.issue_mac_long
        case Unit.DIVIDE:
            return t.issue_divide
        case Unit.LOAD:
            return t.issue_load
        case Unit.STORE:
            if op.register_offset:
                return t.load_store_store_register_offset
            return t.issue_store + (t.load_store_store_tail if behind_load else 0)
        case Unit.LOAD_MULTIPLE | Unit.STORE_MULTIPLE:
            raw = t.issue_multiple_base + t.issue_multiple_per_register * op.words
            return -(-raw // CYCLE) * CYCLE
        case Unit.BRANCH:
            return t.issue_branch_paired if behind_16_bit and op.size == 2 else t.issue_branch
        case Unit.FP_MAC:
            return t.issue_fp_mac
        case Unit.FP_DIVIDE:
            return t.issue_fp_divide
        case Unit.FP | Unit.FP_MOVE:
            return t.issue_fp
        case Unit.FP_TRANSFER:
            return t.issue_fp_transfer
        case Unit.LOOP_END:
            return 0  # see branches: only the first and the last of a loop cost anything
        case _:
            return CYCLE


def _cause_columns(op: Operation, t: CoreTicks) -> tuple[int, int]:
    """Columns of the first issue cycle and of the further ones."""
    if op.unit in LOADS or op.unit is Unit.VECTOR_LOAD or op.unit in STORES:
        return _TRANSFER, _TRANSFER
    if op.counts_as_mac or (op.unit is Unit.MULTIPLY and not t.has_mac):
        return _MAC, _LONG
    if op.unit in MULTIPLIERS or op.unit in FLOATS or op.unit is Unit.DIVIDE:
        return _ALU, _LONG
    return _ALU, _ALU


def _stall_column(op: Operation) -> int:
    if op.unit in LOADS or op.unit is Unit.VECTOR_LOAD:
        return _LOAD_USE
    long = op.unit in MULTIPLIERS or op.unit in FLOATS or op.unit in (Unit.DIVIDE, Unit.VECTOR_MULTIPLY)
    return _LONG if long else _ALU


def _tail_column(load: Operation | None, op: Operation, t: CoreTicks) -> int | None:
    """Where the data phase of the load before ``op`` is charged; None where ``op`` overlaps it."""
    if load is None or op.unit not in SINGLE_TRANSFERS:
        return _TRANSFER
    if any(bit in load.result_bits for bit in op.address_bits):
        return _LOAD_USE  # it could have overlapped, but waits for the loaded address
    if any(bit in load.base_bits for bit in op.address_bits):
        return _TRANSFER  # base updates chain on different bases only
    return _TRANSFER if op.base_update and t.load_store_base_update_breaks else None


def pass_through(ops: Sequence[Operation], t: CoreTicks, entry: Entry = EMPTY) -> Passage:
    """One execution of a straight line of operations that begins with ``entry`` in the pipeline."""
    spent = [0] * len(CAUSES)
    producers: dict[int, Producer] = dict(entry.producers)
    pipes = Pipes(entry.busy)
    now = 0  # when the next instruction may issue
    tail = 0  # data phase of the last load that only a neighbour can use
    tail_op: Operation | None = None
    last = _Slot(entry.before, -CYCLE, CYCLE, None, open=True) if entry.beside and entry.before else None
    joined = False
    store_phase = 0  # what the last store has taken of its second cycle
    run, only_stores, charged = 0, True, False  # wide instructions off word boundaries, one behind the other
    idle = vector_idle = vector_waits = 0
    for op in ops:
        if not op.wide_unaligned:
            run, only_stores, charged = 0, True, False
        else:
            run, only_stores = run + 1, only_stores and op.unit is Unit.STORE
            if not charged and run >= (_LONG_STORE_RUN if only_stores else _LONG_RUN):
                charged = True
                spent[_ALU] += t.fetch_unaligned_wide_run
                now += t.fetch_unaligned_wide_run
                idle += t.fetch_unaligned_wide_run
        before = last.op if last else entry.before
        earliest, binding = wait_for(op, producers, t)
        issue = issue_ticks(op, before, t)
        first, further = _cause_columns(op, t)
        pipe, free, holder = pipes.choose(op, t)
        if last is not None and last.open and issue == CYCLE and max(earliest, free) <= last.start:
            extra = pair_extra(last.op, op, t)
            if extra is not None and extra < CYCLE:
                column = last.column
                if column is None:
                    column, joined = first, True
                elif slowness(op, t) > slowness(last.op, t):
                    spent[column] -= last.issue
                    spent[first] += last.issue
                    column = first
                spent[column] += extra
                now += extra
                write_results(op, producers, last.start, issue)
                if pipe:
                    pipes.take(pipe, last.start, op, (first, further), t)
                last = _Slot(op, last.start, issue, column, open=False)
                store_phase = 0
                continue
        if tail:
            tail_column = _tail_column(tail_op, op, t)
            if tail_column is not None:
                spent[tail_column] += tail
                now += tail
                idle += tail
        if before is not None and before.unit is Unit.STORE and op.unit in LOADS:
            left = max(0, t.load_store_load_after_store - store_phase)
            spent[_TRANSFER] += left
            now += left
            idle += left
        if earliest > now and binding is not None:
            spent[_stall_column(binding.op)] += earliest - now
            idle += earliest - now
            if binding.op.vector:
                vector_idle += earliest - now
            elif op.vector:
                vector_waits += earliest - now
            now = earliest
        if free > now:
            spent[holder] += free - now
            idle += free - now
            vector_idle += free - now if op.vector else 0
            now = free
        if pipe:
            pipes.take(pipe, now, op, (first, further), t)
        if op.literal:
            issue += t.load_store_literal_extra
        spent[first] += min(issue, CYCLE)
        spent[further] += max(0, issue - CYCLE)
        idle += max(0, issue - CYCLE) if op.words == 1 else 0
        last = _Slot(op, now, min(issue, CYCLE), first, open=(t.dual or t.pairs_16) and issue == CYCLE)
        write_results(op, producers, now, issue)
        tail, tail_op = (t.load_store_load_tail, op) if op.unit is Unit.LOAD else (0, None)
        store_phase = issue - t.issue_store if op.unit is Unit.STORE else 0
        now += issue
    spent[_TRANSFER] += tail
    now += tail
    idle += tail
    pending = tuple((bit, p) for bit, p in producers.items() if bit != PC_BIT and latest_ready(p, t) > now)
    is_open = last is not None and last.open and last.start + CYCLE == now
    return Passage(tuple(spent), now, pending, joined, is_open, pipes.busy_at(now), idle, vector_idle, vector_waits)


def operations_ticks(ops: Sequence[Operation], t: CoreTicks) -> tuple[int, ...]:
    """Ticks by cause (order of ``table.CAUSES``) of a straight line of operations that finds the pipeline empty."""
    return pass_through(ops, t).ticks


def block_ticks(block: Block, t: CoreTicks) -> tuple[int, ...]:
    """Ticks by cause of one execution of a block that finds the pipeline empty, without refill and memory stalls."""
    return operations_ticks([prepare(ins) for ins in block.instructions], t)


def pairs_on_flags(block: Block) -> bool:
    """Does the block end in a 16-bit branch that tests flags set by the 16-bit instruction in front of it?"""
    if len(block.instructions) < 2:
        return False
    before, branch = (prepare(ins) for ins in block.instructions[-2:])
    return branch.unit is Unit.BRANCH and branch.reads_flags and before.sets_flags and before.size == 2 == branch.size
