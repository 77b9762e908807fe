"""The same clang for the machine itself: x86-64 Linux, without a C library, so that a program is the same bytes on every machine."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from engine.errors import ToolError
from engine.firmware.toolchain.clang import Clang
from engine.firmware.toolchain.common import BASE_FLAGS
from engine.firmware.toolchain.cpu import Cpu
from engine.firmware.toolchain.process import check

HOST_CPU = Cpu(core="x86-64", triple="x86_64-unknown-linux-gnu", mcpu="x86-64", mfpu="", zig_cpu="", hard_float=False)
"""The baseline of the architecture (SSE2): what every such machine, and valgrind, executes."""


class HostClang(Clang):
    """clang for x86-64; ``link_program`` takes the place of a linker script."""

    def flags(self, cpu: Cpu, opt: str) -> tuple[str, ...]:
        """Flags that decide the code."""
        own = tuple(f for f in BASE_FLAGS if f != "-mthumb")
        return (f"--target={cpu.triple}", f"-march={cpu.mcpu}", f"-{opt}", "-fomit-frame-pointer", *own)

    def link_program(self, objects: tuple[Path, ...], out: Path) -> None:
        """A static program that starts at ``_start``. Raises BuildError."""
        what = [self._zig, "ld.lld", "-static", "--gc-sections", "--build-id=none", "-o", str(out), *map(str, objects)]
        check(what, what="linking the program for this machine")

    def link_library(self, objects: tuple[Path, ...], out: Path) -> None:
        """A shared library with every symbol in it. Raises BuildError."""
        what = [self._zig, "ld.lld", "-shared", "--build-id=none", "-o", str(out), *map(str, objects)]
        check(what, what="linking a library for this machine")


def check_host() -> None:
    """Raise ToolError unless programs built for the host run here."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise ToolError(
            f"the target host is x86-64 Linux, and this is {platform.system()} on {platform.machine()}",
            hint="run on a board of the catalogue instead: `whycycles boards`",
        )
