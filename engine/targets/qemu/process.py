"""A QEMU process with our plugin in it, stopped before its first instruction."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from engine.errors import ExecutionError, ToolError
from engine.targets import layout
from engine.targets.qemu.find import Qemu, find_qemu
from engine.targets.qemu.plugin import FIRST_API, plugin_library
from engine.targets.qemu.stub import Stub, StubGoneError

_OTHER_API = re.compile(r"this QEMU supports only (?:a minimum|up to) version (?:of )?(\d+)")
_PATIENCE_S = 10.0
_TIME = ("-icount", "shift=0,sleep=off")
"""Timers tick with the instructions, not with the host's clock: a run repeats itself."""
_INSTALL_AGAIN = "install QEMU again, or put another qemu-system-arm of 7.2 or later on the PATH"


class _WrongApiError(Exception):
    """QEMU's plugin interface has another version."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted


class Process:
    """Use it as a context manager: QEMU ends with the block, whatever happens."""

    def __init__(self, machine: str, elf: Path | None, state: int, pipe: int | None = None) -> None:
        """Start a machine, empty without ``elf``; ``state`` and ``pipe`` are descriptors for the plugin. Raises ToolError."""
        self.qemu = find_qemu()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        try:
            try:
                self._start(machine, elf, state, pipe, FIRST_API)
            except _WrongApiError as error:
                self._start(machine, elf, state, pipe, error.wanted)
        except BaseException:
            self._errors.close()
            raise

    def _start(self, machine: str, elf: Path | None, state: int, pipe: int | None, api: int) -> None:
        # a comma ends an option of QEMU's unless doubled
        plugin = [str(plugin_library(api)).replace(",", ",,"), f"state={state}"]
        passed = [state]
        if pipe is not None:
            plugin.append(f"pipe={pipe}")
            passed.append(pipe)
        command = [
            str(self.qemu.path), "-M", machine, "-nodefaults", "-no-user-config", "-display", "none", "-S", "-gdb", "stdio", *_TIME,
            "-plugin", ",".join(plugin), *([] if elf is None else ["-kernel", str(elf)]),
        ]  # fmt: skip
        self._errors.seek(0)
        self._errors.truncate()
        self._popen = self._spawn(command, passed)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        try:
            self.stub = Stub(self._popen.stdin, self._popen.stdout)
        except StubGoneError:
            self.close()
            raise self._refusal(machine, api) from None

    def _spawn(self, command: Sequence[str], passed: Sequence[int]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, pass_fds=passed, bufsize=0,
                process_group=0,  # Ctrl-C is ours
            )  # fmt: skip
        except OSError as error:
            raise ToolError(
                f"{self.qemu.path} cannot be run: {error.strerror or error}", hint=_INSTALL_AGAIN
            ) from error

    def _refusal(self, machine: str, api: int) -> Exception:
        """Why QEMU did not start."""
        said = self._said()
        other = _OTHER_API.search(said)
        if other and int(other[1]) != api:
            return _WrongApiError(int(other[1]))
        version = f"QEMU {self.qemu.version}"
        if "plugin" in said:
            return ToolError(
                f"{version} does not take our plugin: {_first_line(said)}",
                hint="install a QEMU that was built with --enable-plugins (distributions' packages are), or use --target unicorn",
            )
        what = _first_line(said) or f"exit code {self._popen.returncode}"
        return ToolError(f"{version} did not start its machine {machine}: {what}", hint=_INSTALL_AGAIN)

    def gone(self, where: str, *, silent: bool = False) -> ExecutionError:
        """The error for a QEMU that ended, or no longer answers (``silent``), in the middle of a run."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(0 if silent else _PATIENCE_S)
        code = self._popen.returncode
        self.close()
        said = self._said()
        if "Lockup:" in said:
            return ExecutionError(
                f"the core locked up: a fault on entering the fault handler{where}",
                hint="most likely the stack pointer is outside RAM, or code was overwritten",
            )
        if code is None:
            return ExecutionError(
                f"QEMU no longer answers{where}", hint="try again; if it happens again, report the ELF"
            )
        if code < 0 and not _first_line(said):
            return ExecutionError(
                f"QEMU was killed by signal {-code}{where}",
                hint="something on this machine ended it (out of memory?); try again",
            )
        return ExecutionError(
            f"QEMU ended with code {code}{where}: {_first_line(said) or 'no message'}",
            hint="try again; if it happens again, report it with the ELF",
        )

    def close(self) -> None:
        """End QEMU, if it still runs."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._errors.close()

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")


def check_plugin() -> Qemu:
    """Start an empty machine with our plugin; the QEMU that did it. Raises ToolError if it cannot, or the plugin does not compile."""
    with tempfile.TemporaryFile() as state:
        state.write(bytes(8 * layout.HEADER))
        state.flush()
        with Process("mps2-an385", None, state.fileno()) as process:
            return process.qemu


def _first_line(text: str) -> str:
    """The first line that is no warning."""
    return next((x.strip() for x in text.splitlines() if x.strip() and "warning:" not in x), "")
