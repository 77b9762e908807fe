"""A hardware figure and where it comes from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator


class RefusalError(ValueError):
    """What a validator refuses, and in ``hint`` what to write instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def _said(text: str) -> str:
    if not text.removeprefix("inferred:").strip():
        raise RefusalError(
            "must not be empty", "say what you opened (document and section), or why you believe the figure"
        )
    return text


Origin = Annotated[str, AfterValidator(_said)]
"""Where a figure comes from, in words: not empty."""


def check_origin(source: str | None, inferred: str | None, what: str) -> None:
    """Raise RefusalError unless exactly one of the two is given."""
    if source is not None and inferred is not None:
        raise RefusalError(
            f"{what} needs exactly one of 'source' and 'inferred', found both",
            "keep 'source' if you opened it, 'inferred' if you reasoned, and remove the other",
        )
    if source is None and inferred is None:
        raise RefusalError(
            f"{what} needs exactly one of 'source' and 'inferred', found neither",
            'add source = "document and section", or inferred = "why you believe it"',
        )


class Frozen(BaseModel):
    """Base of all catalogue data: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Figure(Frozen):
    """A number with exactly one of ``source`` (what was opened) and ``inferred`` (the reasoning, with ``low`` and ``high``)."""

    value: float | int
    low: float | int | None = None
    high: float | int | None = None
    source: Origin | None = None
    inferred: Origin | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        check_origin(self.source, self.inferred, "a figure")
        if self.inferred is not None and (self.low is None or self.high is None):
            raise RefusalError(
                "an inferred figure needs 'low' and 'high'",
                f"add the interval you believe in: low = …, high = … around {self.value:g}",
            )
        if not self.lowest <= self.value <= self.highest:
            raise RefusalError(
                "'value' must lie between 'low' and 'high'",
                f"{self.value:g} is outside {self.lowest:g} to {self.highest:g}: change one of them",
            )
        return self

    @property
    def lowest(self) -> float | int:
        """Lower end of the interval (the value itself where it is sourced)."""
        return self.value if self.low is None else self.low

    @property
    def highest(self) -> float | int:
        """Upper end of the interval."""
        return self.value if self.high is None else self.high
