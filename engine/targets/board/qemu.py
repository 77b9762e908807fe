"""QEMU with its serial port on a pty: a device to talk to where there is no hardware. Nothing that it times is a time of silicon."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import ToolError, UsageError
from engine.firmware.ports import Port

_PROGRAM = "qemu-system-arm"
_PTY = re.compile(rb"char device redirected to (/dev/\S+)")
_START_S = 20.0


def qemu_version() -> str:
    """The version of QEMU on the PATH. Raises ToolError without it."""
    done = subprocess.run([_found(), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"version (\S+)", done.stdout)
    return match[1] if match else "unknown"


def qemu_machine(port: Port) -> tuple[str, int]:
    """The machine that emulates a port, and the number of its serial port. Raises UsageError if there is none."""
    if port.qemu is None:
        raise UsageError(
            f"QEMU has no machine for the port {port.name}", hint="the board olimex-stm32-h405 has one: netduinoplus2"
        )
    return port.qemu


@contextmanager
def qemu_pty(elf: Path, machine: str, serial: int = 0) -> Iterator[str]:
    """A running firmware; the path of the pty that its serial port number ``serial`` is on. Raises ToolError."""
    unused = ["-serial", "null"] * serial
    command = [
        _found(),
        "-M",
        machine,
        "-display",
        "none",
        "-monitor",
        "none",
        *unused,
        "-serial",
        "pty",
        "-kernel",
        str(elf),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu:
        try:
            yield _pty_of(qemu)
        finally:
            qemu.kill()


def _pty_of(qemu: subprocess.Popen[bytes]) -> str:
    assert qemu.stdout is not None
    said, end = b"", time.monotonic() + _START_S
    while time.monotonic() < end:
        if select.select([qemu.stdout], [], [], 0.2)[0]:
            more = os.read(qemu.stdout.fileno(), 4096)
            said += more
            if match := _PTY.search(said):
                return match[1].decode()
            if not more:
                break
    lines = said.decode(errors="replace").strip().splitlines()
    raise ToolError(
        f"{_PROGRAM} did not start: {lines[-1] if lines else 'no word'}",
        hint=f"try `{_PROGRAM} --version`",
    )


def _found() -> str:
    path = shutil.which(_PROGRAM)
    if path is None:
        raise ToolError(f"{_PROGRAM} is not on the PATH", hint="apt install qemu-system-arm")
    return path
