"""``arm-none-eabi-gcc`` from the PATH, with our own libc headers and its libgcc."""

from __future__ import annotations

import re
import shutil
from functools import lru_cache
from pathlib import Path

from engine.errors import ToolError
from engine.firmware.toolchain.common import BASE_FLAGS, path_flags, warning_flags
from engine.firmware.toolchain.cpu import Cpu
from engine.firmware.toolchain.process import check, run
from engine.firmware.toolchain.types import Source
from engine.firmware.types import CompilerName

_PROGRAM = "arm-none-eabi-gcc"


class Gcc:
    """GNU Arm Embedded gcc."""

    name = CompilerName.GCC

    def __init__(self) -> None:
        found = shutil.which(_PROGRAM)
        if found is None:
            raise ToolError(f"{_PROGRAM} is not on the PATH", hint="install gcc-arm-none-eabi, or use --compiler clang")
        self._gcc = found
        self.version = _version(found)

    def flags(self, cpu: Cpu, opt: str) -> tuple[str, ...]:
        """Flags that decide the code."""
        return (f"-mcpu={self._mcpu(cpu)}", *cpu.float_flags, f"-{opt}", *BASE_FLAGS)

    def compile_command(self, source: Source, cpu: Cpu, opt: str, out: Path) -> list[str]:
        """``gcc -c``; newlib's headers are not searched, so both compilers see the same libc."""
        builtin = _builtin_include(self._gcc)
        return [
            self._gcc, *self.flags(cpu, opt), *warning_flags(source), *source.flags,
            "-nostdinc", *path_flags(source), "-isystem", str(builtin), f"-ffile-prefix-map={builtin}=/gcc",
            f"-fdebug-prefix-map={out.parent}=/", "-c", str(source.path), "-o", str(out),
        ]  # fmt: skip

    def link_command(self, objects: tuple[Path, ...], script: Path, cpu: Cpu, out: Path) -> list[str]:
        """GNU ld through the driver, which knows the libgcc of this core."""
        return [
            self._gcc, f"-mcpu={self._mcpu(cpu)}", *cpu.float_flags, "-mthumb", "-nostdlib", "-nostartfiles", "-Wl,--gc-sections",
            "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments", "-T", str(script), *map(str, objects), "-lgcc", "-o", str(out),
        ]  # fmt: skip

    def _mcpu(self, cpu: Cpu) -> str:
        """The core's name, or that of an older one with the same instructions where this gcc is older than the core."""
        return cpu.mcpu if not cpu.like_mcpu or _knows(self._gcc, cpu.mcpu) else cpu.like_mcpu


@lru_cache(maxsize=16)
def _knows(gcc: str, mcpu: str) -> bool:
    return (
        run([gcc, f"-mcpu={mcpu}", "-mthumb", "-E", "-x", "c", "/dev/null"], what="asking gcc for a core").returncode
        == 0
    )


@lru_cache(maxsize=4)
def _version(gcc: str) -> str:
    number = check([gcc, "-dumpfullversion"], what="asking gcc for its version").strip()
    # the same number comes from Arm, Debian and others with different patches: "arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 ..."
    first = check([gcc, "--version"], what="asking gcc for its version").partition("\n")[0]
    maker = re.search(r"\(([^()]+)\)", first)
    return f"{number} ({maker[1]})" if maker else number


@lru_cache(maxsize=4)
def _builtin_include(gcc: str) -> Path:
    return Path(check([gcc, "-print-file-name=include"], what="asking gcc for its headers").strip())
