"""Helium (MVE): what each vector instruction is and does, beside the scalar table in ``engine.counters.isa``.

Mnemonics and operands as ``llvm-objdump`` prints them; meanings from the Armv8-M Architecture Reference Manual's instruction pages. Which
pipe one takes and how late its result is: LLVM's ARMScheduleM55.td (see the core tables). Anything not named here is an error.
"""

from __future__ import annotations

import re
from dataclasses import replace

from engine.counters.registers import FLAGS, VPR, Operand, mask
from engine.counters.types import Instruction, Pipe, Result, Vector
from engine.counters.types import InstructionClass as Kind
from engine.targets.image import RawInstruction

BYTES = 16
"""Of a vector register."""

_VECTOR = re.compile(r"\bq[0-7]\b")
_SIZE = re.compile(r"\.[a-z]?(8|16|32|64)(?:\.|$)")
_ELEMENT = {"b": 1, "h": 2, "w": 4, "d": 8}
_SCALAR = (1 << 16) - 1
_Entry = tuple[Pipe, Result, Kind]
_TABLE: dict[str, _Entry] = {}


def _add(names: str, pipe: Pipe, result: Result, kind: Kind = Kind.ALU) -> None:
    for name in names.split():
        _TABLE[name] = pipe, result, kind


# integer pipe
_add("vadd vsub vabd vabs vneg vcls vclz vhadd vhsub vrhadd vmax vmin vmaxa vmina", Pipe.INTEGER, Result.EARLY)
_add("vqadd vqsub vqabs vqneg vshl vshr vsli vsri vmovlb vmovlt vshllb vshllt", Pipe.INTEGER, Result.EARLY)
_add("vdup vidup vddup viwdup vdwdup vbrsr vcadd vhcadd vshlc", Pipe.INTEGER, Result.EARLY)
_add("vand vorr veor vbic vorn vmvn vpsel vrev16 vrev32 vrev64", Pipe.BITWISE, Result.EARLY)
_add("vqshl vrshl vqrshl vqshlu vrshr vadc vadci vsbc vsbci", Pipe.INTEGER, Result.LATE)
for _op in ("movn", "qmovn", "qmovun", "shrn", "rshrn", "qshrn", "qrshrn", "qshrun", "qrshrun"):
    _add(f"v{_op}b v{_op}t", Pipe.INTEGER, Result.NARROW)
_add("vmaxv vminv vmaxav vminav vabav", Pipe.INTEGER, Result.NARROW)
# multiply pipe
_add("vmul vmulh vrmulh vqdmulh vqrdmulh vmullb vmullt vqdmullb vqdmullt", Pipe.MULTIPLY, Result.LATE, Kind.MULTIPLY)
_add("vmla vmlas vqdmlah vqrdmlah vqdmlash vqrdmlash", Pipe.MULTIPLY, Result.LATE, Kind.SIMD_MAC)
for _op in ("qdmladh", "qrdmladh", "qdmlsdh", "qrdmlsdh"):
    _add(f"v{_op} v{_op}x", Pipe.MULTIPLY, Result.LATE, Kind.SIMD_MAC)
_ACROSS = ["vmlav", "vmlava", "vmlalv", "vmlalva", "vrmlalvh", "vrmlalvha"]  # what objdump calls the plain ones
for _op in ("mladav", "mlsdav", "mlaldav", "mlsldav", "rmlaldavh", "rmlsldavh"):
    _ACROSS += [f"v{_op}", f"v{_op}a", f"v{_op}x", f"v{_op}ax"]
_add(" ".join(_ACROSS), Pipe.MULTIPLY, Result.LATE, Kind.SIMD_MAC)
_add("vaddv vaddva vaddlv vaddlva", Pipe.MULTIPLY, Result.LATE)
_add("vcmp", Pipe.MULTIPLY, Result.EARLY)
# floating point
_add("vfma vfms vfmas vcmla", Pipe.MULTIPLY, Result.LATE, Kind.FP)
_add("vcmul vcvt vcvta vcvtn vcvtp vcvtm vcvtb vcvtt vmaxnm vminnm vmaxnma vminnma vmaxnmv vminnmv vmaxnmav vminnmav",
     Pipe.MULTIPLY, Result.LATE, Kind.FP)  # fmt: skip
_add("vrinta vrintn vrintp vrintm vrintx vrintz", Pipe.MULTIPLY, Result.LATE, Kind.FP)
_add("vmov", Pipe.BITWISE, Result.EARLY)
_add("vctp vpst vpt vpnot", Pipe.PREDICATE, Result.EARLY, Kind.SYSTEM)

_LONG = ("vmlaldav", "vmlsldav", "vmlalv", "vrml", "vaddlv")  # the result is two general registers
_INTO = frozenset(
    [
        "vmla",
        "vmlas",
        "vqdmlah",
        "vqrdmlah",
        "vqdmlash",
        "vqrdmlash",
        "vfma",
        "vfms",
        "vfmas",
        "vcmla",
        "vsli",
        "vsri",
        "vshlc",
        "vabav",
        "vmaxv",
        "vminv",
        "vmaxav",
        "vminav",
        "vmaxnmv",
        "vminnmv",
        "vmaxnmav",
        "vminnmav",
        "vmaxa",
        "vmina",
        "vmaxnma",
        "vminnma",
    ]
)  # the destination is read as well
_COUNTING = ("vidup", "vddup", "viwdup", "vdwdup", "vshlc")  # the second operand, a general register, is written too


def is_vector(raw: RawInstruction) -> bool:
    """Is it an instruction of the vector extension, not of the scalar FPU that shares its names?"""
    stem = raw.mnemonic.split(".")[0]
    return stem.startswith(("vctp", "vps", "vpt", "vpnot")) or _VECTOR.search(raw.operands) is not None


def decode_vector(raw: RawInstruction, operands: tuple[Operand, ...]) -> Instruction | None:
    """One vector instruction; None if it is not in the tables."""
    stem = raw.mnemonic.split(".")[0]
    if stem.startswith(("vldr", "vstr")) and len(stem) == 5:
        made = _contiguous_or_gather(raw, stem, operands)
    elif re.fullmatch(r"v(ld|st)[24][0-3]", stem):
        made = _interleaved(raw, stem, operands)
    else:
        made = _arithmetic(raw, "vpt" if stem.startswith(("vpst", "vpt")) else stem, operands)
    if made is None or made.vector is None:
        return None
    if raw.vpt:  # lanes that the predicate leaves out keep what they held, except in loads
        kept = 0 if made.load_bytes else made.writes & ~(_SCALAR | FLAGS)
        made = replace(made, reads=made.reads | VPR | kept, vector=replace(made.vector, predicated=True, vpt=raw.vpt))
    if raw.condition:
        made = replace(made, reads=made.reads | FLAGS | made.writes & ~FLAGS)
    return made


def _make(raw: RawInstruction, kind: Kind, vector: Vector, reads: int, writes: int) -> Instruction:
    return Instruction(
        address=raw.address, size=raw.size, mnemonic=raw.mnemonic, operands=raw.operands, kind=kind, reads=reads, writes=writes,
        condition=raw.condition, in_it_block=raw.in_it_block, vector=vector,
    )  # fmt: skip


def _elements(raw: RawInstruction) -> int:
    found = _SIZE.search(raw.mnemonic)
    return 8 * BYTES // int(found[1]) if found else 4


def _contiguous_or_gather(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction | None:
    memory = operands[1].memory if len(operands) > 1 else None
    if memory is None or not operands[0].register:
        return None
    elements = _elements(raw)
    size = elements * _ELEMENT[stem[4]]
    from_vector = (memory.base | memory.index) & ~_SCALAR
    address = memory.base | memory.index
    back = memory.base if memory.write_back or len(operands) > 2 else 0
    vector = Vector(Pipe.MEMORY, Result.EARLY, elements, gather=from_vector != 0)
    transfers = elements if from_vector else 1
    load = stem.startswith("vld")
    kind = Kind.LOAD if load else Kind.STORE
    data = operands[0].register
    made = _make(raw, kind, vector, address | (0 if load else data), (data if load else 0) | back)
    loaded, stored = (size, 0) if load else (0, size)
    return replace(made, address_reads=address, transfers=transfers, load_bytes=loaded, store_bytes=stored)


def _interleaved(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction | None:
    memory = operands[1].memory if len(operands) > 1 else None
    if memory is None or not operands[0].registers:
        return None
    data = 0
    for register in operands[0].registers:
        data |= register
    vector = Vector(Pipe.MEMORY, Result.LATE, _elements(raw))
    back = memory.base if operands[1].write_back or memory.write_back else 0
    if stem.startswith("vld"):  # each of them fills a part of all registers
        made = _make(raw, Kind.LOAD, vector, memory.base | data, data | back)
        return replace(made, address_reads=memory.base, transfers=1, load_bytes=BYTES)
    made = _make(raw, Kind.STORE, vector, memory.base | data, back)
    return replace(made, address_reads=memory.base, transfers=1, store_bytes=BYTES)


def _arithmetic(raw: RawInstruction, stem: str, operands: tuple[Operand, ...]) -> Instruction | None:
    entry = _TABLE.get(stem)
    if entry is None:
        return None
    pipe, result, kind = entry
    elements = _elements(raw)
    if ".f" in raw.mnemonic and stem not in ("vmov", "vpt", "vcmp"):
        pipe, kind = Pipe.MULTIPLY, Kind.FP
    if pipe is Pipe.PREDICATE or stem == "vcmp":
        if stem == "vpt" and operands:  # VPT compares, VPST does not
            pipe, kind = Pipe.MULTIPLY, Kind.ALU
        reads = 0
        for operand in operands:
            reads |= operand.register
        writes = 0 if raw.mnemonic.startswith("vpst") else VPR
        return _make(
            raw, kind, Vector(pipe, result, elements), reads | (VPR if stem in ("vpnot", "vpt") else 0), writes
        )
    values = [_whole(raw, o) for o in operands]
    written = 2 if stem.startswith(_LONG) else 1
    if stem == "vmov" and len(operands) == 4:
        written, pipe = 2, Pipe.EITHER
    elif stem == "vmov" and (len(operands) == 3 or "[" in raw.operands):
        pipe = Pipe.EITHER
    writes = reads = 0
    for value in values[:written]:
        writes |= value
    for value in values[written:]:
        reads |= value
    if stem.startswith(_COUNTING):
        writes |= values[1]
    into = stem in _INTO or stem.endswith(("va", "vax", "vha", "vhax")) or result is Result.NARROW
    partial = _partial(raw, operands)
    if into or partial:
        reads |= writes
    accumulator = writes if into and (kind in (Kind.SIMD_MAC, Kind.FP) or writes & _SCALAR) else 0
    if stem == "vpsel":
        reads |= VPR
    if stem == "vmov" and writes & _SCALAR and pipe is Pipe.EITHER:
        pipe = Pipe.MULTIPLY  # LLVM: MVE_VMOV_from_lane, MVE_VMOV_rr_q
    lanes = elements if kind in (Kind.SIMD_MAC, Kind.MULTIPLY) else 0
    if stem in ("vmullb", "vmullt", "vqdmullb", "vqdmullt"):
        lanes //= 2
    made = _make(raw, kind, Vector(pipe, result, elements), reads, writes)
    return replace(made, accumulator_reads=accumulator, lanes=lanes)


def _partial(raw: RawInstruction, operands: tuple[Operand, ...]) -> bool:
    """Is a lane shorter than a word written? The rest of its register stays."""
    return "[" in operands[0].text and raw.mnemonic.endswith(("8", "16"))


def _whole(raw: RawInstruction, operand: Operand) -> int:
    """The register of an operand; all of it where the lane is shorter than a word."""
    if "[" in operand.text and raw.mnemonic.endswith(("8", "16")):
        return mask(operand.text.partition("[")[0])
    return operand.register
