"""What every meter offers, and the thread that two of them sample in."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from engine.energy.trace import PowerTrace
from engine.errors import ExecutionError, WhycyclesError

T = TypeVar("T")


class Meter(Protocol):
    """A power meter. Times of a trace are seconds of the host's ``time.monotonic``, so that markers can be laid over them."""

    name: str

    @property
    def failed(self) -> bool:
        """Whether it has gone away since it was started: ``stop`` will tell why."""

    def start(self) -> None:
        """Begin to sample. Raises ToolError if the meter cannot be reached or is not what it should be."""

    def stop(self) -> PowerTrace:
        """End sampling and give what was seen. Raises ExecutionError if the meter went away meanwhile."""

    def trace(self) -> PowerTrace:
        """After ``stop``: what was seen, also until it went away. Raises BadInputError if it is too little."""


def sample(meter: Meter, work: Callable[[], T]) -> tuple[T, PowerTrace]:
    """Do something while a meter samples; what it gave, and the trace.

    Raises what ``work`` raises (the meter is stopped then too), and what ``start`` and ``stop`` raise.
    """
    meter.start()
    try:
        done = work()
    except BaseException:
        with contextlib.suppress(WhycyclesError):  # the first of two failures is the one to tell
            meter.stop()
        raise
    return done, meter.stop()


class SampledMeter(ABC):
    """A meter whose samples a thread fetches; a failure in the thread is told by ``stop``."""

    name: str

    def __init__(self) -> None:
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: WhycyclesError | None = None

    @property
    def failed(self) -> bool:
        """Whether the thread has ended with a failure."""
        return self._failure is not None

    @abstractmethod
    def open(self) -> None:
        """Reach the meter and set it up. Raises ToolError."""

    @abstractmethod
    def fetch(self) -> None:
        """Take what the meter has now; called again and again. Raises ExecutionError when it went away."""

    @abstractmethod
    def close(self) -> None:
        """Let the meter go; never raises."""

    @abstractmethod
    def trace(self) -> PowerTrace:
        """What was fetched. Raises BadInputError if it is too little."""

    def start(self) -> None:
        """Begin to sample. Raises ToolError."""
        self.open()
        self._halt.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=f"meter {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> PowerTrace:
        """End sampling and give what was seen. Raises ExecutionError if the meter went away meanwhile."""
        if self._thread is None:
            raise ExecutionError(f"{self.name} was never started", hint="call start first")
        self._halt.set()
        self._thread.join()
        self._thread = None
        self.close()
        if self._failure is not None:
            raise self._failure
        return self.trace()

    def _run(self) -> None:
        while not self._halt.is_set():
            try:
                self.fetch()
            except WhycyclesError as error:
                self._failure = error
                return
            except (
                Exception
            ) as error:  # a meter's library raises what garbage on its wire makes it; the trace would just end
                self._failure = ExecutionError(
                    f"{self.name} sent what its library cannot read: {type(error).__name__}: {error}",
                    hint="check the cable and that no other program uses it; measure again",
                )
                return
