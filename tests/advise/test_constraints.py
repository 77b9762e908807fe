import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.advise.constraints import Constraints, select
from engine.errors import UsageError
from tests.builders.records import PATIENT, make_record, make_region, make_stack, records


def run(*, cycles=100_000, flash=1000, ram=500, interval=(1.0, 1.0)):
    glue = make_region(make_stack(mac=cycles))
    return make_record(glue=glue, flash_bytes=flash, ram_bytes=ram, clock_mhz=100.0, interval=interval)


def test_limits_are_inclusive_and_each_missed_one_is_a_reason():
    found = select([run()], Constraints(max_latency_ms=1.0, max_flash_bytes=1000, max_ram_bytes=500))
    assert len(found.kept) == 1
    (missed,) = select([run()], Constraints(max_latency_ms=0.5, max_flash_bytes=900, max_ram_bytes=499)).excluded
    assert missed.reasons == (
        "latency is 1 ms, the limit 0.5 ms",
        "flash is 1,000 bytes, 100 over the limit of 900",
        "RAM is 500 bytes, 1 over the limit of 499",
    )


def test_an_interval_across_the_limit_is_a_doubt_or_a_hope():
    limit = Constraints(max_latency_ms=1.0)
    (kept,) = select([run(interval=(1.0, 1.25))], limit).kept
    assert kept.doubts == ("latency may reach 1.25 ms, beyond the limit of 1 ms",)
    (missed,) = select([run(cycles=110_000, interval=(0.8, 1.0))], limit).excluded
    assert missed.reasons == ("latency is 1.1 ms, the limit 1 ms (its interval begins below the limit)",)


LIMIT = st.one_of(st.none(), st.integers(0, 10**6))


@given(st.lists(records(max_layers=1), max_size=4), LIMIT, LIMIT, LIMIT)
@PATIENT
def test_every_run_is_either_kept_or_excluded_for_a_reason(found, latency, flash, ram):
    split = select(found, Constraints(latency, flash, ram))
    assert len(split.kept) + len(split.excluded) == len(found)
    assert all(x.reasons for x in split.excluded)
    for kept in split.kept:
        assert latency is None or kept.record.latency_ms <= latency
        assert flash is None or kept.record.memory.flash_bytes <= flash
        assert ram is None or kept.record.memory.ram_bytes <= ram
    if (latency, flash, ram) == (None, None, None):
        assert not split.excluded


@pytest.mark.parametrize("limit", [-1.0, math.nan, math.inf])
def test_senseless_limits_are_refused(limit):
    with pytest.raises(UsageError, match="max_latency_ms"):
        Constraints(max_latency_ms=limit)
