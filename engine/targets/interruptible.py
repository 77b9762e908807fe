"""Long calls into C that can be interrupted: they run beside the main thread, as Python takes Ctrl-C only there and between its own steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

_PATIENCE_S = 0.05


def interruptible(call: Callable[[], None], stop: Callable[[], None]) -> None:
    """Make a call that releases the interpreter, and raise what it raises; ``stop``, from another thread, must make it return.

    Its callbacks run in its thread, where no KeyboardInterrupt is raised. An interrupt reaches the caller once the call has returned.
    """
    done: Future[None] = Future()

    def work() -> None:
        try:
            call()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    thread = threading.Thread(target=work, name="emulation", daemon=True)
    try:
        thread.start()
        done.result()
    except BaseException:
        # again and again: a stop that comes before the call has begun is lost
        while thread.is_alive():
            stop()
            thread.join(_PATIENCE_S)
        raise
    thread.join()
