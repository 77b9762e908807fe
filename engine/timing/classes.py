"""Instructions as the pipeline sees them: unit, operand ports and grouping, derived once per instruction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from engine.counters.isa import LOOP_ENDS
from engine.counters.registers import mask
from engine.counters.types import FLAGS_BIT, PC_BIT, Instruction, InstructionClass, Pipe, Vector

_INLINE_SHIFT = re.compile(r",\s*(lsl|lsr|asr|ror|rrx)\b")
_LONG = ("smull", "umull", "smlal", "umlal", "umaal", "smlsl")
_EXTEND_ADD = ("sxta", "uxta")
_EARLY = ("pkh", "bfi", "sbfx", "ubfx", "rev", "rbit", "sxta", "uxta")
_LAST_REGISTER = re.compile(r"(?:^|[ ,])(r\d+|sp|lr|pc)(?=[^r]*$)")
_BITFIELD = ("sxt", "uxt", "ubfx", "sbfx", "bfi", "bfc", "pkh", "rev", "rbit", "clz", "sel", "usad", "ssat", "usat")
_SIMD_ADD = re.compile(r"^(s|u|q|uq|sh|uh|qd)(add|sub|asx|sax)(8|16)?$")
_IMMEDIATE = re.compile(r"\[\w+(?:, #(-?(?:0x[0-9a-f]+|\d+)))?\]")
_SIMPLE = re.compile(r"^(nop|it[te]*|b|bx|cbn?z|movs?|uxt[bh]|sxt[bh])$")
_ADD_IMMEDIATE = re.compile(r"^(?!.*\bsp\b).*#-?\w+$")
_SPECIAL = frozenset({"mrs", "msr", "dmb", "dsb", "isb"})
_PAIRS = ("ldm", "stm", "pop", "push", "ldrd", "strd", "vldm", "vstm", "vpop", "vpush")


_GENERAL = (1 << 16) - 1


class Unit(IntEnum):
    """Where an instruction executes, as far as timing cares."""

    ALU = 0
    ALU_LATE = 1
    SYSTEM = 2
    IT = 3
    MULTIPLY = 4
    MULTIPLY_LONG = 5
    MAC = 6
    MAC_LONG = 7
    DIVIDE = 8
    LOAD = 9
    LOAD_MULTIPLE = 10
    STORE = 11
    STORE_MULTIPLE = 12
    BRANCH = 13
    FP = 14
    FP_MAC = 15
    FP_DIVIDE = 16
    LOOP_END = 17
    VECTOR_ALU = 18
    VECTOR_MULTIPLY = 19
    VECTOR_LOAD = 20
    VECTOR_STORE = 21
    VECTOR_PREDICATE = 22
    SPECIAL = 23
    FP_MOVE = 24
    FP_TRANSFER = 25


MULTIPLIERS = frozenset({Unit.MULTIPLY, Unit.MULTIPLY_LONG, Unit.MAC, Unit.MAC_LONG})
LOADS = frozenset({Unit.LOAD, Unit.LOAD_MULTIPLE})
SINGLE_TRANSFERS = frozenset({Unit.LOAD, Unit.STORE})
STORES = frozenset({Unit.STORE, Unit.STORE_MULTIPLE, Unit.VECTOR_STORE})
FLOATS = frozenset({Unit.FP, Unit.FP_MOVE, Unit.FP_TRANSFER, Unit.FP_MAC, Unit.FP_DIVIDE})
VECTORS = frozenset({Unit.VECTOR_ALU, Unit.VECTOR_MULTIPLY, Unit.VECTOR_LOAD, Unit.VECTOR_STORE, Unit.VECTOR_PREDICATE})
SOLO = frozenset({Unit.SYSTEM, Unit.SPECIAL, Unit.DIVIDE, Unit.LOAD_MULTIPLE, Unit.STORE_MULTIPLE, Unit.FP_DIVIDE})


class BranchKind(IntEnum):
    """How a block ends: decides the refill of a taken edge."""

    NONE = 0
    DIRECT = 1
    CALL = 2
    INDIRECT = 3
    RETURN = 4
    LOAD_PC = 5
    TABLE = 6
    LOOP_END = 7


@dataclass(frozen=True)
class Operation:
    """One instruction prepared for the model. ``*_bits`` are register numbers (see engine.counters.types).

    ``result_bits`` are written with the unit's latency, ``base_bits`` by the address adder (base update). ``offset`` of a
    single load from its base register, in bytes; None where it is not a constant. ``shifted_bits``: registers that are shifted or
    extracted from before the ALU proper. ``wide_unaligned``: a 32-bit instruction that is not word-aligned. ``simple``: a 16-bit
    instruction that cores with limited dual issue pair with any other. ``vector_address_bits``: vector registers that hold addresses.
    ``needs_fpu``: of scalar FP, loads and stores included.
    """

    unit: Unit
    size: int
    address_bits: tuple[int, ...]
    accumulator_bits: tuple[int, ...]
    other_bits: tuple[int, ...]
    writes: int
    result_bits: tuple[int, ...]
    base_bits: tuple[int, ...]
    words: int
    narrow: bool
    shifted_bits: tuple[int, ...]
    bitfield: bool
    register_offset: bool
    base_update: bool
    literal: bool
    offset: int | None
    counts_as_mac: bool
    sets_flags: bool
    reads_flags: bool
    wide_unaligned: bool = False
    simple: bool = False
    vector: Vector | None = None
    vector_address_bits: tuple[int, ...] = ()
    needs_fpu: bool = False


def _bits(mask: int) -> tuple[int, ...]:
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def unit_of(ins: Instruction) -> Unit:
    """The unit an instruction uses; loads of the PC stay loads (their refill comes from the branch table)."""
    name, kind = ins.mnemonic, ins.kind
    if ins.vector is not None:
        return _vector_unit(ins, ins.vector)
    if name in LOOP_ENDS:
        return Unit.LOOP_END
    if name.startswith(("tbb", "tbh")):
        return Unit.BRANCH
    if name.startswith("it") and kind is InstructionClass.SYSTEM:
        return Unit.IT
    if name.startswith(("vldr", "vstr")):
        double = ins.transfers > 1
        if name.startswith("vldr"):
            return Unit.LOAD_MULTIPLE if double else Unit.LOAD
        return Unit.STORE_MULTIPLE if double else Unit.STORE
    if name.startswith(_PAIRS):
        return Unit.LOAD_MULTIPLE if ins.load_bytes else Unit.STORE_MULTIPLE
    if ins.load_bytes:
        return Unit.LOAD
    if ins.store_bytes:
        return Unit.STORE
    long = name.startswith(_LONG)
    match kind:
        case InstructionClass.MAC | InstructionClass.SIMD_MAC:
            return Unit.MAC_LONG if long else Unit.MAC
        case InstructionClass.MULTIPLY:
            return Unit.MULTIPLY_LONG if long else Unit.MULTIPLY
        case InstructionClass.DIVIDE:
            return Unit.DIVIDE
        case InstructionClass.BRANCH:
            return Unit.BRANCH
        case InstructionClass.SYSTEM:
            return Unit.SPECIAL if name in _SPECIAL else Unit.SYSTEM
        case InstructionClass.FP:
            return _float_unit(ins)
        case _:
            # the rotation of an extend is part of it, no shifted operand
            shifted = _INLINE_SHIFT.search(ins.operands) is not None and not name.startswith(("sxt", "uxt"))
            late = shifted or name.startswith(_EXTEND_ADD)
            return Unit.ALU_LATE if late else Unit.ALU


def _float_unit(ins: Instruction) -> Unit:
    name = ins.mnemonic
    if name.startswith(("vdiv", "vsqrt")):
        return Unit.FP_DIVIDE
    if name.startswith(("vfma", "vfms", "vfnm", "vmla", "vmls", "vnml")):
        return Unit.FP_MAC
    if name.startswith("vmov") and (ins.reads | ins.writes) & _GENERAL:
        return Unit.FP_TRANSFER
    return Unit.FP_MOVE if name.startswith(("vmov", "vabs", "vneg", "vcmp", "vmrs", "vmsr")) else Unit.FP


def _vector_unit(ins: Instruction, vector: Vector) -> Unit:
    if vector.pipe is Pipe.MEMORY:
        return Unit.VECTOR_LOAD if ins.load_bytes else Unit.VECTOR_STORE
    if vector.pipe is Pipe.PREDICATE:
        return Unit.VECTOR_PREDICATE
    return Unit.VECTOR_MULTIPLY if vector.pipe is Pipe.MULTIPLY else Unit.VECTOR_ALU


def _updates_base(ins: Instruction, unit: Unit) -> bool:
    if (
        unit in SINGLE_TRANSFERS
        or unit in (Unit.VECTOR_LOAD, Unit.VECTOR_STORE)
        or ins.mnemonic.startswith(("ldrd", "strd"))
    ):
        return "!" in ins.operands or "], " in ins.operands
    multiple = unit in (Unit.LOAD_MULTIPLE, Unit.STORE_MULTIPLE)
    return multiple and ("!" in ins.operands or ins.mnemonic.startswith(("push", "pop", "vpush", "vpop")))


def _offset(ins: Instruction) -> int | None:
    found = _IMMEDIATE.search(ins.operands)
    return int(found[1] or "0", 0) if found else None


def prepare(ins: Instruction) -> Operation:
    """The operation of an instruction."""
    unit = unit_of(ins)
    others = ins.reads & ~ins.address_reads & ~ins.accumulator_reads
    # a register that is both base and data is needed at its earlier use
    bitfield = unit in (Unit.ALU, Unit.ALU_LATE) and (
        ins.mnemonic.startswith(_BITFIELD) or _SIMD_ADD.match(ins.mnemonic) is not None
    )
    base = ins.writes & ins.address_reads if _updates_base(ins, unit) else 0
    flags = 1 << FLAGS_BIT
    folded = unit is Unit.LOOP_END  # waits for nothing: the counter is the loop hardware's
    products = ins.vector is not None and ins.lanes > 0
    return Operation(
        unit=unit,
        size=ins.size,
        address_bits=_bits(ins.address_reads & _GENERAL),
        accumulator_bits=_bits(ins.accumulator_reads),
        other_bits=() if folded else _bits(others),
        writes=ins.writes,
        result_bits=() if folded else _bits(ins.writes & ~base),
        base_bits=_bits(base),
        words=max(1, ins.transfers),
        narrow=unit is Unit.LOAD and 0 < ins.load_bytes < 4,
        shifted_bits=_shifted(ins, unit),
        bitfield=bitfield or unit is Unit.ALU_LATE,
        register_offset=unit is Unit.STORE and ins.address_reads.bit_count() > 1,
        base_update=base != 0,
        literal=ins.literal_address is not None,
        offset=_offset(ins) if unit is Unit.LOAD else None,
        counts_as_mac=ins.kind in (InstructionClass.MAC, InstructionClass.SIMD_MAC) or unit is Unit.FP_MAC or products,
        sets_flags=ins.sets_flags or bool(ins.writes & flags),
        reads_flags=bool(ins.reads & flags) or (unit is Unit.BRANCH and ins.condition != ""),
        wide_unaligned=ins.size == 4 and ins.address % 4 == 2,
        simple=_is_simple(ins),
        vector=ins.vector,
        vector_address_bits=_bits(ins.address_reads & ~_GENERAL),
        needs_fpu=ins.vector is None and ins.mnemonic.startswith("v"),
    )


def _is_simple(ins: Instruction) -> bool:
    if ins.size != 2 or ins.in_it_block:
        return False
    immediate = ins.mnemonic in ("add", "adds", "sub", "subs") and _ADD_IMMEDIATE.match(ins.operands) is not None
    return immediate or _SIMPLE.match(ins.mnemonic) is not None


def _shifted(ins: Instruction, unit: Unit) -> tuple[int, ...]:
    """Registers that the shifter or the bit-field unit takes: the last one named."""
    if unit is not Unit.ALU_LATE and not (unit is Unit.ALU and ins.mnemonic.startswith(_EARLY)):
        return ()
    found = _LAST_REGISTER.search(ins.operands)
    return _bits(mask(found[1]) & ins.reads) if found else ()


def branch_kind(ins: Instruction) -> BranchKind:
    """How control leaves a block that ends with this instruction."""
    name = ins.mnemonic
    if name in LOOP_ENDS:
        return BranchKind.LOOP_END
    if name.startswith(("tbb", "tbh")):
        return BranchKind.TABLE
    if ins.load_bytes and (ins.writes >> PC_BIT & 1 or ins.is_return):
        return BranchKind.LOAD_PC
    if ins.is_return:
        return BranchKind.RETURN
    if not ins.ends_block:
        return BranchKind.NONE
    if ins.target is None:
        return BranchKind.INDIRECT
    return BranchKind.CALL if ins.is_call else BranchKind.DIRECT
