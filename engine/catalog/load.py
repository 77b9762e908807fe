"""Boards and cores from TOML: loading, listing, hashing, and one clear message for whatever is wrong with a file."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TypeVar

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.figure import Frozen
from engine.catalog.problems import near
from engine.catalog.toml_file import load_toml, looks_like_model
from engine.errors import CatalogError, UsageError

BOARDS_DIR = Path(__file__).parent / "boards"
"""Board descriptions that come with the project, one TOML file each."""

CORES_DIR = Path(__file__).parent / "cores"
"""Core tables that come with the project, one TOML file each."""

NO_PART_IN_RUN = frozenset({"current_ua_per_mhz", "sleep_current_ua", "price_usd", "port", "flashing"})
"""Keys of a board that no simulated run depends on."""

_LEAST_OF_AN_MCU, _MOST_MEANT = 5, 3
_COPY = "compare with the example board files in engine/catalog/boards/"

T = TypeVar("T", bound=Frozen)


def load_board(name_or_path: str | Path) -> Board:
    """The board of that name (``boards/NAME.toml``), or the one described by a TOML file of the user's.

    A name holds no path separator and does not end in ".toml". Raises UsageError for an unknown name and CatalogError for a file that
    cannot be read or is not a valid board (its core must be in the catalogue too).
    """
    text = str(name_or_path)
    if looks_like_model(text):
        raise CatalogError(
            f"{text}: is a model, not a board TOML", hint="the model is the argument, the board follows --board"
        )
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(name_or_path)
    else:
        path = BOARDS_DIR / f"{text}.toml"
        if text not in _names(BOARDS_DIR):
            raise UsageError(
                f"unknown board '{text}'",
                hint=_meant(text),
            )
    board = _load(Board, path)
    if board.core not in _names(CORES_DIR):
        raise CatalogError(f"{path}: core: unknown core '{board.core}'", hint=near(board.core, _names(CORES_DIR)))
    return board


def _meant(text: str) -> str:
    """Which board a name may mean: people know the microcontroller too ("stm32f411")."""
    word = text.lower().replace("-", "")
    carry = [b.name for b in list_boards() if len(word) >= _LEAST_OF_AN_MCU and word in b.mcu.lower().replace("-", "")]
    own = "a board of your own is a path to its TOML file"
    return (
        f"did you mean {' or '.join(carry)}? {own}"
        if 0 < len(carry) <= _MOST_MEANT
        else near(text, _names(BOARDS_DIR), own)
    )


@functools.cache
def load_core(name: str) -> Core:
    """The core of that name. Raises UsageError for an unknown name, CatalogError for a broken table."""
    if name not in _names(CORES_DIR):
        raise UsageError(f"unknown core '{name}'", hint=near(name, _names(CORES_DIR)))
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
    return _sha256(board, leave_out=NO_PART_IN_RUN)


def core_sha256(core: Core) -> str:
    """Hash of the core table's content."""
    return _sha256(core)


def _sha256(item: Frozen, leave_out: frozenset[str] = frozenset()) -> str:
    content = item.model_dump(mode="json", exclude=set(leave_out))
    if isinstance(item, Board):
        # a key that descriptions had once: without it no hash of an older record would hold
        content["silicon"] = "untested"
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in folder.glob("*.toml")))


def _load(kind: type[T], path: Path) -> T:
    item = load_toml(kind, path, _COPY)
    if path.parent in (BOARDS_DIR, CORES_DIR) and getattr(item, "name", None) != path.stem:
        raise CatalogError(f"{path}: name: must be '{path.stem}', like the file", hint="rename the file or the entry")
    return item
