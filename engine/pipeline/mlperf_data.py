"""A folder of inputs with their labels, as MLPerf Tiny's runner reads it.

.bin files beside y_labels.csv: rows of file, number of classes, class and, for anomaly detection, bytes per window and stride.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from engine.errors import BadInputError

_LABELS = "y_labels.csv"


@dataclass(frozen=True)
class Labelled:
    """One file: the windows that are inferred one by one (a single one but for anomaly detection), and its class."""

    name: str
    windows: tuple[bytes, ...]
    label: int


def read_labelled(folder: Path, wanted: int) -> tuple[Labelled, ...]:
    """All labelled inputs of a folder, each of ``wanted`` bytes per inference. Raises BadInputError."""
    path = folder / _LABELS if (folder / _LABELS).is_file() else next(iter(sorted(folder.glob("*.csv"))), None)
    if path is None:
        raise BadInputError(f"{folder} has no labels", hint=f"add {_LABELS}: rows of file, number of classes, class")
    found = []
    for line, row in enumerate(_rows(path), 1):
        cells = [c.strip() for c in row]
        if not any(cells):
            continue
        try:
            name, label = cells[0], int(cells[2])
            size, stride = (int(cells[3]), int(cells[4])) if len(cells) > 4 else (wanted, wanted)
        except (IndexError, ValueError):
            raise BadInputError(
                f"{path}:{line}: '{','.join(row)}' is no row of labels", hint="write file, number of classes, class"
            ) from None
        content = (folder / name).read_bytes() if (folder / name).is_file() else None
        if content is None:
            raise BadInputError(
                f"{path}:{line}: {folder / name} is not there", hint="put the inputs beside their labels"
            )
        if size != wanted or stride < 1 or len(content) < wanted or (len(cells) <= 4 and len(content) != wanted):
            raise BadInputError(
                f"{folder / name} has {len(content)} bytes, the firmware takes {wanted}",
                hint="give inputs of the model's own type and size",
            )
        starts = range(0, len(content) - size + 1, stride)
        found.append(Labelled(name, tuple(content[s : s + size] for s in starts), label))
    if not found:
        raise BadInputError(f"{path} labels nothing", hint="write file, number of classes, class")
    return tuple(found)


def _rows(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (ValueError, csv.Error) as error:  # not UTF-8, or no CSV
        raise BadInputError(
            f"{path} is no table of labels: {error}", hint="write file, number of classes, class"
        ) from None
