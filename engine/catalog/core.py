"""A core: its instruction set features and its pipeline table. One TOML file each in ``cores/``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from engine.catalog.figure import Figure, Frozen

_DSP = {"armv6-m": False, "armv7-m": False, "armv7e-m": True}
"""Whether architectures have the DSP extension; of the others it is an option."""


def optional() -> Any:
    """A figure or table that only some cores have: where it is absent, it takes no part in the core's hash either."""
    return Field(default=None, exclude_if=lambda value: value is None)


class Fpu(StrEnum):
    """Floating-point unit of a core."""

    NONE = "none"
    SP = "sp"
    DP = "dp"


class IssueTable(Frozen):
    """Cycles an instruction occupies the issue stage when nothing stalls it.

    Multiple and double transfers (LDM, PUSH, LDRD, VLDM of N words) cost ``multiple_base + multiple_per_register * N``, rounded
    up to whole cycles. ``branch`` is the branch itself, without its refill. ``it_paired``, ``branch_paired``: directly behind a
    16-bit instruction (and 16-bit itself). ``special``: MRS, MSR and barriers, ``system`` the rest (NOP and other hints).
    ``fp``: FP arithmetic, moves, sign changes and compares; ``fp_transfer``: moves between FP and general registers.
    ``fp_mac_busy``, ``fp_divide_busy``: until the FPU takes the next instruction, FP loads and stores included; others issue as
    soon as ``fp_mac`` and ``fp_divide`` are over.
    """

    alu: Figure
    system: Figure
    special: Figure
    it: Figure
    it_paired: Figure
    multiply: Figure
    multiply_long: Figure
    mac: Figure
    mac_long: Figure
    divide: Figure
    load: Figure
    store: Figure
    multiple_base: Figure
    multiple_per_register: Figure
    branch: Figure
    branch_paired: Figure
    fp: Figure
    fp_transfer: Figure
    fp_mac: Figure
    fp_mac_busy: Figure
    fp_divide: Figure
    fp_divide_busy: Figure


class LatencyTable(Frozen):
    """Cycles from the issue of a producer until a consumer may issue; never less than the producer's issue cycles.

    ``alu_late``: ALU instructions with a shifted operand, and extend-and-add. ``*_to_address``: the consumer forms an address
    with it; ``*_to_accumulator``: the consumer accumulates onto it; ``load_to_multiply``: the consumer multiplies it;
    ``load_to_store``: the consumer stores it. ``load_narrow_extra``: added for byte and halfword loads;
    ``load_to_shift_extra``: added where the consumer shifts or extracts it first; ``alu_to_shift_extra``: the same for results that
    are no loads. ``alu_to_store``, ``mac_to_store``: the consumer stores it (0: even in the same cycle). ``fp``: FP arithmetic
    and conversions; ``fp_move``: moves, sign changes and compares; ``fp*_to_accumulator``: the consumer is an FP MAC that accumulates
    onto it.
    """

    alu: Figure
    alu_late: Figure
    alu_to_address: Figure
    multiply: Figure
    mac: Figure
    mac_to_accumulator: Figure
    load: Figure
    load_to_address: Figure
    load_to_multiply: Figure
    load_to_accumulator: Figure
    load_to_store: Figure
    load_narrow_extra: Figure
    load_to_shift_extra: Figure
    alu_to_shift_extra: Figure
    alu_to_store: Figure
    mac_to_store: Figure
    fp: Figure
    fp_to_accumulator: Figure
    fp_move: Figure
    fp_mac: Figure
    fp_mac_to_accumulator: Figure
    fp_divide: Figure
    fp_divide_to_accumulator: Figure


class LoadStoreRules(Frozen):
    """How neighbouring single transfers overlap, in cycles.

    ``load_tail``: data phase of a load that only a following single transfer can use, unless its address depends on the load.
    ``store_tail``: further issue of a store behind a load. ``store_register_offset``: issue of a store with a register offset.
    ``load_after_store``: extra cycles of a load directly behind a store, less what the store itself took beyond ``issue.store``.
    ``literal_extra``: extra cycles of a PC-relative load. ``base_update_breaks``: 1 where a load with base update is not overlapped.
    ``code_bus_conflict``: cycles that a constant read from flash costs while instructions come from flash too, because one bus carries
    both. ``unaligned_extra``: each further bus access that an unaligned one is split into.
    """

    load_tail: Figure
    store_tail: Figure
    store_register_offset: Figure
    load_after_store: Figure
    literal_extra: Figure
    base_update_breaks: Figure
    code_bus_conflict: Figure
    unaligned_extra: Figure


class FetchTable(Frozen):
    """What the fetch stage holds up by itself, in cycles.

    ``unaligned_wide_run``: once where three (stores: four) or more 32-bit instructions follow each other off word boundaries.
    """

    unaligned_wide_run: Figure


class BranchTable(Frozen):
    """Refill cycles that follow a taken branch, beyond the branch's own issue.

    ``direct``: B, conditional B, CBZ; ``call``: BL; ``indirect``: BX, BLX, MOV PC; ``load_pc``: POP/LDM/LDR to PC; ``table``:
    TBB/TBH (with their load). ``unaligned_wide_target`` is added where a 32-bit target instruction is not word-aligned;
    ``paired_on_flags`` where a paired branch tests flags of the instruction it is paired with. Low-overhead loops: the core
    remembers where a loop ends once its first LE has executed, goes back for nothing from then on, and executes the last LE
    again. ``loop_first``, ``loop_last``: all that these two cost, issue included.
    """

    direct: Figure
    call: Figure
    indirect: Figure
    load_pc: Figure
    table: Figure
    unaligned_wide_target: Figure
    paired_on_flags: Figure
    loop_first: Figure | None = optional()
    loop_last: Figure | None = optional()


class Predictor(Frozen):
    """First model of a branch predictor: of every conditional branch the rarer direction is mispredicted.

    A branch taken T times and not taken N times costs ``mispredicted_share * min(T, N)`` times ``penalty`` cycles; indirect
    branches (not returns) are mispredicted at ``indirect_share``, returns at ``return_share``.
    """

    penalty: Figure
    mispredicted_share: Figure
    indirect_share: Figure
    return_share: Figure


class Pairs16(Frozen):
    """Limited dual issue: two 16-bit instructions together, one of them simple (a branch, IT, NOP, an immediate ADD, SUB or MOV, a
    register MOV, an extend) and neither waiting for the other. ``extra``: cycles of such a pair beyond the first (1: no gain).
    """

    extra: Figure


class VectorTable(Frozen):
    """Helium (MVE), in cycles. An instruction issues in one cycle and holds its pipe (memory, integer, multiply, predicate) for
    ``occupancy``: the next one on another pipe, or a scalar one, begins while its second half executes.

    Gathers and scatters hold the memory pipe for ``per_element`` times their elements, if that is longer. Results, as in
    ``LatencyTable``: ``alu`` of simple integer instructions, ``alu_late`` of those that round, saturate or add across,
    ``narrow`` of narrowing ones and of minima and maxima across; ``late_to_store``: of ``alu_late`` and ``mac`` results into stores;
    ``mac`` of multiplies, ``mac_to_accumulator`` onto the same accumulator; ``to_scalar``: of sums across lanes into a general register,
    ``move_to_scalar`` of VMOV; ``load``, ``gather``; ``gather_address_extra``: added where the consumer takes addresses from a vector.
    ``shared_memory_pipe``: loads and stores hold one pipe; ``bitwise_any_pipe``: bitwise logic and moves take whichever is free.
    """

    occupancy: Figure
    per_element: Figure
    alu: Figure
    alu_late: Figure
    narrow: Figure
    late_to_store: Figure
    mac: Figure
    mac_to_accumulator: Figure
    to_scalar: Figure
    move_to_scalar: Figure
    load: Figure
    gather: Figure
    gather_address_extra: Figure
    shared_memory_pipe: bool
    bitwise_any_pipe: bool


class DualIssue(Frozen):
    """Extra cycles of a pair that may issue together (0: together for free, 1: no gain).

    ``load_load`` holds where the distance of the two addresses is unknown; off one base register the offsets decide (different
    banks of words: 0, the same bank: 1).

    Pairs may span two blocks where control falls through: a branch that is not taken may be the older half.
    Never paired: two multiplies, two stores, a multiply with a store, two branches, two FP arithmetic instructions, two of
    the DSP and bit-field group or of those with a shifted operand, anything beside a multiple or double transfer, a divide or a
    system instruction, and an instruction whose operand is not ready in the same cycle. Two Helium instructions never do;
    ``vector``: one of them beside a scalar one.
    """

    load_load: Figure
    load_store: Figure
    other: Figure
    vector: Figure | None = optional()


class LogEntry(Frozen):
    """A choice made in a core table, and why; ``before_validation`` says that no published result was looked at for it."""

    what: str
    why: str
    before_validation: bool


class Core(Frozen):
    """A Cortex-M core as the engine needs it.

    ``issue_width`` 2 is full dual issue; cores that pair only 16-bit branches say so in ``issue.branch_paired``. ``mac_lanes``: products the widest integer MAC instruction accumulates (SMLAD 2, MLA 1; 1 where there is only MULS).
    ``data_port_bytes``: width of the data port: 4 splits unaligned accesses by their alignment, 8 those that straddle two of its
    words. ``sources`` names the documents that figures cite as "key: place".
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    architecture: Literal["armv6-m", "armv7-m", "armv7e-m", "armv8-m.main", "armv8.1-m.main"]
    dsp: bool
    fpu: Fpu
    mve: bool
    mac_lanes: int = Field(ge=1, le=16)
    data_port_bytes: Literal[4, 8] = 4
    sources: dict[str, str]
    issue_width: int
    issue: IssueTable
    latency: LatencyTable
    load_store: LoadStoreRules
    fetch: FetchTable
    branch: BranchTable
    predictor: Predictor | None = None
    dual_issue: DualIssue | None = None
    pairs_16_bit: Pairs16 | None = optional()
    vector: VectorTable | None = optional()
    notes: tuple[str, ...] = ()
    log: tuple[LogEntry, ...] = Field(min_length=1)

    def __hash__(self) -> int:
        """Hash of the name: ``sources`` is a dict, which the derived hash could not take."""
        return hash(self.name)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every figure with its dotted name."""
        tables = (
            "issue",
            "latency",
            "load_store",
            "fetch",
            "branch",
            "predictor",
            "dual_issue",
            "pairs_16_bit",
            "vector",
        )
        for part in tables:
            table = getattr(self, part)
            for key in type(table).model_fields if table is not None else ():
                if isinstance(figure := getattr(table, key), Figure):
                    yield f"{part}.{key}", figure

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, figure in self.figures():
            if figure.source is not None and figure.source.split(":")[0] not in self.sources:
                raise ValueError(f"'{name}' cites '{figure.source.split(':')[0]}', which is not in [sources]")
            for x in (figure.value, figure.lowest, figure.highest):
                if x < 0 or round(x * 1000) != x * 1000:
                    raise ValueError(f"'{name}' must be a multiple of 0.001 and not negative")
        if self.dsp is not _DSP.get(self.architecture, self.dsp):
            raise ValueError(
                f"'dsp' of {self.architecture} is {str(_DSP[self.architecture]).lower()}: not an option there"
            )
        if self.issue_width not in (1, 2) or (self.issue_width == 2) != (self.dual_issue is not None):
            raise ValueError("'issue_width' is 1, or 2 with a [dual_issue] table")
        if self.mve != (self.vector is not None):
            raise ValueError("'mve' needs a [vector] table, and a [vector] table needs 'mve'")
        if self.architecture == "armv8.1-m.main" and None in (self.branch.loop_first, self.branch.loop_last):
            raise ValueError("a core with low-overhead loops needs branch.loop_first and branch.loop_last")
        return self
