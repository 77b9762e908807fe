"""What everything in a record is built on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything in a record: frozen, strict, closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
