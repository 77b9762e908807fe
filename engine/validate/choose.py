"""Which run of ours stands beside a published row, and every choice made on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.pipeline.settings import RunSettings
from engine.validate.reference import ReferenceRow


@dataclass(frozen=True)
class Choice:
    """The run, and what was assumed to get there."""

    settings: RunSettings
    notes: tuple[str, ...]


def choose(row: ReferenceRow, compiler: CompilerName | None = None) -> Choice:
    """The run that a row asks for: its board, model, clock and kernels; gcc -O2 where the row does not say otherwise.

    ``compiler`` overrules the row. microTVM selects its own lowering; kernels we do not have are stood in for by CMSIS-NN.
    """
    notes = []
    text = row.compiler.lower()
    if compiler is None:
        clang = "clang" in text or "llvm" in text
        compiler = CompilerName.CLANG if clang else CompilerName.GCC
        if not text:
            notes.append("the row names no compiler: gcc -O2 taken")
    level = re.search(r"(?<![a-z0-9])-?o([0-3s])\b", text)
    opt = f"O{level[1]}" if level else "O2"
    if text and level is None:
        notes.append("the row names no optimisation level: -O2 taken")
    kernels = KernelLibrary.CMSIS_NN
    if row.kernels in list(KernelLibrary):
        kernels = KernelLibrary(row.kernels)
    else:
        notes.append(f"{row.kernels} kernels are not to be had: CMSIS-NN stands in")
    lowering = Lowering.MICROTVM if "microtvm" in row.framework.lower() else Lowering.TFLM
    return Choice(
        RunSettings(
            model=row.model,
            board=row.board,
            kernels=kernels,
            compiler=compiler,
            opt=opt,
            clock_mhz=row.clock_mhz,
            lowering=lowering,
        ),
        tuple(notes),
    )
