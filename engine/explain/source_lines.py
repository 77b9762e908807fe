"""Source lines of an ELF's code, from its DWARF line table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile

from engine.errors import BadInputError


@dataclass(frozen=True)
class SourceLine:
    """A line of a source file. ``file`` as the ELF names it, without a leading slash (builds map folders to short names)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class SourceLines:
    """Which source line the instruction at an address came from.

    Inlined code answers with the line it was written on, not with the call's. Code without debug information, and what the
    compiler made up itself (line 0), has none.
    """

    def __init__(self, elf: Path) -> None:
        """Read the line table; raises BadInputError if the file is no ELF or its debug information is damaged."""
        rows: list[tuple[int, bool, SourceLine | None]] = []
        try:
            with elf.open("rb") as stream:
                file = ELFFile(stream)
                if file.has_dwarf_info():
                    dwarf = file.get_dwarf_info(relocate_dwarf_sections=False)
                    for unit in dwarf.iter_CUs():
                        rows += _rows(dwarf.line_program_for_CU(unit))
        except (ELFError, DWARFError, OSError, IndexError, AttributeError) as error:
            raise BadInputError(
                f"{elf.name}: the line table cannot be read: {error}", hint="build the firmware again"
            ) from error
        # where one sequence ends and the next begins at the same address, the beginning must come last
        rows.sort(key=lambda row: (row[0], row[1]))
        self._starts = [row[0] for row in rows]
        self._lines = [row[2] for row in rows]

    def at(self, address: int) -> SourceLine | None:
        """The line of the code at an address, None where there is none."""
        n = bisect_right(self._starts, address) - 1
        return self._lines[n] if n >= 0 else None


def _rows(program: Any) -> list[tuple[int, bool, SourceLine | None]]:
    """(address, is no end of a sequence, line) of one unit, without the sequences the linker discarded."""
    if program is None:
        return []
    names = _names(program.header)
    rows: list[tuple[int, bool, SourceLine | None]] = []
    sequence: list[tuple[int, bool, SourceLine | None]] = []
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        line = None
        if not state.end_sequence and state.line:
            line = SourceLine(names[state.file], state.line)
        sequence.append((state.address, not state.end_sequence, line))
        if state.end_sequence:
            if sequence[0][0] != 0:  # linkers move discarded code to 0, where a Cortex-M has its vectors
                rows += sequence
            sequence = []
    return rows


def _names(header: Any) -> dict[int, str]:
    """File names by their number in the table (from 1 up to DWARF 4, from 0 in DWARF 5)."""
    first = 0 if header.version >= 5 else 1
    names = {}
    for number, entry in enumerate(header.file_entry, start=first):
        folder = ""
        # folder 0 of DWARF 4 is the compiler's working directory, which says nothing to a reader
        if entry.dir_index >= first and header.include_directory:
            folder = _text(header.include_directory[entry.dir_index - first])
        names[number] = str(PurePosixPath(folder, _text(entry.name))).lstrip("/")
    return names


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
