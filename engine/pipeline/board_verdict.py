"""Whether a device computed the right thing, and at the clock that was asked for."""

from __future__ import annotations

from engine.errors import CheckFailedError
from engine.models.graph import Graph
from engine.models.oracle import Verdict, check_outputs, expected_outputs
from engine.models.real_values import output_step, real_outputs
from engine.pipeline.settings import ResolvedRun
from engine.targets.board.measure import Measurement

_CLOCK_TOLERANCE = 0.02
_CLOCK_SECONDS = 2.0
_PRINTED = 0.001  # results are printed with three digits at least


def output_verdict(graph: Graph, run: ResolvedRun, inputs: tuple[bytes, ...], found: Measurement) -> Verdict:
    """Compare the device's outputs with the oracle's. Raises CheckFailedError where they are wrong."""
    if found.outputs is None:
        return _printed_verdict(graph, run, inputs, found)
    verdict = check_outputs(graph, run.model.path, inputs, found.outputs)
    if verdict.matches is False:
        raise CheckFailedError(
            f"{run.id}: the device's output differs from the oracle's: {verdict.note}",
            hint="is the flash worn or the clock too fast for the supply? flash it again; else report the model",
        )
    return verdict


def _printed_verdict(graph: Graph, run: ResolvedRun, inputs: tuple[bytes, ...], found: Measurement) -> Verdict:
    """What a firmware prints that is not ours, against the oracle: it may differ by rounding, not by another model."""
    expected = expected_outputs(graph, run.model.path, inputs)
    if expected.outputs is None:
        return Verdict(None, expected.note)
    allowed = output_step(graph) + _PRINTED
    for i, (printed, raw) in enumerate(zip(found.results, expected.outputs, strict=True)):
        wanted = real_outputs(graph, raw)
        if len(printed) != len(wanted):
            return Verdict(
                None, f"the device prints {len(printed)} results, {run.model.name} has {len(wanted)}: not compared"
            )
        worst = max(abs(a - b) for a, b in zip(printed, wanted, strict=True))
        if worst > allowed:
            raise CheckFailedError(
                f"{run.id}: the device's results differ by up to {worst:g} from the oracle's at input {i}",
                hint=f"is it {run.model.name} that is flashed, and does it take the same input type?",
            )
    return Verdict(True, f"printed results within one quantisation step of {expected.note}")


def check_clock(run: ResolvedRun, found: Measurement, emulator: str | None) -> None:
    """On a board the clock must be what was asked for, by its own word and against this machine's. Raises CheckFailedError."""
    facts = found.identity.facts
    if emulator is not None or facts is None:
        return
    if facts.clock_problem is not None:
        raise CheckFailedError(
            f"the board could not set {run.clock_mhz:g} MHz: {facts.clock_problem}; it runs from {facts.clock_source}",
            hint="check the board's clock source (crystal, jumpers, solder bridges), or choose a lower --clock; is it an emulator? --emulated",
        )
    check = found.clock
    if check.seconds >= _CLOCK_SECONDS and abs(check.ratio - 1) > _CLOCK_TOLERANCE:
        lasts = f"a second of the board lasts {1 / check.ratio:.3f} s here" if check.ratio else "its timer stands still"
        raise CheckFailedError(
            f"{lasts}: its clock is not {run.clock_mhz:g} MHz",
            hint="check the board's clock source; is it an emulator? add --emulated",
        )
