"""What a difference in time between two runs can be due to."""

from __future__ import annotations

from enum import StrEnum


class Mechanism(StrEnum):
    """What a difference in time can be due to."""

    CLOCK = "clock"
    WAIT_STATES = "wait_states"
    CACHES = "caches"
    PIPELINE = "pipeline"
    INSTRUCTION_SET = "instruction_set"
    KERNELS = "kernels"
    COMPILER = "compiler"
    PLACEMENT = "placement"

    @property
    def label(self) -> str:
        """Name for people."""
        return self.value.replace("_", " ")


Reasons = tuple[Mechanism, ...]
"""Mechanisms that changed at once, so that two records cannot tell them apart: they share equally. Mostly one."""
