"""Which runs meet a limit on latency, flash and RAM, and why the others do not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.explain.ties import interval_ms
from engine.records.run import RunRecord


@dataclass(frozen=True)
class Constraints:
    """Upper limits, all inclusive; None: no limit. Raises UsageError for a limit that is negative or not finite."""

    max_latency_ms: float | None = None
    max_flash_bytes: int | None = None
    max_ram_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_latency_ms", "max_flash_bytes", "max_ram_bytes"):
            limit = getattr(self, name)
            if limit is not None and not (math.isfinite(limit) and limit >= 0):
                raise UsageError(f"{name} is {limit}", hint="give a number that is not negative")


@dataclass(frozen=True)
class Kept:
    """A run that meets every limit. ``doubts`` name limits that its interval may exceed."""

    record: RunRecord
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Excluded:
    """A run that misses at least one limit, with a sentence per limit missed."""

    record: RunRecord
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """All runs, in the order given, split by whether they meet the limits."""

    kept: tuple[Kept, ...]
    excluded: tuple[Excluded, ...]


def select(records: Sequence[RunRecord], constraints: Constraints) -> Selection:
    """Split runs by the limits. A run is judged by its point values; its latency interval only raises doubts."""
    kept: list[Kept] = []
    excluded: list[Excluded] = []
    for record in records:
        reasons = tuple(_violations(record, constraints))
        if reasons:
            excluded.append(Excluded(record, reasons))
        else:
            kept.append(Kept(record, tuple(_doubts(record, constraints))))
    return Selection(tuple(kept), tuple(excluded))


def _violations(record: RunRecord, limits: Constraints) -> Iterator[str]:
    if limits.max_latency_ms is not None and record.latency_ms > limits.max_latency_ms:
        low, _ = interval_ms(record)
        hope = " (its interval begins below the limit)" if low <= limits.max_latency_ms else ""
        yield f"latency is {record.latency_ms:.6g} ms, the limit {limits.max_latency_ms:.6g} ms{hope}"
    for what, used, limit in (
        ("flash", record.memory.flash_bytes, limits.max_flash_bytes),
        ("RAM", record.memory.ram_bytes, limits.max_ram_bytes),
    ):
        if limit is not None and used > limit:
            yield f"{what} is {used:,} bytes, {used - limit:,} over the limit of {limit:,}"


def _doubts(record: RunRecord, limits: Constraints) -> Iterator[str]:
    _, high = interval_ms(record)
    if limits.max_latency_ms is not None and high > limits.max_latency_ms:
        yield f"latency may reach {high:.6g} ms, beyond the limit of {limits.max_latency_ms:.6g} ms"
