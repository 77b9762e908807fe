"""What counting costs: inferences with block and edge counts against the same inferences without hooks, interleaved.

    python benchmarks/counting.py [--model kws] [--board nucleo-l4r5zi] [--kernels cmsis-nn] [--inferences 100] [--json]

Both engines run in one process, a few inferences each in turn, so that a busy machine slows both. Prints the ratio of
their speeds; exit code 1 below --floor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from subject import parser_for, subject_of

from engine.targets import state as shared
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine
from engine.targets.types import Profile
from engine.targets.unicorn_target import Counting


@dataclass(frozen=True)
class Result:
    """Speeds in millions of instructions per second, over all rounds; ``ratio_median`` is the median round's."""

    model: str
    board: str
    kernels: str
    inferences: int
    instructions: int
    plain_mips: float
    counted_mips: float
    ratio: float
    ratio_median: float


def main() -> int:
    arguments = _arguments()
    about = subject_of(arguments)
    board, firmware, image, data, target = about.board, about.firmware, about.image, about.data, about.target
    profile, _ = target.count(firmware, image, [data])
    instructions = _instructions(image, profile)

    plain = Machine(firmware, image, board, board.core, Limits())
    plain.reset(str)
    counting = Counting(target, firmware, image, 1 << 14)
    counting.boot()
    plain.infer_once(data, str)
    counting.infer(data)  # translate everything before the clock starts
    shared.take_profile(counting.state)

    times: list[tuple[float, float]] = []
    done = 0
    while done < arguments.inferences:
        some = min(arguments.batch, arguments.inferences - done)
        begin = time.perf_counter()
        for _ in range(some):
            plain.infer_once(data, str)
        middle = time.perf_counter()
        for _ in range(some):
            counting.infer(data)
        times.append(((middle - begin) / some, (time.perf_counter() - middle) / some))
        done += some
    counted = shared.take_profile(counting.state)
    if counted.count.sum() != profile.count.sum() * done:
        print("the counts of the timed inferences are not a multiple of one inference's", file=sys.stderr)
        return 1

    without, with_hook = (sum(t[n] for t in times) / len(times) for n in (0, 1))
    result = Result(
        model=arguments.model,
        board=board.name,
        kernels=arguments.kernels,
        inferences=done,
        instructions=instructions,
        plain_mips=round(instructions / without / 1e6, 1),
        counted_mips=round(instructions / with_hook / 1e6, 1),
        ratio=round(without / with_hook, 3),
        ratio_median=round(statistics.median(a / b for a, b in times), 3),
    )
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print(f"{result.model}, {result.kernels}, {result.board}: {done} inferences of {instructions} instructions")
        print(f"without hooks      {result.plain_mips:8.1f} MIPS")
        print(f"with edge counting {result.counted_mips:8.1f} MIPS")
        print(f"ratio              {result.ratio:8.3f}   (median of {len(times)} rounds {result.ratio_median:.3f})")
    return 0 if result.ratio >= arguments.floor else 1


def _arguments() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument("--inferences", type=int, default=100)
    parser.add_argument("--batch", type=int, default=5, help="inferences of each engine per round")
    parser.add_argument("--floor", type=float, default=0.6, help="lowest ratio that counts as success")
    return parser.parse_args()


def _instructions(image: Image, profile: Profile) -> int:
    """Instructions of one inference: block counts times the lengths of the blocks."""
    lengths: dict[int, int] = {}
    total = 0
    for start, count in zip(profile.dst.tolist(), profile.count.tolist(), strict=True):
        if start not in lengths:
            at, length = start, 1
            while not image.instructions[at].ends_block:
                at, length = image.instructions[at].end, length + 1
            lengths[start] = length
        total += lengths[start] * count
    return total


if __name__ == "__main__":
    raise SystemExit(main())
