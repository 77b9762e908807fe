"""The board and core behind a record, if the catalogue still describes what the run was made with."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import board_sha256, core_sha256, load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override_board, override_core
from engine.errors import CatalogError, UsageError
from engine.records.ceilings import MeasuredCeilings, committed_ceilings
from engine.records.run import RunRecord


@dataclass(frozen=True)
class Hardware:
    """What explaining needs beyond the record. ``measured``: ceilings of this board and core at the record's clock, if known.

    ``notes`` say what is missing and why.
    """

    board: Board | None
    core: Core | None
    notes: tuple[str, ...] = ()
    measured: MeasuredCeilings | None = None


def board_as_run(board: Board, record: RunRecord) -> Board | None:
    """A board with the figures that a run set; None if that is not what the run was made with (by hash)."""
    try:
        found = override_board(board, [parse_override(text) for text in record.overrides])
    except UsageError:
        return None
    return found if board_sha256(found) == record.provenance.board_sha256 else None


def core_as_run(core: Core, record: RunRecord) -> Core | None:
    """A core with the figures that a run set; None if that is not what the run was made with (by hash)."""
    try:
        found = override_core(core, [parse_override(text) for text in record.overrides])
    except UsageError:
        return None
    return found if core_sha256(found) == record.provenance.core_sha256 else None


def hardware_of(record: RunRecord) -> Hardware:
    """Board and core of a record from the catalogue, each only if it is the one the run was made with.

    Figures that were set for the run alone are set here too.
    """
    notes: list[str] = []
    board: Board | None = None
    core: Core | None = None
    try:
        board = board_as_run(load_board(record.board), record)
        if board is None:
            notes.append(
                f"the catalogue's {record.board} is not the description this run was made with: caches not judged"
            )
    except (UsageError, CatalogError):
        notes.append(f"the catalogue does not describe {record.board}: caches not judged")
    try:
        core = core_as_run(load_core(record.core), record)
        if core is None:
            notes.append(f"the catalogue's {record.core} is not the table this run was made with: no roofline")
    except (UsageError, CatalogError):
        notes.append(f"the catalogue does not describe {record.core}: no roofline")
    made = record.provenance
    measured = None
    if board is not None and core is not None:
        measured = committed_ceilings(board.name, record.clock_mhz, made.board_sha256, made.core_sha256)
    return Hardware(board, core, tuple(notes), measured)
