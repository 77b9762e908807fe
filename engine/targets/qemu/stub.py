"""QEMU's debugger stub over a pair of pipes: registers, memory, breakpoints, run and stop. No port is opened.

The protocol is GDB's remote serial protocol ("Overview", "Packets" in the GDB manual): ``$data#checksum``, here without
acknowledgements after the first exchange.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import IO

SP, LR, PC = 13, 14, 15
_MOST_BYTES = 1024  # of memory in one packet: QEMU takes packets of up to 4096 characters
_ANSWER_S = 20.0


class StubGoneError(Exception):
    """The other side closed the pipe or does not answer."""


class StubSilentError(StubGoneError):
    """The other side is there, but does not answer."""


class StubRefusedError(Exception):
    """The machine cannot do what was asked, such as read where it has no memory."""


class Stub:
    """A connection to a stopped machine."""

    def __init__(self, to: IO[bytes], come: IO[bytes]) -> None:
        """Raises StubGoneError if nothing answers."""
        self._to, self._from = to.fileno(), come.fileno()
        self._received = bytearray()
        self.ask(b"QStartNoAckMode")
        self._send(b"+", raw=True)
        self.ask(b"qXfer:features:read:target.xml:0,400")  # only then does QEMU serve single registers

    def ask(self, request: bytes) -> bytes:
        """The answer to a packet; raises StubGoneError."""
        self._send(request)
        answer = self.wait(_ANSWER_S)
        if answer is None:
            raise StubSilentError(f"no answer to {request[:20].decode()}")
        return answer

    def register(self, number: int) -> int:
        """A core register's value."""
        return int.from_bytes(bytes.fromhex(self.ask(b"p%x" % number).decode()), "little")

    def set_register(self, number: int, value: int) -> None:
        """Write a core register."""
        self._expect_ok(b"P%x=%s" % (number, value.to_bytes(4, "little").hex().encode()))

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory; raises StubRefusedError where there is none."""
        found = bytearray()
        while len(found) < size:
            part = min(size - len(found), _MOST_BYTES)
            answer = self.ask(b"m%x,%x" % (address + len(found), part))
            if len(answer) != 2 * part:
                raise StubRefusedError(f"memory at 0x{address + len(found):08x} cannot be read: {answer.decode()}")
            found += bytes.fromhex(answer.decode())
        return bytes(found)

    def write(self, address: int, data: bytes) -> None:
        """Write bytes to memory."""
        for at in range(0, len(data), _MOST_BYTES):
            part = data[at : at + _MOST_BYTES]
            self._expect_ok(b"M%x,%x:%s" % (address + at, len(part), part.hex().encode()))

    def set_breakpoint(self, address: int) -> None:
        """Stop before the instruction at an address."""
        self._expect_ok(b"Z0,%x,2" % address)

    def clear_breakpoint(self, address: int) -> None:
        """No longer stop there."""
        self._expect_ok(b"z0,%x,2" % address)

    def resume(self) -> None:
        """Let the machine run; ``wait`` then gives what it stopped for."""
        self._send(b"c")

    def interrupt(self) -> None:
        """Ask the running machine to stop."""
        self._send(b"\x03", raw=True)

    def wait(self, seconds: float, also: int = -1, readable: Callable[[], None] | None = None) -> bytes | None:
        """The next packet, or None after that time; meanwhile ``readable`` is called whenever the descriptor ``also`` can be read.

        Raises StubGoneError when the other side closed.
        """
        end = time.monotonic() + seconds
        while (packet := self._packet()) is None:
            left = end - time.monotonic()
            watched = [self._from] if also < 0 else [self._from, also]
            ready, _, _ = select.select(watched, [], [], max(0.0, left))
            if also in ready and readable is not None:
                readable()
            if self._from in ready:
                data = os.read(self._from, 65536)
                if not data:
                    raise StubGoneError("closed")
                self._received += data
            elif left <= 0:
                return None
        return packet

    def _packet(self) -> bytes | None:
        """Take one whole packet from what was received; acknowledgements and console noise are skipped."""
        start = self._received.find(b"$")
        stop = self._received.find(b"#", start)
        if start < 0 or stop < 0 or len(self._received) < stop + 3:
            return None
        packet = bytes(self._received[start + 1 : stop])
        del self._received[: stop + 3]
        return packet

    def _expect_ok(self, request: bytes) -> None:
        answer = self.ask(request)
        if answer != b"OK":
            raise StubRefusedError(f"{request[:20].decode()} was answered with '{answer.decode()}'")

    def _send(self, data: bytes, *, raw: bool = False) -> None:
        packet = data if raw else b"$%s#%02x" % (data, sum(data) & 0xFF)
        try:
            os.write(self._to, packet)
        except OSError as error:
            raise StubGoneError("closed") from error
