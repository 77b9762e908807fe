"""What re-timing a stored run costs: another clock, another placement, a mechanism idealised; and all that `whycycles whatif` answers.

    python benchmarks/retime.py [--model kws --ceiling 0.5] [--board nucleo-l4r5zi] [--place weights=sram1] [--rounds 5] [--json]

CPU seconds of this one-threaded process, which a busy machine does not lengthen much; medians of the rounds, after a first one that loads
compiled code. Every question begins with what `prepare` read from the store. Beside them the memory run that a placement would need if it
were executed again. Exit code 1 if the
slowest single re-timing takes longer than --ceiling.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from engine.firmware.stimulus import stimulus
from engine.pipeline.placed import placed
from engine.pipeline.prepare import Prepared, prepare
from engine.pipeline.rethink import retiming_of, what_if, what_if_placed
from engine.pipeline.settings import RunSettings, parse_place, resolve
from engine.targets.unicorn_target import UnicornTarget
from engine.timing.mechanism import Mechanism
from engine.timing.retime import REAL
from engine.timing.table import End


@dataclass(frozen=True)
class Result:
    """CPU seconds. ``whatif_*``: every mechanism, every clock and every uncertain figure at its ends; ``executed_s``: the memory run alone."""

    model: str
    board: str
    place: str
    clock_s: float
    counterfactual_s: float
    placement_s: float
    placement_per_mechanism_s: float
    whatif_s: float
    whatif_placed_s: float
    executed_s: float


def main() -> int:
    arguments = _arguments()
    settings = RunSettings(arguments.model, arguments.board)
    made = prepare(resolve(settings))
    wanted = resolve(RunSettings(arguments.model, arguments.board, place=(parse_place(arguments.place),)))

    def cycles(of: Prepared, clock_mhz: float | None = None, ideal: frozenset[Mechanism] = REAL) -> int:
        retiming = retiming_of(of)
        return sum((retiming if clock_mhz is None else retiming.at(clock_mhz)).cycles(ideal, End.VALUE))

    def stored() -> Prepared:
        """The run as a new process has it: from the store."""
        return prepare(resolve(settings))

    def execute() -> None:
        target = UnicornTarget(made.run.board)
        target.watch(made.firmware, made.decoder.image, stimulus(made.firmware, made.inputs)[0])

    slow = min(s.up_to_mhz for s in made.run.board.flash.ladder)
    estimate = placed(stored(), wanted).made
    questions: tuple[Callable[[Prepared], object], ...] = (
        lambda run: cycles(run, slow),
        lambda run: cycles(run, ideal=frozenset({Mechanism.ZERO_WAIT_FLASH})),
        lambda run: cycles(placed(run, wanted).made),
        lambda _: cycles(estimate, ideal=frozenset({Mechanism.ZERO_WAIT_FLASH})),
        what_if,
        lambda run: what_if_placed(run, wanted),
        lambda _: execute(),
    )
    taken: list[list[float]] = []
    for _ in range(arguments.rounds + 1):
        row = []
        for ask in questions:
            run = stored()
            begin = time.process_time()
            ask(run)
            row.append(time.process_time() - begin)
        taken.append(row)
    medians = [round(statistics.median(column), 3) for column in zip(*taken[1:], strict=True)]
    result = Result(arguments.model, made.run.board.name, arguments.place, *medians)
    if arguments.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print(f"{result.model}, {result.board}")
        print(f"another clock         {result.clock_s:7.3f} s")
        print(f"a mechanism idealised {result.counterfactual_s:7.3f} s")
        print(f"{result.place:21} {result.placement_s:7.3f} s, executing its memory run {result.executed_s:.3f} s")
        print(f"all of whatif         {result.whatif_s:7.3f} s, with --place {result.whatif_placed_s:.3f} s")
    return 0 if max(result.clock_s, result.counterfactual_s, result.placement_s) <= arguments.ceiling else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="kws", help="zoo name, reference name or path to a .tflite")
    parser.add_argument("--board", default="nucleo-l4r5zi")
    parser.add_argument("--place", default="weights=sram1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ceiling", type=float, default=0.5, help="most seconds of one re-timing")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
