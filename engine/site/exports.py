"""Records and analyses as CSV. Units are in the column names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from engine.explain.analysis import Analysis
from engine.explain.compare import Comparison
from engine.records.cause import Cause
from engine.records.counters import Counters
from engine.records.npu import MEMORIES, NpuRecord, NpuResource
from engine.records.run import RunRecord
from engine.records.run_energy import RunEnergy
from engine.records.validation import Point, Validations
from engine.site.metrics import total

_COUNTERS = tuple(Counters.model_fields)
_RUN = ("run", "model", "board", "core", "clock_mhz", "kernels", "compiler", "opt", "target", "evidence")


def _run_columns(r: RunRecord) -> tuple[object, ...]:
    return (r.id, r.model, r.board, r.core, r.clock_mhz, r.kernels, r.compiler, r.opt, r.target, r.evidence.value)


def _energy(r: RunRecord) -> tuple[object, ...]:
    return (r.energy.energy_uj, *r.energy.interval_uj) if isinstance(r.energy, RunEnergy) else ("", "", "")


def _text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def runs_csv(records: Sequence[RunRecord]) -> str:
    """One row per run: totals, cycles by cause (``*_cycles``), counters of the whole inference."""
    head = (
        *_RUN, "latency_ms", "latency_low_ms", "latency_high_ms", "energy_uj", "energy_low_uj", "energy_high_uj", "warm_cycles", "cold_cycles", "low_cycles", "high_cycles",
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
                *_run_columns(r), r.latency_ms, low / r.clock_mhz / 1000, high / r.clock_mhz / 1000, *_energy(r), r.cycles.warm, r.cycles.cold,
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


def gains_csv(analysis: Analysis) -> str:
    """One row per region and mechanism; the whole run comes first (``region`` is empty)."""
    head = (
        "run", "region", "name", "mechanism", "cycles", "ideal_machine_cycles", "cycles_with_it_ideal", "gain_cycles",
        "gain_low_cycles", "gain_high_cycles", "gain_ms", "gain_low_ms", "gain_high_ms", "share_of_gap_cycles",
        "share_low_cycles", "share_high_cycles",
    )  # fmt: skip
    rows = []
    for index, region in (("", analysis.run), *enumerate(analysis.regions)):
        for g in region.gains:
            share = ("", "", "") if g.share_cycles is None else (g.share_cycles, *(g.share_cycles_interval or ("", "")))
            gain = ("", "", "") if g.gain_cycles is None else (g.gain_cycles, *(g.gain_cycles_interval or ("", "")))
            rows.append(
                (analysis.id, index, region.name, g.mechanism.value, region.cycles, region.ideal_cycles, g.cycles,
                 *gain, g.gain_ms, *g.gain_ms_interval, *share)
            )  # fmt: skip
    return _text(head, rows)


def clocks_csv(analysis: Analysis) -> str:
    """One row per clock of the sweep."""
    head = (
        "run", "clock_mhz", "wait_states", "bus_ratio", "cycles", "latency_ms", "latency_low_ms", "latency_high_ms",
        "saving_against_fastest_lower_clock", "step",
    )  # fmt: skip
    return _text(
        head,
        (
            (analysis.id, p.clock_mhz, p.wait_states, p.bus_ratio, p.cycles, p.latency_ms, *p.latency_ms_interval,
             p.saving, p.step.value)
            for p in analysis.clocks
        ),
    )  # fmt: skip


def points_csv(validations: Validations) -> str:
    """One row per point of every kept validation; ``compiler_of_all`` is empty where each row's own compiler was taken."""
    head = ("compiler_of_all", *Point.model_fields)
    rows = []
    for kept in validations.results:
        for p in kept.validation.points:
            plain = p.model_dump(mode="json")
            ends = {n: " ".join(map(str, v)) for n, v in plain.items() if isinstance(v, list)}
            changed = plain | ends | {"notes": "; ".join(p.notes)}
            rows.append((kept.compiler or "", *("" if changed[n] is None else changed[n] for n in Point.model_fields)))
    return _text(head, rows)


def difference_csv(found: Comparison) -> str:
    """One row per mechanism, cause and layer of a comparison (B minus A); the rows of a kind sum to the difference."""
    rows: list[tuple[object, ...]] = [
        (found.a, found.b, "mechanism", m.value, us, "") for m, us in found.by_mechanism.items()
    ]
    rows += [(found.a, found.b, "cause", c.value, "", cycles) for c, cycles in found.by_cause.items()]
    rows += [(found.a, found.b, "layer", x.name, "", x.delta_cycles) for x in found.by_layer]
    return _text(("a", "b", "kind", "name", "difference_us", "difference_cycles"), rows)


_NPU = ("id", "model", "npu", "accelerator", "system_config", "memory_mode", "clock_mhz", "macs_per_cycle", "evidence")


def _npu_columns(r: NpuRecord) -> tuple[object, ...]:
    return tuple(getattr(r, name) for name in _NPU)


def npus_csv(records: Sequence[NpuRecord]) -> str:
    """One row per estimate; ``*_without_cycles``: if that resource cost nothing. Empty where a value is absent."""
    head = (
        *_NPU, "npu_latency_ms", "latency_ms", "cycles", "bottleneck", "macs", "model_macs", "utilisation", "cpu_operators", "weight_bytes",
        "encoded_weight_bytes", *(f"{m.value}_used_bytes" for m in MEMORIES), *(f"{r.value}_without_cycles" for r in NpuResource),
        "vela_version",
    )  # fmt: skip
    rows = []
    for r in records:
        used = {m.memory: m.used_bytes for m in r.memories}
        rows.append(
            (
                *_npu_columns(r), r.npu_latency_ms, "" if r.latency_ms is None else r.latency_ms, r.cycles, r.bottleneck.value, r.macs,
                r.model_macs, r.utilisation, len(r.cpu_layers), r.weight_bytes, r.encoded_weight_bytes,
                *(used.get(m, 0) for m in MEMORIES), *(r.cycles_without.of(x) for x in NpuResource), r.provenance.vela_version,
            )
        )  # fmt: skip
    return _text(head, rows)


def npu_layers_csv(records: Sequence[NpuRecord]) -> str:
    """One row per layer of each estimate; ``layer`` is empty for what Vela added on its own."""
    head = (
        *_NPU, "layer", "name", "op", "where", "made_of", "cycles", "bottleneck", *(f"{r.value}_cycles" for r in NpuResource),
        "without_bottleneck_cycles", "macs", "model_macs", "utilisation", "staging_bytes",
    )  # fmt: skip
    rows = [
        (
            *_npu_columns(r), "" if x.index is None else x.index, x.name, x.op, x.where.value, x.made_of, x.cycles,
            x.bottleneck.value if x.bottleneck else "", *(x.busy.of(m) for m in NpuResource), x.cycles_without_bottleneck, x.macs,
            x.model_macs, "" if x.utilisation is None else x.utilisation, x.staging_bytes,
        )
        for r in records
        for x in r.layers
    ]  # fmt: skip
    return _text(head, rows)
