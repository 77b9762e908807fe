"""Running compilers: no inherited configuration, errors as one message."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from engine.errors import BuildError, ToolError
from engine.paths import cache_dir

TIMEOUT_S = 600
_running: set[subprocess.Popen[str]] = set()


def _environment() -> dict[str, str]:
    # Variables that add search paths or stamp times would make an ELF differ from machine to machine.
    dropped = ("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "CCC_OVERRIDE_OPTIONS")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    zig = str(cache_dir() / "zig")
    # zig would write to HOME otherwise.
    return kept | {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "0", "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}


def run(command: list[str], *, what: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool and return its output whatever its exit code; raises ToolError if it cannot start or hangs.

    The tool and what it starts form a process group: it ends with the call, however that ends.
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
    with process:
        _running.add(process)
        try:
            output, complaints = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            _stop(process, signal.SIGKILL)
            raise ToolError(f"{what}: no answer after {TIMEOUT_S} s", hint="see 'whycycles doctor'") from error
        except BaseException:
            _stop(process, signal.SIGTERM)
            raise
        finally:
            _running.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)


def stop_all() -> None:
    """End the tools that other threads are running; their calls return."""
    for process in tuple(_running):
        _stop(process, signal.SIGTERM)


def _stop(process: subprocess.Popen[str], how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)


def check(command: list[str], *, what: str, cwd: Path | None = None) -> str:
    """Run a tool and return its standard output; raises BuildError with its first complaint."""
    done = run(command, what=what, cwd=cwd)
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
