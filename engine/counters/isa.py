"""What each Thumb mnemonic is and does: its class, which operands it writes, and what it does besides.

Only mnemonics named here are known; anything else is an error, never a guess. The table covers Armv6-M, Armv7-M with the
DSP extension and VFPv4/v5, and Armv8-M Mainline as compilers emit them, with the loops and long shifts of Armv8.1-M; meanings from
the Armv7-M and Armv8-M Architecture Reference Manuals' instruction pages (chapter "Instruction Details"). Helium is in ``mve``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.counters.types import InstructionClass as Kind


class Shape(Enum):
    """Which operands an instruction writes and reads."""

    FIRST = "first operand written, the others read (two operands: `op d, n`; three: `op d, n, m`)"
    FIRST_TOO = "first operand written and read, the others read"
    DATA = "as FIRST, but with only two operands the first is read as well (`adds r0, r1`)"
    NONE = "all operands read, none written"
    TWO = "first two written, the others read"
    TWO_TOO = "first two written and read, the others read"


@dataclass(frozen=True)
class Meaning:
    """One mnemonic. ``accumulator`` is the index of the operand accumulated into (TWO_TOO: the first two); -1 if none."""

    kind: Kind
    shape: Shape
    lanes: int = 0
    accumulator: int = -1
    reads_flags: bool = False
    sets_flags: bool = False


TABLE: dict[str, Meaning] = {}


def _add(names: str, meaning: Meaning) -> None:
    for name in names.split():
        TABLE[name] = meaning


_add("add sub and orr eor bic lsl lsr asr ror rsb orn", Meaning(Kind.ALU, Shape.DATA))
_add("addw subw", Meaning(Kind.ALU, Shape.FIRST))
_add("adc sbc", Meaning(Kind.ALU, Shape.DATA, reads_flags=True))
_add("mov mvn movw adr neg", Meaning(Kind.ALU, Shape.FIRST))
_add("rrx", Meaning(Kind.ALU, Shape.FIRST, reads_flags=True))
_add("movt bfi bfc", Meaning(Kind.ALU, Shape.FIRST_TOO))
_add("cmp cmn tst teq", Meaning(Kind.ALU, Shape.NONE, sets_flags=True))
_add("clz rbit rev rev16 revsh sxtb sxth uxtb uxth sxtb16 uxtb16", Meaning(Kind.ALU, Shape.FIRST))
_add("sxtab sxtah uxtab uxtah sxtab16 uxtab16 pkhbt pkhtb", Meaning(Kind.ALU, Shape.FIRST))
_add("ubfx sbfx ssat usat ssat16 usat16 qadd qsub qdadd qdsub", Meaning(Kind.ALU, Shape.FIRST))
for _prefix in ("q", "sh", "uq", "uh"):
    for _op in ("add16", "sub16", "add8", "sub8", "asx", "sax"):
        _add(_prefix + _op, Meaning(Kind.ALU, Shape.FIRST))
for _prefix in ("s", "u"):  # these set the GE flags, which SEL reads
    for _op in ("add16", "sub16", "add8", "sub8", "asx", "sax"):
        _add(_prefix + _op, Meaning(Kind.ALU, Shape.FIRST, sets_flags=True))
_add("sel csel csinc csinv csneg cset csetm cinc cinv cneg", Meaning(Kind.ALU, Shape.FIRST, reads_flags=True))
_add("asrl lsll lsrl sqrshrl sqshll srshrl uqrshll uqshll urshrl", Meaning(Kind.ALU, Shape.TWO_TOO))
_add("sqrshr sqshl srshr uqrshl uqshl urshr", Meaning(Kind.ALU, Shape.FIRST_TOO))
_add("usad8", Meaning(Kind.ALU, Shape.FIRST))
_add("usada8", Meaning(Kind.ALU, Shape.FIRST))

_add("mul", Meaning(Kind.MULTIPLY, Shape.DATA))
_add("umull smull", Meaning(Kind.MULTIPLY, Shape.TWO))
_add("smmul smmulr smulbb smulbt smultb smultt smulwb smulwt", Meaning(Kind.MULTIPLY, Shape.FIRST))
_add("mla mls smmla smmlar smmls smmlsr", Meaning(Kind.MAC, Shape.FIRST, lanes=1, accumulator=3))
_add("smlabb smlabt smlatb smlatt smlawb smlawt", Meaning(Kind.MAC, Shape.FIRST, lanes=1, accumulator=3))
_add("smlal umlal smlalbb smlalbt smlaltb smlaltt umaal", Meaning(Kind.MAC, Shape.TWO_TOO, lanes=1, accumulator=0))
_add("smlad smladx smlsd smlsdx", Meaning(Kind.SIMD_MAC, Shape.FIRST, lanes=2, accumulator=3))
_add("smlald smlaldx smlsld smlsldx", Meaning(Kind.SIMD_MAC, Shape.TWO_TOO, lanes=2, accumulator=0))
# two products and their sum (or difference) in one instruction: a SIMD MAC whose accumulator is zero
_add("smuad smuadx smusd smusdx", Meaning(Kind.SIMD_MAC, Shape.FIRST, lanes=2))
_add("sdiv udiv", Meaning(Kind.DIVIDE, Shape.DATA))

_add("b bx bxns cbz cbnz tbb tbh", Meaning(Kind.BRANCH, Shape.NONE))
_add("bl blx blxns", Meaning(Kind.BRANCH, Shape.NONE))
# low-overhead loops: the first operand is LR, which counts
_add("dls dlstp", Meaning(Kind.ALU, Shape.FIRST))
_add("wls wlstp le letp", Meaning(Kind.BRANCH, Shape.NONE))

_add("vadd vsub vmul vnmul vdiv vsqrt vabs vneg vcvt vcvtr vcvta vcvtn vcvtp vcvtm", Meaning(Kind.FP, Shape.FIRST))
_add("vcvtb vcvtt vrinta vrintn vrintp vrintm vrintx vrintz vrintr vmaxnm vminnm", Meaning(Kind.FP, Shape.FIRST))
_add("vmla vmls vnmla vnmls vfma vfms vfnma vfnms", Meaning(Kind.FP, Shape.FIRST_TOO, accumulator=0))
_add("vseleq vselge vselgt vselvs", Meaning(Kind.FP, Shape.FIRST, reads_flags=True))
_add("vcmp vcmpe", Meaning(Kind.FP, Shape.NONE))  # flags of the FPSCR, moved by VMRS
_add("vmov", Meaning(Kind.FP, Shape.FIRST))
_add("vmrs vmsr", Meaning(Kind.FP, Shape.FIRST))

_add("nop yield wfe wfi sev dbg dmb dsb isb csdb ssbb pssbb", Meaning(Kind.SYSTEM, Shape.NONE))
_add("cpsid cpsie clrex svc bkpt udf pld pldw pli lctp", Meaning(Kind.SYSTEM, Shape.NONE))
_add("mrs tt ttt tta ttat", Meaning(Kind.SYSTEM, Shape.FIRST))
_add("msr", Meaning(Kind.SYSTEM, Shape.NONE))

SETTING = frozenset(
    [
        "add",
        "sub",
        "and",
        "orr",
        "eor",
        "bic",
        "orn",
        "lsl",
        "lsr",
        "asr",
        "ror",
        "rsb",
        "adc",
        "sbc",
        "mov",
        "mvn",
        "rrx",
        "mul",
        "neg",
    ],
)
"""Mnemonics that may carry an ``s`` suffix."""

LOADS = {
    "ldr": 4, "ldrb": 1, "ldrh": 2, "ldrsb": 1, "ldrsh": 2, "ldrt": 4, "ldrbt": 1, "ldrht": 2, "ldrsbt": 1, "ldrsht": 2,
    "ldrex": 4, "ldrexb": 1, "ldrexh": 2, "lda": 4, "ldab": 1, "ldah": 2, "ldaex": 4, "ldaexb": 1, "ldaexh": 2,
}  # fmt: skip
STORES = {
    "str": 4, "strb": 1, "strh": 2, "strt": 4, "strbt": 1, "strht": 2,
    "strex": 4, "strexb": 1, "strexh": 2, "stl": 4, "stlb": 1, "stlh": 2, "stlex": 4, "stlexb": 1, "stlexh": 2,
}  # fmt: skip
EXCLUSIVE_STORES = frozenset(name for name in STORES if "ex" in name)
LOOPS = frozenset({"wls", "wlstp", "le", "letp"})
"""Branches of low-overhead loops; they count down the register they name first."""

LOOP_ENDS = frozenset({"le", "letp"})
"""Those that go back to the start of the loop."""
