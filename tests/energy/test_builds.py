import dataclasses

import pytest

from engine.energy.builds import build_band, towards
from engine.energy.published import PublishedPower, published_power
from engine.energy.spread import Band
from engine.records.validation import BoundSide
from tests.energy.test_power import row

A = row("a", "x", latency_ms=10.0)
B = row("b", "x", latency_ms=20.0, framework="another")


def test_a_build_is_as_unsure_as_published_ones_differ() -> None:
    found = build_band((A, B))
    # the ratios are 0.5 and 2, the 5 % and 95 % quantiles lie 5 % within
    assert (found.low, found.high) == pytest.approx((0.575, 1.925))


@pytest.mark.parametrize(
    "changes", [{"model": "y"}, {"board": "other"}, {"clock_mhz": 60.0}, {"framework": "TFLM"}], ids=str
)
def test_only_different_builds_of_one_model_on_one_board_and_clock_are_compared(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no two builds"):
        build_band((A, dataclasses.replace(B, **changes)))


def test_a_firmware_that_is_judged_does_not_count() -> None:
    judged = row("judged", "x", latency_ms=1000.0, framework="slow")
    assert build_band((A, B, judged), "judged") == build_band((A, B))
    assert build_band((A, B, judged)).high > 10


def test_a_bound_has_one_side() -> None:
    band = Band(1.0, 0.5, 2.0)
    assert towards(band, BoundSide.SIMULATED_AT_MOST) == Band(1.0, 1.0, 2.0)
    assert towards(band, BoundSide.SIMULATED_AT_LEAST) == Band(1.0, 0.5, 1.0)
    assert towards(band, None) == band


def test_a_build_that_was_not_seen_lies_within_nine_times_of_ten() -> None:
    """Every firmware against every other one of its board, with an interval that knows nothing of it."""
    rows = published_power()
    inside = [
        build_band(rows, a.firmware).low <= a.latency_ms / b.latency_ms <= build_band(rows, a.firmware).high
        for a in rows
        for b in rows
        if _pair(a, b)
    ]
    assert len(inside) > 500
    assert 0.85 < sum(inside) / len(inside) < 0.95


def _pair(a: PublishedPower, b: PublishedPower) -> bool:
    return (a.board, a.clock_mhz, a.model) == (b.board, b.clock_mhz, b.model) and (
        (a.framework, a.kernels, a.platform) != (b.framework, b.kernels, b.platform)
    )
