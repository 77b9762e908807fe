"""Where the project's own data lies, and where bulky results may go."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE.parent


def _data(name: str) -> Path:
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _ROOT / name


FIRMWARE_DIR = _data("firmware")
"""The C that runs on the device: ``harness/ ports/ kernels/ templates/``."""

SITE_SRC_DIR = _data("site_src")
"""Hand-written pages, notebooks and theme overrides."""


def cache_dir() -> Path:
    """Folder for objects, ELFs and profiles: ``$WHYCYCLES_CACHE``, else ``.whycycles`` in the working directory."""
    return Path(os.environ.get("WHYCYCLES_CACHE") or ".whycycles").resolve()


def measurements_dir() -> Path:
    """Folder of the versioned records, in the checkout or in the installed package."""
    return _data("measurements")
