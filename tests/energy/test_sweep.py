import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.board import MemoryKind
from engine.catalog.load import load_board
from engine.energy.published import published_power
from engine.energy.sweep import EnergySweep, Strategy, Timed, energy_sweep
from engine.records.run_energy import NoEnergy
from tests.builders.records import PATIENT

L4 = load_board("nucleo-l4r5zi")
FLASH = MemoryKind.FLASH


def at(clock_mhz: float, cycles: int, wait_states: int = 0) -> Timed:
    ms = cycles / clock_mhz / 1000
    return Timed(clock_mhz, wait_states, cycles, ms, (ms * 0.9, ms * 1.1))


def sweep(*timed: Timed, sleep_ua: float | None = None) -> EnergySweep:
    found = energy_sweep(L4, "kws", FLASH, timed, published_power(), sleep_ua)
    assert isinstance(found, EnergySweep)
    return found


def test_wait_states_cost_energy_and_time_is_bought_with_it() -> None:
    found = sweep(at(120, 1_100_000, 5), at(20, 1_000_000))
    assert (found.least_energy_mhz, found.fastest_mhz, found.least_edp_mhz) == (20, 120, 120)
    assert found.strategy is Strategy.SLOW_AND_LOW
    # energies are equal where (1 - s) + s * 120 / 20 = 1.1
    assert found.breakeven_fixed_share == pytest.approx(0.1 / 5)
    assert "9.1 % fewer cycles" in found.reason


def test_racing_wins_where_cycles_do_not_grow_and_sleep_is_not_dearer() -> None:
    found = sweep(at(20, 1_000_000), at(120, 1_000_000), sleep_ua=0)
    assert (found.least_energy_mhz, found.strategy, found.breakeven_fixed_share) == (120, Strategy.SAME, None)
    # asleep the board would take more than running slowly: then it is better never to sleep
    restless = sweep(at(20, 1_000_000), at(120, 1_000_000), sleep_ua=20_000)
    assert restless.strategy is Strategy.SLOW_AND_LOW
    assert "asleep until the slowest clock were done costs more" in restless.reason
    assert sweep(at(20, 1_500_000), at(120, 1_000_000), sleep_ua=1).strategy is Strategy.RACE_TO_IDLE


def test_a_clock_says_in_what_it_is_the_best() -> None:
    found = sweep(at(120, 1_100_000, 5), at(20, 1_000_000), sleep_ua=1)
    assert [found.marks(p) for p in found.points] == [("least energy",), ("least EDP", "fastest")]
    assert found.strategy is not None
    assert found.strategy.label == "slow and low"


def test_without_a_sleep_current_there_is_no_strategy() -> None:
    board = L4.model_copy(update={"sleep_current_ua": ()})
    found = energy_sweep(board, "kws", FLASH, [at(20, 10), at(120, 10)], published_power())
    assert isinstance(found, EnergySweep)
    assert (found.sleep_ua, found.strategy) == (None, None)
    assert "no sleep current of nucleo-l4r5zi" in found.sleep_source
    assert all(p.period_uj is None for p in found.points)


def test_a_board_whose_supply_is_not_known_has_energies_but_no_sleep() -> None:
    apollo = load_board("apollo510-evb")
    found = energy_sweep(apollo, "kws", FLASH, [at(250, 1_000_000), at(96, 1_000_000)], published_power(), 5.0)
    assert isinstance(found, EnergySweep)
    assert (found.voltage_v, found.sleep_ua, found.strategy) == (None, None, None)
    assert "supply is not known" in found.sleep_source


def test_a_board_without_power_says_why() -> None:
    found = energy_sweep(load_board("nrf5340-dk"), "kws", FLASH, [at(64, 10)], published_power())
    assert isinstance(found, NoEnergy)


@PATIENT
@given(st.lists(st.tuples(st.floats(1, 120), st.integers(1, 10**9)), min_size=1, max_size=8), st.integers(1, 10**9))
def test_more_cycles_never_cost_less_at_any_clock(pairs: list[tuple[float, int]], more: int) -> None:
    timed = [at(clock, cycles) for clock, cycles in pairs]
    slower = [
        dataclasses.replace(t, cycles=t.cycles + more, latency_ms=(t.cycles + more) / t.clock_mhz / 1000) for t in timed
    ]
    for one, two in zip(sweep(*timed).points, sweep(*slower).points, strict=True):
        assert two.energy_uj >= one.energy_uj
