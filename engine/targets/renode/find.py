"""Finding Renode: ``RENODE_PATH``, the PATH, or what ``whycycles renode install`` fetched; and whether its version will do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.errors import ToolError

PINNED = "1.16.1"
"""The version whose behaviour was recorded and which ``whycycles renode install`` fetches."""

_SUPPORTED = (1, 16)
_VERSION = re.compile(r"^Renode v(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_RUNTIME = re.compile(r"^\s*runtime: (.+)$", re.MULTILINE)
_ANSWER_SECONDS = 30
_HINT = f"`whycycles renode install` fetches {PINNED}; or set RENODE_PATH to an executable"


@dataclass(frozen=True)
class Renode:
    """An installation that answers and whose version is supported."""

    path: Path
    version: str
    runtime: str


def find_renode() -> Renode:
    """The Renode to use. Raises ToolError if there is none, it does not answer, or its version is another one.

    An installation on the PATH that will not do gives way to the one that renode-run fetched; RENODE_PATH is final.
    """
    paths = _candidates()
    for path in paths[:-1]:
        try:
            return _examine(path)
        except ToolError:
            continue
    return _examine(paths[-1])


def available() -> bool:
    """Whether there is a Renode to use."""
    try:
        find_renode()
    except ToolError:
        return False
    return True


def download_folder() -> Path:
    """Where renode-run unpacks what it fetches."""
    return Path.home() / ".config" / "renode" / "renode-run.download"


def installed() -> Path | None:
    """The executable of the pinned version as renode-run unpacked it, with or without a folder per variant."""
    for pattern in (f"renode-*{PINNED}*/renode", f"*/renode-*{PINNED}*/renode"):
        for path in sorted(download_folder().glob(pattern)):
            if os.access(path, os.X_OK):
                return path
    return None


def _candidates() -> list[Path]:
    wanted = os.environ.get("RENODE_PATH")
    if wanted:
        path = Path(wanted)
        path = path / "renode" if path.is_dir() else path
        if not path.is_file() or not os.access(path, os.X_OK):
            raise ToolError(
                f"RENODE_PATH is {wanted}, where no executable is", hint="set it to Renode's executable or its folder"
            )
        return [path.resolve()]
    found = [Path(p).resolve() for p in (shutil.which("renode"), installed()) if p]
    if not found:
        raise ToolError("Renode is not installed", hint=_HINT)
    return found


def _examine(path: Path) -> Renode:
    text = _version_text(str(path))
    version = _VERSION.search(text)
    if version is None:
        raise ToolError(f"{path} --version says nothing of a Renode version", hint=_HINT)
    number = ".".join(version.groups())
    if (int(version[1]), int(version[2])) != _SUPPORTED:
        raise ToolError(
            f"Renode {number} ({path}) is not supported, only {_SUPPORTED[0]}.{_SUPPORTED[1]} is", hint=_HINT
        )
    runtime = _RUNTIME.search(text)
    return Renode(path, number, runtime[1].strip() if runtime else "unknown runtime")


@lru_cache(maxsize=8)
def _version_text(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"cannot run {path}: {error.strerror or error}", hint=_HINT) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{path} --version did not answer within {_ANSWER_SECONDS} s", hint=_HINT) from error
    return done.stdout
