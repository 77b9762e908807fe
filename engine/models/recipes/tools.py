"""Training-only packages, imported late so that a missing one is a clear message."""

from __future__ import annotations

import importlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from engine.errors import ToolError


def need(module: str) -> Any:
    """Import a package of the extra ``train``; raises ToolError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ToolError(
            f"the recipe needs the Python package that provides {module!r}: {error}",
            hint="install the training tools: pip install -e '.[train]'",
        ) from error


def tensorflow(seed: int) -> Any:
    """TensorFlow with every random generator seeded and deterministic operators switched on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    tf = need("tensorflow")
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return tf


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of the installed ``packages``, for the model card."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
