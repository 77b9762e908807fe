"""Are two links of the same objects the same code? Bytes may differ only where the linker put an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection


@dataclass(frozen=True)
class Function:
    """A function's bytes and the places in it that the linker filled: (offset, relocation type, symbol)."""

    code: bytes
    places: tuple[tuple[int, int, str], ...]

    def without_addresses(self) -> bytes:
        """The bytes with every relocated word cleared."""
        masked = bytearray(self.code)
        for offset, _, _ in self.places:
            masked[offset : offset + 4] = bytes(len(masked[offset : offset + 4]))
        return bytes(masked)


def functions(elf: Path) -> dict[str, Function]:
    """Every function of an ELF that was linked with ``--emit-relocs``."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        table = file.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        relocations: dict[int, tuple[int, str]] = {}
        for section in file.iter_sections():
            if not isinstance(section, RelocationSection) or not section.name.startswith((".rel.text", ".rel.vectors")):
                continue
            symbols = file.get_section(section["sh_link"])
            for entry in section.iter_relocations():
                symbol = symbols.get_symbol(entry["r_info_sym"])
                name = symbol.name or file.get_section(symbol["st_shndx"]).name
                relocations[entry["r_offset"]] = (entry["r_info_type"], name)
        assert relocations, "link with --emit-relocs"
        found = {}
        for symbol in table.iter_symbols():
            if symbol["st_info"]["type"] != "STT_FUNC" or not symbol["st_size"]:
                continue
            start, size = symbol["st_value"] & ~1, symbol["st_size"]
            section = file.get_section(symbol["st_shndx"])
            offset = start - section["sh_addr"]
            code = section.data()[offset : offset + size]
            places = tuple((a - start, *relocations[a]) for a in sorted(relocations) if start <= a < start + size)
            found[symbol.name] = Function(code, places)
        return found
