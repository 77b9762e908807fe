"""Every way whycycles can fail, as one tree.

WhycyclesError              base; carries ``message`` and ``hint``
├── UsageError              bad option, unknown name (exit code 2)
├── BadInputError           a file that cannot be used (exit code 2)
│   ├── ModelError          a .tflite that is broken or unsupported
│   │   └── UnsupportedOperatorError
│   ├── CatalogError        a board, core or campaign TOML that is broken
│   ├── RecordError         a run record that is broken
│   └── DoesNotFitError     the model does not fit the board's flash or RAM
├── ToolError               a compiler or emulator that is missing or failed (exit code 2)
│   └── BuildError
├── ExecutionError          the firmware faulted, hung or ran away (exit code 1)
└── CheckFailedError        a check ran and did not hold (exit code 1)
"""

from __future__ import annotations

from typing import ClassVar


class WhycyclesError(Exception):
    """Base of all errors shown to a user: ``message`` says what is wrong and where, ``hint`` what to do."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(WhycyclesError):
    """An unknown name or an option that makes no sense."""


class BadInputError(WhycyclesError):
    """A file that cannot be used."""


class ModelError(BadInputError):
    """A ``.tflite`` file that is broken or cannot be lowered."""


class UnsupportedOperatorError(ModelError):
    """An operator (or one of its types) that no lowering exists for."""


class CatalogError(BadInputError):
    """A board, core or campaign description that is broken."""


class RecordError(BadInputError):
    """A run record that is broken."""


class DoesNotFitError(BadInputError):
    """The firmware needs more flash or RAM than the board has."""


class ToolError(WhycyclesError):
    """A compiler or emulator is missing or failed."""


class BuildError(ToolError):
    """Compiling or linking failed."""


class ExecutionError(WhycyclesError):
    """The firmware faulted, hung or ran away while it was executed."""

    exit_code: ClassVar[int] = 1


class CheckFailedError(WhycyclesError):
    """A check ran and did not hold."""

    exit_code: ClassVar[int] = 1
