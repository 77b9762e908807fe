"""What Renode says when something is wrong, as errors: its exit code is 0 even then, so its words decide."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.errors import BadInputError, ExecutionError, ToolError, WhycyclesError

Describe = Callable[[int], str]

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ABORT = re.compile(r"CPU abort \[PC=0x([0-9A-Fa-f]+)\]: (.+?)\.?$", re.MULTILINE)
_FATAL = re.compile(r"FATAL UNHANDLED EXCEPTION: (.+)$", re.MULTILINE)
_HOOK = re.compile(r"Python runtime error: (.+?)\.?$", re.MULTILINE)
_UNMAPPED = re.compile(
    r"\[cpu: 0x([0-9A-Fa-f]+)\] (Read|Write)\w+ (?:from|to) non existing peripheral at 0x([0-9A-Fa-f]+)"
)
_HALTED = re.compile(r"PC does not lay in memory or PC and SP are equal to zero")
_OPTIONS = re.compile(r"Unexpected options detected: (.+)$", re.MULTILINE)
_PORT = re.compile(r"Could not start the HTTP server on port (\d+)")
_COMMAND = re.compile(r"There was an error executing command '(.+?)'(?::\s*)?(.*)", re.DOTALL)
_TOKENS = re.compile(r"Could not tokenize here:\s*(.+)$", re.MULTILINE)
_UNKNOWN = re.compile(r"No such command or device: (.+)$", re.MULTILINE)
_PLATFORM = re.compile(r"(Error E\d+: .+?)\n\s*At (.+?):(\d+):(\d+)", re.DOTALL)
_LOG_LINE = re.compile(r"^(?:\d\d:\d\d:\d\d\.\d+ )?\[(?:NOISY|DEBUG|INFO|WARNING|ERROR)\]")


def problem_in(text: str, describe: Describe = hex) -> WhycyclesError | None:
    """The gravest problem that a log or console output tells of, or None. ``describe`` names a code address for people."""
    text = _ANSI.sub("", text).replace("\r", "")
    if fatal := _FATAL.search(text):
        return ExecutionError(
            f"Renode itself crashed: {fatal[1].strip()}",
            hint="a hook used what Renode's Python lacks, or a file vanished",
        )
    if abort := _ABORT.search(text):
        return ExecutionError(
            f"the CPU stopped at {describe(int(abort[1], 16))}: {abort[2]}",
            hint="check function pointers and the stack: control left the code",
        )
    if hook := _HOOK.search(text):
        return ExecutionError(
            f"a hook failed, so counts are missing: {hook[1]}", hint="report this with Renode's version"
        )
    if wild := _UNMAPPED.search(text):
        verb = "read from" if wild[2] == "Read" else "write to"
        return ExecutionError(
            f"{verb} an address without memory 0x{int(wild[3], 16):08x} by code at {describe(int(wild[1], 16))}: Renode goes on with "
            "zeros, so nothing of this run counts",
            hint="check pointers and tensor offsets",
        )
    if _HALTED.search(text):
        return ExecutionError("the CPU never started: no code at the reset vector", hint="link for the MPS2 memory map")
    return _setup_problem(text)


def monitor_problem(text: str) -> WhycyclesError | None:
    """The problem in the answer to a Monitor command, by console or by robot server, or None."""
    if command := _COMMAND.search(text):
        return _command_problem(command[1], command[2])
    if tokens := _TOKENS.search(text):
        return ToolError(f"Renode's Monitor cannot read: {tokens[1].strip()}", hint="escape blanks in paths: '\\ '")
    if unknown := _UNKNOWN.search(text):
        return ToolError(
            f"Renode's Monitor knows no command or device '{unknown[1].strip()}'", hint="see Renode's `help`"
        )
    return None


def _setup_problem(text: str) -> WhycyclesError | None:
    if options := _OPTIONS.search(text):
        return ToolError(f"Renode does not know the options {options[1].strip()}", hint="see `whycycles renode show`")
    if port := _PORT.search(text):
        return ToolError(f"port {port[1]} is taken: Renode's robot server could not start", hint="choose another port")
    return monitor_problem(text)


def _command_problem(command: str, rest: str) -> WhycyclesError:
    details = _own_lines(rest)
    if "LoadPlatformDescription" in command:
        if place := _PLATFORM.search(rest):
            return BadInputError(
                f"Renode refuses the platform description: {_own_lines(place[1])} at {place[2]}:{place[3]}:{place[4]}",
                hint="correct that line of the .repl",
            )
        return BadInputError(f"Renode refuses the platform description: {details}", hint="check the path of the .repl")
    if "LoadELF" in command and "Parameters did not match" in rest:
        path = command.partition("@")[2].rstrip('"')
        return BadInputError(f"no such file: {path}", hint="check the path of the ELF")
    if "LoadELF" in command:
        return BadInputError(f"Renode cannot load the ELF: {details}", hint="check that it is an Arm ELF")
    if "AddHook" in command:
        return ToolError(f"Renode refuses a hook: {details}", hint="report this with Renode's version")
    return ToolError(f"Renode refuses the command '{command}': {details}", hint="report this with Renode's version")


def _own_lines(rest: str) -> str:
    """The lines of an error up to where the log goes on, as one."""
    lines: list[str] = []
    for line in rest.splitlines():
        if _LOG_LINE.match(line):
            break
        if line.strip():
            lines.append(line.strip())
    return " ".join(dict.fromkeys(lines)) or "no reason given"
