"""The last validation, kept in the repository for the website; with other kernels than the project's own, in a file beside it."""

from __future__ import annotations

from pathlib import Path

from engine import __version__
from engine.errors import ToolError
from engine.firmware.toolchain import toolchain
from engine.firmware.types import CompilerName
from engine.records.other_kernels import (
    KernelsPoint,
    KernelsResult,
    OtherKernels,
    read_other_kernels,
    write_other_kernels,
)
from engine.records.validation import (
    KeptValidation,
    Use,
    Validation,
    Validations,
    read_validations,
    write_validations,
)


def keep(found: Validation, compiler: CompilerName | None, path: Path) -> Validations:
    """Replace the kept result of this compiler (None: each row's own) and write the file; other results stay.

    Raises ToolError if no point could be run (the kept result then stays), RecordError if the file holds something else.
    """
    used = sorted({p.compiler for p in found.points if p.simulated_ms is not None})
    if not used:
        why = found.points[-1].notes[-1] if found.points and found.points[-1].notes else "there are no points"
        raise ToolError(f"no point could be run, so nothing is kept: {why}", hint="see `whycycles doctor`")
    result = KeptValidation(
        compiler=compiler.value if compiler else None,
        compiler_versions=tuple(f"{name} {toolchain(CompilerName(name)).version}" for name in used),
        engine_version=__version__,
        validation=found,
    )
    kept = read_validations(path).with_result(result)
    write_validations(kept, path)
    return kept


def keep_other_kernels(found: Validation, name: str, path: Path) -> OtherKernels:
    """Replace the kept exact points of the kernels that people know as ``name``, per compiler, and write the file; others stay.

    Raises ToolError if no exact point could be run, RecordError if the file holds something else.
    """
    kept = read_other_kernels(path)
    exact = [p for p in found.points if p.use is Use.EXACT]
    results = [
        _result(found, name, compiler) for compiler in sorted({p.compiler for p in exact if p.simulated_ms is not None})
    ]
    if not results:
        why = exact[-1].notes[-1] if exact and exact[-1].notes else "there are no exact points"
        raise ToolError(f"no exact point could be run, so nothing is kept: {why}", hint="see `whycycles doctor`")
    for result in results:
        kept = kept.with_result(result)
    write_other_kernels(kept, path)
    return kept


def _result(found: Validation, name: str, compiler: str) -> KernelsResult:
    ran = [p for p in found.points if p.use is Use.EXACT and p.compiler == compiler and p.simulated_ms is not None]
    points = [
        KernelsPoint(
            board=p.board, model=p.model, framework=p.framework, published_ms=p.published_ms, simulated_ms=p.simulated_ms,
            interval_ms=p.interval_ms, published_uj=p.published_uj, energy_uj=p.energy_uj,
        )
        for p in ran
        if p.published_ms is not None and p.simulated_ms is not None and p.interval_ms is not None
    ]  # fmt: skip
    return KernelsResult(
        name=name,
        kernels_version=ran[0].kernels_version or "unknown",
        compiler=compiler,
        compiler_version=toolchain(CompilerName(compiler)).version,
        opt=ran[0].opt,
        engine_version=__version__,
        points=tuple(points),
    )
