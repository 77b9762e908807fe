"""A record of a run on this machine made by hand: round figures, so that derived ones can be checked in the head."""

from __future__ import annotations

from typing import Any

from engine.records.host import (
    HostCache,
    HostCosts,
    HostCounter,
    HostCounts,
    HostLatency,
    HostLayer,
    HostMachine,
    HostRecord,
    HostReference,
    HostRuntime,
    HostSimulation,
)
from engine.targets.host.perf import EVENTS

COUNTERS = {
    "cycles": 1000.0, "instructions": 2500.0, "cache_references": 100.0, "cache_misses": 5.0, "l1d_loads": 800.0,
    "l1d_load_misses": 40.0, "llc_loads": 20.0, "llc_load_misses": 1.0, "branches": 200.0, "branch_misses": 10.0,
}  # fmt: skip


def machine(**changed: Any) -> HostMachine:
    fields: dict[str, Any] = {
        "cpu": "A CPU", "vendor": "A vendor", "kernel": "6.1", "virtual": False, "logical_cpus": 8, "governor": "performance",
        "caches": tuple(
            HostCache(level=level, kind=kind, bytes=size, ways=8, line_bytes=64)
            for level, kind, size in (
                (1, "data", 32 << 10), (1, "instruction", 32 << 10), (2, "unified", 1 << 20), (3, "unified", 32 << 20),
            )
        ),
    }  # fmt: skip
    return HostMachine(**fields | changed)


def latency(least_ms: float = 1.0, **changed: Any) -> HostLatency:
    fields: dict[str, Any] = {
        "repeats": 100, "warm_up": 10, "threads": 1, "cpu": 7, "least_ms": least_ms, "p50_ms": least_ms, "p95_ms": least_ms,
        "p99_ms": least_ms, "most_ms": least_ms,
    }  # fmt: skip
    return HostLatency(**fields | changed)


def counts(**changed: int) -> dict[str, int]:
    """Of one layer: a million instructions, next to no misses."""
    return {
        "instructions": 1_000_000, "reads": 300_000, "writes": 100_000, "i1_misses": 0, "d1_misses": 400, "ll_misses": 0,
        "branches": 100_000, "mispredictions": 100,
    } | changed  # fmt: skip


def simulation(*layers: dict[str, int]) -> HostSimulation:
    made = tuple(
        HostLayer(index=n, name=f"layer {n}", op="CONV_2D", kernel="wc_conv_2d_s8", macs=100_000, **x)
        for n, x in enumerate(layers or (counts(), counts()))
    )
    total = HostCounts(**{name: sum(getattr(x, name) for x in made) for name in HostCounts.model_fields})
    return HostSimulation(tool="callgrind-3.19.0", caches=("D1 cache: 32768 B",), layers=made, total=total)


def costs(**changed: float) -> HostCosts:
    """A clock of 4 GHz, five slots per cycle."""
    fields = {
        "dependent_addition_ns": 0.25, "instruction_ns": 0.05, "misprediction_ns": 5.0, "near_line_ns": 0.5,
        "near_line_alone_ns": 4.0, "far_line_alone_ns": 20.0, "memory_line_ns": 4.0, "memory_line_alone_ns": 100.0,
    }  # fmt: skip
    return HostCosts(**fields | changed)


def host_record(found: HostSimulation | None = None, **changed: Any) -> HostRecord:
    """Two layers that take 1 ms in our kernels and 0.1 ms in LiteRT, with every hardware counter there."""
    reference: dict[str, Any] = {
        "compiler": "clang", "compiler_version": "22 (x)", "compiler_flags": ("-O2",), "program_sha256": "a" * 64,
        "working_set_bytes": 100_000, "output_matches_oracle": True, "oracle_note": "4 inferences equal", "latency": latency(),
        "costs": costs(), "simulation": simulation() if found is None else found, "simulation_note": "",
    } | changed.pop("reference", {})  # fmt: skip
    runtime = HostRuntime(
        name="LiteRT", version="2.3.0", delegate="XNNPACK", latency=latency(0.1),
        counters=tuple(HostCounter(event=e.name, value=COUNTERS[e.name], reason="") for e in EVENTS),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "schema_version": 1, "id": "toy_host_o2", "model": "toy", "model_sha256": "b" * 64, "macs": 200_000, "machine": machine(),
        "runtime": runtime, "runtime_note": "", "reference": HostReference(**reference), "notes": (), "engine_version": "0",
    }  # fmt: skip
    return HostRecord(**fields | changed)
