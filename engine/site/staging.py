"""The folder of generated documents that MkDocs reads: written file by file, unchanged files keep their time stamp."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from engine.records.store import write_atomically


class Staging:
    """Collects the files of one build under ``root``; ``prune`` removes what an earlier build left behind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: set[str] = set()
        self.changed = 0

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file by its path from the root. The file is untouched if it has this content already."""
        data = content.encode() if isinstance(content, str) else content
        if name in self.files:
            raise ValueError(f"two pages want to be {name}")
        self.files.add(name)
        path = self.root / name
        if path.is_file() and path.read_bytes() == data:
            return
        write_atomically(path, data)
        self.changed += 1

    def prune(self) -> None:
        """Remove files of earlier builds that this one did not write, and empty folders."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(self.root).as_posix() not in self.files:
                path.unlink()


def tree_hash(roots: Iterable[Path]) -> str:
    """SHA-256 over names and contents of all files below these folders (or of these files); caches are left out."""
    digest = hashlib.sha256()
    for root in roots:
        files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
        for path in files:
            name = path.relative_to(root).as_posix()
            if "__pycache__" in name or name.endswith((".pyc", "~")):
                continue
            digest.update(json.dumps([name, path.stat().st_size]).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def footprint(root: Path, *, without: str = "build.json") -> tuple[int, int]:
    """Number of files and their total size in bytes below a folder, not counting the one called ``without`` at its top."""
    sizes = [p.stat().st_size for p in root.rglob("*") if p.is_file() and p != root / without]
    return len(sizes), sum(sizes)
