"""An ELF as a target sees it: what to load where, symbols, and where each instruction begins and each block ends.

Code is found through the mapping symbols of the Arm ABI (``$t`` code, ``$d`` data), so literal pools are never decoded.
The disassembler (Capstone, for Armv8.1-M ``llvm-objdump``) gives boundaries and text only; what an instruction reads and writes is
decided in ``engine.counters.decode``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import capstone
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from engine.errors import BadInputError
from engine.targets.attributes import read_attributes
from engine.targets.objdump import OBJDUMP_DECODES, Lines, lines_of

CONDITIONS = frozenset(["eq", "ne", "hs", "cs", "lo", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"])
_EXECUTABLE = 0x4
_CONDITIONAL_BRANCH = re.compile(r"^b(eq|ne|hs|cs|lo|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)$")
_ALWAYS_ENDS = frozenset(
    ["b", "bl", "bx", "blx", "bxns", "blxns", "cbz", "cbnz", "tbb", "tbh", "svc", "bkpt", "udf", "hlt",
     "wls", "wlstp", "le", "letp"],
)  # fmt: skip
_PC_WRITERS = frozenset({"mov", "add", "ldr"})
_PC_IN_LIST = re.compile(r"\bpc\b")
_VECTOR_TRANSFER = re.compile(r"^v(ldr|str)[bhwd](\.|$)")
_IT = re.compile(r"^it([te]{0,3})$")
_VPT = re.compile(r"^vps?t([te]{0,3})$")
_OPPOSITE = {
    "eq": "ne", "ne": "eq", "hs": "lo", "cs": "cc", "lo": "hs", "cc": "cs", "mi": "pl", "pl": "mi",
    "vs": "vc", "vc": "vs", "hi": "ls", "ls": "hi", "ge": "lt", "lt": "ge", "gt": "le", "le": "gt", "al": "al",
}  # fmt: skip


@dataclass(frozen=True)
class RawInstruction:
    """One instruction as text: ``mnemonic`` without width suffix and condition, ``condition`` "" if it always executes.

    ``vpt``: of a vector instruction in a VPT block, "t" where the predicate's lanes take part, "e" where the others do; else "".
    """

    address: int
    size: int
    mnemonic: str
    operands: str
    condition: str
    in_it_block: bool
    ends_block: bool
    vpt: str = ""

    @property
    def touches_memory(self) -> bool:
        """Is it a load or a store?"""
        return self.mnemonic.startswith(("ld", "st", "vld", "vst", "push", "pop", "vpush", "vpop", "tb"))

    @property
    def end(self) -> int:
        """Address behind the instruction."""
        return self.address + self.size


@dataclass(frozen=True)
class Segment:
    """Bytes to put at a load address before reset; ``runs_at`` is where they are used (elsewhere: start-up copies them)."""

    address: int
    data: bytes
    runs_at: int


@dataclass(frozen=True)
class Symbol:
    """A function or object; ``address`` has no Thumb bit."""

    name: str
    address: int
    bytes: int
    is_function: bool


@dataclass(frozen=True)
class CodeRange:
    """Addresses [start, end) that hold code, and their bytes."""

    start: int
    end: int
    data: bytes


class Image:
    """A linked ELF: segments by load address, symbols, and its code as instructions."""

    def __init__(self, path: Path) -> None:
        """Read and sweep the ELF; raises BadInputError if it is no Arm ELF, is stripped, or has no code.

        Raises ToolError for Armv8.1-M code without ``llvm-objdump``.
        """
        self.path = path
        try:
            with path.open("rb") as stream:
                self._read(ELFFile(stream))
        except (ELFError, OSError) as error:
            raise BadInputError(f"{path} is not a readable ELF: {error}", hint="build the firmware again") from error
        if not self.code:
            raise BadInputError(
                f"{path} has no code marked by $t mapping symbols",
                hint="link without stripping symbols (-s, --strip-all)",
            )
        self.instructions: dict[int, RawInstruction] = {}
        self.undecodable: set[int] = set()
        vectors = self.attributes is not None and self.attributes.architecture == OBJDUMP_DECODES
        lines = lines_of(path) if vectors else None
        for code in self.code:
            if lines is None:
                self._sweep(code)
            else:
                self._take(code, lines)
        self.block_ends = frozenset(i.end for i in self.instructions.values() if i.ends_block)
        self._functions = sorted((s for s in self.symbols if s.is_function), key=lambda s: (s.address, s.name))
        self._starts = [s.address for s in self._functions]

    def _read(self, elf: ELFFile) -> None:
        if elf["e_machine"] != "EM_ARM" or not elf.little_endian:
            raise BadInputError(f"{self.path} is not a little-endian Arm ELF", hint="build it for a Cortex-M core")
        self.attributes = read_attributes(elf)
        self.segments = tuple(
            Segment(int(s["p_paddr"]), bytes(s.data()), int(s["p_vaddr"]))
            for s in elf.iter_segments()
            if s["p_type"] == "PT_LOAD" and s["p_filesz"]
        )
        symbols: list[Symbol] = []
        marks: dict[int, list[tuple[int, str]]] = {}
        for table in elf.iter_sections():
            if not isinstance(table, SymbolTableSection):
                continue
            for symbol in table.iter_symbols():
                name, where = symbol.name, symbol["st_shndx"]
                if name[:2] in ("$t", "$d", "$a") and (len(name) == 2 or name[2] == ".") and isinstance(where, int):
                    marks.setdefault(where, []).append((int(symbol["st_value"]), name[1]))
                elif name and where != "SHN_UNDEF" and symbol["st_info"]["type"] != "STT_FILE":
                    function = symbol["st_info"]["type"] == "STT_FUNC"
                    address = int(symbol["st_value"]) & (~1 if function else ~0)
                    symbols.append(Symbol(name, address, int(symbol["st_size"]), function))
        self.symbols = tuple(symbols)
        self._by_name = {s.name: s for s in symbols}
        ranges: list[CodeRange] = []
        for index, section in enumerate(elf.iter_sections()):
            if not section["sh_flags"] & _EXECUTABLE or section["sh_type"] == "SHT_NOBITS" or index not in marks:
                continue
            base, data = int(section["sh_addr"]), bytes(section.data())
            # at one address the last mark wins only if it is code: an empty pool may share its address with code
            ordered = sorted(marks[index], key=lambda m: (m[0], m[1] == "t"))
            for n, (start, kind) in enumerate(ordered):
                end = ordered[n + 1][0] if n + 1 < len(ordered) else base + len(data)
                if kind == "t" and end > start:
                    ranges.append(CodeRange(start, end, data[start - base : end - base]))
        self.code = tuple(sorted(ranges, key=lambda r: r.start))

    def _sweep(self, code: CodeRange) -> None:
        engine = capstone.Cs(
            capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        )
        engine.syntax = capstone.CS_OPT_SYNTAX_NOREGNAME
        at = code.start
        pending = _Pending()
        while at < code.end:
            for address, size, mnemonic, operands in engine.disasm_lite(code.data[at - code.start :], at):
                self.instructions[address] = _raw(address, size, mnemonic, operands, pending)
                at = address + size
            if at < code.end:  # padding or something capstone does not know: an error only where it is executed
                self.undecodable.add(at)
                half = int.from_bytes(code.data[at - code.start : at - code.start + 2], "little")
                at += 4 if half >> 11 in (0b11101, 0b11110, 0b11111) else 2
                pending = _Pending()

    def _take(self, code: CodeRange, lines: Lines) -> None:
        at, pending = code.start, _Pending()
        while at < code.end:
            line = lines.get(at)
            if line is None:  # padding or something the disassembler does not know: an error only where it is executed
                self.undecodable.add(at)
                at, pending = at + 2, _Pending()
                continue
            self.instructions[at] = _raw(at, *line, pending)
            at += line[0]

    @cached_property
    def tail_loops(self) -> tuple[tuple[int, int], ...]:
        """Loops whose last iteration may leave lanes out: address of the first instruction and of the LETP."""
        found = (i for i in self.instructions.values() if i.mnemonic == "letp")
        return tuple((int(i.operands.rpartition("#")[2], 0), i.address) for i in found if "#" in i.operands)

    @cached_property
    def predicated_transfers(self) -> tuple[int, ...]:
        """Addresses of the vector loads and stores that may leave lanes out, in order."""
        return tuple(
            i.address
            for _, i in sorted(self.instructions.items())
            if _VECTOR_TRANSFER.match(i.mnemonic)
            and (i.vpt or any(start <= i.address < end for start, end in self.tail_loops))
        )

    def symbol(self, name: str) -> Symbol | None:
        """The symbol of that name, or None."""
        return self._by_name.get(name)

    def function_at(self, address: int) -> Symbol | None:
        """The function that contains an address (the nearest one before it where symbols carry no size)."""
        n = bisect_right(self._starts, address) - 1
        while n >= 0:
            found = self._functions[n]
            if found.bytes == 0 or address < found.address + found.bytes:
                return found
            n -= 1
            if n >= 0 and self._starts[n] + 0x10000 < address:
                break
        return None

    def describe(self, address: int) -> str:
        """An address for people: ``0x08000124 (softmax+0x10)``."""
        found = self.function_at(address)
        return f"0x{address:08x}" + (f" ({found.name}+0x{address - found.address:x})" if found else "")

    def stored_at(self, address: int) -> int:
        """Where the byte used at an address is loaded: the same address unless start-up copies it from there."""
        for segment in self.segments:
            if segment.runs_at <= address < segment.runs_at + len(segment.data):
                return address - segment.runs_at + segment.address
        return address

    def word(self, address: int) -> int | None:
        """The 32-bit word at a load address, None where nothing is loaded."""
        for segment in self.segments:
            offset = address - segment.address
            if 0 <= offset <= len(segment.data) - 4:
                return int.from_bytes(segment.data[offset : offset + 4], "little")
        return None


class _Pending:
    """What IT and VPT blocks still say of the instructions to come: conditions, and ``t`` or ``e``."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.lanes: list[str] = []


def _raw(address: int, size: int, text: str, operands: str, pending: _Pending) -> RawInstruction:
    """Take the condition and the width suffix off, and follow IT and VPT blocks."""
    stem, *suffixes = text.split(".")
    suffixes = [s for s in suffixes if s not in ("w", "n")]
    condition, in_it, lanes = "", False, ""
    is_it, is_vpt = _IT.match(stem), _VPT.match(stem)
    if pending.lanes and not is_vpt:
        lanes = pending.lanes.pop(0)
        stem = stem.removesuffix(lanes)
    elif pending.conditions and not is_it:
        condition, in_it = pending.conditions.pop(0), True
        if condition != "al" and stem.endswith(_same(condition)):
            stem = stem[: -len(condition)]
    elif branch := _CONDITIONAL_BRANCH.match(stem):
        stem, condition = "b", branch[1]
    if is_it:
        first = operands.strip()
        pending.conditions = [first] + [first if c == "t" else _OPPOSITE[first] for c in is_it[1]]
    if is_vpt:
        pending.lanes = ["t", *is_vpt[1]]
    mnemonic = ".".join([stem, *suffixes])
    return RawInstruction(address, size, mnemonic, operands, condition, in_it, _ends(stem, operands), lanes)


def _same(condition: str) -> tuple[str, ...]:
    """Spellings of one condition."""
    return {"hs": ("hs", "cs"), "cs": ("hs", "cs"), "lo": ("lo", "cc"), "cc": ("lo", "cc")}.get(condition, (condition,))


def _ends(stem: str, operands: str) -> bool:
    """May the instruction change the PC?"""
    if stem in _ALWAYS_ENDS:
        return True
    if stem.startswith(("pop", "ldm")):
        return bool(_PC_IN_LIST.search(operands))
    return stem in _PC_WRITERS and operands.startswith("pc,")
