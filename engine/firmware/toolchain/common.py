"""Flags both compilers share, and the mapping of folders to path-free names."""

from __future__ import annotations

from engine.firmware.toolchain.types import Source, Tree

BASE_FLAGS = (
    "-std=gnu11",
    # one line table, no paths (see path_flags): the ELF must be the same bytes in every folder
    "-g1",
    "-gdwarf-4",
    "-mthumb",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fno-ident",
    # a fused multiply-add rounds once instead of twice: results would differ between cores
    "-ffp-contract=off",
    "-fno-math-errno",
)


def path_flags(source: Source) -> list[str]:
    """Include paths, and what hides their real location from debug info and __FILE__."""
    trees: list[Tree] = []
    for tree in (source.tree, *source.includes):
        if tree not in trees:
            trees.append(tree)
    out: list[str] = []
    # compilers differ in whether the first or the last match wins; longer paths are unambiguous either way only if unique
    for tree in sorted(trees, key=lambda t: len(str(t.path))):
        out.append(f"-ffile-prefix-map={tree.path}=/{tree.name}")
    for tree in source.includes:
        out += ["-I", str(tree.path)]
    return out


def warning_flags(source: Source) -> list[str]:
    """Warnings are for our own code."""
    return ["-w"] if source.third_party else ["-Wall", "-Wextra"]
