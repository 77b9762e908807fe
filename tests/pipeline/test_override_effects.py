"""Overrides that do nothing say so, in the record of the run."""

from __future__ import annotations

import pytest

from engine.pipeline.measure import record_of
from engine.pipeline.override_effects import idle_notes
from engine.pipeline.prepare import Prepared, prepare
from engine.pipeline.settings import RunSettings, parse_set, resolve

IDLE = {
    "core.latency.fp=3": "its cycles are the same without it",  # no FP instruction is executed
    "default_clock_mhz=80": "a clock was asked for",
    "flash.ladder.0.wait_states=1": "its cycles are the same without it",  # a step that the clock is beyond
    "flash.miss_extra_cycles=0": "its cycles are the same without it",
    "memories.sram2.wait_states=4": "its cycles are the same without it",  # nothing lies there
    "memories.sram1.write_back_cycles=9": "no data cache is in front of sram1",
}
WORKING = ("core.issue.mac=2", "flash.prefetch=true", "memories.sram1.wait_states=1")


@pytest.fixture(scope="module")
def made() -> Prepared:
    texts = (*IDLE, *WORKING)
    return prepare(
        resolve(RunSettings("kws", "nucleo-l4r5zi", clock_mhz=120, set=tuple(parse_set(text) for text in texts)))
    )


def test_what_does_nothing_is_noted_with_the_reason(made: Prepared) -> None:
    found = {note.split(" makes no difference to this run: ")[0]: note.split(": ", 1)[1] for note in idle_notes(made)}
    assert found == {text: f"{why}." for text, why in IDLE.items()}


def test_the_record_says_it(made: Prepared) -> None:
    notes = record_of(made).notes
    assert all(any(n.startswith(f"{text} makes no difference to this run: ") for n in notes) for text in IDLE)


def test_a_figure_that_stands_in_for_another_is_noted() -> None:
    # an AXI SRAM without its caches, and nothing known of what an access waits there
    gone = ("flash.icache.also_serves", "flash.dcache.also_serves", "memories.axi_sram.wait_states",
            "memories.axi_sram.write_wait_states", "memories.axi_sram.fetch_wait_states")  # fmt: skip
    run = resolve(RunSettings("kws", "nucleo-h743zi", set=tuple(parse_set(f"{key}=none") for key in gone)))
    notes = [n for n in record_of(prepare(run)).notes if "stands in" in n]
    assert [n.split("(")[1].split(")")[0].removeprefix("memories.axi_sram.") for n in notes] == [
        "wait_states", "write_wait_states", "fetch_wait_states",
    ]  # fmt: skip
    assert "line_fill_cycles of a cached one stands in" in notes[0]
    assert "write_miss_cycles and write_back_cycles" in notes[1]
