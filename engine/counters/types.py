"""Decoded code: the instructions and basic blocks that counting and timing share.

Registers are bits of one mask: bit 0-15 are r0-r15, bits 16-47 are s0-s31 (d0 is s0 and s1, q0 is s0 to s3), bit 48 the APSR flags,
bit 49 the predicate of vector lanes (VPR).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FLAGS_BIT = 48
VPR_BIT = 49
SP_BIT, LR_BIT, PC_BIT = 13, 14, 15


class InstructionClass(StrEnum):
    """Classes that partition the instruction set; the counters of a record add them up."""

    MAC = "mac"
    SIMD_MAC = "simd_mac"
    ALU = "alu"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    LOAD = "load"
    STORE = "store"
    BRANCH = "branch"
    FP = "fp"
    SYSTEM = "system"


class Pipe(StrEnum):
    """Where a Helium instruction executes. ``BITWISE``: on some cores the integer pipe, on others like ``EITHER``."""

    MEMORY = "memory"
    INTEGER = "integer"
    MULTIPLY = "multiply"
    EITHER = "integer or multiply"
    BITWISE = "bitwise"
    PREDICATE = "predicate"


class Result(StrEnum):
    """How late the result of a Helium instruction is: see ``catalog.core.VectorTable``."""

    EARLY = "early"
    LATE = "late"
    NARROW = "narrow"


@dataclass(frozen=True)
class Vector:
    """What only Helium instructions have. ``elements``: lanes of 128 bits; ``gather``: each at an address of its own.

    ``predicated``: lanes may be left out, by a VPT block (``vpt``: see ``RawInstruction``) or at the tail of a loop.
    """

    pipe: Pipe
    result: Result
    elements: int
    gather: bool = False
    predicated: bool = False
    vpt: str = ""


@dataclass(frozen=True)
class Instruction:
    """One decoded Thumb instruction.

    ``mnemonic`` is lower case without ``.w``/``.n`` and without a condition ("ldr", "smlad", "vldmia"); ``condition`` the
    condition of a conditional branch or of an instruction in an IT block ("" if none). ``reads``/``writes`` are register
    masks; ``address_reads`` the part of ``reads`` that forms a memory address; ``accumulator_reads`` the part that is the
    accumulator of a multiply-accumulate. ``transfers`` is the number of registers moved to or from memory (LDRD 2, POP {r4, pc} 2;
    a vector register 1, a gathered or scattered one as many as it has elements). ``load_bytes``/``store_bytes`` per execution, at most
    where vector lanes may be left out. ``lanes`` is the number of products accumulated (SMLAD 2, MLA 1, else 0; of vector multiplies
    all lanes, whether accumulated or not).
    ``target`` is the address of a direct branch or call. ``ends_block`` is true for anything that may change the PC, except
    instructions an interrupt would. ``literal_address`` is the address a PC-relative load reads.
    """

    address: int
    size: int
    mnemonic: str
    operands: str
    kind: InstructionClass
    reads: int
    writes: int
    address_reads: int = 0
    accumulator_reads: int = 0
    transfers: int = 0
    load_bytes: int = 0
    store_bytes: int = 0
    lanes: int = 0
    condition: str = ""
    ends_block: bool = False
    is_call: bool = False
    is_return: bool = False
    target: int | None = None
    literal_address: int | None = None
    sets_flags: bool = False
    in_it_block: bool = False
    vector: Vector | None = None


@dataclass(frozen=True)
class Block:
    """A basic block as entered at ``start``: straight-line code up to and including the first instruction that ends it."""

    start: int
    instructions: tuple[Instruction, ...]

    @property
    def end(self) -> int:
        """Address behind the last instruction: where control falls through to."""
        last = self.instructions[-1]
        return last.address + last.size
