"""Compilers: clang from the ``ziglang`` wheel, ``arm-none-eabi-gcc`` from the PATH; objects cached by content."""

from __future__ import annotations

from engine.errors import ToolError, UsageError
from engine.firmware.toolchain.clang import Clang
from engine.firmware.toolchain.cpu import Cpu, cpu_for
from engine.firmware.toolchain.gcc import Gcc
from engine.firmware.toolchain.objects import compile_all
from engine.firmware.toolchain.types import OPTS, CompilerStatus, Source, Toolchain, Tree
from engine.firmware.types import CompilerName

__all__ = [
    "OPTS", "CompilerStatus", "Cpu", "Source", "Toolchain", "Tree", "check_opt", "compile_all", "compilers", "cpu_for",
    "toolchain",
]  # fmt: skip


def toolchain(name: CompilerName) -> Toolchain:
    """The compiler of that name; raises ToolError if it is missing."""
    return Clang() if name is CompilerName.CLANG else Gcc()


def compilers() -> tuple[CompilerStatus, ...]:
    """Every compiler a firmware can be built with: its version here, or why it cannot be used."""
    found = []
    for name in CompilerName:
        try:
            found.append(CompilerStatus(name, toolchain(name).version, None))
        except ToolError as error:
            found.append(CompilerStatus(name, None, f"{error.message} ({error.hint})"))
    return tuple(found)


def check_opt(opt: str) -> str:
    """The optimisation level without a leading dash; raises UsageError if there is no such level."""
    plain = opt.removeprefix("-")
    if plain not in OPTS:
        raise UsageError(f"unknown optimisation level '{opt}'", hint=f"one of {', '.join(OPTS)}")
    return plain
