"""The one enum of causes that a simulated cycle can have."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a cycle was spent. Every simulated cycle has exactly one."""

    MAC = "mac"
    OTHER_ALU = "other_alu"
    LOAD_STORE_ISSUE = "load_store_issue"
    MULTIPLY_DIVIDE_LATENCY = "multiply_divide_latency"
    LOAD_USE = "load_use"
    BRANCH_REFILL = "branch_refill"
    INSTRUCTION_FETCH = "instruction_fetch"
    DATA_READ = "data_read"
    DATA_WRITE = "data_write"

    @property
    def label(self) -> str:
        """Name for people."""
        return _LABELS[self]


_LABELS = {
    Cause.MAC: "MAC",
    Cause.OTHER_ALU: "other ALU",
    Cause.LOAD_STORE_ISSUE: "load/store issue",
    Cause.MULTIPLY_DIVIDE_LATENCY: "multiply/divide latency",
    Cause.LOAD_USE: "load-use",
    Cause.BRANCH_REFILL: "branch refill",
    Cause.INSTRUCTION_FETCH: "instruction fetch",
    Cause.DATA_READ: "data read",
    Cause.DATA_WRITE: "data write",
}


class Evidence(StrEnum):
    """Where a number comes from; every number shown carries one."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    PREDICTED = "predicted"
    PUBLISHED = "published"
