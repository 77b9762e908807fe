"""A device on a fake serial line: the protocol in Python, a clock that runs only while the host waits, and faults on the way."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.errors import ExecutionError

BANNER = "m-timestamp-mode-performance\r\nm-lap-us-17\r\nm-init-done\r\nm-ready\r\n"
LAYERS = ("conv_0", "softmax_1")
INPUT_BYTES, OUTPUT_BYTES = 100, 40
FACTS = {
    "model": "kws",
    "model-sha256": "ab" * 32,
    "board": "nucleo-l4r5zi",
    "clock-hz": "120000000",
    "clock-source": "MSI 4 MHz, trimmed by the LSE crystal",
}
MARKER, CYCLES = 9, (1000, 30)


def answer(data: bytes) -> bytes:
    """What the fake model computes."""
    return bytes((7 * x + i) & 0xFF for i, x in enumerate(data[:OUTPUT_BYTES]))


@dataclass
class FakeBoard:
    """A link whose other end is a device. ``plain``: without our extensions.

    ``to_host`` and ``to_device`` see every byte with its number and return what arrives: b"" loses it. Restarts happen, and the plug
    is pulled, when that many bytes have been sent.
    """

    plain: bool = False
    facts: dict[str, str] = field(default_factory=lambda: dict(FACTS))
    to_host: Callable[[int, bytes], bytes] = lambda n, b: b
    to_device: Callable[[int, bytes], bytes] = lambda n, b: b
    restarts_at: tuple[int, ...] = ()
    unplugged_at: int | None = None
    dead: bool = False
    run: Callable[[int], tuple[int, ...]] = lambda n: (sum(CYCLES) + 40, *CYCLES)
    counter: str = "cycles"
    name: str = "fake"
    now: float = 0.0

    def __post_init__(self) -> None:
        self._waiting = bytearray()
        self._line = bytearray()
        self._sent = self._received = self._runs = 0
        self._input = bytearray()
        self._expected = 0
        self.resets = 0
        self.commands: list[str] = []
        self._send(BANNER)

    def clock(self) -> float:
        """The time of this fake."""
        return self.now

    def read(self, timeout_s: float) -> bytes:
        """What has come; otherwise the time passes."""
        self.now += 0.001
        if not self._waiting:
            self.now += timeout_s
            return b""
        data = bytes(self._waiting[:50])
        del self._waiting[:50]
        return data

    def write(self, data: bytes) -> None:
        """Bytes to the device."""
        for byte in data:
            self._received += 1
            if self.unplugged_at is not None and self._received > self.unplugged_at:
                raise ExecutionError("the connection over fake broke off (gone)", hint="plug it in")
            if self._received in self.restarts_at:
                self._restart()
            for arrived in self.to_device(self._received, bytes([byte])):
                self._take(arrived)

    def close(self) -> None:
        """Nothing to give back."""

    def _restart(self) -> None:
        self._line.clear()
        self._input.clear()
        self._expected = 0
        self._waiting.clear()
        self._send(BANNER)

    def _send(self, text: str) -> None:
        if self.dead:
            return
        for byte in text.encode("latin-1"):
            self._sent += 1
            self._waiting += self.to_host(self._sent, bytes([byte]))

    def _take(self, byte: int) -> None:
        if byte != ord("%"):
            self._line.append(byte)
            return
        command = self._line.decode("latin-1").strip()
        self._line.clear()
        self.commands.append(command)
        words = command.split()
        if words == ["wc", "reset"] and not self.plain:
            self.resets += 1
            self._restart()
            return
        self._send("".join(f"{line}\r\n" for line in (*self._answer(words), "m-ready")))

    def _answer(self, words: list[str]) -> list[str]:
        match words:
            case ["name"]:
                return ["m-name-dut-[fake]"]
            case ["profile"]:
                return ["m-profile-[fake v1]", "m-model-[kws01]"]
            case ["timestamp"]:
                return [f"m-lap-us-{self._micros()}"]
            case ["db", "load", count] if count.isdecimal():
                self._expected = int(count)
                self._input.clear()
                return [f"m-[Expecting {count} bytes]"]
            case ["db", text]:
                return self._load(text)
            case ["infer" | "wc", *_]:
                return self._work(words)
        return [f"e-[Unknown command: {' '.join(words)}]" if words else "e-[Empty command]"]

    def _work(self, words: list[str]) -> list[str]:
        own = words[0] == "wc"
        if own and self.plain:
            return ["e-[Unknown command: wc]"]
        name, numbers = (words[1], words[2:]) if own and len(words) > 1 else (words[0], words[1:])
        if name == "id":
            return [f"m-wc-{key}-[{value}]" for key, value in self.facts.items()]
        if name == "crc":
            parts = {"code": 1, "constants": 2, "weights": 3, "input": zlib.crc32(self._input)}
            return [f"m-wc-crc-[{part},0x{crc:08x}]" for part, crc in parts.items()]
        if name == "output":
            data = answer(bytes(self._input))
            lines = [f"m-wc-output-[0,{i},{data[i : i + 32].hex()}]" for i in range(0, len(data), 32)]
            return [*lines, f"m-wc-crc-[output,0x{zlib.crc32(data):08x}]"]
        if name not in ("infer", "layers", "loop") or not all(n.isdecimal() for n in numbers):
            return [f"e-[Unknown command: {' '.join(words)}]"]
        if len(self._input) != INPUT_BYTES:
            return [f"e-[Input has {len(self._input)} bytes, expected {INPUT_BYTES}]"]
        count = int(numbers[0]) if numbers else 1
        if name == "layers":
            head = [f"m-wc-layer-[{i},{x}]" for i, x in enumerate(LAYERS)]
            return [*head, f"m-wc-counter-[{self.counter}]", f"m-wc-marker-[{MARKER}]", *self._timed(count)]
        micros = 10 * count
        if name == "loop":
            return [f"m-wc-loop-[{count},{micros},{count + micros}]"]
        start = self._micros()
        real = ",".join(str(x) for x in answer(bytes(self._input))[:3])
        laps = [f"m-lap-us-{start}", f"m-lap-us-{(start + micros) % (1 << 32)}"]
        return [
            f"m-warmup-start-{numbers[1] if len(numbers) > 1 else 10}",
            "m-warmup-done",
            f"m-infer-start-{count}",
            *laps,
            "m-infer-done",
            f"m-results-[{real}]",
        ]

    def _timed(self, count: int) -> list[str]:
        lines = []
        for _ in range(count):
            numbers = self.run(self._runs)
            self._runs += 1
            lines.append(f"m-wc-run-[{','.join(map(str, (*numbers, (sum(numbers) + MARKER) % (1 << 32))))}]")
        return lines

    def _load(self, text: str) -> list[str]:
        try:
            data = bytes.fromhex(text)
        except ValueError:
            return ["e-[Invalid hex digit]"]
        self._input += data[: self._expected - len(self._input)]
        return ["m-load-done"] if len(self._input) == self._expected else []

    def _micros(self) -> int:
        return int(self.now * 1e6) % (1 << 32)
