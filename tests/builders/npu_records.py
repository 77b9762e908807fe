"""A record of an NPU made by hand, and how to change it."""

from __future__ import annotations

from typing import Any

from engine.records.npu import (
    CpuLayer,
    NpuLayer,
    NpuMemory,
    NpuProvenance,
    NpuRecord,
    NpuResource,
    ResourceCycles,
    Where,
    utilisation,
)

MACS_PER_CYCLE = 128


def busy(**cycles: int) -> ResourceCycles:
    return ResourceCycles(**{r.value: 0 for r in NpuResource} | cycles)


def npu_layer(index: int, op: str, works: ResourceCycles, macs: int = 0, **changed: Any) -> NpuLayer:
    most = works.of(works.largest)
    fields: dict[str, Any] = {
        "index": index, "name": f"tensor {index}", "op": op, "where": Where.NPU, "made_of": op.title(), "cycles": most, "busy": works,
        "bottleneck": works.largest if most else None,
        "cycles_without_bottleneck": sorted(works.of(r) for r in NpuResource)[-2], "macs": macs, "model_macs": macs,
        "utilisation": utilisation(macs, most, MACS_PER_CYCLE), "staging_bytes": 64,
    }  # fmt: skip
    return NpuLayer(**fields | changed)


def npu_record(**changed: Any) -> NpuRecord:
    """Three layers: one bound by flash, one by the NPU, one on the CPU without a time."""
    layers = changed.pop(
        "layers",
        (
            npu_layer(0, "FULLY_CONNECTED", busy(npu=300, sram=20, off_chip_flash=1000), macs=2000),
            npu_layer(1, "CONV_2D", busy(npu=500, sram=100, off_chip_flash=50), macs=32_000),
            npu_layer(2, "SOFTMAX", busy(), where=Where.CPU, made_of=""),
        ),
    )
    cycles, macs = sum(x.cycles for x in layers), sum(x.macs for x in layers)
    on_cpu = [x for x in layers if x.where is Where.CPU]
    fields: dict[str, Any] = {
        "schema_version": 1, "id": "toy_npu", "model": "toy", "npu": "ethos-u55-128", "accelerator": "ethos-u55-128",
        "macs_per_cycle": MACS_PER_CYCLE, "clock_mhz": 500.0, "system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram",
        "evidence_note": "vendor tool's estimate (Vela 5.2.0)", "cycles": cycles,
        "cycles_without": busy(npu=1050, sram=1500, dram=1500, on_chip_flash=1500, off_chip_flash=800),
        "npu_latency_ms": round(cycles / 500_000, 6), "latency_ms": None if on_cpu else round(cycles / 500_000, 6),
        "latency_note": "1 of 1 operators on the CPU are not timed: no host", "macs": macs, "model_macs": macs,
        "utilisation": utilisation(macs, cycles, MACS_PER_CYCLE), "bottleneck": NpuResource.OFF_CHIP_FLASH,
        "memories": tuple(
            NpuMemory(
                memory=m, used_bytes=2048, peak_gb_s=0.5, feature_map_read_bytes=10, feature_map_write_bytes=5, weight_read_bytes=1000,
                weight_write_bytes=0, total_bytes=1020,
            )
            for m in (NpuResource.SRAM, NpuResource.OFF_CHIP_FLASH)
        ),
        "weight_bytes": 2000, "encoded_weight_bytes": 1000, "layers": layers,
        "cpu_layers": tuple(
            CpuLayer(index=x.index, name=x.name, op=x.op, cycles=None, latency_ms=None, reason="no host") for x in on_cpu
        ),
        "host": None, "notes": (),
        "provenance": NpuProvenance(
            engine_version="0", model_sha256="a" * 64, npu_sha256="b" * 64, vela_version="5.2.0", vela_config="Arm/vela.ini",
            vela_config_sha256=None,
        ),
    }  # fmt: skip
    return NpuRecord(**fields | changed)


def changed_provenance(record: NpuRecord, **changed: Any) -> NpuRecord:
    return record.model_copy(update={"provenance": record.provenance.model_copy(update=changed)})
