"""Records as CSV: one row per run, one row per layer. Units are in the column names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from engine.records.cause import Cause
from engine.records.counters import Counters
from engine.records.run import RunRecord
from engine.site.metrics import total

_COUNTERS = tuple(Counters.model_fields)
_RUN = ("run", "model", "board", "core", "clock_mhz", "kernels", "compiler", "opt", "target", "evidence")


def _run_columns(r: RunRecord) -> tuple[object, ...]:
    return (r.id, r.model, r.board, r.core, r.clock_mhz, r.kernels, r.compiler, r.opt, r.target, r.evidence.value)


def _text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def runs_csv(records: Sequence[RunRecord]) -> str:
    """One row per run: totals, cycles by cause (``*_cycles``), counters of the whole inference."""
    head = (
        *_RUN, "latency_ms", "latency_low_ms", "latency_high_ms", "warm_cycles", "cold_cycles", "low_cycles", "high_cycles",
        "macs", "flash_bytes", "ram_bytes", "arena_bytes", "output_matches_oracle", "engine_version",
        *(f"{c.value}_cycles" for c in Cause), *_COUNTERS,
    )  # fmt: skip
    rows = []
    for r in records:
        low, high = r.cycles_interval
        counters = total(r)
        regions = (*r.layers, r.glue)
        rows.append(
            (
                *_run_columns(r), r.latency_ms, low / r.clock_mhz / 1000, high / r.clock_mhz / 1000, r.cycles.warm, r.cycles.cold,
                low, high, r.macs, r.memory.flash_bytes, r.memory.ram_bytes, r.memory.arena_bytes,
                "" if r.output_matches_oracle is None else str(r.output_matches_oracle).lower(), r.provenance.engine_version,
                *(sum(x.stack.of(c) for x in regions) for c in Cause), *(getattr(counters, n) for n in _COUNTERS),
            )
        )  # fmt: skip
    return _text(head, rows)


def layers_csv(records: Sequence[RunRecord]) -> str:
    """One row per layer of each run, and one for the glue (``layer`` is empty, ``op`` is "glue")."""
    head = (
        *_RUN, "layer", "name", "op", "kernel", "library", "output_shape", "macs", "weight_bytes", "arithmetic_intensity",
        "cycles", "cold_cycles", *(f"{c.value}_cycles" for c in Cause), *_COUNTERS,
    )  # fmt: skip
    rows = []
    for r in records:
        for x in r.layers:
            shape = "x".join(str(d) for d in x.output_shape)
            own = (x.index, x.name, x.op, x.kernel, x.library, shape, x.macs, x.weight_bytes, x.arithmetic_intensity)
            rows.append((*_run_columns(r), *own, *_region(x.cycles, x.cold_cycles, x.stack.model_dump(), x.counters)))
        g = r.glue
        own_glue = ("", "glue", "glue", "", "", "", 0, 0, 0.0)
        rows.append((*_run_columns(r), *own_glue, *_region(g.cycles, g.cold_cycles, g.stack.model_dump(), g.counters)))
    return _text(head, rows)


def _region(cycles: int, cold: int, stack: dict[str, int], counters: Counters) -> tuple[int, ...]:
    return (cycles, cold, *(stack[c.value] for c in Cause), *(getattr(counters, n) for n in _COUNTERS))
