"""What is said of lanes and beats: exact where they were counted, a bound with its reason where not, nothing without Helium."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from engine.explain.explain import explain_run
from engine.explain.helium import HIDDEN, OLD, helium_rows, helium_text
from engine.records.counters import Counters
from engine.records.run import Idle
from engine.site.metrics import pyramid
from tests.builders.records import kws_record, make_counters


def helium(**changes: int) -> Counters:
    """Ten vector multiplies of 16 lanes, half under a predicate: 120 of the 160 lanes take part, 8 of the 40 beats are idle."""
    counts = {
        "simd_mac_instructions": 10, "mac_lanes": 160, "simd_lane_slots": 160, "mve_instructions": 10, "mve_mac_instructions": 10,
        "mve_predicated_instructions": 5, "mve_beats": 40, "mve_beats_masked": 8, "mve_mac_lanes": 160, "mve_mac_lanes_active": 120,
    }  # fmt: skip
    return make_counters(**(counts | changes))


def test_counted_lanes_are_said_to_be_exact() -> None:
    text = helium_text(helium())
    assert text == (
        "10 Helium instructions (5 under a predicate) in 40 beats; 8 beats (20.0 %) have no lane to work on; "
        "vector multiplies use exactly 120 of their 160 lanes (75.0 %)."
    )


def test_bounds_say_so_and_why() -> None:
    hidden = helium_text(helium(mve_mac_lanes_unknown=40, mve_beats_unknown=4))
    assert "at least 8 beats" in hidden
    assert "at most 120 of their 160 lanes" in hidden
    assert HIDDEN in hidden
    old = helium(mve_beats=0, mve_beats_masked=0, mve_mac_lanes=0, mve_mac_lanes_active=0)
    assert "at most 160 of their 160 lanes" in helium_text(old)
    assert OLD in helium_text(old)
    plain = helium(
        mve_predicated_instructions=0, mve_beats=0, mve_beats_masked=0, mve_mac_lanes=0, mve_mac_lanes_active=0
    )
    assert "exactly 160 of their 160 lanes" in helium_text(plain)  # without a predicate even an old record is exact
    assert helium_text(make_counters(mac_instructions=4)) == ""


def test_lane_use_counts_lanes_that_take_part() -> None:
    assert helium().active_lanes == 120
    assert helium().lanes_are_exact
    assert not helium(mve_mac_lanes_unknown=1).lanes_are_exact
    assert make_counters(simd_mac_instructions=4, mac_lanes=8).active_lanes == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"mve_mac_lanes": 161},
        {"mve_mac_lanes_active": 161},
        {"mve_mac_lanes_unknown": 121},
        {"mve_beats": 39},
        {"mve_beats_masked": 30, "mve_beats_unknown": 11},
    ],
)
def test_contradictions_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        helium(**changes)


def test_more_waits_than_cycles_without_issue_are_refused() -> None:
    assert Idle(cycles=3, mve_cycles=2, mve_waits=2)  # each is rounded
    with pytest.raises(ValidationError, match="are more than the 3"):
        Idle(cycles=3, mve_cycles=3, mve_waits=2)


def test_records_and_cards_without_helium_say_nothing() -> None:
    record = kws_record()
    assert helium_rows(record) == ()
    assert all(layer.helium == "" for layer in explain_run(record).layers)
    assert not [name for name in json.loads(record.layers[0].counters.model_dump_json()) if name.startswith("mve_")]
    assert "idle" not in json.loads(record.layers[0].model_dump_json())
    (lane_use,) = [m for m in pyramid(record, None) if m.name == "SIMD lane use"]
    assert "at most" not in lane_use.value
