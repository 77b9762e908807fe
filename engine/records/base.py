"""What everything in a record is built on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of everything in a record: frozen, closed, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
