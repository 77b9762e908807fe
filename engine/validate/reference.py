"""A reference file: published results, one row each, with what they may be used for."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RecordError
from engine.records.validation import BoundSide, RefusedRow, Use


@dataclass(frozen=True)
class ReferenceRow:
    """One published result, as its file says. ``use`` exact: same kernels and a known build; bound: other kernels; report: not fully known.

    ``latency_ms`` is None where the row gives an energy alone. ``use`` is None, ``kernels``, ``framework``, ``compiler``, ``reason`` and ``source`` are empty where the row is blank. ``board`` and
    ``model`` are names, or paths from the working directory or from ``folder``, where the file lies.
    """

    board: str
    model: str
    clock_mhz: float
    latency_ms: float | None
    energy_uj: float | None
    voltage_v: float | None
    kernels: str
    framework: str
    compiler: str
    use: Use | None
    bound_side: BoundSide | None
    reason: str
    source: str
    folder: Path

    @property
    def board_found(self) -> str:
        """The board as the engine takes it: a path from ``folder`` is resolved."""
        return _found(self.board, self.folder)

    @property
    def model_found(self) -> str:
        """The model as the engine takes it: a path from ``folder`` is resolved."""
        return _found(self.model, self.folder)


@dataclass(frozen=True)
class Reference:
    """A reference file: the rows that can be used, in its order, and those that cannot."""

    rows: tuple[ReferenceRow, ...]
    refused: tuple[RefusedRow, ...]


class _RefusedError(Exception):
    def __init__(self, row: RefusedRow) -> None:
        super().__init__(row.problem)
        self.row = row


NEEDED = ("board", "model", "clock_mhz", "latency_ms")
"""Columns that every reference file has; all others may be absent, and so may latencies where energies are."""

_MOST_BYTES = 1 << 24
_SHOWN = 60  # characters of a cell in a message
_NAMED = 10  # rows in a message
LOWEST_V, HIGHEST_V = 0.5, 60.0
"""No supply of a microcontroller or its board lies beyond: one that does is in another unit."""
_SMALLEST, _LARGEST = 1e-6, 1e12  # what no latency, clock or energy lies beyond, in whatever unit it was written


def read_reference(path: Path) -> Reference:
    """The rows of a reference CSV; blank ones are passed over. Raises RecordError for a file without a row that can be used."""
    rows: list[ReferenceRow] = []
    refused: list[RefusedRow] = []
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise RecordError(f"{path} has more than {_MOST_BYTES} bytes", hint="give a CSV file of published results")
        # a spreadsheet's export may begin with a byte order mark
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(path, header)
        for line, cells in _lines(reader):
            try:
                rows.append(_row(path, line, _by_column(line, header, cells)))
            except _RefusedError as error:
                refused.append(error.row)
    except (OSError, UnicodeError, csv.Error) as error:
        raise RecordError(
            f"{path} cannot be read: {error}", hint="give a CSV file in UTF-8 with one published result per row"
        ) from None
    if not rows and refused:
        raise refusal(path, 0, refused)
    if not rows:
        raise RecordError(f"{path} holds no row", hint="write one published result per row under the column names")
    return Reference(tuple(rows), tuple(refused))


def refusal(path: Path, used: int, refused: Sequence[RefusedRow]) -> RecordError:
    """The error of a file with rows that cannot be used beside ``used`` ones that can."""
    first = refused[0]
    if used + len(refused) == 1:
        return RecordError(f"{path} {first.problem}", hint=first.wanted)
    return RecordError(
        f"{len(refused)} of {used + len(refused)} rows of {path} cannot be used: "
        + "; ".join(row.problem for row in refused[:_NAMED])
        + (f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""),
        hint=first.wanted,
    )


def _check_header(path: Path, header: list[str]) -> None:
    missing = [c for c in NEEDED if c not in header and (c != "latency_ms" or "energy_uj" not in header)]
    if missing:
        one_cell = len(header) == 1 and any(sign in header[0] for sign in ";\t")
        hint = "separate columns by commas" if one_cell else f"needed: {', '.join(NEEDED)}"
        raise RecordError(f"{path} has no column {', '.join(missing)}", hint=hint)
    twice = sorted({c for c in header if c and header.count(c) > 1})
    if twice:
        raise RecordError(f"{path} has the column {', '.join(twice)} twice", hint="remove one of them")


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something: the number of the (last) line, and its cells."""
    for values in reader:
        cells = [v.strip() for v in values]
        line: int = reader.line_num  # type: ignore[attr-defined]
        if any(cells):
            yield line, cells


def _by_column(line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    more = cells[len(header) :]
    if any(more):
        raise _RefusedError(
            RefusedRow(
                line=line,
                column="",
                value=",".join(more),
                problem=f"line {line} has {len(cells)} cells for {len(header)} columns",
                wanted='put a text that holds commas in quotes: "a, b"',
            )
        )
    return dict(zip(header, cells, strict=False))


def _row(path: Path, line: int, row: dict[str, str]) -> ReferenceRow:
    def fail(column: str, wanted: str) -> _RefusedError:
        said = row.get(column, "")
        shown = said if len(said) <= _SHOWN else said[:_SHOWN] + "…"
        problem = f"line {line}: {column} is '{shown}'" if said else f"line {line}: {column} is blank"
        return _RefusedError(
            RefusedRow(line=line, column=column, value=said, problem=problem, wanted=f"{column} must be {wanted}")
        )

    def text(column: str) -> str:
        if not row.get(column):
            raise fail(column, "a name, or the path of a file")
        return row[column]

    def number(column: str) -> float:
        wanted = "a number above 0, with a decimal point where it needs one"
        try:
            value = float(row.get(column, ""))
        except ValueError:
            raise fail(column, wanted) from None
        # written so that NaN is refused too
        if not _SMALLEST <= value <= _LARGEST:
            raise fail(column, wanted)
        return value

    def supply() -> float:
        value = number("voltage_v")
        if not LOWEST_V <= value <= HIGHEST_V:
            raise fail("voltage_v", f"the supply in volts, {LOWEST_V:g} to {HIGHEST_V:g}")
        return value

    said, side = row.get("use", "").lower(), row.get("bound_side", "").lower()
    if said and said not in list(Use):
        raise fail("use", f"{', '.join(Use)} or blank")
    use = Use(said) if said else None
    if (use is Use.BOUND or side) and side not in list(BoundSide):
        raise fail("bound_side", " or ".join(BoundSide))
    energy = number("energy_uj") if row.get("energy_uj") else None
    return ReferenceRow(
        board=text("board"),
        model=text("model"),
        clock_mhz=number("clock_mhz"),
        latency_ms=number("latency_ms") if row.get("latency_ms") or energy is None else None,
        energy_uj=energy,
        voltage_v=supply() if row.get("voltage_v") else None,
        kernels=row.get("kernels", ""),
        framework=row.get("framework", ""),
        compiler=row.get("compiler", ""),
        use=use,
        bound_side=BoundSide(side) if side else None,
        reason=row.get("reason", ""),
        source=row.get("source", ""),
        folder=path.parent,
    )


def _found(name: str, folder: Path) -> str:
    """A path that holds from ``folder`` alone is resolved; anything else stays as it is. ``isfile`` raises nothing."""
    beside = os.path.join(folder, name)  # noqa: PTH118 - Path would raise for what is no path
    is_path = "/" in name or name.endswith((".toml", ".tflite"))
    return beside if is_path and not os.path.isfile(name) and os.path.isfile(beside) else name  # noqa: PTH113
