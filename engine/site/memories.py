"""What a run asked of each memory: rows for its page and a CSV with every layer."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields

from engine.records.run import MemoryTraffic, Region, RunRecord


@dataclass(frozen=True)
class MemoryRow:
    """One memory over the whole warm inference; misses as in ``records.run.MemoryTraffic``. ``stall_share``: of the run's cycles."""

    memory: str
    read_bytes: int
    write_bytes: int
    fetch_lines: int
    fetch_misses: int
    read_lines: int
    read_misses: int
    write_lines: int
    write_misses: int
    write_backs: int
    unaligned_extra_accesses: int
    stall_cycles: int
    cold_stall_cycles: int
    stall_share: float


def memory_rows(record: RunRecord) -> tuple[MemoryRow, ...]:
    """One row per memory that the run touched, in the order of first use; none for records that do not keep them."""
    found: dict[str, list[MemoryTraffic]] = {}
    for region in (*record.layers, record.glue):
        for traffic in region.memories:
            found.setdefault(traffic.memory, []).append(traffic)
    names = [f.name for f in fields(MemoryRow) if f.name not in ("memory", "stall_share")]
    rows = []
    for memory, parts in found.items():
        sums = {name: sum(getattr(p, name) for p in parts) for name in names}
        share = sums["stall_cycles"] / record.cycles.warm if record.cycles.warm else 0.0
        rows.append(MemoryRow(memory=memory, stall_share=share, **sums))
    return tuple(rows)


def memories_csv(record: RunRecord) -> str:
    """One row per layer (the glue last) and memory."""
    columns = tuple(MemoryTraffic.model_fields)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("run", "layer", "name", *columns))
    regions: list[tuple[int | str, str, Region]] = [(x.index, x.name, x) for x in record.layers]
    for index, name, region in (*regions, ("", "glue", record.glue)):
        writer.writerows((record.id, index, name, *(getattr(t, c) for c in columns)) for t in region.memories)
    return out.getvalue()
