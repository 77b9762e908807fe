"""Ctrl-C: one line and exit code 130, at any moment, with no traceback.

A command that is interrupted gets KeyboardInterrupt and may clean up after itself. Where that is swallowed (by a callback from C, by a
finaliser) or cleaning takes too long, the process is ended from a thread of its own. Imports nothing that takes time, as it must be
there before anything that does.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

from engine import INTERRUPTED

EXIT_CODE = 130

GRACE_S = 3.0
"""How long a command may take to clean up."""

_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"


class _Interruption:
    """State of the process: ``asked`` to end, the line ``said``, and the lock that holds the thread which ends it back."""

    asked = False
    said = False
    gate = _thread.allocate_lock()


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """Around imports: Ctrl-C ends the process there and then, as nothing has been begun. A handler of others stays."""
    if not _ours_to_handle():
        yield
        return
    signal.signal(signal.SIGINT, lambda _signal, _frame: _end())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def install() -> None:
    """Handle Ctrl-C from here to the end of the process (for the program, not for a library). A handler of others stays."""
    if not _ours_to_handle():
        return
    _Interruption.gate.acquire()
    _thread.start_new_thread(_end_late, ())
    sys.excepthook = _uncaught
    be_quiet()
    signal.signal(signal.SIGINT, _on_signal)


def be_quiet() -> None:
    """An interrupt that a callback or a finaliser swallowed is not reported: it is followed up."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            before(unraisable)

    sys.unraisablehook = hook


def answered() -> None:
    """The interrupt was what the command waited for: it goes on."""
    _Interruption.asked = False


def settle() -> None:
    """The command is done: ends the process if it was interrupted; from here on Ctrl-C comes too late."""
    if signal.getsignal(signal.SIGINT) is not _on_signal:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _Interruption.asked:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        _end()


def say() -> None:
    """Print the line, once."""
    if not _Interruption.said:
        _Interruption.said = True
        _write((_SHOW_CURSOR if os.isatty(2) else b"") + INTERRUPTED.encode() + b"\n")


def _ours_to_handle() -> bool:
    """Only where Python's own handler is in place: not in a shell's background job, a worker process or a notebook's thread."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _on_signal(_signal: int, _frame: FrameType | None) -> None:
    # a second Ctrl-C must not disturb the cleaning up
    if _Interruption.asked:
        return
    _Interruption.asked = True
    if _Interruption.gate.locked():
        _Interruption.gate.release()
    raise KeyboardInterrupt


def _end_late() -> None:
    while True:
        _Interruption.gate.acquire()
        time.sleep(GRACE_S)
        if _Interruption.asked:
            _end()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _end()
    sys.__excepthook__(kind, error, trace)


def _end() -> NoReturn:
    """Say so, end all children, end. Nothing is left to be finished: every file is written at once or not at all."""
    kill_descendants(os.getpid())
    say()
    os._exit(EXIT_CODE)


def kill_descendants(pid: int) -> None:
    """Kill all that a process started, and what those started."""
    for child in _descendants(pid):
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Processes that a process started, and those they started (Linux; elsewhere none are known)."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text("ascii").split()):
                found += [child, *_descendants(child)]
    return found


def _write(line: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2, line)
