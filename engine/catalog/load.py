"""Boards and cores from TOML: loading, listing, hashing, and one clear message for whatever is wrong with a file."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Frozen
from engine.errors import CatalogError, UsageError

BOARDS_DIR = Path(__file__).parent / "boards"
"""Board descriptions that come with the project, one TOML file each."""

CORES_DIR = Path(__file__).parent / "cores"
"""Core tables that come with the project, one TOML file each."""

_COPY = "compare with the example board files in engine/catalog/boards/"
_MAX_FILE_BYTES = 1 << 20
_TYPE_HINTS = {
    "int_type": "write a whole number without quotes or unit, like 65536 or 0x10000",
    "int_from_float": "write a whole number",
    "float_type": "write a number without quotes or unit",
    "string_type": "put the text in quotes",
    "bool_type": "write true or false",
}

T = TypeVar("T", bound=Frozen)


def load_board(name_or_path: str | Path) -> Board:
    """The board of that name (``boards/NAME.toml``), or the one described by a TOML file of the user's.

    A name holds no path separator and does not end in ".toml". Raises UsageError for an unknown name and CatalogError for a file that
    cannot be read or is not a valid board (its core must be in the catalogue too).
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(name_or_path)
    else:
        path = BOARDS_DIR / f"{text}.toml"
        if text not in _names(BOARDS_DIR):
            raise UsageError(
                f"unknown board '{text}'",
                hint=_near(text, _names(BOARDS_DIR)) + "; a board of your own is a path to its TOML file",
            )
    board = _load(Board, path)
    if board.core not in _names(CORES_DIR):
        raise CatalogError(f"{path}: core: unknown core '{board.core}'", hint=_near(board.core, _names(CORES_DIR)))
    return board


@functools.cache
def load_core(name: str) -> Core:
    """The core of that name. Raises UsageError for an unknown name, CatalogError for a broken table."""
    if name not in _names(CORES_DIR):
        raise UsageError(f"unknown core '{name}'", hint=_near(name, _names(CORES_DIR)))
    return _load(Core, CORES_DIR / f"{name}.toml")


def list_boards() -> tuple[Board, ...]:
    """All boards of the catalogue, by name."""
    return tuple(load_board(name) for name in _names(BOARDS_DIR))


def list_cores() -> tuple[Core, ...]:
    """All cores of the catalogue, by name."""
    return tuple(load_core(name) for name in _names(CORES_DIR))


def board_sha256(board: Board) -> str:
    """Hash of the board's content (not of the file: comments and order of keys do not count).

    Currents and price are left out: no run depends on them, so a better one must not make records look outdated.
    """
    return _sha256(board, leave_out=frozenset({"current_ua_per_mhz", "price_usd"}))


def core_sha256(core: Core) -> str:
    """Hash of the core table's content."""
    return _sha256(core)


def _sha256(item: Frozen, leave_out: frozenset[str] = frozenset()) -> str:
    content = item.model_dump(mode="json", exclude=set(leave_out))
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in folder.glob("*.toml")))


def _near(name: str, known: tuple[str, ...]) -> str:
    start = [k for k in known if name and k.startswith(name.lower())]
    close = (start + [k for k in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6) if k not in start])[:3]
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"


def _load(kind: type[T], path: Path) -> T:
    data = _read_toml(path)
    try:
        text = json.dumps(data, allow_nan=False)
    except ValueError:
        raise CatalogError(f"{path}: 'inf' and 'nan' are not allowed", hint="write a finite number") from None
    except TypeError:
        raise CatalogError(f"{path}: dates and times are not allowed", hint="put the text in quotes") from None
    try:
        item = kind.model_validate_json(text)
    except ValidationError as error:
        raise _translate(path, kind, error) from None
    if path.parent in (BOARDS_DIR, CORES_DIR) and data.get("name") != path.stem:
        raise CatalogError(f"{path}: name: must be '{path.stem}', like the file", hint="rename the file or the entry")
    return item


def _read_toml(path: Path) -> dict[str, object]:
    try:
        if path.is_file() and path.stat().st_size > _MAX_FILE_BYTES:
            raise CatalogError(f"{path}: larger than 1 MiB", hint="is this a board's TOML file?")
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such file", hint="give a board's name or the path of a TOML file") from None
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: not UTF-8 text (byte {error.start})", hint=_COPY) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogError(f"{path}: cannot be read: {reason}", hint="check the path") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path}: TOML syntax: {error}", hint=_COPY) from None
    except RecursionError:
        raise CatalogError(f"{path}: TOML syntax: nested too deeply", hint=_COPY) from None


def _translate(path: Path, kind: type[Frozen], error: ValidationError) -> CatalogError:
    """All problems of a file as one message: the first in full, the number of others."""
    problems = error.errors(include_url=False)
    # an unknown key beside a missing one is usually a misspelt name: say so first
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(_step(x) for x in first["loc"] if x not in ("float", "int")).replace(".[", "[")
    value = json.dumps(first["input"], default=str)
    value = value if len(value) <= 60 else value[:57] + "..."
    match first["type"]:
        case "extra_forbidden":
            known = _keys(kind, first["loc"])
            what, hint = "unknown key", _near(str(first["loc"][-1]), known) if known else _COPY
        case "missing":
            what, hint = "missing", f"add it; {_COPY}"
        case "value_error":
            what, hint = first["msg"].removeprefix("Value error, "), _COPY
        case _:
            what = first["msg"].removeprefix("Input should be ")
            what, hint = f"expected {what}, found {value}", _TYPE_HINTS.get(first["type"], _COPY)
    places = {tuple(x for x in p["loc"] if x not in ("float", "int")) for p in problems}
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return CatalogError(f"{path}: {where + ': ' if where else ''}{what}{more}", hint=hint)


def _step(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else part


def _keys(kind: type[Frozen], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Keys allowed beside the last step of ``loc``."""
    current: type[Frozen] | None = kind
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if current else None
        current = _model_in(field.annotation) if field else None
    return tuple(current.model_fields) if current else ()


def _model_in(annotation: object) -> type[Frozen] | None:
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None
