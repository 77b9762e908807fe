"""One Renode process from start to end: a folder and a TMPDIR of its own, its words watched, and an end by all means."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ExecutionError, ToolError
from engine.targets.renode.failures import Describe, problem_in
from engine.targets.renode.find import Renode
from engine.targets.renode.script import LOG, monitor_path

_CONSOLE, _TMP, _CONFIG = "console.txt", "tmp", "renode.config"
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 5.0  # from the last event to the end of a process that has nothing left to do
_TERMINATE_SECONDS = 6.0
_TAIL_LINES = 5


@dataclass(frozen=True)
class RenodeLimits:
    """When to give up. Instructions bound virtual time: per inference (None: derived from the MACs), and of the start-up.

    Seconds are real ones: until Renode reads its script, and in all.
    """

    instructions: int | None = None
    start_up_instructions: int = 10_000_000
    start_seconds: float = 30.0
    wall_seconds: float = 900.0


@contextmanager
def started(renode: Renode, folder: Path, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Renode with these arguments, output to ``console.txt``; it is gone when the context ends. Raises ToolError.

    Its standard input is a pipe that stays open: at the end of its input the Monitor's console would not be idle. Its TMPDIR is
    its own, because Renode deletes what others left in a shared one.
    """
    (folder / _TMP).mkdir(exist_ok=True)
    command = [str(renode.path), "--disable-gui", "--plain", "--config", str(folder / _CONFIG), *arguments]
    with (folder / _CONSOLE).open("wb") as console:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder / _TMP)},
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(
                f"cannot run {renode.path}: {error.strerror or error}", hint="see `whycycles renode show`"
            ) from error
        with process:
            try:
                yield process
            finally:
                stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: ask, wait, kill."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break


def console_text(folder: Path) -> str:
    """What Renode has written to its console so far."""
    return _read(folder / _CONSOLE)


def run_script(
    renode: Renode,
    folder: Path,
    script: Path,
    limits: RenodeLimits,
    *,
    done: Callable[[], bool],
    must_end: bool,
    describe: Describe,
) -> bool:
    """Run a Monitor script without opening a port. Returns whether ``done`` came true before the process ended.

    With ``must_end`` the process is let end by itself (a trace is written at its end). Raises ToolError or BadInputError for what
    Renode refuses, ExecutionError for a CPU abort, accesses without memory, failing hooks, time-outs and a process that was killed.
    """
    # Renode makes a Monitor command of the path as it stands, so it is escaped here; the quit also ends a Monitor whose script failed
    arguments = ["--console", monitor_path(script).removeprefix("@"), "-e", "quit"]
    with started(renode, folder, arguments) as process:
        begin, seen = time.monotonic(), None
        while True:
            ended = _ended(process)
            _raise_problem(folder, describe, wait=not ended)
            now = time.monotonic()
            if seen is None and done():
                seen = now
            if ended:
                break
            if seen is not None and not must_end and now - seen > _GRACE_SECONDS:
                return True
            _check_time(folder, now - begin, limits, seen is not None)
    if seen is None and process.returncode:
        raise ExecutionError(
            f"Renode {_manner(process.returncode)}{_tail(folder)}", hint="run it again; check free memory"
        )
    if not (folder / LOG).exists():
        raise ToolError(
            f"Renode ended before it read its script{_tail(folder)}",
            hint="see `whycycles renode show` and start it by hand",
        )
    return seen is not None


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _raise_problem(folder: Path, describe: Describe, *, wait: bool) -> None:
    error = problem_in(_words(folder), describe)
    if error is None:
        return
    if wait:
        # a line may be half written, and a graver one may follow: a jump into nothing first reads from there
        time.sleep(_POLL_SECONDS)
        error = problem_in(_words(folder), describe) or error
    raise error


def _check_time(folder: Path, elapsed: float, limits: RenodeLimits, finished: bool) -> None:
    if elapsed > limits.start_seconds and not (folder / LOG).exists():
        raise ToolError(
            f"Renode did not start within {limits.start_seconds:g} s{_tail(folder)}",
            hint="a cold disk may be slow: try again; then start it by hand",
        )
    if elapsed > limits.wall_seconds:
        what = "did not end after the last inference" if finished else "did not finish"
        raise ExecutionError(
            f"Renode {what} within {limits.wall_seconds:g} s of real time",
            hint="the machine may be busy; a smaller model runs sooner",
        )


def _words(folder: Path) -> str:
    return _read(folder / LOG) + "\n" + console_text(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _manner(code: int) -> str:
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def _tail(folder: Path) -> str:
    lines = [line for line in console_text(folder).splitlines() if line.strip()][-_TAIL_LINES:]
    return ": " + " / ".join(lines) if lines else " and said nothing"
