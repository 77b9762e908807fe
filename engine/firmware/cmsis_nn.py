"""Where CMSIS-NN comes from: a checkout named by ``CMSIS_NN_PATH``, else the copy inside the ``bakenn`` wheel."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import BuildError, ToolError
from engine.firmware.toolchain import Source, Tree

CMSIS_NN_PATH = "CMSIS_NN_PATH"
_VENDOR = Path("backend", "cmsis_nn", "vendor")


@dataclass(frozen=True)
class CmsisNn:
    """CMSIS-NN's sources. ``includes`` also holds CMSIS-Core's compiler header; ``version`` goes into records."""

    version: str
    tree: Tree
    includes: tuple[Tree, ...]

    def sources(self, files: tuple[str, ...] = (), libc: Tree | None = None) -> tuple[Source, ...]:
        """Sources to compile: the named ones ("arm_convolve_s8.c", with or without folder), or all int8 ones.

        Raises BuildError if a named file is not there.
        """
        found = {p.name: p.relative_to(self.tree.path).as_posix() for p in sorted(self.tree.path.glob("Source/*/*.c"))}
        # the wheel's own memory functions belong to another build of it
        found.pop("bakenn_cmsis_memory.c", None)
        names = [Path(name).name for name in files] if files else [n for n in found if _is_int8(n)]
        for name in names:
            if name not in found:
                raise BuildError(
                    f"CMSIS-NN {self.version} has no source '{name}'", hint=f"unset or correct {CMSIS_NN_PATH}"
                )
        includes = self.includes if libc is None else (*self.includes, libc)
        return tuple(Source(self.tree, found[n], includes, third_party=True) for n in sorted(set(names)))


def find_cmsis_nn() -> CmsisNn:
    """The CMSIS-NN to use. Raises ToolError if neither a checkout nor the wheel is there."""
    vendor = _vendor()
    checkout = os.environ.get(CMSIS_NN_PATH)
    if not checkout:
        bakenn = importlib.metadata.version("bakenn")
        tree = Tree(vendor / "cmsis_nn", "cmsis-nn")
        return CmsisNn(f"{_bundled_version(vendor)} (bakenn {bakenn})", tree, _includes(tree, vendor))
    root = Path(checkout).resolve()
    if not (root / "Include" / "arm_nnfunctions.h").is_file():
        raise ToolError(
            f"{CMSIS_NN_PATH}={checkout} is no checkout of CMSIS-NN", hint="it must hold Include/arm_nnfunctions.h"
        )
    tree = Tree(root, "cmsis-nn")
    return CmsisNn(f"{_pdsc_version(root)} (checkout {_digest(root)[:12]})", tree, _includes(tree, vendor))


def _includes(tree: Tree, vendor: Path) -> tuple[Tree, ...]:
    # CMSIS-NN below 4.1 takes cmsis_compiler.h from CMSIS-Core; later ones bring their own
    return (Tree(tree.path / "Include", "cmsis-nn/Include"), Tree(vendor / "cmsis_core" / "Include", "cmsis-core"))


def _vendor() -> Path:
    spec = importlib.util.find_spec("bakenn")
    if spec is None or spec.origin is None:
        raise ToolError(
            "the Python package 'bakenn' (CMSIS-NN's sources) is not installed",
            hint="pip install -e . installs it",
        )
    vendor = Path(spec.origin).parent / _VENDOR
    if not (vendor / "cmsis_nn" / "Include" / "arm_nnfunctions.h").is_file():
        raise ToolError(
            "the Python package 'bakenn' holds no CMSIS-NN", hint="pip install the version in pyproject.toml"
        )
    return vendor


def _bundled_version(vendor: Path) -> str:
    note = vendor / "cmsis_nn" / "BAKENN_PROVENANCE.md"
    text = note.read_text(encoding="utf-8") if note.is_file() else ""
    found = re.search(r"Release version: (\S+)", text)
    return found.group(1) if found else "unknown"


def _pdsc_version(root: Path) -> str:
    for path in sorted(root.glob("*.pdsc")):
        found = re.search(r'<release version="([^"]+)"', path.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found.group(1)
    return "unknown"


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([*root.glob("Include/**/*.h"), *root.glob("Source/*/*.c")]):
        digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


# int8 activations and weights: what lowered models call; other types would only cost compile time
_OTHER_TYPES = ("_s4", "_s16.", "_s16_", "_f16", "_f32", "lstm", "svdf")
_HELPERS = ("arm_nn_mat_mult_kernel_s8_s16.c", "arm_q7_to_q15_with_offset.c")


def _is_int8(name: str) -> bool:
    if name in _HELPERS:
        return True
    return "_s8" in name and not any(part in name for part in _OTHER_TYPES)
