"""Telling, while an inference runs, which of its regions are over: a thread looks at the state that the hooks write, and no hook knows of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.targets import layout as at
from engine.targets.state import State, begin_inference

POLL_S = 0.02
_PATIENCE_S = 1.0


@contextmanager
def following(state: State, ended: Callable[[int], None] | None) -> Iterator[None]:
    """Around one inference: ``ended(region)`` for every layer in order, each once it is over, and for the glue at the end.

    It is called from a thread, the last times from the caller's; what it raises reaches the caller. Nothing is called after an inference
    that failed. What the hooks noted of a region that is over does not change any more.
    """
    if ended is None:
        yield
        return
    begin_inference(state)  # what an earlier inference opened is not this one's
    told = 0
    stop = threading.Event()
    failure: list[Exception] = []

    def look() -> None:
        nonlocal told
        try:
            while not stop.wait(POLL_S):
                # the layer that was opened last may still run
                while told < int(state[at.H_OPENED]) - 1 and not stop.is_set():
                    ended(told)
                    told += 1
        except Exception as error:  # whatever the callback raises is the caller's: raised again below, in its thread
            failure.append(error)

    thread = threading.Thread(target=look, name="following", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        stop.set()
        thread.join(_PATIENCE_S)
        raise
    stop.set()
    thread.join()
    if failure:
        raise failure[0]
    for region in range(told, int(state[at.H_LAYERS]) + 1):
        ended(region)
