"""Small builders of decoded instructions, so that a sequence in a test reads like assembler."""

from __future__ import annotations

from dataclasses import replace

from engine.counters.types import FLAGS_BIT, LR_BIT, PC_BIT, SP_BIT, Block, Instruction, InstructionClass
from engine.records.cause import Cause
from engine.timing.table import CAUSES, CYCLE

K = InstructionClass


def mask(*registers: int) -> int:
    bits = 0
    for r in registers:
        bits |= 1 << r
    return bits


def _make(
    name: str,
    operands: str,
    kind: InstructionClass,
    reads: int = 0,
    writes: int = 0,
    *,
    size: int = 4,
    address: int = 0,
    accumulator: int = 0,
    transfers: int = 0,
    load: int = 0,
    store: int = 0,
    lanes: int = 0,
    condition: str = "",
    ends: bool = False,
    call: bool = False,
    ret: bool = False,
    target: int | None = None,
    literal: int | None = None,
    flags: bool = False,
) -> Instruction:
    return Instruction(
        address=0,
        size=size,
        mnemonic=name,
        operands=operands,
        kind=kind,
        reads=reads | address | accumulator,
        writes=writes | (1 << FLAGS_BIT if flags else 0),
        address_reads=address,
        accumulator_reads=accumulator,
        transfers=transfers,
        load_bytes=load,
        store_bytes=store,
        lanes=lanes,
        condition=condition,
        ends_block=ends,
        is_call=call,
        is_return=ret,
        target=target,
        literal_address=literal,
        sets_flags=flags,
    )


def add(d: int, n: int, m: int, size: int = 4, shift: str = "") -> Instruction:
    return _make("add", f"r{d}, r{n}, r{m}{shift}", K.ALU, mask(n, m), mask(d), size=size)


def subs(d: int, size: int = 2) -> Instruction:
    return _make("subs", f"r{d}, #1", K.ALU, mask(d), mask(d), size=size, flags=True)


def sxtb16(d: int, n: int) -> Instruction:
    return _make("sxtb16", f"r{d}, r{n}", K.ALU, mask(n), mask(d))


def nop(size: int = 2) -> Instruction:
    return _make("nop", "", K.SYSTEM, size=size)


def it(size: int = 2) -> Instruction:
    return _make("it", "eq", K.SYSTEM, mask(FLAGS_BIT), size=size)


def mul(d: int, n: int, m: int) -> Instruction:
    return _make("mul", f"r{d}, r{n}, r{m}", K.MULTIPLY, mask(n, m), mask(d))


def muls(d: int, m: int) -> Instruction:
    return _make("muls", f"r{d}, r{m}, r{d}", K.MULTIPLY, mask(d, m), mask(d), size=2, flags=True)


def mla(d: int, n: int, m: int, a: int) -> Instruction:
    return _make("mla", f"r{d}, r{n}, r{m}, r{a}", K.MAC, mask(n, m), mask(d), accumulator=mask(a), lanes=1)


def smlad(d: int, n: int, m: int, a: int) -> Instruction:
    return _make("smlad", f"r{d}, r{n}, r{m}, r{a}", K.SIMD_MAC, mask(n, m), mask(d), accumulator=mask(a), lanes=2)


def smull(lo: int, hi: int, n: int, m: int) -> Instruction:
    return _make("smull", f"r{lo}, r{hi}, r{n}, r{m}", K.MULTIPLY, mask(n, m), mask(lo, hi))


def smlal(lo: int, hi: int, n: int, m: int) -> Instruction:
    return _make(
        "smlal", f"r{lo}, r{hi}, r{n}, r{m}", K.MAC, mask(n, m), mask(lo, hi), accumulator=mask(lo, hi), lanes=1
    )


def sdiv(d: int, n: int, m: int) -> Instruction:
    return _make("sdiv", f"r{d}, r{n}, r{m}", K.DIVIDE, mask(n, m), mask(d))


def ldr(d: int, n: int, size: int = 4, width: int = 4, offset: int = 0) -> Instruction:
    name = {4: "ldr", 2: "ldrh", 1: "ldrb"}[width]
    return _make(
        name,
        f"r{d}, [r{n}, #{offset}]" if offset else f"r{d}, [r{n}]",
        K.LOAD,
        0,
        mask(d),
        address=mask(n),
        size=size,
        transfers=1,
        load=width,
    )


def ldr_post(d: int, n: int) -> Instruction:
    return _make("ldr", f"r{d}, [r{n}], #4", K.LOAD, 0, mask(d, n), address=mask(n), transfers=1, load=4)


def str_(d: int, n: int, size: int = 4) -> Instruction:
    return _make("str", f"r{d}, [r{n}]", K.STORE, mask(d), 0, address=mask(n), size=size, transfers=1, store=4)


def str_reg(d: int, n: int, m: int) -> Instruction:
    return _make("str", f"r{d}, [r{n}, r{m}]", K.STORE, mask(d), 0, address=mask(n, m), transfers=1, store=4)


def ldm(n: int, registers: tuple[int, ...], size: int = 2) -> Instruction:
    text = f"r{n}!, {{{', '.join(f'r{r}' for r in registers)}}}"
    count = len(registers)
    return _make(
        "ldm", text, K.LOAD, 0, mask(n, *registers), address=mask(n), size=size, transfers=count, load=4 * count
    )


def ldrd(a: int, b: int, n: int) -> Instruction:
    return _make("ldrd", f"r{a}, r{b}, [r{n}]", K.LOAD, 0, mask(a, b), address=mask(n), transfers=2, load=8)


def push(*registers: int) -> Instruction:
    count = len(registers)
    return _make(
        "push",
        "{}",
        K.STORE,
        mask(*registers),
        mask(SP_BIT),
        address=mask(SP_BIT),
        size=2,
        transfers=count,
        store=4 * count,
    )


def pop_pc(*registers: int) -> Instruction:
    count = len(registers) + 1
    return _make(
        "pop", "{pc}", K.BRANCH, 0, mask(SP_BIT, PC_BIT, *registers), address=mask(SP_BIT), size=2, transfers=count,
        load=4 * count, ends=True, ret=True,
    )  # fmt: skip


def bne(target: int, size: int = 2) -> Instruction:
    return _make(
        "b", hex(target), K.BRANCH, mask(FLAGS_BIT), mask(PC_BIT), size=size, condition="ne", ends=True, target=target
    )


def b(target: int, size: int = 2) -> Instruction:
    return _make("b", hex(target), K.BRANCH, 0, mask(PC_BIT), size=size, ends=True, target=target)


def bl(target: int) -> Instruction:
    return _make("bl", hex(target), K.BRANCH, 0, mask(PC_BIT, LR_BIT), ends=True, call=True, target=target)


def bx_lr() -> Instruction:
    return _make("bx", "lr", K.BRANCH, mask(LR_BIT), mask(PC_BIT), size=2, ends=True, ret=True)


def vfma(d: int, n: int, m: int) -> Instruction:
    r = tuple(16 + x for x in (d, n, m))
    return _make("vfma.f32", f"s{d}, s{n}, s{m}", K.FP, mask(r[1], r[2]), mask(r[0]), accumulator=mask(r[0]))


def vdiv(d: int, n: int, m: int) -> Instruction:
    return _make("vdiv.f32", f"s{d}, s{n}, s{m}", K.FP, mask(16 + n, 16 + m), mask(16 + d))


def block(start: int, *instructions: Instruction) -> Block:
    placed, at = [], start
    for ins in instructions:
        placed.append(replace(ins, address=at))
        at += ins.size
    return Block(start, tuple(placed))


def stack(row: tuple[int, ...]) -> dict[Cause, float]:
    """Non-zero causes in cycles."""
    return {cause: x / CYCLE for cause, x in zip(CAUSES, row, strict=True) if x}
