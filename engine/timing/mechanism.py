"""What can be idealised in a re-timing, and what each idealisation does to the core table, the memory events and the clock."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from engine.catalog.board import Board, MemoryKind
from engine.timing.memory import EventTable
from engine.timing.table import CYCLE, CoreTicks


class Mechanism(StrEnum):
    """One mechanism that a counterfactual idealises."""

    ZERO_WAIT_FLASH = "zero_wait_flash"
    PERFECT_INSTRUCTION_CACHE = "perfect_instruction_cache"
    PERFECT_DATA_READ = "perfect_data_read"
    PERFECT_DATA_WRITE = "perfect_data_write"
    NO_BRANCH_REFILL = "no_branch_refill"
    SINGLE_CYCLE_LOADS = "single_cycle_loads"
    SINGLE_CYCLE_TRANSFERS = "single_cycle_transfers"
    NO_MULTIPLY_DIVIDE_LATENCY = "no_multiply_divide_latency"
    DOUBLE_CLOCK = "double_clock"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self]

    @property
    def meaning(self) -> str:
        """What is idealised, in one sentence."""
        return _MEANINGS[self]


_LABELS = {
    Mechanism.ZERO_WAIT_FLASH: "zero-wait flash",
    Mechanism.PERFECT_INSTRUCTION_CACHE: "perfect instruction cache",
    Mechanism.PERFECT_DATA_READ: "perfect data read",
    Mechanism.PERFECT_DATA_WRITE: "perfect data write",
    Mechanism.NO_BRANCH_REFILL: "no branch refill",
    Mechanism.SINGLE_CYCLE_LOADS: "single-cycle loads",
    Mechanism.SINGLE_CYCLE_TRANSFERS: "single-cycle transfers",
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: "no multiply/divide latency",
    Mechanism.DOUBLE_CLOCK: "double clock",
}

_MEANINGS = {
    Mechanism.ZERO_WAIT_FLASH: "Flash answers instruction fetches and constant reads without a wait state or a line fill.",
    Mechanism.PERFECT_INSTRUCTION_CACHE: "Every instruction fetch hits; constants still miss as they did.",
    Mechanism.PERFECT_DATA_READ: "No data read ever stalls: constants hit beside the fetches, RAM answers at once, unaligned reads are one access.",
    Mechanism.PERFECT_DATA_WRITE: "No data write ever stalls: RAM takes it at once.",
    Mechanism.NO_BRANCH_REFILL: "A taken branch costs only its own issue, and none is mispredicted.",
    Mechanism.SINGLE_CYCLE_LOADS: "A load takes one cycle and the next instruction may use what it loaded.",
    Mechanism.SINGLE_CYCLE_TRANSFERS: (
        "Loads and stores, multiple ones included, occupy one cycle per word; using a loaded value still waits."
    ),
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: (
        "Multiplies, divides and floating-point arithmetic take one cycle and the next instruction may use their result."
    ),
    Mechanism.DOUBLE_CLOCK: (
        "Core, caches and RAM run at twice the clock; flash has the wait states of its ladder there, and beyond the ladder the "
        "access time of the ladder's last step."
    ),
}

IDEAL_MACHINE = (
    Mechanism.PERFECT_INSTRUCTION_CACHE,
    Mechanism.PERFECT_DATA_READ,
    Mechanism.PERFECT_DATA_WRITE,
    Mechanism.NO_BRANCH_REFILL,
    Mechanism.SINGLE_CYCLE_LOADS,
    Mechanism.SINGLE_CYCLE_TRANSFERS,
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY,
)
"""All that the ideal machine has at the same clock. Zero-wait flash is left out: nothing misses any more, so it adds nothing."""

BLOCK_MECHANISMS = frozenset(
    {
        Mechanism.SINGLE_CYCLE_LOADS,
        Mechanism.SINGLE_CYCLE_TRANSFERS,
        Mechanism.NO_MULTIPLY_DIVIDE_LATENCY,
    }
)
"""Mechanisms that change what a basic block costs by itself."""

PIPELINE_MECHANISMS = BLOCK_MECHANISMS | {Mechanism.NO_BRANCH_REFILL}
"""Mechanisms of the core table; the others act on memory events or the clock."""

_ONE_CYCLE = {
    Mechanism.SINGLE_CYCLE_LOADS: (
        "issue_load",
        "latency_load",
        "latency_load_to_address",
        "latency_load_to_multiply",
        "latency_load_to_accumulator",
        "latency_load_to_store",
        "vector_load",
        "vector_gather",
    ),
    Mechanism.SINGLE_CYCLE_TRANSFERS: (
        "issue_load",
        "issue_store",
        "issue_multiple_per_register",
        "load_store_store_register_offset",
    ),
    Mechanism.NO_MULTIPLY_DIVIDE_LATENCY: (
        "issue_multiply",
        "issue_multiply_long",
        "issue_mac",
        "issue_mac_long",
        "issue_divide",
        "issue_fp",
        "issue_fp_transfer",
        "issue_fp_mac",
        "issue_fp_mac_busy",
        "issue_fp_divide",
        "issue_fp_divide_busy",
        "latency_multiply",
        "latency_mac",
        "latency_mac_to_accumulator",
        "latency_mac_to_store",
        "latency_fp",
        "latency_fp_to_accumulator",
        "latency_fp_move",
        "latency_fp_mac",
        "latency_fp_mac_to_accumulator",
        "latency_fp_divide",
        "latency_fp_divide_to_accumulator",
        "vector_mac",
        "vector_mac_to_accumulator",
        "vector_to_scalar",
    ),
    Mechanism.NO_BRANCH_REFILL: ("branch_loop_first", "branch_loop_last"),
}
"""Figures that fall to one cycle (and stay where they are below it)."""

_NOTHING = {
    Mechanism.SINGLE_CYCLE_LOADS: (
        "latency_load_narrow_extra",
        "latency_load_to_shift_extra",
        "load_store_load_tail",
        "load_store_load_after_store",
        "load_store_literal_extra",
    ),
    Mechanism.SINGLE_CYCLE_TRANSFERS: (
        "issue_multiple_base",
        "vector_per_element",
        "load_store_load_tail",
        "load_store_store_tail",
        "load_store_load_after_store",
        "load_store_literal_extra",
    ),
    Mechanism.NO_BRANCH_REFILL: (
        "branch_direct",
        "branch_call",
        "branch_indirect",
        "branch_load_pc",
        "branch_table",
        "branch_unaligned_wide_target",
        "branch_paired_on_flags",
        "predictor_penalty",
    ),
}
"""Figures that fall to nothing."""


def ideal_table(table: CoreTicks, mechanisms: Set[Mechanism]) -> CoreTicks:
    """The core table with mechanisms idealised; no figure rises."""
    changed: dict[str, Any] = {}  # Any: not every field of the table is a number
    for mechanism in mechanisms:
        for name in _ONE_CYCLE.get(mechanism, ()):
            changed[name] = min(CYCLE, getattr(table, name))
        for name in _NOTHING.get(mechanism, ()):
            changed[name] = 0
    return replace(table, **changed) if changed else table


def ideal_events(events: EventTable, mechanisms: Set[Mechanism], board: Board) -> EventTable:
    """The memory events with mechanisms idealised: what would not have stalled does not happen."""
    gone: dict[str, Any] = {}  # Any: not every field of the table is an array
    fetch_misses = ("fetch_misses_sequential", "fetch_misses_jump")
    if Mechanism.ZERO_WAIT_FLASH in mechanisms:
        ram = np.array([m.kind is not MemoryKind.FLASH for m in board.memories], np.int64)
        gone |= {name: getattr(events, name) * ram for name in (*fetch_misses, "read_misses")}
    nothing = np.zeros_like(events.reads)
    if Mechanism.PERFECT_INSTRUCTION_CACHE in mechanisms:
        gone |= dict.fromkeys((*fetch_misses, "fetch_waits"), nothing)
    if Mechanism.PERFECT_DATA_READ in mechanisms:
        gone |= dict.fromkeys(("reads", "extra_reads", "read_misses"), nothing)
    if Mechanism.PERFECT_DATA_WRITE in mechanisms:
        gone |= dict.fromkeys(("writes", "extra_writes", "write_misses", "write_backs"), nothing)
    return replace(events, **gone) if gone else events


def double_clock_board(board: Board, clock_mhz: float) -> Board:
    """The board with a flash ladder that reaches twice the clock.

    Beyond the ladder an access takes as long as at the end of its last step: (1 + wait states) bus cycles at ``up_to_mhz``;
    the bus ratio stays. Wait states are rounded up.
    """
    last = board.flash.ladder[-1]
    if 2 * clock_mhz <= last.up_to_mhz:
        return board
    bus_cycles = ceil((1 + last.wait_states) * Fraction(str(2 * clock_mhz)) / Fraction(str(last.up_to_mhz)))
    step = last.model_copy(update={"up_to_mhz": 2 * clock_mhz, "wait_states": bus_cycles - 1})
    flash = board.flash.model_copy(update={"ladder": (*board.flash.ladder, step)})
    return board.model_copy(update={"flash": flash})
