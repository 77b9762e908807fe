"""A core table at one end of its intervals, as integers: what the pipeline model computes with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.catalog.core import Core
from engine.catalog.figure import Figure
from engine.records.cause import Cause

CYCLE = 1000
"""Ticks per cycle: table figures are multiples of 0.001 cycle, so all sums are exact integers."""

CAUSES = tuple(Cause)
"""Causes in the order of the columns of every tick array."""

COLUMN = {cause: i for i, cause in enumerate(CAUSES)}


class End(StrEnum):
    """Which end of every figure's interval a table is taken at."""

    VALUE = "value"
    LOW = "low"
    HIGH = "high"


def at_end(figure: Figure, end: End) -> float | int:
    """The figure's number at an end of its interval."""
    return {End.VALUE: figure.value, End.LOW: figure.lowest, End.HIGH: figure.highest}[end]


def ticks(cycles: float | int) -> int:
    """Ticks of a number of cycles (rounded to a tick)."""
    return round(cycles * CYCLE)


@dataclass(frozen=True)
class CoreTicks:
    """All figures of a core table in ticks, named as in ``engine.catalog.core`` (``issue_alu`` is ``issue.alu``)."""

    has_mac: bool
    dual: bool
    pairs_16: bool
    predicts: bool
    shared_memory_pipe: bool
    bitwise_any_pipe: bool
    issue_alu: int
    issue_system: int
    issue_special: int
    issue_it: int
    issue_it_paired: int
    issue_multiply: int
    issue_multiply_long: int
    issue_mac: int
    issue_mac_long: int
    issue_divide: int
    issue_load: int
    issue_store: int
    issue_multiple_base: int
    issue_multiple_per_register: int
    issue_branch: int
    issue_branch_paired: int
    issue_fp: int
    issue_fp_transfer: int
    issue_fp_mac: int
    issue_fp_mac_busy: int
    issue_fp_divide: int
    issue_fp_divide_busy: int
    latency_alu: int
    latency_alu_late: int
    latency_alu_to_address: int
    latency_multiply: int
    latency_mac: int
    latency_mac_to_accumulator: int
    latency_load: int
    latency_load_to_address: int
    latency_load_to_multiply: int
    latency_load_to_accumulator: int
    latency_load_to_store: int
    latency_load_narrow_extra: int
    latency_load_to_shift_extra: int
    latency_alu_to_shift_extra: int
    latency_alu_to_store: int
    latency_mac_to_store: int
    latency_fp: int
    latency_fp_to_accumulator: int
    latency_fp_move: int
    latency_fp_mac: int
    latency_fp_mac_to_accumulator: int
    latency_fp_divide: int
    latency_fp_divide_to_accumulator: int
    load_store_load_tail: int
    load_store_store_tail: int
    load_store_store_register_offset: int
    load_store_load_after_store: int
    load_store_literal_extra: int
    load_store_base_update_breaks: int
    load_store_code_bus_conflict: int
    load_store_unaligned_extra: int
    fetch_unaligned_wide_run: int
    branch_direct: int
    branch_call: int
    branch_indirect: int
    branch_load_pc: int
    branch_table: int
    branch_unaligned_wide_target: int
    branch_paired_on_flags: int
    predictor_penalty: int = 0
    predictor_mispredicted_share: int = 0
    predictor_indirect_share: int = 0
    predictor_return_share: int = 0
    dual_issue_load_load: int = 0
    dual_issue_load_store: int = 0
    dual_issue_other: int = 0
    dual_issue_vector: int = 0
    pairs_16_bit_extra: int = 0
    branch_loop_first: int = 0
    branch_loop_last: int = 0
    vector_occupancy: int = 0
    vector_per_element: int = 0
    vector_alu: int = 0
    vector_alu_late: int = 0
    vector_narrow: int = 0
    vector_late_to_store: int = 0
    vector_mac: int = 0
    vector_mac_to_accumulator: int = 0
    vector_to_scalar: int = 0
    vector_move_to_scalar: int = 0
    vector_load: int = 0
    vector_gather: int = 0
    vector_gather_address_extra: int = 0


def core_ticks(core: Core, end: End) -> CoreTicks:
    """The core table at one end of all its intervals at once (independent worst cases)."""
    figures = {name.replace(".", "_"): ticks(at_end(figure, end)) for name, figure in core.figures()}
    return CoreTicks(
        has_mac=core.architecture != "armv6-m",
        dual=core.dual_issue is not None,
        pairs_16=core.pairs_16_bit is not None,
        predicts=core.predictor is not None,
        shared_memory_pipe=core.vector is not None and core.vector.shared_memory_pipe,
        bitwise_any_pipe=core.vector is not None and core.vector.bitwise_any_pipe,
        **figures,
    )
