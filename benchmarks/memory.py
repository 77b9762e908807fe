"""What the memory system costs: the run that simulates it against the run that only counts, and the cache simulator by itself.

    python benchmarks/memory.py [--model kws] [--board nucleo-l4r5zi] [--kernels cmsis-nn] [--rounds 5] [--json]

The counting run is two inferences on the emulator. The memory run is one, with every access simulated and recorded, and further ones of the
board and of all its alternatives from that trace, until they repeat themselves. Both run in one process in turn, and CPU seconds are
taken, so that a busy machine does not tell on the ratio. Prints both and accesses per second of the simulator on a recorded-like
random trace. Exit code 1 above --ceiling.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass

import numpy as np
from subject import parser_for, subject_of

from engine.catalog.flash import Cache
from engine.targets import layout as at
from engine.targets.memory_system import MemorySystem


@dataclass(frozen=True)
class Result:
    """CPU time of a whole run of each kind; ``ratio``: the memory run over the counting run (median of the rounds)."""

    model: str
    board: str
    kernels: str
    counting_ms: float
    memory_ms: float
    ratio: float
    cache_million_accesses_per_s: float


def main() -> int:
    arguments = _arguments()
    about = subject_of(arguments)
    board, firmware, image, data, target = about.board, about.firmware, about.image, about.data, about.target
    times: list[tuple[float, float]] = []
    for _ in range(1 + arguments.rounds):
        begin = time.process_time()
        target.count(firmware, image, [data])
        middle = time.process_time()
        target.watch(firmware, image, data)
        times.append((middle - begin, time.process_time() - middle))
    times = times[1:]  # the first one loads compiled code
    result = Result(
        model=arguments.model,
        board=board.name,
        kernels=arguments.kernels,
        counting_ms=round(1000 * statistics.median(t[0] for t in times), 1),
        memory_ms=round(1000 * statistics.median(t[1] for t in times), 1),
        ratio=round(statistics.median(b / a for a, b in times), 2),
        cache_million_accesses_per_s=round(_cache_speed() / 1e6, 1),
    )
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print(f"{result.model}, {result.kernels}, {result.board}")
        print(f"counting run {result.counting_ms:8.1f} ms")
        print(f"memory run   {result.memory_ms:8.1f} ms, {result.ratio} times as long")
        print(f"cache simulator alone: {result.cache_million_accesses_per_s} million accesses per second")
    return 0 if result.ratio <= arguments.ceiling else 1


def _cache_speed() -> float:
    """Accesses per second: a 16 KB four-way cache of 32-byte lines; runs of words with a jump every 16 on average."""
    from engine.targets.cache_sim import replay

    cache = Cache(bytes=16384, line_bytes=32, ways=4, inferred="for speed only")
    system = MemorySystem(at.EVENTS)
    stream = system.stream(cache, "cache", 32)
    state = np.concatenate([np.zeros(at.EVENTS, np.int64), system.build()])
    random = np.random.default_rng(1)
    n = 4_000_000
    jumps = random.random(n) < 1 / 16
    addresses = np.cumsum(np.where(jumps, random.integers(-8192, 8192, n) & ~3, 4)) + (1 << 24)
    kinds, sizes = np.full(n, 2, np.int64), np.full(n, 4, np.int64)
    best = 0.0
    for _ in range(4):
        begin = time.perf_counter()
        replay(state, stream, stream, 0, kinds, addresses.astype(np.int64), sizes)
        best = max(best, n / (time.perf_counter() - begin))
    return best


def _arguments() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ceiling", type=float, default=20.0, help="highest ratio that counts as success")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
