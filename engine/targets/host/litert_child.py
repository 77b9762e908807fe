"""Times LiteRT in a process of its own, which a broken model may take down: model path, input from stdin, times to stdout.

Words: MODEL WARM REPEATS THREADS [CONTROL ACK]. With the two named pipes of ``perf stat --control`` the counters run during the repeats
alone. Writes the times as uint64 in ns. Imports nothing of the engine.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Run what the command line says."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    model, warm, repeats, threads = sys.argv[1], *map(int, sys.argv[2:5])
    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    data = sys.stdin.buffer.read()
    for detail in interpreter.get_input_details():
        size = int(np.prod(detail["shape"])) * np.dtype(detail["dtype"]).itemsize
        interpreter.set_tensor(detail["index"], np.frombuffer(data[:size], detail["dtype"]).reshape(detail["shape"]))
        data = data[size:]
    for _ in range(warm):
        interpreter.invoke()
    switch = _switch(*map(Path, sys.argv[5:7])) if len(sys.argv) > 5 else _no_switch
    times = np.empty(repeats, np.uint64)
    invoke, now = interpreter.invoke, time.perf_counter_ns
    switch("enable")
    for n in range(repeats):
        before = now()
        invoke()
        times[n] = now() - before
    switch("disable")
    sys.stdout.buffer.write(times.tobytes())


def _no_switch(_: str) -> None:
    pass


def _switch(control: Path, acknowledged: Path) -> Any:
    """A function that tells perf what to do and waits until it is done."""
    to, back = control.open("w"), acknowledged.open()

    def tell(word: str) -> None:
        to.write(f"{word}\n")
        to.flush()
        back.readline()

    return tell


if __name__ == "__main__":
    main()
