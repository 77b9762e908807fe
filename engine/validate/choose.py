"""Which run of ours stands beside a published row, and every choice made on the way.

Kernels: ``cmsis-nn`` (with or without a version) and ``reference`` (ours) are had. Where a row names none, or others, CMSIS-NN
stands in: it is what TensorFlow Lite Micro is built with on a Cortex-M by those who publish latencies, but kernels alone make a
factor of two to five, so such a row is never an exact one. For another library's reference kernels ours stand in.

Compiler: gcc at -O2 where a row names none, by definition. gcc, and clang under any name, are had; for another one gcc stands in,
clang for Arm's compiler, which is made from it. A row built with such a compiler is not exact, whatever overrules it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.pipeline.settings import OPTS, RunSettings
from engine.validate.reference import ReferenceRow

_CMSIS_NN = re.compile(r"(arm\s)?cmsis[-_ ]?nn(?P<which>\s*(v?\d[\w.-]*|@.*|\(.*|via\s.*))?")
_GCC = re.compile(r"gcc|g\+\+|\bgnu\b|arm-none-eabi")
_ARM_CLANG = re.compile(r"armclang|arm\scompiler|\bac6\b")
_CLANG = re.compile(r"clang|llvm")
_LEVEL = re.compile(r"(?<![a-z0-9])(?:-o(?P<flag>[a-z0-9]*)|o(?P<bare>[0-3s]))(?![a-z0-9])")
_NEAREST_LEVEL = {"fast": "O3", "z": "Os", "g": "O1"}
_MICROTVM = re.compile(r"(micro|[u\u00b5\u03bc])[-_ ]?tvm")
_TFLM = re.compile(r"tflm|tensorflow|tflite|tf-lite|litert")


@dataclass(frozen=True)
class Choice:
    """The run; ``notes`` say what was assumed to get there, ``doubts`` in what it is not the build that was published."""

    settings: RunSettings
    notes: tuple[str, ...]
    doubts: tuple[str, ...]


def choose(row: ReferenceRow, compiler: CompilerName | None = None) -> Choice:
    """The run that a row asks for: its board, model, clock, kernels and compiler, or what stands in for them.

    ``compiler`` overrules the row's. microTVM selects kernels in its own way, everybody else as TensorFlow Lite Micro does.
    """
    notes: list[str] = []
    doubts: list[str] = []
    own = _compiler(row.compiler, notes, doubts)
    if compiler is not None and (compiler is not own or doubts):
        notes.append(f"--compiler {compiler.value} overrules the row's{f' {row.compiler!r}' if row.compiler else ''}")
    opt = _level(row.compiler, notes, doubts)
    kernels = _kernels(row.kernels, notes, doubts)
    lowering = _lowering(row.framework, notes)
    if lowering is Lowering.MICROTVM and kernels is not KernelLibrary.CMSIS_NN:
        doubts.append("microTVM's own lowering of reference kernels is not ours: TensorFlow Lite Micro's stands in")
        lowering = Lowering.TFLM
    if lowering is Lowering.MICROTVM:
        notes.append(
            "kernels chosen as microTVM's submission did: a first convolution of one channel by the depthwise kernel, and for the "
            "anomaly detector the conversion of its float input and output is timed too; our reading of the submission, not its binary"
        )
    board, model = row.board_found, row.model_found
    notes += [f"found beside the CSV: {at}" for at, said in ((board, row.board), (model, row.model)) if at != said]
    settings = RunSettings(
        model=model,
        board=board,
        kernels=kernels,
        compiler=compiler or own,
        opt=opt,
        clock_mhz=row.clock_mhz,
        lowering=lowering,
    )
    return Choice(settings, tuple(notes), tuple(doubts))


def _compiler(said: str, notes: list[str], doubts: list[str]) -> CompilerName:
    text = said.lower()
    if not text:
        notes.append("the row names no compiler: gcc -O2 taken")
        return CompilerName.GCC
    if _ARM_CLANG.search(text):
        doubts.append(f"compiler '{said}' is not ours: clang stands in, from which it is made")
        return CompilerName.CLANG
    if _CLANG.search(text):
        return CompilerName.CLANG
    if not _GCC.search(text):
        doubts.append(f"compiler '{said}' is not ours: gcc stands in")
    return CompilerName.GCC


def _level(said: str, notes: list[str], doubts: list[str]) -> str:
    found = {m["bare"] or m["flag"] for m in _LEVEL.finditer(said.lower())}
    if not found:
        if said:
            notes.append("the row names no optimisation level: -O2 taken")
        return "O2"
    # -O alone is -O1 in gcc and clang
    levels = sorted({f"O{x or 1}" for x in found})
    if len(levels) > 1:
        taken = next((x for x in levels if x in OPTS), "O2")
        doubts.append(f"the row names several optimisation levels ({', '.join(levels)}): -{taken} taken")
        return taken
    if levels[0] not in OPTS:
        taken = _NEAREST_LEVEL.get(levels[0].removeprefix("O"), "O2")
        doubts.append(f"optimisation level -{levels[0]} is not ours: -{taken} stands in")
        return taken
    return levels[0]


def _kernels(said: str, notes: list[str], doubts: list[str]) -> KernelLibrary:
    text = said.lower()
    if not text:
        doubts.append("the row names no kernels: CMSIS-NN stands in")
        return KernelLibrary.CMSIS_NN
    if text == KernelLibrary.REFERENCE:
        return KernelLibrary.REFERENCE
    ours = _CMSIS_NN.fullmatch(text)
    if ours is not None:
        if ours["which"]:
            notes.append(f"kernels '{said}': our CMSIS-NN taken, whose version may be another")
        return KernelLibrary.CMSIS_NN
    if "reference" in text:
        doubts.append(f"kernels '{said}' are not ours: our reference kernels stand in")
        return KernelLibrary.REFERENCE
    doubts.append(f"kernels '{said}' are not ours: CMSIS-NN stands in")
    return KernelLibrary.CMSIS_NN


def _lowering(said: str, notes: list[str]) -> Lowering:
    text = said.lower()
    if _MICROTVM.search(text):
        return Lowering.MICROTVM
    if not text:
        notes.append("the row names no framework: kernels chosen as TensorFlow Lite Micro does")
    elif not _TFLM.search(text):
        notes.append(f"framework '{said}': kernels chosen as TensorFlow Lite Micro does")
    return Lowering.TFLM
