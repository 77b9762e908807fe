"""Our own program on this machine: its outputs, the time of every inference, what the machine itself costs."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import ExecutionError
from engine.firmware.host import HostProgram
from engine.records.host import HostCosts, HostLatency, HostMachine
from engine.targets.host.process import TIMEOUT_S, run_pinned

_NS_PER_MS = 1e6
_LARGEST_PROBE_BYTES = 256 << 20
_NEAR_BYTES, _FAR_BYTES, _MEMORY_BYTES = 128 << 10, 8 << 20, 128 << 20
"""Probed where the machine does not tell its caches: beyond any first, any second and nearly any last level."""


def outputs_of(program: HostProgram, inputs: Sequence[bytes], cpu: int) -> tuple[bytes, ...]:
    """The output of one inference for each input. Raises ExecutionError."""
    done = run_pinned([program.path, "check", str(len(inputs))], what="our program", cpu=cpu, stdin=b"".join(inputs))
    size = program.output_bytes
    if len(done.stdout) != size * len(inputs):
        raise ExecutionError(
            f"our program wrote {len(done.stdout)} bytes instead of {size * len(inputs)}", hint="run it again"
        )
    return tuple(done.stdout[n * size : (n + 1) * size] for n in range(len(inputs)))


def time_program(
    program: HostProgram, data: bytes, cpu: int, *, warm_up: int, repeats: int, timeout_s: float = TIMEOUT_S
) -> HostLatency:
    """Time single inferences, pinned. Raises ExecutionError."""
    words = [str(program.path), "time", str(warm_up), str(repeats)]
    done = run_pinned(words, what="our program", cpu=cpu, stdin=data, timeout_s=timeout_s)
    if len(done.stdout) != 8 * repeats:
        raise ExecutionError(f"our program wrote {len(done.stdout)} bytes of times", hint="run it again")
    return latency_of(np.frombuffer(done.stdout, np.uint64), warm_up=warm_up, threads=1, cpu=cpu)


def latency_of(times_ns: NDArray[np.uint64], *, warm_up: int, threads: int, cpu: int) -> HostLatency:
    """Percentiles of times in ns."""
    ms = times_ns.astype(np.float64) / _NS_PER_MS
    least, p50, p95, p99, most = (round(float(v), 6) for v in np.percentile(ms, [0, 50, 95, 99, 100]))
    return HostLatency(
        repeats=len(ms), warm_up=warm_up, threads=threads, cpu=cpu, least_ms=least, p50_ms=p50, p95_ms=p95, p99_ms=p99, most_ms=most
    )  # fmt: skip


def probe_costs(program: HostProgram, machine: HostMachine, cpu: int) -> HostCosts:
    """Measure what additions, mispredictions and lines from beyond each cache cost here (a second or so). Raises ExecutionError."""
    near, far, memory = (_probe(program, n, cpu) for n in probed_bytes(machine))
    return HostCosts(
        dependent_addition_ns=min(near[0], far[0], memory[0]),
        instruction_ns=min(near[1], far[1], memory[1]),
        misprediction_ns=min(near[2], far[2], memory[2]),
        near_line_ns=near[3],
        near_line_alone_ns=near[4],
        far_line_alone_ns=far[4],
        memory_line_ns=memory[3],
        memory_line_alone_ns=memory[4],
    )


def probed_bytes(machine: HostMachine) -> tuple[int, int, int]:
    """Sizes that lie in the second level, in the last one, and in memory."""
    first, second, last = machine.cache(1, "data", "unified"), machine.cache(2, "data", "unified"), machine.last_level
    near = min(4 * first.bytes, second.bytes // 2) if first and second else _NEAR_BYTES
    far = last.bytes // 2 if last and last.level > 1 else _FAR_BYTES
    memory = 4 * last.bytes if last else _MEMORY_BYTES
    return near, far, min(memory, _LARGEST_PROBE_BYTES)


def _probe(program: HostProgram, size: int, cpu: int) -> tuple[float, ...]:
    done = run_pinned([program.path, "machine", str(size)], what="the machine's probe", cpu=cpu)
    if len(done.stdout) != 48:
        raise ExecutionError("the machine's probe gave no figures", hint="run it again")
    return tuple(round(v, 6) for v in struct.unpack("<6d", done.stdout))
