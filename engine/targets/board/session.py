"""What is done with a connected device: find out what it is, load an input, infer, restart. Restarts in the middle are survived."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import CheckFailedError, ExecutionError
from engine.firmware.image import part_checksums
from engine.firmware.types import Firmware
from engine.targets.board import answers
from engine.targets.board.answers import DeviceFacts, Laps, LayerRuns
from engine.targets.board.device import (
    PATIENCE_S,
    Device,
    GarbledError,
    RefusedError,
    RestartedError,
    SilentError,
    refusal,
)

T = TypeVar("T")

_PLAIN_CHUNK, _OWN_CHUNK = 31, 76
"""Bytes per ``db`` command: what MLPerf Tiny's own runner sends, and what our firmware's line holds."""

_RESTARTS, _TRIES = 5, 4
_FIRST_S = 120.0
_PROFILE = re.compile(r"m-(profile|model)-\[(.*)\]")


@dataclass(frozen=True)
class Identity:
    """What a device says it is. ``facts`` is None for a firmware that speaks the plain protocol only."""

    name: str
    profile: str
    model: str
    facts: DeviceFacts | None


class Session:
    """A device that has answered. Inputs are raw bytes as the firmware takes them."""

    def __init__(self, device: Device) -> None:
        """Find out what it is. Raises ExecutionError if it does not answer."""
        self.device = device
        name = device.connect()
        self.identity = self._again(lambda: _identity(device, name))
        self._loaded: bytes | None = None
        self._names: tuple[str, ...] | None = None
        self._each_s: float | None = None

    @property
    def own(self) -> bool:
        """Whether the firmware has our extensions."""
        return self.identity.facts is not None

    def verify(self, firmware: Firmware) -> None:
        """Check that the device runs this very firmware. Raises CheckFailedError if it runs another one."""
        facts = self.identity.facts
        flash = "flash it: `whycycles build MODEL --board B --flash`"
        if facts is None:
            raise CheckFailedError(
                f"the firmware on {self.device.link.name} is not ours, so nothing says what it computes", hint=flash
            )
        if (facts.model_sha256, facts.board) != (firmware.model_sha256, firmware.board):
            raise CheckFailedError(
                f"the device runs {facts.model} for {facts.board}, not {firmware.model} for {firmware.board}",
                hint=flash,
            )
        found = dict(self._again(lambda: _twice(self.device, "wc crc", answers.checksums, 60.0)))
        for part, wanted in part_checksums(firmware.elf).items():
            if found[part] != wanted:
                raise CheckFailedError(
                    f"the {part} on the device is not this firmware's: another build is flashed", hint=flash
                )
        self._names = tuple(layer.name for layer in firmware.layers)

    def load(self, data: bytes) -> None:
        """Put an input into the device; checked there if the firmware is ours. Raises ExecutionError."""
        self._again(lambda: self._load(data))
        self._loaded = data

    def infer(self, count: int, warmups: int) -> Laps:
        """``count`` inferences in one loop, after ``warmups``. Raises ExecutionError."""

        def read(lines: tuple[str, ...]) -> Laps:
            return answers.laps(lines, count, warmups)

        return self._with_input(lambda: self._inferred("infer", read, count, warmups))

    def loop(self, count: int, warmups: int) -> int:
        """Microseconds that ``count`` inferences take in one loop, after ``warmups``. Raises ExecutionError."""
        if not self.own:
            return self.infer(count, warmups).micros

        def read(lines: tuple[str, ...]) -> int:
            return answers.loop(lines, count)

        return self._with_input(lambda: self._inferred("wc loop", read, count, warmups))

    def layers(self, count: int, warmups: int) -> LayerRuns:
        """``count`` inferences timed by layer, after ``warmups``. Raises ExecutionError."""

        def read(lines: tuple[str, ...]) -> LayerRuns:
            return self._runs(lines, count)

        return self._with_input(lambda: self._inferred("wc layers", read, count, warmups))

    def _runs(self, lines: tuple[str, ...], count: int) -> LayerRuns:
        found = answers.layer_runs(lines, count)
        if self._names is not None and found.names != self._names:
            raise GarbledError("the layers have other names than the firmware's")
        return found

    def cold(self, data: bytes) -> LayerRuns:
        """The first inference after a restart. Raises ExecutionError."""
        refused: RefusedError | None = None
        for _ in range(_RESTARTS):
            self.restart()
            self.load(data)
            try:
                # asked once: a second time it would no longer be the first inference
                found = self._runs(self.device.say("wc layers 1 0", self._patience_s(1)), 1)
                self._learn(1)
                return found
            except RefusedError as error:
                refused = error
            except (GarbledError, RestartedError, SilentError):
                refused = None
        if refused is not None:
            raise refusal(refused)
        raise ExecutionError(
            "the first inference after a restart could not be timed", hint="check the cable, then run it again"
        )

    def answer(self, data: bytes, output_bytes: int) -> tuple[tuple[float, ...], bytes | None]:
        """The printed results of one inference, and the raw bytes of its outputs if the firmware is ours. Raises ExecutionError."""

        def work() -> tuple[tuple[float, ...], bytes | None]:
            self._load(data)
            self._loaded = data
            printed = self._inferred("infer", lambda lines: answers.laps(lines, 1, 0), 1, 0).results
            if not self.own:
                return printed, None
            return printed, self.device.ask("wc output", lambda lines: answers.output_bytes(lines, output_bytes))

        return self._again(work)

    def micros(self) -> int:
        """The device's clock in microseconds. Raises ExecutionError."""
        return self._again(lambda: self.device.ask("timestamp", answers.lap))

    def restart(self) -> None:
        """Restart the device (firmware of ours only). Raises ExecutionError."""
        self._loaded = None
        self.device.restart("wc reset")

    def _inferred(self, command: str, read: Callable[[tuple[str, ...]], T], count: int, warmups: int) -> T:
        """Ask for ``count`` inferences after ``warmups``; ``read`` refuses another count. What they took tells how long to wait for the next."""
        found = self.device.ask(f"{command} {count} {warmups}", read, self._patience_s(count + warmups))
        self._learn(count)
        return found

    def _learn(self, count: int) -> None:
        """From the answer alone, not from the silences before it; by ``count``, because no answer of ours says how many warm-ups there were."""
        each_s = self.device.took_s / count
        self._each_s = each_s if self._each_s is None else min(self._each_s, each_s)

    def _patience_s(self, inferences: int) -> float:
        # generous: what is silent for longer than many inferences take is broken
        return PATIENCE_S + inferences * (_FIRST_S if self._each_s is None else min(_FIRST_S, 3 * self._each_s))

    def _load(self, data: bytes) -> None:
        chunk = _OWN_CHUNK if self.own else _PLAIN_CHUNK
        self.device.ask(f"db load {len(data)}", _announced)
        for start in range(0, len(data), chunk):
            piece = data[start : start + chunk]
            last = start + chunk >= len(data)
            lines = self.device.say(f"db {piece.hex()}")
            answers.refuse_errors(lines, f"an input of {len(data)} bytes")
            if last and self.own and not any(line == "m-load-done" for line in lines):
                raise GarbledError("bytes of the input were lost")
        if self.own:
            found = dict(self.device.ask("wc crc", answers.checksums, patience_s=60.0))
            if found["input"] != zlib.crc32(data):
                raise GarbledError("the input arrived changed")

    def _with_input(self, work: Callable[[], T]) -> T:
        """Do something that needs the input; after a restart it is loaded again first."""
        loaded = self._loaded

        def again() -> T:
            if self._loaded is None and loaded is not None:
                self._load(loaded)
                self._loaded = loaded
            return work()

        return self._again(again)

    def _again(self, work: Callable[[], T]) -> T:
        """Repeat work that a restart or garbled bytes interrupted. Raises ExecutionError when it happens again and again."""
        refused: RefusedError | None = None
        for _ in range(_RESTARTS):
            refused = None
            try:
                return work()
            except RestartedError:
                self._loaded = None
            except (GarbledError, SilentError) as error:
                refused = error if isinstance(error, RefusedError) else None
                self.device.retries += 1
            self.device.connect()
        if refused is not None:
            raise refusal(refused)
        raise ExecutionError(
            f"the device on {self.device.link.name} keeps restarting or losing bytes",
            hint="power it properly (a brown-out restarts it), check the cable, and close what else uses the port",
        )


def _identity(device: Device, name: str) -> Identity:
    def read(lines: tuple[str, ...]) -> tuple[str, str]:
        found = {m[1]: m[2] for line in lines if (m := _PROFILE.fullmatch(line))}
        if "profile" not in found:
            raise GarbledError("no profile")
        return found["profile"], found.get("model", "")

    profile, model = _twice(device, "profile", read)
    return Identity(name, profile, model, _twice(device, "wc id", answers.facts))


def _twice(device: Device, command: str, read: Callable[[tuple[str, ...]], T], patience_s: float = PATIENCE_S) -> T:
    """Ask until the same is answered twice: nothing in these answers shows that a byte was changed on the way."""
    seen: list[T] = []
    for _ in range(_TRIES):
        found = device.ask(command, read, patience_s)
        if found in seen:
            return found
        seen.append(found)
    raise GarbledError(f"'{command}' is answered otherwise each time")


def _announced(lines: tuple[str, ...]) -> None:
    answers.refuse_errors(lines, "an input")
