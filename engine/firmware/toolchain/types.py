"""What a toolchain is asked to do and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.firmware.toolchain.cpu import Cpu
from engine.firmware.types import CompilerName

OPTS = ("O0", "O1", "O2", "O3", "Os")
"""Optimisation levels a firmware can be built with."""


@dataclass(frozen=True)
class CompilerStatus:
    """One compiler as ``whycycles doctor`` shows it: ``version`` if usable, else ``reason`` says why not."""

    name: CompilerName
    version: str | None
    reason: str | None

    @property
    def available(self) -> bool:
        """Whether it can be used."""
        return self.version is not None


@dataclass(frozen=True)
class Tree:
    """A folder as the compiler sees it, and the path-free ``name`` that takes its place in debug info and cache keys."""

    path: Path
    name: str


@dataclass(frozen=True)
class Source:
    """One C file to compile: ``file`` relative to ``tree``; ``includes`` in search order; ``flags`` for this file only."""

    tree: Tree
    file: str
    includes: tuple[Tree, ...] = ()
    flags: tuple[str, ...] = ()
    third_party: bool = False

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.tree.path / self.file

    @property
    def name(self) -> str:
        """The path-free name, e.g. ``harness/main.c``."""
        return f"{self.tree.name}/{self.file}"


class Toolchain(Protocol):
    """A C compiler with its linker and runtime library."""

    @property
    def name(self) -> CompilerName:
        """Which one."""
        ...

    @property
    def version(self) -> str:
        """Its version, with its distribution: ``22.1.8 (ziglang 0.17.1)``."""
        ...

    def flags(self, cpu: Cpu, opt: str) -> tuple[str, ...]:
        """Flags that decide the code, without any path: part of every record."""
        ...

    def compile_command(self, source: Source, cpu: Cpu, opt: str, out: Path) -> list[str]:
        """Command that compiles one file."""
        ...

    def link_command(self, objects: tuple[Path, ...], script: Path, cpu: Cpu, out: Path) -> list[str]:
        """Command that links; may build the runtime library first."""
        ...
