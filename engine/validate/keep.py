"""The last validation, kept in the repository for the website."""

from __future__ import annotations

from pathlib import Path

from engine import __version__
from engine.errors import ToolError
from engine.firmware.toolchain import toolchain
from engine.firmware.types import CompilerName
from engine.records.validation import KeptValidation, Validation, Validations, read_validations, write_validations


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
