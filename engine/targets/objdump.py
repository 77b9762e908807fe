"""Code with Helium, disassembled by ``llvm-objdump``: Capstone 5 knows neither MVE nor low-overhead loops.

Gives what Capstone's ``disasm_lite`` gives, in its spelling: branch targets as ``#0x1234``, no comments, no symbols.
"""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

from engine.errors import ToolError
from engine.targets.llvm_tools import HINT, OLDEST, find_llvm_tool

OBJDUMP_DECODES = "armv8.1-m.main"
"""The architecture whose code needs ``llvm-objdump``."""

_LINE = re.compile(r"^\s*([0-9a-f]+):\s((?:[0-9a-f]{4} ?){1,2})\s*\t(\S+)(?:\s+(.*))?$")
_TARGET = re.compile(r"(?<!#)\b0x([0-9a-f]+)(?: <[^>]*>)?")
_TIMEOUT_S = 120

Lines = dict[int, tuple[int, str, str]]
"""Address to size, mnemonic and operands of the instruction there."""


@lru_cache(maxsize=8)
def disassemble(path: Path, stamp: tuple[int, int]) -> Lines:
    """Every instruction of an ELF for an Armv8.1-M core; ``stamp`` (size and time of change) keeps the cache honest.

    What ``llvm-objdump`` cannot decode is left out. Raises ToolError without the tool.
    """
    del stamp
    tool = find_llvm_tool("llvm-objdump")
    if tool is None:
        raise ToolError(
            f"{path.name} is Armv8.1-M code (Helium, low-overhead loops), and no llvm-objdump {OLDEST} or newer was found",
            hint=HINT,
        )
    command = [str(tool), "-d", "--mcpu=cortex-m85", "--no-print-imm-hex", "--no-leading-headers", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{tool.name} does not answer: {error}", hint=HINT) from error
    if done.returncode:
        raise ToolError(f"{tool.name} failed on {path.name}: {done.stderr.strip()[:200]}", hint=HINT)
    found: Lines = {}
    for line in done.stdout.splitlines():
        if (match := _LINE.match(line)) and not match[3].startswith(("<", ".")):
            operands = _TARGET.sub(r"#0x\1", (match[4] or "").partition("@")[0]).strip()
            found[int(match[1], 16)] = 2 * len(match[2].split()), match[3], operands
    return found


def lines_of(path: Path) -> Lines:
    """``disassemble`` of a file as it is now."""
    status = path.stat()
    return disassemble(path.resolve(), (status.st_size, status.st_mtime_ns))
