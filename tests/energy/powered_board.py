"""A fake board that draws power while it infers, a meter that sees it, and a clock that both share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engine.energy.trace import MeterInfo, PowerTrace
from engine.errors import WhycyclesError
from tests.energy.meters.fake_ina226 import FakeIna226
from tests.targets.fake_board import FakeBoard

IDLE_W, ACTIVE_W = 0.004, 0.03


@dataclass
class PoweredBoard(FakeBoard):
    """Each inference takes ``each_s``; ``pulses``: when the marker pin was high, ``active``: when it inferred at all."""

    each_s: float = 0.02
    pulses: list[tuple[float, float]] = field(default_factory=list)
    active: list[tuple[float, float]] = field(default_factory=list)

    def _work(self, words: list[str]) -> list[str]:
        if words[:2] != ["wc", "loop"]:
            return super()._work(words)
        count, warmups = int(words[2]), int(words[3])
        begin = self.now + warmups * self.each_s
        end = begin + count * self.each_s
        self.active.append((self.now, end))
        self.pulses.append((begin, end))
        self.now = end
        micros = round(count * self.each_s * 1e6)
        return [f"m-wc-loop-[{count},{micros},{count + micros}]"]

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds


@dataclass
class Double:
    """A meter on a ``PoweredBoard``: ``gated`` with its marker pin connected or not, ``fails`` when it is stopped."""

    board: PoweredBoard
    rate_hz: float = 20_000.0
    gated: bool = True
    connected: bool = True
    saturates: bool = False
    fails: WhycyclesError | None = None
    name: str = "double"
    begun: float | None = None

    def start(self) -> None:
        """Begin to sample."""
        assert self.begun is None, "stopped before it is started again"
        self.begun = self.board.now

    def stop(self) -> PowerTrace:
        """What happened meanwhile."""
        begun, self.begun = self.begun, None
        assert begun is not None
        if self.fails is not None:
            raise self.fails
        t = np.arange(begun, self.board.now, 1 / self.rate_hz)
        power = np.full(len(t), IDLE_W)
        gate = np.zeros(len(t), np.bool_)
        for begin, end in self.board.active:
            power[(t >= begin) & (t < end)] = ACTIVE_W
        for begin, end in self.board.pulses:
            gate |= (t >= begin) & (t < end)
        return PowerTrace(
            t,
            power,
            MeterInfo(self.name),
            gate=gate & self.connected if self.gated else None,
            saturated=power == ACTIVE_W if self.saturates else None,
        )


class RealTime:
    """The clock of a simulated INA226 that lives in this machine's time: moving it on waits."""

    def __init__(self, transfer_s: float = 50e-6) -> None:
        self.transfer_s = transfer_s

    @property
    def now(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()

    @now.setter
    def now(self, value: float) -> None:
        time.sleep(max(0.0, value - time.monotonic()))

    def __call__(self) -> float:
        """As ``now``."""
        return time.monotonic()


def live_ina226(amps: Callable[[float], float], **more: object) -> FakeIna226:
    """Registers of an INA226 over 0.5 ohm at 3.3 V in real time."""
    return FakeIna226(RealTime(), amps, lambda _: 3.3, 0.5, **more)  # type: ignore[arg-type]
