"""What the machine says of itself, from files as Linux writes them, and programs on one CPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import ExecutionError, ToolError
from engine.firmware.toolchain import host
from engine.firmware.toolchain.host import check_host
from engine.targets.host.machine import describe_machine
from engine.targets.host.process import pinned, quiet_cpu, run_pinned
from engine.targets.host.program import probed_bytes
from tests.builders.host_records import machine


def _cpu(folder: Path) -> Path:
    for n, (level, kind, size, ways, line) in enumerate(
        (
            ("1", "Data", "48K", "12", "64"),
            ("1", "Instruction", "32K", "8", "64"),
            ("2", "Unified", "2048K", "16", "64"),
        )
    ):
        index = folder / "cpu3" / "cache" / f"index{n}"
        index.mkdir(parents=True)
        for name, value in (("level", level), ("type", kind), ("size", size), ("ways_of_associativity", ways), ("coherency_line_size", line)):  # fmt: skip
            (index / name).write_text(f"{value}\n")
    return folder


def test_a_machine_from_its_files(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("vendor_id\t: V\nmodel name\t: A CPU @ 3 GHz\nflags\t\t: fpu hypervisor\n\nmodel name\t: another\n")
    found = describe_machine(3, info, _cpu(tmp_path / "cpus"))
    assert (found.cpu, found.vendor, found.virtual) == ("A CPU @ 3 GHz", "V", True)
    assert [(c.level, c.kind, c.bytes, c.ways) for c in found.caches] == [
        (1, "data", 49152, 12), (1, "instruction", 32768, 8), (2, "unified", 2 << 20, 16),
    ]  # fmt: skip
    assert found.governor.startswith("absent: ")
    (tmp_path / "cpus" / "cpu3" / "cpufreq").mkdir()
    (tmp_path / "cpus" / "cpu3" / "cpufreq" / "scaling_governor").write_text("performance\n")
    assert describe_machine(3, info, tmp_path / "cpus").governor == "performance"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = describe_machine(0, tmp_path / "absent", tmp_path)
    assert (found.cpu, found.caches, found.virtual) == ("unknown", (), False)
    index = tmp_path / "cpu0" / "cache" / "index0"
    index.mkdir(parents=True)
    (index / "type").write_text("Data\n")
    (index / "size").write_text("much\n")
    assert describe_machine(0, tmp_path / "absent", tmp_path).caches == ()


def test_probes_lie_beyond_each_cache() -> None:
    near, far, memory = probed_bytes(machine())
    assert 32 << 10 < near < 1 << 20 < far < 32 << 20 < memory
    assert probed_bytes(machine(caches=()))[2] > 32 << 20


def test_pinning_ends() -> None:
    before = os.sched_getaffinity(0)
    with pinned(quiet_cpu()):
        assert os.sched_getaffinity(0) == {quiet_cpu()}
    assert os.sched_getaffinity(0) == before


def test_programs_that_do_not_start_or_fail() -> None:
    with pytest.raises(ToolError, match="X cannot be started"):
        run_pinned(["/no/such/program"], what="X", cpu=quiet_cpu())
    with pytest.raises(ExecutionError, match="X ended with exit code 1"):
        run_pinned(["false"], what="X", cpu=quiet_cpu())


def test_elsewhere_than_on_x86_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.platform, "machine", lambda: "arm64")
    with pytest.raises(ToolError, match=r"x86-64 Linux, and this is .* on arm64"):
        check_host()
