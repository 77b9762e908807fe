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
from engine.firmware.cmsis_nn_interface import PACKAGED, CmsisNnInterface, read_interface
from engine.firmware.toolchain import Source, Tree

CMSIS_NN_PATH = "CMSIS_NN_PATH"
_IN_CMSIS_5 = Path("CMSIS", "NN")
_VENDOR = Path("backend", "cmsis_nn", "vendor")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_BRANCH = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b(.*)")
_HELIUM = re.compile(r"\s*(!?)\s*(?:defined\s*\(\s*)?ARM_MATH_MVEI\b\s*\)?\s*(?:&&.*)?")
_DEFINED = re.compile(r"^(?!static|__STATIC)\w[\w *]*?\b(arm_\w+)\s*\([^;{}()]*\)\s*\{", re.MULTILINE)


@dataclass(frozen=True)
class CmsisNn:
    """CMSIS-NN's sources. ``includes`` also holds CMSIS-Core's compiler header; ``version`` goes into records."""

    version: str
    tree: Tree
    includes: tuple[Tree, ...]
    interface: CmsisNnInterface

    def sources(self, names: tuple[str, ...], libc: Tree | None = None, *, mve: bool = False) -> tuple[Source, ...]:
        """Sources to compile: the named ones ("arm_convolve_s8.c") and all that they call on a core with or without Helium.

        Raises BuildError if a named file is not there.
        """
        includes = self.includes if libc is None else (*self.includes, libc)
        return tuple(Source(self.tree, f, includes, third_party=True) for f in self.files(names, mve=mve))

    def files(self, names: tuple[str, ...], *, mve: bool) -> tuple[str, ...]:
        """Paths below ``tree`` of what ``sources`` compiles. Which helpers a kernel calls is another in every release."""
        found = {p.name: p.relative_to(self.tree.path).as_posix() for p in sorted(self.tree.path.glob("Source/*/*.c"))}
        # the wheel's own memory functions belong to another build of it
        found.pop("bakenn_cmsis_memory.c", None)
        for name in names:
            if name not in found:
                raise BuildError(
                    f"CMSIS-NN {self.version} has no source '{name}'", hint=f"unset or correct {CMSIS_NN_PATH}"
                )
        used = _closure(self.tree.path, {found[n] for n in names}, set(found.values()), mve)
        # by name: the order decides addresses, and in which folder a file lies is no reason for another one
        return tuple(sorted(used, key=lambda f: Path(f).name))


def find_cmsis_nn() -> CmsisNn:
    """The CMSIS-NN to use. Raises ToolError if neither a checkout nor the wheel is there."""
    vendor = _vendor()
    checkout = os.environ.get(CMSIS_NN_PATH)
    if not checkout:
        bakenn = importlib.metadata.version("bakenn")
        tree = Tree(vendor / "cmsis_nn", "cmsis-nn")
        return CmsisNn(f"{_bundled_version(vendor)} (bakenn {bakenn})", tree, _includes(tree, vendor), PACKAGED)
    top = Path(checkout).resolve()
    root = next((r for r in (top, top / _IN_CMSIS_5) if (r / "Include" / "arm_nnfunctions.h").is_file()), None)
    if root is None:
        raise ToolError(
            f"{CMSIS_NN_PATH}={checkout} is no checkout of CMSIS-NN",
            hint="it must hold Include/arm_nnfunctions.h, or CMSIS/NN with it",
        )
    tree = Tree(root, "cmsis-nn")
    beside = _beside(root)
    version = f"{_pdsc_version(top)} (checkout {_digest(root, beside)[:12]})"
    return CmsisNn(version, tree, _includes(tree, vendor, beside), read_interface(root))


def _beside(root: Path) -> tuple[Tree, ...]:
    """Headers that a CMSIS-NN inside of CMSIS_5 takes from the rest of that; empty for one that stands alone."""
    folders = (("cmsis-dsp", "DSP", "arm_math_types.h"), ("cmsis-core", "Core", "cmsis_compiler.h"))
    candidates = ((name, root.parent / folder / "Include", file) for name, folder, file in folders)
    return tuple(Tree(path, name) for name, path, file in candidates if root.name == "NN" and (path / file).is_file())


def _includes(tree: Tree, vendor: Path, beside: tuple[Tree, ...] = ()) -> tuple[Tree, ...]:
    # CMSIS-NN below 4.1 takes cmsis_compiler.h from CMSIS-Core; later ones bring their own
    own = (Tree(tree.path / "Include", "cmsis-nn/Include"), *beside)
    return (
        own
        if any(t.name == "cmsis-core" for t in beside)
        else (*own, Tree(vendor / "cmsis_core" / "Include", "cmsis-core"))
    )


def _closure(root: Path, wanted: set[str], all_files: set[str], mve: bool) -> set[str]:
    """``wanted`` and all files of ``root`` that define a function which one of them names, and so on."""
    texts = {f: _compiled((root / f).read_text(encoding="utf-8", errors="replace"), mve) for f in all_files}
    defines = {name: f for f, text in sorted(texts.items()) for name in _DEFINED.findall(text)}
    found: set[str] = set()
    queue = set(wanted)
    while queue:
        file = queue.pop()
        found.add(file)
        called = {defines[name] for name in re.findall(r"\barm_\w+", texts[file]) if name in defines}
        queue |= called - found
    return found


def _compiled(text: str, mve: bool) -> str:
    """A C text without comments and without the branches that only a core with (``mve`` false) or without Helium compiles."""
    kept: list[str] = []
    branches: list[bool | None] = []  # whether each open branch is compiled; None: not for Helium to decide
    for line in _COMMENT.sub(" ", text).splitlines():
        found = _BRANCH.fullmatch(line)
        if found is None:
            if False not in branches:
                kept.append(line)
        elif found[1] == "endif":
            del branches[-1:]
        elif found[1] in ("else", "elif"):
            branches[-1:] = [None if b is None or found[1] == "elif" else not b for b in branches[-1:]]
        else:
            asked = _HELIUM.fullmatch(found[2])
            inverted = asked is not None and (asked[1] == "!") != (found[1] == "ifndef")
            holds = None if asked is None else mve != inverted
            branches.append(None if holds and "&&" in found[2] else holds)
    return "\n".join(kept)


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


def _digest(root: Path, beside: tuple[Tree, ...]) -> str:
    digest = hashlib.sha256()
    files = [(p.relative_to(root).as_posix(), p) for p in (*root.glob("Include/**/*.h"), *root.glob("Source/*/*.c"))]
    files += [(f"{t.name}/{p.relative_to(t.path).as_posix()}", p) for t in beside for p in t.path.glob("**/*.h")]
    for name, path in sorted(files):
        digest.update(f"\0{name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
