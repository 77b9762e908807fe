"""May two estimates of NPUs be compared? Only within one configuration: clock, memories and compiler must be the same."""

from __future__ import annotations

from engine.records.comparable import Comparability
from engine.records.npu import NpuRecord


def npu_config(record: NpuRecord) -> tuple[str, str, str, str | None]:
    """What must be equal: system configuration, memory mode, Vela's version, the user's configuration file (its hash)."""
    made = record.provenance
    return record.system_config, record.memory_mode, made.vela_version, made.vela_config_sha256


def npu_comparable(a: NpuRecord, b: NpuRecord) -> Comparability:
    """May ``b`` be compared with ``a``? Reasons say why not, or what to know before believing a difference."""
    one, two = a.provenance, b.provenance
    blockers: list[str] = []
    if one.model_sha256 != two.model_sha256:
        named = f"{a.model} and {b.model}" if a.model != b.model else f"two different files, both called {a.model}"
        blockers.append(f"they are estimates of different models ({named})")
    if a.system_config != b.system_config:
        blockers.append(
            f"they assume different systems, {a.system_config} ({a.clock_mhz:g} MHz) and {b.system_config} ({b.clock_mhz:g} MHz): "
            "clock and memories would be part of the difference"
        )
    if a.memory_mode != b.memory_mode:
        blockers.append(f"they place weights and feature maps differently ({a.memory_mode} and {b.memory_mode})")
    if one.vela_version != two.vela_version:
        blockers.append(
            f"they were estimated by different versions of Vela ({one.vela_version} and {two.vela_version})"
        )
    if one.vela_config_sha256 != two.vela_config_sha256:
        blockers.append("their configuration files for Vela differ")
    if blockers:
        return Comparability(False, tuple(blockers))
    return Comparability(True, _warnings(a, b))


def _warnings(a: NpuRecord, b: NpuRecord) -> tuple[str, ...]:
    found: list[str] = []
    if _family(a) != _family(b):
        found.append(f"{a.accelerator} and {b.accelerator} are different designs in the same system")
    if a.latency_ms is None or b.latency_ms is None:
        found.append("what falls back to the CPU is not timed in both: only the NPU's part can be compared")
    elif a.host != b.host:
        found.append("what falls back to the CPU was timed on different hosts")
    short = [x.accelerator for x in (a, b) if x.macs < x.model_macs]
    if short:
        found.append(f"Vela counts too few MACs on {' and '.join(short)}, so it may estimate too few cycles there")
    return tuple(found)


def _family(record: NpuRecord) -> str:
    return record.accelerator.rsplit("-", 1)[0]
