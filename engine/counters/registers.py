"""Register names and operand lists, as text from the disassembler, to masks (see engine.counters.types for the bits)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.counters.types import FLAGS_BIT, LR_BIT, PC_BIT, SP_BIT, VPR_BIT

FLAGS = 1 << FLAGS_BIT
VPR = 1 << VPR_BIT
SP, LR, PC = 1 << SP_BIT, 1 << LR_BIT, 1 << PC_BIT
_ALIASES = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15, "p0": VPR_BIT, "vpr": VPR_BIT}
_REGISTER = re.compile(r"^([rsdq])(\d+)$")
_LANE = re.compile(r"^([dq])(\d+)\[(\d+)\]$")
_SPLIT = re.compile(r",\s*(?![^\[{]*[\]}])")
_FIRST_S = 16


@dataclass(frozen=True)
class Memory:
    """A memory operand: registers that form the address, immediate offset, whether the base is written back."""

    base: int
    index: int
    offset: int
    write_back: bool


@dataclass(frozen=True)
class Operand:
    """One operand: a register, a register list, a memory reference, or something else (immediate, shift, special register)."""

    text: str
    register: int = 0
    registers: tuple[int, ...] = ()
    memory: Memory | None = None
    write_back: bool = False


def mask(name: str) -> int:
    """Bits of one register; 0 if the name is none."""
    if name in _ALIASES:
        return 1 << _ALIASES[name]
    if (found := _REGISTER.match(name)) is None:
        return 0
    kind, number = found[1], int(found[2])
    if kind == "r":
        return 1 << number if number < 16 else 0
    if kind == "s":
        return 1 << (_FIRST_S + number) if number < 32 else 0
    if kind == "q":
        return 0b1111 << (_FIRST_S + 4 * number) if number < 8 else 0
    return 0b11 << (_FIRST_S + 2 * number) if number < 16 else 0


def words(register: int) -> int:
    """32-bit words a register mask holds."""
    return register.bit_count()


def parse(text: str) -> tuple[Operand, ...]:
    """Operands of one instruction."""
    return tuple(_operand(part.strip()) for part in _SPLIT.split(text)) if text.strip() else ()


def _operand(text: str) -> Operand:
    write_back = text.endswith("!")
    body = text.removesuffix("!").strip()
    if body.startswith("{"):
        names = [n.strip() for n in body.strip("{}").split(",")]
        return Operand(text, registers=tuple(m for n in names for m in _range(n)))
    if body.startswith("["):
        parts = [p.strip() for p in body.strip("[]").split(",")]
        index = mask(parts[1]) if len(parts) > 1 else 0
        offset = int(parts[1].removeprefix("#"), 0) if len(parts) == 2 and parts[1].startswith("#") else 0
        return Operand(text, memory=Memory(mask(parts[0]), index, offset, write_back))
    if lane := _LANE.match(body):  # a word of a double or vector register; of shorter lanes, whichever they lie in
        words_in = 2 if lane[1] == "d" else 4
        return Operand(text, register=mask(f"s{words_in * int(lane[2]) + int(lane[3]) % words_in}"))
    return Operand(text, register=mask(body.split(" ")[0]), write_back=write_back)


def _range(name: str) -> list[int]:
    """``r4-r7`` or one register."""
    if "-" not in name:
        return [mask(name)]
    first, last = (_REGISTER.match(n.strip()) for n in name.split("-"))
    if first is None or last is None:
        return [0]
    return [mask(f"{first[1]}{n}") for n in range(int(first[2]), int(last[2]) + 1)]
