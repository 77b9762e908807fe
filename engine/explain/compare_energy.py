"""How the energies of two runs differ, divided between time and power."""

from __future__ import annotations

from engine.explain.types import Part
from engine.records.comparable import intervals_overlap
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy, RunEnergy
from engine.words import change_text


class EnergyDelta(Part):
    """Energy of B minus that of A, in µJ; null with a reason where one has none.

    ``by_time_uj`` and ``by_power_uj`` sum to the difference: each at the mean of the other (the Shapley value of two factors).
    ``tie``: the intervals overlap (those of the latencies where both rest on one power), so nothing says which run takes more.
    """

    a_uj: float | None = None
    b_uj: float | None = None
    a_interval_uj: tuple[float, float] | None = None
    b_interval_uj: tuple[float, float] | None = None
    delta_uj: float | None = None
    by_time_uj: float | None = None
    by_power_uj: float | None = None
    tie: bool | None = None
    text: str


def energy_delta(a: RunRecord, b: RunRecord, one: RunEnergy | NoEnergy, two: RunEnergy | NoEnergy) -> EnergyDelta:
    """Compare the energies ``one`` of run A and ``two`` of run B, which may be compared."""
    for name, found in (("A", one), ("B", two)):
        if isinstance(found, NoEnergy):
            return EnergyDelta(text=f"No energies to compare: {name} has none, {found.reason}.")
    assert not isinstance(one, NoEnergy)
    assert not isinstance(two, NoEnergy)
    delta = two.energy_uj - one.energy_uj
    by_power = (two.power_mw - one.power_mw) * (a.latency_ms + b.latency_ms) / 2
    (low_a, high_a), (low_b, high_b) = one.interval_uj, two.interval_uj
    # the uncertainty of one power source moves both runs alike
    same_power = (one.power_mw, one.power_interval_mw) == (two.power_mw, two.power_interval_mw)
    tie = intervals_overlap(a, b) if same_power else low_a <= high_b and low_b <= high_a
    change = change_text(delta / one.energy_uj) if one.energy_uj else "more"
    return EnergyDelta(
        a_uj=one.energy_uj,
        b_uj=two.energy_uj,
        a_interval_uj=one.interval_uj,
        b_interval_uj=two.interval_uj,
        delta_uj=delta,
        by_time_uj=delta - by_power,
        by_power_uj=by_power,
        tie=tie,
        text=(
            f"Energy (simulated): A {one.energy_uj / 1000:.3g} mJ at {one.power_mw:.3g} mW, B {two.energy_uj / 1000:.3g} mJ at "
            f"{two.power_mw:.3g} mW ({change}): {(delta - by_power) / 1000:+.3g} mJ by time, {by_power / 1000:+.3g} mJ by power."
            + (" A tie: the intervals overlap." if tie else "")
            + (" Both rest on one power, so the difference is that of the cycles." if same_power else "")
        ).replace("-", "−"),
    )
