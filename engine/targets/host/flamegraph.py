"""py-spy over LiteRT's process: where the time of many inferences goes, native functions included, as a flame graph of py-spy's own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from engine.errors import ExecutionError, ToolError
from engine.records.store import write_atomically
from engine.targets.host.litert import CHILD, litert_version
from engine.targets.host.process import TIMEOUT_S, run_pinned

HINT = "pip install 'py-spy>=0.4,<0.5'"
"""How to get the tool."""

_SECONDS = 3.0
_MOST_REPEATS = 1_000_000
_RATE_HZ = 250


def find_py_spy() -> Path:
    """The tool beside this interpreter, else the one on the PATH. Raises ToolError."""
    beside = Path(sys.executable).parent / "py-spy"
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    if found is None:
        raise ToolError("py-spy is not installed", hint=HINT)
    return Path(found)


def record_flamegraph(
    model: Path,
    data: bytes,
    cpu: int,
    p50_ms: float,
    out: Path,
    *,
    tool: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Sample some seconds of inferences and write the picture (SVG). ``p50_ms``: about how long one takes.

    Raises ToolError where py-spy or LiteRT is missing or may not look into a process.
    """
    litert_version()
    program = tool or find_py_spy()
    repeats = min(_MOST_REPEATS, max(1, round(_SECONDS * 1000 / p50_ms)))
    with tempfile.TemporaryDirectory(prefix="whycycles-flamegraph-") as folder:
        picture = Path(folder) / "flamegraph.svg"
        words = [sys.executable, "-I", str(CHILD), str(model), "10", str(repeats), "1"]
        command = [str(program), "record", "--native", "--rate", str(_RATE_HZ), "--output", str(picture), "--", *words]
        try:
            run_pinned(command, what="py-spy", cpu=cpu, stdin=data, timeout_s=timeout_s)
            content = picture.read_bytes()
        except ExecutionError as error:
            raise ToolError(
                f"no flame graph: {error.message}",
                hint="py-spy needs the right to trace a process: run as root, or see its README",
            ) from None
        except OSError:
            raise ToolError("no flame graph: py-spy ended well, but left no picture", hint=HINT) from None
    write_atomically(out, content)
