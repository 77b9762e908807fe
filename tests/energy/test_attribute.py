import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.load import load_board
from engine.energy.attribute import apply, energy_of, with_energy
from engine.energy.power import Power
from engine.records.cause import Cause, Evidence
from engine.records.diff import diff_records
from engine.records.run import RunRecord
from engine.records.run_energy import NoEnergy, PowerKind, RunEnergy
from engine.records.store import dump_record
from tests.builders.records import PATIENT, kws_record, records

L4 = load_board("nucleo-l4r5zi")


def record() -> RunRecord:
    return kws_record(board="nucleo-l4r5zi", clock_mhz=120.0)


def power(mw: float, low: float = 0.9, high: float = 1.1) -> Power:
    return Power(mw, mw * low, mw * high, 1.8, PowerKind.OTHER_FIRMWARE, "a test", ("a test",))


@PATIENT
@given(records(), st.floats(0.01, 5000))
def test_layers_and_causes_sum_to_the_inference_exactly(r: RunRecord, mw: float) -> None:
    found = apply(power(mw), r)
    assert sum(x.energy_nj for x in (*found.layers, found.glue)) == found.energy_nj
    assert all(x.stack.energy_nj == x.energy_nj for x in (*found.layers, found.glue))
    # nothing but rounding lies between the parts and power times time
    exact = mw * r.cycles.warm / r.clock_mhz
    assert abs(found.energy_nj - exact) <= 0.5 * len(Cause) * (len(r.layers) + 1)
    assert found.interval_nj[0] <= found.energy_nj <= found.interval_nj[1]


@PATIENT
@given(records(), st.floats(0.01, 5000), st.sampled_from(list(Cause)), st.integers(0, 10**9))
def test_more_cycles_never_cost_less(r: RunRecord, mw: float, cause: Cause, more: int) -> None:
    glue = r.glue
    stack = glue.stack.model_copy(update={cause.value: glue.stack.of(cause) + more})
    slower = r.model_copy(
        update={
            "glue": glue.model_copy(update={"cycles": glue.cycles + more, "stack": stack}),
            "cycles": r.cycles.model_copy(update={"warm": r.cycles.warm + more}),
            "cycles_interval": (r.cycles_interval[0], r.cycles_interval[1] + more),
        }
    )
    one, two = apply(power(mw), r), apply(power(mw), slower)
    assert two.energy_nj >= one.energy_nj
    assert two.glue.stack.of(cause) >= one.glue.stack.of(cause)
    assert two.interval_nj[1] >= one.interval_nj[1]


@PATIENT
@given(records())
def test_memories_that_nobody_waited_for_cost_nothing(r: RunRecord) -> None:
    found = apply(power(40.0), r)
    for region, energy in zip((*r.layers, r.glue), (*found.layers, found.glue), strict=True):
        waited = {m.memory for m in region.memories if m.stall_cycles}
        assert {m.memory for m in energy.memories} == waited
        for cause in Cause:
            if region.stack.of(cause) == 0:
                assert energy.stack.of(cause) == 0


def test_milliwatts_by_megahertz_are_nanojoules() -> None:
    r = record()
    found = apply(power(40.0), r)
    assert found.energy_uj == pytest.approx(40.0 * r.latency_ms, rel=1e-3)
    low, high = r.cycles_interval
    assert found.interval_uj == pytest.approx((36 * low / 120_000, 44 * high / 120_000), rel=1e-3)
    assert found.evidence is Evidence.SIMULATED


def test_a_record_is_shown_with_its_energy_and_kept_without() -> None:
    r = record()
    shown = with_energy(r, L4)
    assert isinstance(shown.energy, RunEnergy)
    assert RunRecord.model_validate_json(dump_record(shown)) == shown
    assert '"energy"' not in dump_record(r)
    assert diff_records(r, shown) == ()
    assert len(shown.energy.layers) == len(r.layers)


@pytest.mark.parametrize(
    ("changes", "board", "reason"),
    [
        ({"overrides": ("flash.wait_states=3",)}, L4, "flash.wait_states=3"),
        ({}, None, "no description of nucleo-l4r5zi"),
        ({"evidence": Evidence.MEASURED}, L4, "power meter"),
        ({"board": "nrf5340-dk", "clock_mhz": 128.0}, load_board("nrf5340-dk"), "no published power"),
    ],
)
def test_a_run_without_a_power_source_says_why(changes: dict[str, object], board: object, reason: str) -> None:
    r = record()
    if board is not None:
        changes = {**changes, "placement": r.placement.model_copy(update={"code": "flash"})}
    found = energy_of(r.model_copy(update=changes), board)
    assert isinstance(found, NoEnergy)
    assert reason in found.reason


def test_sums_that_are_wrong_are_refused() -> None:
    found = apply(power(40.0), record())
    plain = found.model_dump()
    for broken in (
        {**plain, "energy_nj": plain["energy_nj"] + 1},
        {**plain, "interval_nj": (0, 1)},
        {**plain, "evidence": "measured"},
    ):
        with pytest.raises(ValueError, match=r"sum|interval|not measured"):
            RunEnergy.model_validate(broken)
