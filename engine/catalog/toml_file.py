"""One TOML file as a description of a given kind, or one clear message for whatever is wrong with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from engine.catalog.figure import Frozen
from engine.catalog.problems import problems, sentence
from engine.errors import CatalogError

T = TypeVar("T", bound=Frozen)

_MAX_FILE_BYTES = 1 << 20
_MODEL_SUFFIXES = (".tflite", ".lite", ".onnx", ".h5", ".keras", ".pb")
_TFLITE_MARK = slice(4, 8)  # the FlatBuffer file identifier "TFL3"


def load_toml(kind: type[T], path: Path, example: str) -> T:
    """Read and validate; ``example`` is the hint where no better one is known. Raises CatalogError."""
    data = read_toml(path, example)
    try:
        text = json.dumps(data, allow_nan=False)
    except ValueError:
        raise CatalogError(f"{path}: 'inf' and 'nan' are not allowed", hint="write a finite number") from None
    except TypeError:
        raise CatalogError(f"{path}: dates and times are not allowed", hint="put the text in quotes") from None
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        found = problems(kind, error, example)
        raise CatalogError(f"{path}: {sentence(found)}", hint=found[0].hint) from None


def read_toml(path: Path, example: str) -> dict[str, object]:
    """The parsed file. Raises CatalogError if it is absent, no text, too large or no TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)  # a device or a pipe may never end
        if content[_TFLITE_MARK] == b"TFL3" or path.suffix.lower() in _MODEL_SUFFIXES:
            raise CatalogError(
                f"{path}: is a model, not a TOML file", hint="the model is the first argument; " + example
            )
        if len(content) > _MAX_FILE_BYTES:
            raise CatalogError(f"{path}: larger than 1 MiB", hint="give a TOML file; " + example)
        text = content.decode()
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such file", hint="give a name, or the path of a TOML file") from None
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: not UTF-8 text (byte {error.start})", hint=example) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogError(f"{path}: cannot be read: {reason}", hint="check the path") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path}: TOML syntax: {error}", hint=example) from None
    except RecursionError:
        raise CatalogError(f"{path}: TOML syntax: nested too deeply", hint=example) from None
    except ValueError as error:  # a number of thousands of digits
        raise CatalogError(f"{path}: TOML syntax: {error}", hint=example) from None


def looks_like_model(name: str) -> bool:
    """Does a name end like a model file's?"""
    return name.lower().endswith(_MODEL_SUFFIXES)
