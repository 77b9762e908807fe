"""Commands and answers of MLPerf Tiny's UART protocol, over a link that may lose, garble or repeat bytes.

A command ends in '%', its answer in the line ``m-ready``. A device that is restarted announces itself and says ``m-ready`` too; that is
told apart by the announcement. After any doubt the client waits for silence and asks for the device's name until the answer is whole.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from engine.errors import ExecutionError
from engine.targets.board.link import Link

T = TypeVar("T")

_LINE = re.compile(r"[me]-[ -~]*")
_ANNOUNCED = re.compile(r"m-(timestamp-mode-\w+|init-done)")
_NAME = re.compile(r"m-name-dut-\[(.*)\]")
_READY = "m-ready"
_LONGEST_LINE = 1 << 16
_MOST_LINES = 20_000  # an answer has some hundreds at most
_QUIET_S = 0.15
PATIENCE_S = 3.0
"""How long a device may be silent in the middle of an answer that needs no computing."""


class GarbledError(Exception):
    """An answer that cannot be right: asked again, and never shown."""


class RefusedError(GarbledError):
    """The device answers with an error: perhaps only because the command arrived changed."""


class SilentError(Exception):
    """Nothing came in time, or no end: asked again, and never shown."""


class RestartedError(Exception):
    """The device announced itself in the middle of things: what it held is gone."""


class Device:
    """A device that speaks the protocol. ``retries`` counts answers that had to be asked for again, ``restarts`` announcements.

    ``took_s`` is how long the last answer took that came to its end.
    """

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = link
        self.retries = 0
        self.restarts = 0
        self.took_s = 0.0
        self.clock = clock
        self._buffer = bytearray()

    def connect(self, patience_s: float = 10.0) -> str:
        """Wait until the device answers; its name. Raises ExecutionError if it does not within ``patience_s``."""
        end = self.clock() + patience_s
        heard = b""
        while True:
            heard += self._until_quiet(end)
            # behind half a command this ends that one with an error, and the next try is the first; an empty command crashes some firmwares
            self.link.write(b"name%")
            try:
                found = [m[1] for line in self._lines(1.0) if (m := _NAME.fullmatch(line))]
            except SilentError:
                found = []
            if found:
                self._until_quiet(end)
                return found[0]
            if self.clock() > end:
                raise ExecutionError(
                    f"the device on {self.link.name} does not answer" + (" in MLPerf Tiny's protocol" if heard else ""),
                    hint="is a firmware with the protocol flashed (`whycycles build MODEL --board B --flash`), the baud rate right, "
                    "and is it the right port? press reset and try again",
                )

    def ask(
        self, command: str, read: Callable[[tuple[str, ...]], T], patience_s: float = PATIENCE_S, tries: int = 3
    ) -> T:
        """Send a command until ``read`` accepts the lines of its answer; only for commands that may be repeated.

        ``read`` raises GarbledError for what cannot be right. Raises RestartedError, and ExecutionError when no answer was right.
        """
        why = ""
        refused: RefusedError | None = None
        for attempt in range(tries):
            if attempt:
                self.retries += 1
                self.connect()
            refused = None
            try:
                return read(self.say(command, patience_s))
            except RefusedError as error:
                refused = error
            except GarbledError as error:
                why = f"the answer is garbled: {error}"
            except SilentError as error:
                why = str(error)
        if refused is not None:
            raise refusal(refused)
        raise ExecutionError(
            f"the device on {self.link.name} does not answer '{_short(command)}' properly ({why})",
            hint="check cable and baud rate; another program on the same port steals bytes",
        )

    def say(self, command: str, patience_s: float = PATIENCE_S) -> tuple[str, ...]:
        """Send a command once; the lines of its answer without the last one. Raises SilentError, RestartedError, ExecutionError."""
        self._buffer.clear()
        start = self.clock()
        self.link.write(command.encode("ascii") + b"%")
        lines = self._lines(patience_s)
        self.took_s = self.clock() - start
        if any(_ANNOUNCED.fullmatch(line) for line in lines):
            self.restarts += 1
            raise RestartedError(command)
        return lines

    def restart(self, command: str, patience_s: float = 10.0, tries: int = 3) -> None:
        """Send a command that restarts the device, and wait for its announcement. Raises ExecutionError if none comes."""
        for attempt in range(tries):
            if attempt:
                self.retries += 1
                self.connect()
            self._buffer.clear()
            self.link.write(command.encode("ascii") + b"%")
            try:
                if any(_ANNOUNCED.fullmatch(line) for line in self._lines(patience_s)):
                    return
            except SilentError:
                continue
        raise ExecutionError(
            f"the device on {self.link.name} did not come back after a restart",
            hint="press its reset button and try again",
        )

    def _lines(self, patience_s: float) -> tuple[str, ...]:
        """Well-formed lines up to ``m-ready``; noise is dropped. Raises SilentError when nothing comes for ``patience_s``, or no end."""
        found: list[str] = []
        end = self.clock() + patience_s
        while True:
            while (at := self._buffer.find(b"\n")) >= 0:
                line = bytes(self._buffer[:at]).rstrip(b"\r").decode("latin-1")
                del self._buffer[: at + 1]
                if line == _READY:
                    return tuple(found)
                if _LINE.fullmatch(line):
                    found.append(line)
                    if len(found) > _MOST_LINES:
                        raise SilentError(f"no end of it after {_MOST_LINES:,} lines")
                    end = self.clock() + patience_s
            if len(self._buffer) > _LONGEST_LINE:
                self._buffer.clear()
            left = end - self.clock()
            if left <= 0:
                raise SilentError(f"nothing came for {patience_s:g} s")
            self._buffer += self.link.read(min(left, 1.0))

    def _until_quiet(self, end: float) -> bytes:
        """Drop what comes until nothing does, or until ``end``; what was dropped."""
        dropped = bytes(self._buffer)
        self._buffer.clear()
        while (more := self.link.read(_QUIET_S)) and self.clock() < end:
            dropped = (dropped + more)[-1024:]
        return dropped


def refusal(error: RefusedError) -> ExecutionError:
    """What the user is told about a refusal that was no accident."""
    return ExecutionError(str(error), hint="flash the firmware of this model again")


def _short(command: str) -> str:
    return command if len(command) <= 24 else command[:21] + "..."
