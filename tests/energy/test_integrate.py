"""Energy from traces with known answers; the stated error bound must hold the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.energy.integrate import NJ, Energy, InferenceEnergy, NoLayerEnergy, energy_of
from engine.energy.trace import MeterInfo, PowerTrace
from engine.energy.windows import Window, idle_of, windows_of_gate, windows_of_markers
from engine.errors import BadInputError
from tests.energy.synthetic import Truth

BOARD = Truth(idle_w=0.005, layer_w=(0.030, 0.045, 0.020), layer_s=(0.020, 0.050, 0.010), begins_s=(0.2, 0.4, 0.6))


def within(found: Energy, truth_j: float) -> bool:
    return abs(found.energy_nj - truth_j * NJ) <= found.error_nj + 1


def check_layers(found: InferenceEnergy, truth: Truth) -> None:
    resolved = [x for x in found.layers if isinstance(x, Energy)]
    assert sum(x.energy_nj for x in resolved) + found.unresolved.energy_nj == found.net.energy_nj
    for layer, net_j in zip(found.layers, truth.net_layers_j, strict=True):
        assert isinstance(layer, NoLayerEnergy) or within(layer, net_j)


@pytest.mark.parametrize("rate_hz", [500, 1000, 3571, 10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("averaging", [False, True])
def test_from_500_hz_to_1_mhz_the_truth_lies_in_the_bound(rate_hz: int, averaging: bool) -> None:
    trace = BOARD.trace(rate_hz, 0.9, averaging=averaging, start_s=0.3 / rate_hz)
    found = energy_of(trace, windows_of_gate(trace), BOARD.shares)
    assert within(found.net, BOARD.net_j)
    assert within(found.gross, BOARD.net_j + BOARD.idle_w * BOARD.seconds)
    check_layers(found, BOARD)
    # the bound is of use: it shrinks with the sampling period
    assert found.net.error_nj <= 8 * 0.045 / rate_hz * NJ


def test_at_1_mhz_an_energy_is_right_to_a_thousandth() -> None:
    trace = BOARD.trace(1_000_000, 0.9)
    found = energy_of(trace, windows_of_gate(trace), BOARD.shares)
    assert found.net.energy_nj == pytest.approx(BOARD.net_j * NJ, rel=1e-3)
    for layer, net_j in zip(found.layers, BOARD.net_layers_j, strict=True):
        assert isinstance(layer, Energy)
        assert layer.energy_nj == pytest.approx(net_j * NJ, rel=1e-3)


def test_an_offset_of_the_meter_leaves_the_net_energy_alone() -> None:
    plain, moved = (replace(BOARD, offset_w=x).trace(10_000, 0.9) for x in (0.0, 0.002))
    one, two = (energy_of(t, windows_of_gate(t), BOARD.shares) for t in (plain, moved))
    assert two.net.energy_nj == pytest.approx(one.net.energy_nj, abs=5)
    assert two.gross.energy_nj > one.gross.energy_nj
    assert two.idle.power_w == pytest.approx(0.007)


def test_a_drifting_meter_is_followed() -> None:
    trace = replace(BOARD, drift_w_per_s=0.003).trace(10_000, 0.9)
    found = energy_of(trace, windows_of_gate(trace), BOARD.shares)
    assert found.idle.drift_w_per_s == pytest.approx(0.003, rel=1e-3)
    assert within(found.net, BOARD.net_j)
    check_layers(found, BOARD)


def test_dropped_samples_widen_the_bound_and_stay_inside() -> None:
    whole = BOARD.trace(10_000, 0.9)
    keep = np.ones(len(whole.time_s), np.bool_)
    keep[2300:2400] = False  # ten milliseconds inside the first inference
    trace = PowerTrace(
        whole.time_s[keep], whole.power_w[keep], whole.meter, whole.gate[keep] if whole.gate is not None else None
    )
    found, better = (energy_of(t, windows_of_gate(t), BOARD.shares) for t in (trace, whole))
    assert found.net.error_nj > better.net.error_nj
    assert within(found.net, BOARD.net_j)
    check_layers(found, BOARD)


@pytest.mark.parametrize("rate_hz", [500, 10_000, 1_000_000])
def test_a_layer_beyond_the_meters_range_is_refused_and_the_others_are_right(rate_hz: int) -> None:
    board = replace(BOARD, layer_s=(0.020, 0.040, 0.020))
    whole = board.trace(rate_hz, 0.9, start_s=0.3 / rate_hz)
    clipped = whole.power_w > 0.040
    trace = replace(whole, power_w=np.minimum(whole.power_w, 0.040), saturated=clipped)
    found = energy_of(trace, windows_of_gate(trace), board.shares)
    first, second, third = found.layers
    assert isinstance(second, NoLayerEnergy)
    assert "end of its range" in second.reason
    assert found.net.energy_nj < board.net_j * NJ
    assert sum(x.energy_nj for x in (first, third) if isinstance(x, Energy)) + found.unresolved.energy_nj == (
        found.net.energy_nj
    )
    # fast sampling tells where the range ended; slow sampling may blame a neighbour, but lets no wrong energy through
    for layer, net_j in ((first, board.net_layers_j[0]), (third, board.net_layers_j[2])):
        assert isinstance(layer, NoLayerEnergy) or within(layer, net_j)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([500, 1000, 20_000, 200_000]),
    st.sampled_from([0.0, 0.002, -0.001]),
    st.sampled_from([0.0, 0.003, -0.003]),
    st.sampled_from(["none", "scattered", "burst"]),
    st.booleans(),
)
def test_offset_drift_and_lost_samples_together_stay_inside_the_bound(
    seed: int, rate_hz: int, offset_w: float, drift: float, lost: str, averaging: bool
) -> None:
    rng = np.random.default_rng(seed)
    begins = tuple(np.array([0.2, 0.4, 0.6]) + rng.uniform(0, 0.05))
    board = replace(
        BOARD, layer_w=tuple(rng.uniform(0.01, 0.1, 3)), begins_s=begins, offset_w=offset_w, drift_w_per_s=drift
    )
    whole = board.trace(rate_hz, 0.95, averaging=averaging, start_s=rng.uniform(0, 1 / rate_hz))
    keep = np.ones(len(whole.time_s), np.bool_)
    if lost == "scattered":
        keep = rng.uniform(size=len(keep)) > 0.1
    if lost == "burst":
        at = begins[0] + rng.uniform(0.005, 0.075)
        keep = np.abs(whole.time_s - at) > 0.004
    trace = PowerTrace(whole.time_s[keep], whole.power_w[keep], whole.meter)
    found = energy_of(trace, board.windows(), board.shares)
    assert within(found.net, board.net_j)
    check_layers(found, board)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([500, 2000, 20_000]),
    st.floats(0, 0.003),
    st.booleans(),
)
def test_jittering_markers_stay_inside_the_bound(seed: int, rate_hz: int, jitter_s: float, averaging: bool) -> None:
    rng = np.random.default_rng(seed)
    cut = np.sort(rng.uniform(0.01, 0.07, 2))
    board = Truth(
        idle_w=rng.uniform(0, 0.01),
        layer_w=tuple(rng.uniform(0.01, 0.1, 3)),
        layer_s=(cut[0], cut[1] - cut[0], 0.08 - cut[1]),
        begins_s=tuple(np.array([0.2, 0.4, 0.6]) + rng.uniform(0, 0.05)),
    )
    trace = board.trace(rate_hz, 0.95, averaging=averaging, start_s=rng.uniform(0, 1 / rate_hz))
    found = energy_of(trace, board.windows(jitter_s, rng), board.shares)
    assert within(found.net, board.net_j)
    assert within(found.gross, board.net_j + board.idle_w * board.seconds)
    check_layers(found, board)


def test_a_layer_too_short_for_the_sampling_rate_is_refused_with_the_rate_it_needs() -> None:
    board = replace(BOARD, layer_s=(0.020, 0.0505, 0.0005))
    trace = board.trace(1000, 0.9)
    found = energy_of(trace, windows_of_gate(trace), board.shares)
    assert isinstance(found.layers[0], Energy)
    last = found.layers[2]
    assert isinstance(last, NoLayerEnergy)
    assert "500 us" in last.reason or "50" in last.reason
    assert "kHz" in last.reason
    check_layers(found, board)


def test_a_meter_that_averages_for_long_resolves_less_than_its_rate_says() -> None:
    trace = BOARD.trace(10_000, 0.9)
    slow = replace(trace, meter=MeterInfo("slow", integration_s=0.005))
    assert all(isinstance(x, Energy) for x in energy_of(trace, windows_of_gate(trace), BOARD.shares).layers)
    assert isinstance(energy_of(slow, windows_of_gate(slow), BOARD.shares).layers[2], NoLayerEnergy)


def test_many_inferences_in_one_window_are_divided_and_have_no_layers() -> None:
    board = replace(BOARD, layer_w=BOARD.layer_w * 10, layer_s=BOARD.layer_s * 10, begins_s=(0.2,))
    trace = board.trace(10_000, 1.4)
    found = energy_of(trace, windows_of_markers([(0.2, 0.2 + board.seconds)], 1e-4, inferences=10), BOARD.shares)
    assert within(found.net, BOARD.net_j)
    assert found.seconds == pytest.approx(BOARD.seconds)
    assert all(isinstance(x, NoLayerEnergy) for x in found.layers)
    assert found.unresolved.energy_nj == found.net.energy_nj


def test_what_the_maker_says_of_gain_and_offset_is_in_the_bound() -> None:
    trace = BOARD.trace(100_000, 0.9)
    worse = replace(trace, meter=MeterInfo("m", gain_error=0.01, offset_w=1e-4))
    one, two = (energy_of(t, windows_of_gate(t)) for t in (trace, worse))
    more = 0.01 * one.gross.energy_nj + 1e-4 * BOARD.seconds * NJ
    assert two.net.error_nj - one.net.error_nj == pytest.approx(more, rel=0.02)


def test_only_whole_windows_count() -> None:
    trace = BOARD.trace(10_000, 0.65)  # ends inside the third inference
    assert len(windows_of_gate(trace)) == 2
    late = BOARD.trace(10_000, 0.5, start_s=0.21)  # begins inside the first
    assert len(windows_of_gate(late)) == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: windows_of_gate(replace(t, gate=None)), "no gate"),
        (lambda t: windows_of_gate(replace(t, gate=np.zeros_like(t.gate))), "never rises"),
        (lambda t: windows_of_markers([(1.0, 0.5)], 0), "not after it begins"),
        (lambda t: windows_of_markers([(0.5, 0.5)], 0), "not after it begins"),
        (lambda t: windows_of_markers([(0.5, float("nan"))], 0), "not after it begins"),
        (lambda t: windows_of_markers([(0.5, 0.6), (0.1, 0.2), (0.15, 0.3)], 0), "0.15 s, before another ends"),
        (lambda t: energy_of(t, ()), "no inference"),
        (lambda t: energy_of(t, (Window(0.5, 2.0, 0),)), "outside the trace"),
        (lambda t: energy_of(t, windows_of_gate(t), (0.5, 0.4)), "sum to 0.9"),
        (lambda t: idle_of(t, (Window(0.0, 0.9, 0),)), "only 0 samples"),
    ],
)
def test_what_cannot_be_integrated_is_one_message(call: object, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        call(BOARD.trace(10_000, 0.9))  # type: ignore[operator]
