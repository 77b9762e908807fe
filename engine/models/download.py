"""Fetches one file whose SHA-256 is known, whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from engine.errors import ModelError, ToolError

TIMEOUT_S = 30.0
MAX_BYTES = 16 * 1024 * 1024


def fetch(urls: tuple[str, ...], sha256: str, destination: Path) -> None:
    """Download the first of ``urls`` whose content has the digest ``sha256`` to ``destination``, atomically.

    Raises ToolError when none can be reached, ModelError when one was reached and its content is another.
    """
    problems: list[str] = []
    mismatch = False
    for url in urls:
        try:
            content = _get(url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{url}: {_reason(error)}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == sha256:
            _write(content, destination)
            return
        mismatch = True
        problems.append(f"{url}: SHA-256 is {found}, not {sha256}")
    folder = "set WHYCYCLES_MODELS to a folder that holds mlperf-tiny/" + destination.name
    if mismatch:
        raise ModelError(
            "the download of a model is not the file it should be\n  " + "\n  ".join(problems),
            hint=f"something between here and there changed it; get the file another way and {folder}",
        )
    raise ToolError(
        "a model could not be downloaded\n  " + "\n  ".join(problems),
        hint=f"check the network, or {folder}",
    )


def digest(path: Path) -> str:
    """SHA-256 of a file, as hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"answers with more than {MAX_BYTES} bytes")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _write(content: bytes, destination: Path) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=destination.parent, prefix=destination.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(destination)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ToolError(
            f"{destination}: cannot be written ({error.strerror or error})",
            hint="set WHYCYCLES_CACHE to a folder that you may write to",
        ) from error
