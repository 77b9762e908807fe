"""What this machine is: processor, caches, clock policy. Nothing that names it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from engine.records.host import HostCache, HostMachine

_CPUINFO = Path("/proc/cpuinfo")
_CPUS = Path("/sys/devices/system/cpu")
_UNKNOWN = "unknown"


def describe_machine(cpu: int, cpuinfo: Path = _CPUINFO, cpus: Path = _CPUS) -> HostMachine:
    """The machine as seen from one of its CPUs. What the system does not tell is "unknown", or has its reason."""
    facts = _facts(cpuinfo)
    return HostMachine(
        cpu=facts.get("model name", _UNKNOWN),
        vendor=facts.get("vendor_id", _UNKNOWN),
        kernel=platform.release(),
        virtual="hypervisor" in facts.get("flags", "").split(),
        logical_cpus=os.cpu_count() or 1,
        caches=_caches(cpus / f"cpu{cpu}" / "cache"),
        governor=_line(cpus / f"cpu{cpu}" / "cpufreq" / "scaling_governor")
        or "absent: the system offers no clock policy here, so the clock is not locked",
    )


def _facts(path: Path) -> dict[str, str]:
    """The first processor's entries of /proc/cpuinfo."""
    try:
        first = path.read_text("utf-8", errors="replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _caches(folder: Path) -> tuple[HostCache, ...]:
    found = (_cache(f) for f in sorted(folder.glob("index*")))
    return tuple(c for c in found if c is not None)


def _cache(folder: Path) -> HostCache | None:
    kind, size = _line(folder / "type").lower(), _line(folder / "size")
    numbers = [_line(folder / n) for n in ("level", "ways_of_associativity", "coherency_line_size")]
    if kind not in ("data", "instruction", "unified") or not size.removesuffix("K").isdecimal():
        return None
    if not (numbers[0].isdecimal() and numbers[2].isdecimal()):
        return None
    return HostCache.model_validate(
        {
            "level": int(numbers[0]),
            "kind": kind,
            "bytes": int(size.removesuffix("K")) * (1024 if size.endswith("K") else 1),
            "ways": int(numbers[1]) if numbers[1].isdecimal() else 0,
            "line_bytes": int(numbers[2]),
        }
    )


def _line(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
