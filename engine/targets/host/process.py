"""Programs of this machine: started pinned to one CPU, with a time limit; every end of theirs is one message."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ExecutionError, ToolError

TIMEOUT_S = 600.0
"""Callgrind runs a program some fifty times slower; the largest reference model still takes seconds."""


@dataclass(frozen=True)
class Done:
    """What a program wrote before it ended well."""

    stdout: bytes
    stderr: str


def quiet_cpu() -> int:
    """The CPU to pin to: the last one this process may use, as the first ones serve most interrupts."""
    return max(os.sched_getaffinity(0))


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """What is started meanwhile runs on that CPU alone: a new process inherits it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_pinned(
    command: Sequence[str | Path], *, what: str, cpu: int, stdin: bytes = b"", timeout_s: float = TIMEOUT_S
) -> Done:
    """Run a program on one CPU. Raises ToolError if it cannot be started, ExecutionError if it hangs, is killed or fails."""
    try:
        with pinned(cpu):
            # a group of its own, so that what the program started ends with it
            process = subprocess.Popen(
                [str(w) for w in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
    except OSError as error:
        raise ToolError(f"{what} cannot be started: {error.strerror}", hint="see `whycycles doctor`") from None
    with process:
        try:
            stdout, raw = process.communicate(stdin, timeout_s)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise ExecutionError(
                f"{what} gave no answer in {timeout_s:g} s", hint="is the machine overloaded?"
            ) from None
    stderr = raw.decode("utf-8", "replace")
    if process.returncode:
        raise ExecutionError(
            f"{what} {ended(process.returncode, stderr)}", hint="run it again; if it fails again, report the model"
        )
    return Done(stdout, stderr)


def ended(code: int, stderr: str) -> str:
    """How a program ended: "was ended by SIGKILL", "ended with exit code 3: its last words"."""
    if code < 0:
        known = {s.value: s.name for s in signal.Signals}
        return f"was ended by {known.get(-code, f'signal {-code}')}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f"ended with exit code {code}" + (f": {lines[-1]}" if lines else "")
