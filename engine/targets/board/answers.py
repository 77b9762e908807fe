"""From lines to typed answers. Every reader raises GarbledError for lines that cannot be the whole answer."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from engine.targets.board.device import GarbledError, RefusedError

WRAP = 1 << 32
"""Counters of the device hold 32 bits."""

_NUMBER = re.compile(r"\d{1,10}")  # none is longer than 32 bits; Python refuses to read one of thousands of digits
_FACT = re.compile(r"m-wc-([a-z0-9-]+)-\[(.*)\]")
_LAP = re.compile(r"m-lap-us-(\d{1,10})")
_STARTED = re.compile(r"m-(warmup|infer)-start-(.*)")
_RESULTS = re.compile(r"m-results-\[([-0-9.,eE+]*)\]")
_LAYER = re.compile(r"m-wc-layer-\[(\d{1,10}),(.*)\]")
_RUN = re.compile(r"m-wc-run-\[(\d{1,10}(?:,\d{1,10})*)\]")
_LOOP = re.compile(r"m-wc-loop-\[(\d{1,10}),(\d{1,10}),(\d{1,10})\]")
_CRC = re.compile(r"m-wc-crc-\[(\w+),0x([0-9a-f]{8})\]")
_OUTPUT = re.compile(r"m-wc-output-\[(\d{1,10}),(\d{1,10}),((?:[0-9a-f]{2})+)\]")
_UNKNOWN, _OURS = "e-[Unknown command: ", "e-[Command 'wc'"
_NO_SUCH = ("e-[Unknown command: wc]", "e-[Unknown command: wc id]")
"""What a firmware without our extensions says; another echo is that of a command that arrived changed."""


@dataclass(frozen=True)
class DeviceFacts:
    """What a device with our firmware says about itself; ``clock_problem`` says why its clock is not the one that was asked for."""

    model: str
    model_sha256: str
    board: str
    clock_hz: int
    clock_source: str
    clock_problem: str | None


@dataclass(frozen=True)
class TimedRun:
    """One inference in ticks of the device's counter: ``total`` of ``wc_infer``, and every layer with what a marker counts."""

    total: int
    layers: tuple[int, ...]


@dataclass(frozen=True)
class LayerRuns:
    """Inferences timed by layer. ``counter`` is "cycles", or "us" where no cycle counter runs; ``marker`` ticks of an empty layer."""

    names: tuple[str, ...]
    counter: str
    marker: int
    runs: tuple[TimedRun, ...]


@dataclass(frozen=True)
class Laps:
    """``infer N``: microseconds of the device between its two time stamps, and the results it printed."""

    micros: int
    results: tuple[float, ...]


def refuse_errors(lines: tuple[str, ...], what: str) -> None:
    """Raise RefusedError if the device answered with an error."""
    for line in lines:
        if line.startswith("e-["):
            raise RefusedError(f"the device refuses {what}: {line[3:].removesuffix(']')}")


def facts(lines: tuple[str, ...]) -> DeviceFacts | None:
    """The answer to ``wc id``; None from a firmware that has no such command."""
    refused = next((line for line in lines if line.startswith("e-[")), None)
    if refused in _NO_SUCH or (refused is not None and not refused.startswith((_UNKNOWN, _OURS))):
        return None
    found = {m[1]: m[2] for line in lines if (m := _FACT.fullmatch(line))}
    try:
        if int(found["clock-hz"]) <= 0:
            raise GarbledError("a clock that stands still")
        return DeviceFacts(
            model=found["model"],
            model_sha256=found["model-sha256"],
            board=found["board"],
            clock_hz=int(found["clock-hz"]),
            clock_source=found["clock-source"],
            clock_problem=found.get("clock-problem"),
        )
    except (KeyError, ValueError) as error:
        raise GarbledError(f"a fact is missing ({error})") from None


def checksums(lines: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The answer to ``wc crc``: (part, CRC-32)."""
    refuse_errors(lines, "checksums")
    found = tuple((m[1], int(m[2], 16)) for line in lines if (m := _CRC.fullmatch(line)))
    if [part for part, _ in found] != ["code", "constants", "weights", "input"]:
        raise GarbledError("a checksum is missing")
    return found


def lap(lines: tuple[str, ...]) -> int:
    """The answer to ``timestamp``: microseconds."""
    found = [int(m[1]) for line in lines if (m := _LAP.fullmatch(line))]
    if len(found) != 1:
        raise GarbledError(f"{len(found)} time stamps")
    return found[0]


def laps(lines: tuple[str, ...], wanted: int, warmups: int) -> Laps:
    """The answer to ``infer N W`` with ``wanted`` inferences after ``warmups``. Raises RefusedError if the inference failed."""
    refuse_errors(lines, "the inference")
    # told by MLPerf Tiny's own firmware too: a digit of the command that was changed on the way would show nowhere else
    for kind, number in (m.groups() for line in lines if (m := _STARTED.fullmatch(line))):
        if number != str(wanted if kind == "infer" else warmups):
            raise GarbledError("another number of inferences than was asked for")
    stamps = [int(m[1]) for line in lines if (m := _LAP.fullmatch(line))]
    if len(stamps) != 2:
        raise GarbledError(f"{len(stamps)} time stamps instead of 2")
    return Laps((stamps[1] - stamps[0]) % WRAP, results(lines))


def loop(lines: tuple[str, ...], wanted: int) -> int:
    """The answer to ``wc loop N W`` with ``wanted`` inferences: microseconds of the device. Raises RefusedError if the inference failed."""
    refuse_errors(lines, "the inference")
    found = [[int(x) for x in m.groups()] for line in lines if (m := _LOOP.fullmatch(line))]
    if len(found) != 1 or found[0][0] != wanted or sum(found[0][:2]) % WRAP != found[0][2]:
        raise GarbledError("the time of the loop does not match its own sum")
    return found[0][1]


def results(lines: tuple[str, ...]) -> tuple[float, ...]:
    """The real values of ``m-results-[...]``."""
    found = [m[1] for line in lines if (m := _RESULTS.fullmatch(line))]
    try:
        (text,) = found
        return tuple(float(x) for x in text.split(",") if x)
    except ValueError:
        raise GarbledError("no results") from None


def layer_runs(lines: tuple[str, ...], wanted: int) -> LayerRuns:
    """The answer to ``wc layers N W`` with ``wanted`` inferences; totals are made whole where a 32-bit counter wrapped."""
    refuse_errors(lines, "timing by layer")
    names = [(int(m[1]), m[2]) for line in lines if (m := _LAYER.fullmatch(line))]
    told = {m[1]: m[2] for line in lines if (m := _FACT.fullmatch(line)) and m[1] in ("counter", "marker")}
    if told.get("counter") not in ("cycles", "us") or not _NUMBER.fullmatch(told.get("marker", "")):
        raise GarbledError("the counter is not named")
    marker = int(told["marker"])
    runs = [_run(m[1], len(names), marker) for line in lines if (m := _RUN.fullmatch(line))]
    if [i for i, _ in names] != list(range(len(names))) or len(runs) != wanted:
        raise GarbledError(f"{len(names)} layers and {len(runs)} inferences instead of {wanted}")
    return LayerRuns(tuple(n for _, n in names), told["counter"], marker, tuple(runs))


def _run(text: str, layers: int, marker: int) -> TimedRun:
    numbers = [int(x) for x in text.split(",")]
    if len(numbers) != layers + 2 or numbers[-1] != (sum(numbers[:-1]) + marker) % WRAP:
        raise GarbledError("an inference does not match its own sum")
    total, inside = numbers[0], numbers[1:-1]
    held = sum(inside)
    # a layer is shorter than the counter is wide; several together may be longer, and so may the whole
    return TimedRun(held + (total - held) % WRAP, tuple(inside))


def output_bytes(lines: tuple[str, ...], wanted: int) -> bytes:
    """The answer to ``wc output``: the raw bytes of all outputs, ``wanted`` of them."""
    refuse_errors(lines, "its output")
    pieces = [(int(m[1]), int(m[2]), bytes.fromhex(m[3])) for line in lines if (m := _OUTPUT.fullmatch(line))]
    data = b""
    start, current = 0, 0
    for output, offset, piece in pieces:
        if output != current:
            start, current = len(data), output
        if offset != len(data) - start:
            raise GarbledError("a line of the output is missing")
        data += piece
    told = [int(m[2], 16) for line in lines if (m := _CRC.fullmatch(line)) and m[1] == "output"]
    if len(data) != wanted or told != [zlib.crc32(data)]:
        raise GarbledError(f"{len(data)} bytes of output instead of {wanted}, or another checksum")
    return data
