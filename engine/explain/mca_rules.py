"""The kinds of differences between our static cost of a block and llvm-mca's."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Rule(StrEnum):
    """One kind of difference. Those from ``PAIRED`` on make llvm-mca's dearer, those before it ours."""

    BRANCH_REFILL = "branch_refill"
    DATA_PHASE = "data_phase"
    PER_REGISTER = "per_register"
    ISSUE_CYCLES = "issue_cycles"
    NEIGHBOUR = "neighbour"
    NOT_PAIRED = "not_paired"
    FPU_BUSY = "fpu_busy"
    OPERAND_WAIT = "operand_wait"
    UNALIGNED_RUN = "unaligned_run"
    MCA_SKIPPED = "mca_skipped"
    PAIRED = "paired"
    MCA_LATENCY = "mca_latency"
    MCA_NEXT_ITERATION = "mca_next_iteration"
    MCA_UNIT = "mca_unit"
    MCA_WRITE_ORDER = "mca_write_order"
    MCA_GROUP = "mca_group"
    UNEXPLAINED = "unexplained"

    @property
    def meaning(self) -> str:
        """What differs, for a reader."""
        return _MEANING[self]


_MEANING = {
    Rule.BRANCH_REFILL: "taken branches refill the pipeline; llvm-mca takes none",
    Rule.DATA_PHASE: "the data phase of a load or store that nothing overlaps; llvm-mca pipelines every transfer",
    Rule.PER_REGISTER: "multiple transfers take cycles per register; llvm-mca issues them in one",
    Rule.ISSUE_CYCLES: "we keep the issue stage busy for longer",
    Rule.NEIGHBOUR: "loads and stores disturb each other; llvm-mca lets them pass",
    Rule.FPU_BUSY: "the FPU is still busy with a divide or a multiply-accumulate; llvm-mca has it free",
    Rule.NOT_PAIRED: "we do not issue the two together",
    Rule.OPERAND_WAIT: "an operand is ready later than llvm-mca has it",
    Rule.UNALIGNED_RUN: "wide instructions off word boundaries hold up the fetch; llvm-mca has every instruction at hand",
    Rule.MCA_SKIPPED: "llvm-mca's model has no figures for it and leaves it out",
    Rule.PAIRED: "we issue it together with its neighbour; llvm-mca's model issues one per cycle",
    Rule.MCA_LATENCY: "llvm-mca waits longer for an operand",
    Rule.MCA_NEXT_ITERATION: "llvm-mca repeats the block and waits for the iteration before; our block starts empty",
    Rule.MCA_UNIT: "llvm-mca has one unit for the two",
    Rule.MCA_WRITE_ORDER: "llvm-mca lets no instruction write before an older one has",
    Rule.MCA_GROUP: "llvm-mca's model issues one of the two alone or first",
    Rule.UNEXPLAINED: "not explained",
}


class Claim(NamedTuple):
    """Cycles a rule may account for at one instruction; ``other`` is the instruction it waits for or stands behind."""

    rule: Rule
    other: int | None
    cycles: float
