"""Running compilers: no inherited configuration, errors as one message."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BuildError, ToolError
from engine.paths import cache_dir

TIMEOUT_S = 600
_LINGER_S = 0.5  # a dead child that nobody waits for counts as there


class Together:
    """Tools that several threads run and that end together: none is left out because its thread was about to start it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End those that run, and each that is started from here on; their calls return."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _stop(process, signal.SIGTERM)

    @contextlib.contextmanager
    def holding(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Around the life of a process."""
        with self._lock:
            self._running.add(process)
            if self._stopped:
                _stop(process, signal.SIGTERM)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


def _environment() -> dict[str, str]:
    # Variables that add search paths or stamp times would make an ELF differ from machine to machine.
    dropped = ("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "CCC_OVERRIDE_OPTIONS")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    zig = str(cache_dir() / "zig")
    # zig would write to HOME otherwise.
    return kept | {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "0", "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}


def run(
    command: list[str], *, what: str, cwd: Path | None = None, together: Together | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool and return its output whatever its exit code; raises ToolError if it cannot start or hangs.

    The tool and what it starts form a process group: it ends with the call, however that ends, or with those it runs ``together`` with.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        raise ToolError(f"{what}: cannot run {command[0]}: {error.strerror}", hint="see 'whycycles doctor'") from error
    with process, contextlib.nullcontext() if together is None else together.holding(process):
        try:
            output, complaints = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            _stop(process, signal.SIGKILL)
            raise ToolError(f"{what}: no answer after {TIMEOUT_S} s", hint="see 'whycycles doctor'") from error
        except BaseException:
            _stop(process, signal.SIGTERM)
            raise
        finally:
            process.wait()
            _await_children(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)


def _stop(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)


def _await_children(group: int) -> None:
    """Return when what a tool started has gone too: until then it may write to a folder that is to be removed."""
    until = time.monotonic() + _LINGER_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.005)


def check(command: list[str], *, what: str, cwd: Path | None = None, together: Together | None = None) -> str:
    """Run a tool and return its standard output; raises BuildError with its first complaint."""
    done = run(command, what=what, cwd=cwd, together=together)
    if done.returncode:
        raise BuildError(
            f"{what} failed: {first_complaint(done.stderr)}", hint="see 'whycycles doctor' for the compilers found"
        )
    return done.stdout


def first_complaint(stderr: str) -> str:
    """The first line that names an error, else the last line, else a note that there was none."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for sign in ("undefined reference", "error"):
        for line in lines:
            # collect2 only says that ld has failed
            if sign in line.lower() and not line.startswith("collect2:"):
                return line
    return lines[-1] if lines else "no message"
