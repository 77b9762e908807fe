"""Decoding an ELF's code into instructions and basic blocks with register masks, bytes moved and classes.

POP and LDM that write the PC are branches (they end a block and return), and their loads still count as transfers and
bytes. LDR to the PC likewise; MOV and ADD to the PC are branches. IT counts as system. TBB/TBH are branches that also load their table entry.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.counters import isa, mve
from engine.counters.isa import Meaning, Shape
from engine.counters.registers import FLAGS, LR, PC, SP, Operand, parse, words
from engine.counters.types import Block, Instruction
from engine.counters.types import InstructionClass as Kind
from engine.errors import CheckFailedError
from engine.firmware.types import Firmware
from engine.targets.image import Image, RawInstruction
from engine.targets.types import Profile


class Decoder:
    """Decodes instructions and blocks of one ELF on demand, and remembers them."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._instructions: dict[int, Instruction] = {}
        self._blocks: dict[int, Block] = {}

    @staticmethod
    def of(firmware: Firmware) -> Decoder:
        """A decoder for a firmware's ELF; raises BadInputError if it cannot be read."""
        return Decoder(Image(firmware.elf))

    def instruction(self, address: int) -> Instruction:
        """The instruction that begins at an address; raises CheckFailedError if there is none or it is unknown."""
        found = self._instructions.get(address)
        if found is None:
            raw = self.image.instructions.get(address)
            if raw is None:
                what = (
                    "cannot be decoded" if address in self.image.undecodable else "is not the start of an instruction"
                )
                raise CheckFailedError(
                    f"{self.image.describe(address)} {what}",
                    hint="report this with the ELF: counting stops, never guesses",
                )
            found = self._in_its_loop(decode(raw))
            self._instructions[address] = found
        return found

    def _in_its_loop(self, made: Instruction) -> Instruction:
        if made.vector is None or not any(start <= made.address < end for start, end in self.image.tail_loops):
            return made
        return replace(made, vector=replace(made.vector, predicated=True))

    def block(self, start: int) -> Block:
        """The basic block entered at an address: up to and including the first instruction that ends it."""
        found = self._blocks.get(start)
        if found is None:
            instructions = [self.instruction(start)]
            while not instructions[-1].ends_block:
                instructions.append(self.instruction(instructions[-1].address + instructions[-1].size))
            found = self._blocks[start] = Block(start, tuple(instructions))
        return found

    def blocks(self, profile: Profile) -> dict[int, Block]:
        """The block of every start address in a profile, of a part of one too: what its edges enter, and what they leave."""
        starts = np.union1d(profile.dst, profile.src[profile.src != 0])
        return {start: self.block(start) for start in starts.tolist()}


def decode(raw: RawInstruction) -> Instruction:
    """One instruction; raises CheckFailedError for a mnemonic or an operand that is not in the tables."""
    stem = raw.mnemonic.split(".")[0]
    operands = parse(raw.operands)
    if mve.is_vector(raw):
        vector = mve.decode_vector(raw, operands)
        if vector is None:
            raise _unknown(raw)
        return vector
    if stem.startswith("it") and stem.strip("te") == "i":
        made = _make(raw, Kind.SYSTEM, reads=0, writes=0)
    elif stem in isa.LOADS or stem in isa.STORES or stem in ("ldrd", "strd", "ldrexd", "vldr", "vstr"):
        made = _single(raw, stem, operands)
    elif stem.startswith(("ldm", "stm", "vldm", "vstm")) or stem in ("push", "pop", "vpush", "vpop"):
        made = _multiple(raw, stem, operands)
    else:
        made = _plain(raw, stem, operands)
    if raw.condition:  # a conditional instruction may leave its destination as it was
        kept = made.writes & ~(FLAGS | PC) if raw.in_it_block else 0
        made = replace(made, reads=made.reads | FLAGS | kept)
    return made


def _make(raw: RawInstruction, kind: Kind, *, reads: int, writes: int, sets_flags: bool = False) -> Instruction:
    return Instruction(
        address=raw.address,
        size=raw.size,
        mnemonic=raw.mnemonic,
        operands=raw.operands,
        kind=kind,
        reads=reads,
        writes=writes | (FLAGS if sets_flags else 0),
        condition=raw.condition,
        ends_block=raw.ends_block,
        sets_flags=sets_flags,
        in_it_block=raw.in_it_block,
    )


def _unknown(raw: RawInstruction) -> CheckFailedError:
    return CheckFailedError(
        f"instruction '{raw.mnemonic} {raw.operands}' at 0x{raw.address:08x} is not in the decoder's tables",
        hint="report it: counting stops at an unknown instruction, it never guesses",
    )


def _union(operands: tuple[Operand, ...]) -> int:
    result = 0
    for operand in operands:
        result |= operand.register
    return result


def _meaning(raw: RawInstruction, stem: str) -> tuple[Meaning, bool]:
    if (found := isa.TABLE.get(stem)) is not None:
        return found, found.sets_flags
    if stem.endswith("s") and stem[:-1] in isa.SETTING:
        return isa.TABLE[stem[:-1]], True
    raise _unknown(raw)


def _plain(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction:
    meaning, sets = _meaning(raw, stem)
    if any(o.memory for o in operands):
        return _table_branch(raw, operands) if stem in ("tbb", "tbh") else _hint(raw, meaning, operands)
    if meaning.kind is Kind.BRANCH:
        return _branch(raw, stem, operands)
    written = {Shape.NONE: 0, Shape.TWO: 2, Shape.TWO_TOO: 2}.get(meaning.shape, 1)
    if stem == "vmov" and len(operands) == 3 and not operands[2].text.startswith("r"):
        written = 2  # vmov r0, r1, d0
    writes = _union(operands[:written])
    reads = _union(operands[written:])
    if meaning.shape in (Shape.FIRST_TOO, Shape.TWO_TOO) or (meaning.shape is Shape.DATA and len(operands) == 2):
        reads |= writes
    accumulator = 0
    if meaning.shape is Shape.TWO_TOO:
        accumulator = writes
    elif meaning.accumulator >= 0:
        accumulator = operands[meaning.accumulator].register
    if meaning.reads_flags:
        reads |= FLAGS
    kind = Kind.BRANCH if writes & PC else meaning.kind
    made = _make(raw, kind, reads=reads, writes=writes, sets_flags=sets or raw.operands.startswith("apsr"))
    if kind is Kind.BRANCH:
        return replace(made, is_return=reads == LR)
    return replace(made, accumulator_reads=accumulator, lanes=meaning.lanes)


def _branch(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction:
    call = stem in ("bl", "blx", "blxns")
    last = operands[-1].text
    counter = operands[0].register if stem in isa.LOOPS else 0
    made = _make(raw, Kind.BRANCH, reads=_union(operands), writes=PC | counter | (LR if call else 0))
    return replace(
        made,
        is_call=call,
        is_return=stem in ("bx", "bxns") and operands[0].register == LR,
        target=int(last.removeprefix("#"), 0) if last.startswith("#") else None,
    )


def _table_branch(raw: RawInstruction, operands: tuple[Operand, ...]) -> Instruction:
    memory = operands[0].memory
    assert memory is not None
    address = memory.base | memory.index
    made = _make(raw, Kind.BRANCH, reads=address, writes=PC)
    return replace(made, address_reads=address, transfers=1, load_bytes=1 if raw.mnemonic == "tbb" else 2)


def _hint(raw: RawInstruction, meaning: Meaning, operands: tuple[Operand, ...]) -> Instruction:
    """PLD and the like: an address, no transfer."""
    memory = operands[0].memory
    if memory is None or meaning.kind is not Kind.SYSTEM:
        raise _unknown(raw)
    address = memory.base | memory.index
    return replace(_make(raw, Kind.SYSTEM, reads=address, writes=0), address_reads=address)


def _single(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction:
    place = next((n for n, o in enumerate(operands) if o.memory), None)
    if place is None:
        raise _unknown(raw)
    memory = operands[place].memory
    assert memory is not None
    data = _union(operands[:place])
    post = place + 1 < len(operands)
    if not data or (post and not operands[place + 1].text.startswith("#")):
        raise _unknown(raw)
    if stem in ("ldrd", "strd", "ldrexd"):
        transfers, size = 2, 8
    elif stem in ("vldr", "vstr"):
        transfers, size = words(data), 4 * words(data)
    else:
        transfers, size = 1, isa.LOADS.get(stem) or isa.STORES[stem]
    address = memory.base | memory.index
    back = memory.base if memory.write_back or post else 0
    load = stem.startswith(("ld", "vld"))
    if load:
        kind = Kind.BRANCH if data & PC else Kind.LOAD
        made = _make(raw, kind, reads=address, writes=data | back)
        literal = ((raw.address + 4) & ~3) + memory.offset if memory.base == PC and not memory.index else None
        return replace(
            made, address_reads=address, transfers=transfers, load_bytes=size, literal_address=literal,
            is_return=bool(data & PC) and memory.base == SP,
        )  # fmt: skip
    status = operands[0].register if stem in isa.EXCLUSIVE_STORES else 0
    made = _make(raw, Kind.STORE, reads=address | (data & ~status), writes=back | status)
    return replace(made, address_reads=address, transfers=transfers, store_bytes=size)


def _multiple(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction:
    if not operands or not operands[-1].registers or 0 in operands[-1].registers:
        raise _unknown(raw)
    registers = 0
    for register in operands[-1].registers:
        registers |= register
    stack = stem in ("push", "pop", "vpush", "vpop")
    base = SP if stack else operands[0].register
    back = base if stack or operands[0].write_back else 0
    count = words(registers)
    if stem in ("pop", "vpop") or stem.startswith(("ldm", "vldm")):
        kind = Kind.BRANCH if registers & PC else Kind.LOAD
        made = _make(raw, kind, reads=base, writes=registers | back)
        return replace(
            made, address_reads=base, transfers=count, load_bytes=4 * count,
            is_return=bool(registers & PC) and base == SP,
        )  # fmt: skip
    made = _make(raw, Kind.STORE, reads=base | registers, writes=back)
    return replace(made, address_reads=base, transfers=count, store_bytes=4 * count)
