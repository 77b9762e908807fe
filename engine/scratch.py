"""Temporary folders in the cache: each is locked by its owner, so what a killed process left can be told from what is in use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import ToolError
from engine.paths import cache_dir

_PREFIX, _UNBORN = "tmp", ".unborn-"
_FOLDERS = ("firmware", "host-programs", "objects/*", "runtime", "qemu")
_FILES = ("profiles/*.tmp", "models/*/*.part", "runs/*/.*", "ceilings/*/.*")
_OLD_S = 3600.0  # no file is being written for so long


def unusable(error: OSError) -> ToolError:
    """The error for a cache that cannot be written."""
    return ToolError(
        f"cannot use the cache folder {cache_dir()}: {error.strerror or error}",
        hint="free some space, or set WHYCYCLES_CACHE to a folder that can be written",
    )


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty folder below ``parent`` (which exists), removed at the end; if this process is killed, by ``remove_stale``."""
    unborn = Path(tempfile.mkdtemp(prefix=_UNBORN, dir=parent))
    # named before it is renamed: an interrupt may come between any two steps
    folder = parent / unborn.name.replace(_UNBORN, f"{_PREFIX}-")
    handle = os.open(unborn, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: age decides
            fcntl.flock(handle, fcntl.LOCK_EX)
        # locked before it has the name that remove_stale looks for
        unborn.rename(folder)
        yield folder
    finally:
        shutil.rmtree(unborn, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_stale() -> None:
    """Remove what killed processes left in the cache. Safe beside running ones; what cannot be removed stays."""
    cache = cache_dir()
    for where in _FOLDERS:
        for folder in cache.glob(f"{where}/{_PREFIX}*"):
            with contextlib.suppress(OSError):
                _remove_unowned(folder)
    old = time.time() - _OLD_S
    for pattern in (*_FILES, *(f"{where}/{_UNBORN}*" for where in _FOLDERS)):
        for path in cache.glob(pattern):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < old:
                    path.unlink() if not path.is_dir() else shutil.rmtree(path)


def _remove_unowned(folder: Path) -> None:
    """Remove a folder unless its owner lives: the lock goes with the process that holds it. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            if os.fstat(handle).st_mtime > time.time() - _OLD_S:
                return
        shutil.rmtree(folder)
    finally:
        os.close(handle)
