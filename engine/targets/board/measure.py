"""One measurement from a connected device to numbers: cold and warm runs by layer, a loop without stamps, outputs, a check of the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import ExecutionError
from engine.targets.board.answers import WRAP, LayerRuns
from engine.targets.board.session import Identity, Session

COLD = 3
"""First inferences after a restart."""

WARMUPS = 10
_BLOCK = 8
_LOOP = 10
_AGREE = 0.02

Progress = Callable[[str], None]
Heard = Callable[[LayerRuns], None]
"""Called after each block of repeats with all warm inferences so far."""


@dataclass(frozen=True)
class LoopTime:
    """Inferences in one loop between two time stamps: ``micros`` of the device in all."""

    inferences: int
    micros: int

    @property
    def each_us(self) -> float:
        """Mean time of one inference."""
        return self.micros / self.inferences


@dataclass(frozen=True)
class ClockCheck:
    """The device's microseconds against this machine's: ``ratio`` of the two over ``seconds``."""

    ratio: float
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """Everything a device said. ``cold`` and ``warm`` are None for a plain MLPerf Tiny firmware, which has whole inferences only.

    ``singles_us``: inferences that were timed one by one, where there are no layers. ``outputs`` are raw bytes per input, or None from a plain
    firmware; ``results`` are the printed real values per input.
    """

    identity: Identity
    cold: LayerRuns | None
    warm: LayerRuns | None
    singles_us: tuple[int, ...]
    loop: LoopTime
    clock: ClockCheck
    outputs: tuple[bytes, ...] | None
    results: tuple[tuple[float, ...], ...]
    retries: int
    restarts: int


def measure_device(
    session: Session,
    inputs: Sequence[bytes],
    output_bytes: int,
    repeats: int,
    progress: Progress = lambda _: None,
    heard: Heard = lambda _: None,
) -> Measurement:
    """Measure on the first of ``inputs`` and take the outputs of all; ``heard`` is told of layers only. Raises ExecutionError."""
    clock = _Clock(session)
    cold: LayerRuns | None = None
    warm: LayerRuns | None = None
    singles: tuple[int, ...] = ()
    if session.own:
        progress("first inferences after a restart")
        cold = _joined([session.cold(inputs[0]) for _ in range(COLD)])
        clock.start()  # the device's clock starts at a restart
    progress("warm-up")
    session.load(inputs[0])
    session.loop(1, 0)
    session.loop(1, WARMUPS)
    loop = LoopTime(_LOOP, session.loop(_LOOP, 0))
    if session.own:
        blocks: list[LayerRuns] = []
        while (done := sum(len(b.runs) for b in blocks)) < repeats:
            progress(f"{done} of {repeats} inferences")
            blocks.append(session.layers(min(_BLOCK, repeats - done), WARMUPS if not blocks else 1))
            warm = _joined(blocks)
            heard(warm)
            clock.start_if_restarted()
        assert warm is not None  # at least one repeat
        _check_counters(warm, loop, session)
    else:
        singles = _singles(session, repeats, progress)
    checked = clock.check()
    progress("outputs")
    outputs: list[bytes] = []
    results: list[tuple[float, ...]] = []
    for data in inputs:
        printed, raw = session.answer(data, output_bytes)
        results.append(printed)
        if raw is not None:
            outputs.append(raw)
    return Measurement(
        session.identity, cold, warm, singles, loop, checked,
        tuple(outputs) if session.own else None, tuple(results), session.device.retries, session.device.restarts,
    )  # fmt: skip


def _singles(session: Session, repeats: int, progress: Progress) -> tuple[int, ...]:
    found = []
    for done in range(repeats):
        if done % _BLOCK == 0:
            progress(f"{done} of {repeats} inferences")
        # one before it, because talking over the port has filled the caches with other things
        found.append(session.infer(1, 1).micros)
    return tuple(found)


def _joined(blocks: Sequence[LayerRuns]) -> LayerRuns:
    first = blocks[0]
    if any((b.names, b.counter) != (first.names, first.counter) for b in blocks):
        raise ExecutionError("the device changed between two answers", hint="is something else using the same port?")
    return LayerRuns(first.names, first.counter, first.marker, tuple(run for b in blocks for run in b.runs))


def _check_counters(warm: LayerRuns, loop: LoopTime, session: Session) -> None:
    """Cycles per layer must agree with the timer: a layer longer than 2^32 cycles would have been counted short."""
    facts = session.identity.facts
    if warm.counter != "cycles" or facts is None:
        return
    counted_us = sorted(r.total for r in warm.runs)[len(warm.runs) // 2] / (facts.clock_hz / 1e6)
    if loop.each_us > counted_us * (1 + _AGREE) + 50 and loop.each_us * facts.clock_hz / 1e6 >= WRAP:
        raise ExecutionError(
            f"one inference takes {loop.each_us / 1e6:.1f} s, but its layers count {counted_us / 1e6:.1f} s: a layer is longer than the "
            "32-bit cycle counter holds",
            hint="raise --clock less, use faster kernels, or a smaller model",
        )


class _Clock:
    """The device's microseconds beside this machine's, from the last start of the device on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.start()

    def start(self) -> None:
        """Look at both clocks. Raises ExecutionError."""
        self._restarts = self._session.device.restarts
        self._before = _now(self._session)

    def start_if_restarted(self) -> None:
        """What came before a restart of the device is no time of its clock."""
        if self._session.device.restarts != self._restarts:
            self.start()

    def check(self) -> ClockCheck:
        """Compare the two; over next to no time where the device has only just restarted. Raises ExecutionError."""
        after = _now(self._session)
        if self._session.device.restarts != self._restarts:
            self.start()
            after = _now(self._session)
        return _clock_check(self._before, after)


def _now(session: Session) -> tuple[int, float]:
    """The device's time in µs and this machine's in s, as close together as the port allows."""
    sent = time.monotonic()
    micros = session.micros()
    return micros, (sent + time.monotonic()) / 2


def _clock_check(before: tuple[int, float], after: tuple[int, float]) -> ClockCheck:
    seconds = after[1] - before[1]
    micros = (after[0] - before[0]) % WRAP
    # the device counts 71 minutes: how often it began anew, this machine's clock tells
    micros += WRAP * max(0, round((seconds * 1e6 - micros) / WRAP))
    return ClockCheck(micros / 1e6 / seconds, seconds)
