"""A serial port, opened and lost: a pty stands in for it."""

from __future__ import annotations

import builtins
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("serial")

import serial

from engine.errors import ExecutionError, ToolError, UsageError
from engine.pipeline.board import refuse_unnamed
from engine.targets.board.link import SerialLink, serial_ports


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    os.close(theirs)
    yield ours, name
    try:
        os.close(ours)
    except OSError:
        return


def test_bytes_go_both_ways(pty: tuple[int, str]) -> None:
    ours, name = pty
    link = SerialLink(name)
    assert link.read(0.01) == b""
    os.write(ours, b"m-ready\n")
    assert link.read(1.0).startswith(b"m-")
    link.write(b"name%")
    assert os.read(ours, 100) == b"name%"
    link.close()
    link.close()


def test_a_port_that_is_unplugged_is_an_error_that_says_so(pty: tuple[int, str]) -> None:
    ours, name = pty
    link = SerialLink(name)
    os.close(ours)

    def talk() -> None:
        for _ in range(3):
            link.read(0.1)
            link.write(b"name%")

    with pytest.raises(ExecutionError, match="broke off") as caught:
        talk()
    assert "plugged in" in (caught.value.hint or "")
    link.close()


def test_two_programs_on_one_port(pty: tuple[int, str]) -> None:
    _, name = pty
    link = SerialLink(name)
    with pytest.raises(ToolError, match="in use"):
        SerialLink(name)
    link.close()


def test_what_is_no_port(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="there is no serial port /dev/ttyNONE"):
        SerialLink("/dev/ttyNONE")
    (tmp_path / "file").write_text("x")
    for path in (str(tmp_path / "file"), str(tmp_path)):
        with pytest.raises(ToolError, match=r"is no serial port"):
            SerialLink(path)


@pytest.mark.parametrize(
    ("number", "match"),
    [(errno.EACCES, "no permission"), (errno.EBUSY, "in use"), (errno.EIO, "cannot be opened")],
)
def test_refusals_of_the_system(monkeypatch: pytest.MonkeyPatch, number: int, match: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise serial.SerialException(number, f"could not open port: {os.strerror(number)}")

    monkeypatch.setattr(serial, "Serial", fail)
    with pytest.raises(ToolError, match=match):
        SerialLink("/dev/ttyACM0")


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.split(".")[0] == "serial":
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    for module in [m for m in sys.modules if m.split(".")[0] == "serial"]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(ToolError, match="pyserial is not installed"):
        SerialLink("/dev/ttyACM0")
    with pytest.raises(ToolError, match="pyserial is not installed"):
        serial_ports()


def test_a_pty_is_no_board_unless_it_is_said(pty: tuple[int, str]) -> None:
    with pytest.raises(UsageError, match="pseudo-terminal"):
        refuse_unnamed(pty[1], emulated=False)
    refuse_unnamed(pty[1], emulated=True)
    refuse_unnamed("/dev/ttyACM0", emulated=False)
