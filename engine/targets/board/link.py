"""Bytes to and from a serial port, with every way that can fail turned into an error that says what to do."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import ExecutionError, ToolError

BAUD = 115200
"""The rate of MLPerf Tiny's protocol, and of our ports."""


class Link(Protocol):
    """A byte stream to a device. ``read`` returns what has come within ``timeout_s``, perhaps nothing.

    Both raise ExecutionError once the other side is gone.
    """

    name: str

    def read(self, timeout_s: float) -> bytes:
        """Bytes, at least one unless the time ran out."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


@dataclass(frozen=True)
class FoundPort:
    """A serial port of this machine."""

    device: str
    description: str


class SerialLink:
    """A serial port of this machine, for us alone."""

    def __init__(self, port: str, baud: int = BAUD) -> None:
        """Open it. Raises ToolError: no pyserial, no such port, no permission, in use, a rate it does not have."""
        serial = _pyserial()
        self.name = port
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=10, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise _refused(port, baud, error) from None

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have arrived, at least one unless the time ran out. Raises ExecutionError when the port is gone."""
        try:
            self._serial.timeout = timeout_s
            first = self._serial.read(1)
            return bytes(first + self._serial.read(self._serial.in_waiting)) if first else b""
        except (OSError, TypeError, ValueError) as error:  # pyserial fails in all these ways when a device is unplugged
            raise self._lost(error) from None

    def write(self, data: bytes) -> None:
        """Send bytes. Raises ExecutionError when the port is gone or takes nothing."""
        try:
            self._serial.write(data)
        except (OSError, TypeError, ValueError) as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Give the port back; a port that is gone already is no error."""
        try:
            self._serial.close()
        except (OSError, TypeError, ValueError):
            return

    def _lost(self, error: Exception) -> ExecutionError:
        return ExecutionError(
            f"the connection over {self.name} broke off ({error})", hint="is the board still plugged in and powered? then run it again"
        )  # fmt: skip


def serial_ports() -> tuple[FoundPort, ...]:
    """Serial ports of this machine that look like hardware. Raises ToolError without pyserial."""
    _pyserial()
    from serial.tools import list_ports

    return tuple(
        FoundPort(p.device, p.description if p.description != "n/a" else "")
        for p in sorted(list_ports.comports())
        if p.hwid != "n/a"
    )


def _pyserial() -> Any:
    try:
        import serial
    except ImportError:
        raise ToolError("pyserial is not installed", hint="pip install -e '.[board]'") from None
    return serial


def _refused(port: str, baud: int, error: Exception) -> ToolError:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "No such file" in text:
        near = sorted(str(p) for pattern in ("ttyACM*", "ttyUSB*") for p in Path("/dev").glob(pattern))
        seen = (
            f"this machine has {', '.join(near)}" if near else "no USB serial port is there (is the board plugged in?)"
        )
        return ToolError(f"there is no serial port {port}", hint=f"{seen}; `whycycles doctor` lists all")
    if number == errno.EACCES:
        return ToolError(
            f"no permission to use {port}", hint="join the group that owns it: `sudo usermod -aG dialout $USER`, then log in again"
        )  # fmt: skip
    if number in (errno.EBUSY, errno.EAGAIN) or "lock" in text:
        return ToolError(
            f"{port} is in use by another program", hint="close the terminal, debugger or run that holds it"
        )
    # of a file that is no terminal pyserial tells in words alone
    if (
        number in (errno.ENOTTY, errno.EINVAL, errno.EISDIR)
        or isinstance(error, ValueError)
        or "Could not configure port" in text
    ):
        return ToolError(
            f"{port} is no serial port, or has no {baud} baud: {text}", hint="name a device such as /dev/ttyACM0"
        )
    return ToolError(f"{port} cannot be opened: {text}", hint="unplug the board and plug it in again")
