"""Why repeats of the same inference differ: named when they do by more than 5 %, with what the numbers exclude."""

from __future__ import annotations

from collections.abc import Sequence

from engine.records.measured import Spread, percentiles
from engine.targets.board.measure import Measurement
from engine.words import name_title

LIMIT = 1.05
"""The ratio of p95 to p50 above which a spread is explained."""


def explain_spread(found: Measurement, latencies_us: Sequence[int]) -> Spread | None:
    """The spread of single inferences with its likely cause; None where p95 is within 5 % of p50."""
    whole = percentiles(latencies_us if found.warm is None else [run.total for run in found.warm.runs])
    ratio = whole.p95 / whole.p50 if whole.p50 else 1.0
    if ratio <= LIMIT:
        return None
    return Spread(p95_over_p50=round(ratio, 4), explanation=_why(found, whole.p95 - whole.p50))


def _why(found: Measurement, excess: int) -> str:
    warm = found.warm
    if warm is None:
        return (
            "whole inferences only: interrupts of that firmware, a clock that changes, caches, or the steps of its timer; a firmware of ours "
            "would tell which layers"
        )
    if warm.counter == "us":
        return (
            "the timer's microseconds follow what runs the device: an emulator shares its host with other programs; on silicon, a clock that "
            "changes. Cycles would tell, but no counter runs"
        )
    by_layer = [(percentiles([run.layers[i] for run in warm.runs]), name) for i, name in enumerate(warm.names)]
    wide = sorted(((p.p95 - p.p50, name) for p, name in by_layer), reverse=True)
    named = ", ".join(f"{name_title(name)} +{extra:,}" for extra, name in wide[:3] if extra > 0)
    if not named:
        return (
            "no layer alone spreads: what differs lies between the layers, or hits another layer each time, as an interrupt does (the firmware "
            "enables none; a debugger that halts the core looks the same)"
        )
    return (
        f"mostly in {named} cycles at p95, of {excess:,} in all. Cycles, not time, so the clock's rate is no cause; the firmware enables no "
        "interrupts; what remains are caches (another state at each start), flash or bus arbitration, and a debugger that halts the core"
    )
