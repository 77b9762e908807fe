"""LiteRT, the runtime of ``.tflite`` files on desktops and phones: latency of single inferences, with hardware counters where there are any."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from engine.errors import ExecutionError, ToolError
from engine.records.host import HostCounter, HostRuntime
from engine.targets.host.perf import EVENTS, find_perf, parse_counters, refusal, unavailable
from engine.targets.host.process import TIMEOUT_S, Done, run_pinned
from engine.targets.host.program import latency_of

PACKAGE = "ai-edge-litert"
HINT = f"pip install '{PACKAGE}>=2.1,<3'"
"""How to get the runtime."""

CHILD = Path(__file__).with_name("litert_child.py")
"""The program that runs LiteRT."""

_XNNPACK = "XNNPACK delegate"


def litert_version() -> str:
    """The version that is installed. Raises ToolError."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise ToolError(f"{PACKAGE} is not installed", hint=HINT) from None


def time_litert(
    model: Path, data: bytes, cpu: int, *, warm_up: int, repeats: int, threads: int = 1, timeout_s: float = TIMEOUT_S
) -> HostRuntime:
    """Time single inferences, pinned, with perf's counters around them.

    Raises ToolError where LiteRT is missing, ExecutionError where it refuses the model, hangs or dies. Counters that cannot be had are absent
    with a reason.
    """
    version = litert_version()
    words = [sys.executable, "-I", str(CHILD), str(model), str(warm_up), str(repeats), str(threads)]
    done, counters = _with_counters(words, data, cpu, repeats, timeout_s)
    if len(done.stdout) != 8 * repeats:
        raise ExecutionError(f"LiteRT's process wrote {len(done.stdout)} bytes of times", hint="run it again")
    times = np.frombuffer(done.stdout, np.uint64)
    return HostRuntime(
        name="LiteRT",
        version=version,
        delegate="XNNPACK" if _XNNPACK in done.stderr else "none that LiteRT told of",
        latency=latency_of(times, warm_up=warm_up, threads=threads, cpu=cpu),
        counters=counters,
    )


def _with_counters(
    words: Sequence[str], data: bytes, cpu: int, repeats: int, timeout_s: float
) -> tuple[Done, tuple[HostCounter, ...]]:
    """Run under perf if it works here, else without; a counter per event either way."""
    try:
        perf = find_perf()
    except ToolError as error:
        return run_pinned(words, what="LiteRT", cpu=cpu, stdin=data, timeout_s=timeout_s), unavailable(error.message)
    with tempfile.TemporaryDirectory(prefix="whycycles-perf-") as name:
        folder = Path(name)
        control, acknowledged, out = folder / "control", folder / "acknowledged", folder / "counters.csv"
        os.mkfifo(control)
        os.mkfifo(acknowledged)
        command = [
            str(perf), "stat", "--field-separator", ";", "--output", str(out), "--event", ",".join(e.perf for e in EVENTS), "--delay", "-1",
            "--control", f"fifo:{control},{acknowledged}", "--", *words, str(control), str(acknowledged),
        ]  # fmt: skip
        try:
            done = run_pinned(command, what="LiteRT under perf", cpu=cpu, stdin=data, timeout_s=timeout_s)
            return done, parse_counters(out.read_text("utf-8", errors="replace"), repeats)
        except (ExecutionError, OSError) as error:
            # perf may be there and be refused by the kernel; the latency needs no counters
            reason = refusal(error)
    return run_pinned(words, what="LiteRT", cpu=cpu, stdin=data, timeout_s=timeout_s), unavailable(reason)
