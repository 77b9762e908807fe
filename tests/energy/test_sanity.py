import dataclasses

import pytest

from engine.energy.published import published_power
from engine.energy.sanity import Inference, IssueCode, correlation_issues, issues_of

GOOD = Inference("a", "nucleo-l4r5zi", 120.0, 4_000.0, 90.0, 2_700_000)
ROWS = published_power()


def test_a_believable_energy_has_no_issue() -> None:
    assert issues_of(GOOD, ROWS) == ()


@pytest.mark.parametrize(
    ("changes", "explained"),
    [
        ({"energy_uj": 400.0, "latency_ms": 9.0, "macs": 264_192}, "small model"),
        ({"energy_uj": 130_000.0, "latency_ms": 2800.0, "macs": 12_500_000}, "slow kernels"),
        ({"energy_uj": 130_000.0, "latency_ms": 2800.0, "macs": 90_000_000}, "large model"),
        ({"energy_uj": 900.0, "latency_ms": 20.0}, "efficient board"),
    ],
)
def test_an_energy_out_of_range_is_explained(changes: dict[str, float], explained: str) -> None:
    (issue,) = issues_of(dataclasses.replace(GOOD, **changes), ROWS)
    assert issue.code is IssueCode.RANGE
    assert explained in issue.explained


@pytest.mark.parametrize("latency_ms", [9.0, 900.0])
def test_a_power_that_the_board_never_takes_is_an_issue(latency_ms: float) -> None:
    (issue,) = issues_of(dataclasses.replace(GOOD, latency_ms=latency_ms), ROWS)
    assert (issue.code, issue.explained) == (IssueCode.POWER, "")


def test_energies_that_do_not_go_with_latency_are_an_issue() -> None:
    fine = [dataclasses.replace(GOOD, run=str(i), latency_ms=90.0 + i, energy_uj=40.0 * (90 + i)) for i in range(6)]
    assert correlation_issues(fine) == ()
    broken = [*fine[:-1], dataclasses.replace(fine[-1], energy_uj=100.0)]
    (issue,) = correlation_issues(broken)
    assert (issue.code, issue.run) == (IssueCode.CORRELATION, "5")
    assert correlation_issues(fine[:2]) == ()


@pytest.mark.parametrize(("latency_ms", "issues"), [(90.0, 0), (9.0, 1), (900.0, 1)])
def test_without_published_powers_the_data_sheet_gives_the_limits(latency_ms: float, issues: int) -> None:
    one = dataclasses.replace(GOOD, board="another", latency_ms=latency_ms)
    assert issues_of(one, ROWS) == ()
    found = issues_of(dataclasses.replace(one, modelled_mw=(40.0, 50.0)), ROWS)
    assert [i.code for i in found] == [IssueCode.POWER] * issues
    assert all("the data sheet's current gives 40 to 50 mW" in i.message for i in found)


def test_macs_that_are_not_known_explain_nothing() -> None:
    (issue,) = issues_of(dataclasses.replace(GOOD, energy_uj=900.0, latency_ms=20.0, macs=None), ROWS)
    assert issue.explained == ""
