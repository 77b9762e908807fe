"""Long calls into C: their errors arrive, and an interrupt ends them."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from engine.targets.interruptible import interruptible


@pytest.fixture
def _ctrl_c_raises() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_call_that_ends_and_one_that_fails() -> None:
    done = []
    interruptible(lambda: done.append(threading.current_thread()), pytest.fail)
    assert done != [threading.main_thread()]

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interruptible(fail, lambda: None)


@pytest.mark.usefixtures("_ctrl_c_raises")
def test_an_interrupt_stops_the_call_and_arrives_after_it() -> None:
    begun, stopped = threading.Event(), threading.Event()
    returned = []

    def call() -> None:
        begun.set()
        stopped.wait(30)
        returned.append(True)

    def interrupt() -> None:
        begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        interruptible(call, stopped.set)
    assert returned
