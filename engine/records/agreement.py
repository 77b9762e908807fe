"""The same firmware on every emulator: what each counted, where they differ, and the file in which the last comparison is kept.

Version history of ``schema``: 1 (2026-11) first version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import RecordError
from engine.records.store import write_atomically


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EmulatorRun(_Frozen):
    """One emulator's run; ``machine`` is the core it emulated."""

    name: str
    version: str
    machine: str


class Disagreement(_Frozen):
    """One counter of one region (or of the whole inference, for outputs) in which two emulators differ."""

    layer: str
    counter: str
    one: str = Field(description="the emulator compared with")
    one_value: str
    other: str
    other_value: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.counter} {self.one_value} ({self.one}) and {self.other_value} ({self.other})"


class AgreementCase(_Frozen):
    """One ELF on several emulators. The totals are the first emulator's, of one warm inference, glue included.

    ``failures`` are emulators that could not run it, each with the reason.
    """

    model: str
    model_sha256: str
    kernels: str
    core: str
    elf_sha256: str
    emulators: tuple[EmulatorRun, ...]
    layers: int
    instructions: int
    loads: int
    stores: int
    read_bytes: int
    write_bytes: int
    differences: tuple[Disagreement, ...]
    failures: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Did every emulator run it, and count the same?"""
        return not self.differences and not self.failures

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.model} with {self.kernels} on {self.core}"


class Agreement(_Frozen):
    """Content of ``measurements/agreement.json``; ``compiler`` is name and version of what built every ELF."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    engine_version: str
    compiler: str
    cases: tuple[AgreementCase, ...] = ()

    def with_cases(self, newer: Agreement) -> Agreement:
        """``newer`` with those of our cases that it does not have."""
        known = {(c.model, c.kernels, c.core) for c in newer.cases}
        kept = [c for c in self.cases if (c.model, c.kernels, c.core) not in known]
        cases = sorted((*kept, *newer.cases), key=lambda c: (c.model, c.kernels, c.core))
        return newer.model_copy(update={"cases": tuple(cases)})


def read_agreement(path: Path) -> Agreement | None:
    """The kept comparison; None where there is no file. Raises RecordError for a file that is not valid."""
    try:
        return Agreement.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            hint="make it again: `whycycles agree --all --update`",
        ) from None


def write_agreement(agreement: Agreement, path: Path) -> None:
    """Write the comparison: fixed key order, one value per line, newline at the end."""
    plain = agreement.model_dump(mode="json", by_alias=True)
    write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
