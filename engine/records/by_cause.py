"""What a cycle stack and an energy stack have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field

from engine.records.base import Record
from engine.records.cause import Cause


class ByCause(Record):
    """A whole number by cause, in the unit of the subclass. All causes are always present."""

    mac: int = Field(ge=0)
    other_alu: int = Field(ge=0)
    load_store_issue: int = Field(ge=0)
    multiply_divide_latency: int = Field(ge=0)
    load_use: int = Field(ge=0)
    branch_refill: int = Field(ge=0)
    instruction_fetch: int = Field(ge=0)
    data_read: int = Field(ge=0)
    data_write: int = Field(ge=0)

    @classmethod
    def added(cls, stacks: Iterable[Self]) -> Self:
        """Several stacks added up, cause by cause."""
        kept = tuple(stacks)
        return cls(**{c.value: sum(s.of(c) for s in kept) for c in Cause})

    def of(self, cause: Cause) -> int:
        """What is charged to a cause."""
        return int(getattr(self, cause.value))

    @property
    def total(self) -> int:
        """Sum over causes."""
        return sum(self.of(c) for c in Cause)
