"""Image accounting: what an ELF puts where, read back from the ELF itself."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from engine.catalog.board import Board
from engine.errors import BuildError
from engine.firmware.types import Section

_SHF_ALLOC = 2
_KINDS = {
    ".boot2": "code",
    ".vectors": "code",
    ".text": "code",
    ".rodata": "constants",
    ".weights": "weights",
    ".data": "data",
    ".bss": "bss",
    ".wc_arena": "arena",
    ".stack": "stack",
}
_BUFFERS = ".wc_bench_"
_ALWAYS_RAM = ("data", "bss", "arena", "stack")


@dataclass(frozen=True)
class Image:
    """Sizes of an ELF. ``flash_bytes``: all that must be stored; ``ram_bytes``: all writable parts (stack reserved) and copies."""

    sha256: str
    sections: tuple[Section, ...]
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int


def read_image(elf: Path, board: Board) -> Image:
    """Sections, flash and RAM of an ELF linked for a board. Raises BuildError if the ELF does not match the board."""
    data = elf.read_bytes()
    sections: list[Section] = []
    flash = ram = stack = 0
    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            loads = [s for s in file.iter_segments() if s["p_type"] == "PT_LOAD"]
            for section in file.iter_sections():
                size, address = int(section["sh_size"]), int(section["sh_addr"])
                if not section["sh_flags"] & _SHF_ALLOC or not size:
                    continue
                stored = section["sh_type"] != "SHT_NOBITS"
                kind = _KINDS.get(section.name)
                if section.name.startswith(_BUFFERS):
                    kind = "constants" if stored else "bss"
                if kind is None:
                    raise BuildError(
                        f"the linker placed an unexpected section '{section.name}'", hint="report this as a bug"
                    )
                moved = any(s.section_in_segment(section) and s["p_paddr"] != s["p_vaddr"] for s in loads) and stored
                sections.append(Section(section.name, kind, _memory_at(board, address), address, size))
                flash += size if stored else 0
                ram += size if kind in _ALWAYS_RAM or moved else 0
                stack += size if kind == "stack" else 0
    except ELFError as error:
        raise BuildError(
            f"{elf.name} is no ELF file: {error}", hint="delete the cache folder and build again"
        ) from error
    sections.sort(key=lambda s: s.address)
    return Image(hashlib.sha256(data).hexdigest(), tuple(sections), flash, ram, stack)


def symbol_addresses(elf: Path) -> dict[str, int]:
    """Address of every symbol (without the Thumb bit of functions)."""
    found: dict[str, int] = {}
    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return found
        for symbol in table.iter_symbols():
            value = int(symbol["st_value"])
            found[symbol.name] = value & ~1 if symbol["st_info"]["type"] == "STT_FUNC" else value
    return found


def part_checksums(elf: Path) -> dict[str, int]:
    """CRC-32 of the parts that never change on a device: code, constants, weights; as ``wc crc`` computes them there."""
    at = symbol_addresses(elf)
    found = {}
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        for part, symbol in (("code", "text"), ("constants", "constants"), ("weights", "weights")):
            start, end = at[f"wc_{symbol}_start"], at[f"wc_{symbol}_end"]
            held = next(
                (
                    s
                    for s in file.iter_sections()
                    if s["sh_addr"] <= start
                    and end <= s["sh_addr"] + s["sh_size"]
                    and s["sh_flags"] & _SHF_ALLOC
                    and s["sh_type"] != "SHT_NOBITS"
                ),
                None,
            )
            data = b"" if held is None else held.data()[start - held["sh_addr"] : end - held["sh_addr"]]
            found[part] = zlib.crc32(data)
    return found


def _memory_at(board: Board, address: int) -> str:
    for memory in board.memories:
        if memory.origin <= address < memory.end:
            return memory.name
    raise BuildError(f"address {address:#010x} lies in no memory of {board.name}", hint="report this as a bug")
