"""The oracle for hostile models, many of them: a server that has loaded it once forks a child per model.

The interpreter trusts a model and may take its process down with it; a process of its own per model costs a second each,
a forked child some milliseconds.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
SECONDS = 20
_HEAD = struct.Struct("<qq")  # sizes of model and inputs; size of the answer (-1: none), and 0


class ForkedOracle:
    """Context manager; ``ask`` as often as needed."""

    def __enter__(self) -> ForkedOracle:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.builders.oracle_fork"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=SECONDS)

    def ask(self, model: bytes, inputs: bytes) -> bytes | None:
        """All outputs of one inference; None where the oracle refuses, crashes or hangs."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(_HEAD.pack(len(model), len(inputs)) + model + inputs)
        self._server.stdin.flush()
        size, _ = _HEAD.unpack(_exactly(self._server.stdout, _HEAD.size))
        return None if size < 0 else _exactly(self._server.stdout, size)


def _exactly(stream: object, size: int) -> bytes:
    data: bytes = stream.read(size)  # type: ignore[attr-defined]
    if len(data) != size:
        raise EOFError("the oracle's server ended")
    return data


def _answer(model: bytes, inputs: bytes) -> bytes | None:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.close(readable)
        try:
            from engine.models.oracle import Oracle

            with os.fdopen(writable, "wb") as out:
                out.write(Oracle(model).run(inputs))
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    return data if status == 0 else None


def main() -> None:
    """Answer until stdin ends."""
    import engine.models.oracle  # loads the interpreter before the first fork

    assert engine.models.oracle.available()
    while len(head := sys.stdin.buffer.read(_HEAD.size)) == _HEAD.size:
        first, second = _HEAD.unpack(head)
        model, inputs = _exactly(sys.stdin.buffer, first), _exactly(sys.stdin.buffer, second)
        answer = _answer(model, inputs)
        sys.stdout.buffer.write(_HEAD.pack(-1 if answer is None else len(answer), 0) + (answer or b""))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
