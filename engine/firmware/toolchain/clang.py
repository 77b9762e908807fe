"""clang, lld and compiler-rt out of the ``ziglang`` wheel.

``zig cc`` is not used: for a freestanding target it turns -O1, -O2 and -O3 into -O2 and adds ``-ffreestanding`` (every
4-byte memcpy becomes a call) and frame pointers. ``zig clang`` and ``zig ld.lld`` are the unmodified tools in that wheel.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path

from engine.errors import ToolError
from engine.firmware.toolchain.common import BASE_FLAGS, path_flags, warning_flags
from engine.firmware.toolchain.cpu import Cpu
from engine.firmware.toolchain.process import check, run
from engine.firmware.toolchain.types import Source
from engine.firmware.types import CompilerName
from engine.paths import cache_dir
from engine.scratch import scratch


class Clang:
    """The clang of the ``ziglang`` wheel."""

    name = CompilerName.CLANG

    def __init__(self) -> None:
        self._root = _ziglang_root()
        self.version = _version(self._root)

    @property
    def _zig(self) -> str:
        return str(self._root / "zig")

    def flags(self, cpu: Cpu, opt: str) -> tuple[str, ...]:
        """Flags that decide the code."""
        core = (f"--target={cpu.triple}", f"-mcpu={cpu.mcpu}", *cpu.float_flags)
        return (*core, f"-{opt}", "-fomit-frame-pointer", *BASE_FLAGS)

    def compile_command(self, source: Source, cpu: Cpu, opt: str, out: Path) -> list[str]:
        """``zig clang -c``; only our own and clang's headers are searched."""
        builtin = self._root / "lib" / "include"
        return [
            self._zig, "clang", "--no-default-config", *self.flags(cpu, opt), *warning_flags(source), *source.flags,
            "-nostdinc", *path_flags(source), "-isystem", str(builtin),
            f"-ffile-prefix-map={builtin}=/clang", "-fdebug-compilation-dir=/", "-c", str(source.path), "-o", str(out),
        ]  # fmt: skip

    def link_command(self, objects: tuple[Path, ...], script: Path, cpu: Cpu, out: Path) -> list[str]:
        """``zig ld.lld`` with the runtime library behind the objects."""
        return [
            self._zig, "ld.lld", "--gc-sections", "--build-id=none", "-z", "norelro", "-z", "max-page-size=4096", "--no-rosegment",
            "-T", str(script), *map(str, objects), str(self._runtime(cpu)), "-o", str(out),
        ]  # fmt: skip

    def _runtime(self, cpu: Cpu) -> Path:
        """zig's compiler-rt for this core: 64-bit and soft-float arithmetic, division where the core has none."""
        package = importlib.metadata.version("ziglang")
        library = cache_dir() / "runtime" / f"zig-{package}-{cpu.zig_cpu}.a"
        if library.is_file():
            return library
        library.parent.mkdir(parents=True, exist_ok=True)
        with scratch(library.parent) as folder:
            made = folder / "libcompiler_rt.a"
            source = self._root / "lib" / "compiler_rt.zig"
            target = "thumb-freestanding-eabi" + ("hf" if cpu.hard_float else "")
            check(
                [
                    self._zig, "build-lib", str(source), "-target", target, f"-mcpu={cpu.zig_cpu}",
                    "-O", "ReleaseFast", "-fstrip", "-ffunction-sections", "-fdata-sections", "--name", "compiler_rt", f"-femit-bin={made}",
                ],
                what=f"building compiler-rt for {cpu.core}",
                cwd=folder,
            )  # fmt: skip
            made.replace(library)
        return library


@lru_cache(maxsize=1)
def _ziglang_root() -> Path:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise ToolError("the Python package 'ziglang' (clang) is not installed", hint="pip install -e . installs it")
    root = Path(spec.origin).parent
    if not (root / "zig").is_file():
        raise ToolError(
            "the Python package 'ziglang' has no 'zig' program", hint="pip install --force-reinstall ziglang"
        )
    return root


@lru_cache(maxsize=1)
def _version(root: Path) -> str:
    done = run([str(root / "zig"), "clang", "--version"], what="asking clang for its version")
    first = done.stdout.splitlines()[0] if done.stdout else ""
    if done.returncode or "clang version" not in first:
        raise ToolError(
            "the 'ziglang' package does not answer as clang", hint="pip install the version in pyproject.toml"
        )
    return f"{first.split('clang version', 1)[1].split()[0]} (ziglang {importlib.metadata.version('ziglang')})"
