"""A hardware figure and where it comes from."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Frozen(BaseModel):
    """Base of all catalogue data: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Figure(Frozen):
    """A number with exactly one of ``source`` (what was opened) and ``inferred`` (the reasoning, with ``low`` and ``high``)."""

    value: float | int
    low: float | int | None = None
    high: float | int | None = None
    source: str | None = None
    inferred: str | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.source is None) == (self.inferred is None):
            raise ValueError("a figure needs exactly one of 'source' and 'inferred'")
        if self.inferred is not None and (self.low is None or self.high is None):
            raise ValueError("an inferred figure needs 'low' and 'high'")
        if not self.lowest <= self.value <= self.highest:
            raise ValueError("'value' must lie between 'low' and 'high'")
        return self

    @property
    def lowest(self) -> float | int:
        """Lower end of the interval (the value itself where it is sourced)."""
        return self.value if self.low is None else self.low

    @property
    def highest(self) -> float | int:
        """Upper end of the interval."""
        return self.value if self.high is None else self.high
