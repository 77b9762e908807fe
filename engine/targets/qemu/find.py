"""Which QEMU is installed, if any that will do."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ToolError

PROGRAM = "qemu-system-arm"
OLDEST = (7, 2)
_HINT = "apt install qemu-system-arm (Debian 12 or later), or put a qemu-system-arm of 7.2 or later on the PATH"
_VERSION = re.compile(r"version (\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Qemu:
    """An installed QEMU."""

    path: Path
    version: str


def find_qemu() -> Qemu:
    """The qemu-system-arm on the PATH. Raises ToolError if it is absent, too old, or no QEMU."""
    path = shutil.which(PROGRAM)
    if path is None:
        raise ToolError(f"{PROGRAM} is not installed", hint=_HINT)
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=30, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{path} cannot be run: {error}", hint=_HINT) from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise ToolError(f"{path} does not say its version", hint=_HINT)
    version = tuple(int(n) for n in found.groups(default="0"))
    text = ".".join(map(str, version))
    if version[:2] < OLDEST:
        raise ToolError(f"{path} is QEMU {text}, too old for plugins as needed here", hint=_HINT)
    return Qemu(Path(path), text)
