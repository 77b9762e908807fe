"""The command ``whycycles``."""

import os
import sys

from engine import INTERRUPTED


def _end_early(kind: type[BaseException], error: BaseException, trace: object) -> None:
    if kind is KeyboardInterrupt:
        os.write(2, f"{INTERRUPTED}\n".encode())
        os._exit(130)
    _before(kind, error, trace)  # type: ignore[arg-type]


# importing all of it takes half a second, in which Ctrl-C must not print a traceback: until the module is there that sees to it
_before, sys.excepthook = sys.excepthook, _end_early

from engine.interrupt import ending_at_once  # noqa: E402

sys.excepthook = _before

with ending_at_once():
    from engine.cli.main import main

__all__ = ["main"]
