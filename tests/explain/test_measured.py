"""A measurement beside its simulation: measured = markers + simulated + unexplained, layer by layer and in all."""

from __future__ import annotations

import io

from rich.console import Console

from engine.explain.measured import explain_measured, render_measured
from engine.records.measured import Spread
from engine.records.run_energy import NoEnergy
from engine.targets.board.answers import LayerRuns, TimedRun
from engine.targets.board.measure import ClockCheck, LoopTime, Measurement
from engine.targets.board.session import Identity
from engine.targets.board.spread import explain_spread
from tests.builders.measured import MARKER, measured_record


def test_what_is_unexplained_is_what_neither_marker_nor_simulation_accounts_for() -> None:
    found = explain_measured(measured_record(extra=70))
    assert all(g.unexplained == 70 and g.measured == g.marker + g.simulated + 70 for g in found.layers)
    assert found.unexplained == 70 * len(found.layers)
    assert found.markers == MARKER * len(found.layers)
    assert found.measured == found.markers + (found.simulated or 0) + found.unexplained


def test_a_device_faster_than_its_simulation_has_a_negative_rest() -> None:
    found = explain_measured(measured_record(extra=-5))
    assert {g.unexplained for g in found.layers} == {-5}


def test_nothing_is_unexplained_where_nothing_of_silicon_was_measured() -> None:
    for record in (
        measured_record(emulator="QEMU"),
        measured_record(counter="us"),
        measured_record(plain=True),
    ):
        found = explain_measured(record)
        assert found.why_not
        assert (found.layers, found.unexplained, found.measured, found.markers) == ((), None, None, None)


def test_the_energy_of_a_measurement_is_part_of_what_it_says() -> None:
    without = measured_record()
    assert explain_measured(without).energy is None
    refused = NoEnergy(reason="the meter saw nothing")
    assert explain_measured(without.model_copy(update={"energy": refused})).energy == refused


def shown(record_changes: dict[str, object]) -> str:
    record = measured_record(**record_changes)  # type: ignore[arg-type]
    console = Console(width=120, record=True, file=io.StringIO())
    render_measured(explain_measured(record), record, console)
    return " ".join(console.export_text().split())


def test_the_card_says_what_was_verified_and_what_was_not() -> None:
    text = shown({"spread": Spread(p95_over_p50=1.12, explanation="mostly in conv2d #0")})
    assert "(measured;" in text
    assert "have the ELF's checksums" in text
    assert "p95 is 12 % above p50: mostly in conv2d #0" in text
    emulated = shown({"emulator": "QEMU"})
    assert "simulated (QEMU time, not cycles)" in emulated
    assert "measured;" not in emulated
    assert "firmware: not verified" in shown({"plain": True})


def measurement(*totals: tuple[int, int], counter: str = "cycles") -> Measurement:
    runs = LayerRuns(("a", "b"), counter, 9, tuple(TimedRun(a + b, (a, b)) for a, b in totals))
    identity = Identity("x", "p", "m", None)
    return Measurement(identity, runs, runs, (), LoopTime(10, 100), ClockCheck(1.0, 1.0), (), (), 0, 0)


def test_a_spread_is_named_with_the_layer_it_is_in() -> None:
    assert explain_spread(measurement(*[(1000, 1000)] * 20), ()) is None
    wide = explain_spread(measurement(*[(1000, 1000)] * 18, (1000, 1300), (1000, 1400)), ())
    assert wide is not None
    assert wide.p95_over_p50 == 1.15
    assert "mostly in b +300" in wide.explanation


def test_a_spread_without_layers_or_cycles_says_what_would_tell() -> None:
    plain = measurement()
    plain = Measurement(plain.identity, None, None, (1, 2), plain.loop, plain.clock, None, (), 0, 0)
    singles = explain_spread(plain, [100] * 18 + [150, 150])
    assert singles is not None
    assert "whole inferences only" in singles.explanation
    timer = explain_spread(measurement(*[(100, 100)] * 18, (100, 400), (100, 400), counter="us"), ())
    assert timer is not None
    assert "emulator" in timer.explanation
    # interrupts hit another layer each time
    hits = [(1000 + 300 * (i % 2), 1000 + 300 * (1 - i % 2)) for i in range(2)]
    scattered = explain_spread(measurement(*[(1000, 1000)] * 36, *hits * 2), ())
    assert scattered is not None
    assert "no layer alone" in scattered.explanation or "mostly in" in scattered.explanation
