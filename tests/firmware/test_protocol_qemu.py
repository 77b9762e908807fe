"""The same session on QEMU's MPS2 machines: another emulator, with its own model of the UART."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from engine.firmware.link import link
from engine.firmware.mps2 import mps2_board, mps2_machine
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName
from tests.firmware.toy import CORES, expected, toy_objects

QEMU = shutil.which("qemu-system-arm")
STIMULUS = bytes([1, 2, 3, 4, 5, 6, 7, 0xF8])
SESSION = f"name%profile%db load 8%db {STIMULUS.hex()}%infer 1000 1%wc output%wc layers%timestamp%done%"

pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-arm is not installed")


def talk(elf: Path, machine: str, text: str) -> list[str]:
    command = [str(QEMU), "-M", machine, "-nographic", "-monitor", "none", "-serial", "stdio", "-kernel", str(elf)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as qemu:
        assert qemu.stdin is not None
        assert qemu.stdout is not None
        # a device that never answers must fail the test, not hang it
        watchdog = threading.Timer(60, qemu.kill)
        watchdog.start()
        try:
            qemu.stdin.write(text.encode())
            qemu.stdin.flush()
            lines = []
            for line in iter(qemu.stdout.readline, b""):
                lines.append(line.decode("ascii").rstrip("\r\n"))
                if lines[-1] == "e-[Unknown command: done]":
                    break
            return lines
        finally:
            watchdog.cancel()
            qemu.kill()


@pytest.mark.parametrize("core", CORES)
def test_a_session_on_qemu(core: str, tmp_path: Path) -> None:
    tools, cpu = toolchain(CompilerName.CLANG), cpu_for(CORES[core])
    link(tools, cpu, toy_objects(tmp_path, tools, cpu, "O2", "mps2"), mps2_board(CORES[core]), tmp_path / "f.elf")
    lines = talk(tmp_path / "f.elf", mps2_machine(CORES[core]), SESSION)
    assert lines[0] == "m-timestamp-mode-performance"
    assert "m-name-dut-[whycycles]" in lines
    assert f"m-wc-output-[0,0,{bytes(q & 0xFF for q in expected(STIMULUS)).hex()}]" in lines
    assert "m-infer-done" in lines
    # QEMU has no cycle counter: said, not made up
    assert "m-wc-counter-[us]" in lines
    laps = [int(m[1]) for line in lines if (m := re.fullmatch(r"m-lap-us-(\d+)", line))]
    assert laps == sorted(laps)
    assert laps[-1] > laps[0]
