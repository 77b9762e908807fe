"""Metrics by hand, and classes that follow from intervals alone."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from engine.explain.host import HostMetric, classify, doubts, reference_metrics, runtime_metrics
from engine.explain.host_terminal import render_host
from engine.records.host import HostCounter, HostRecord
from engine.targets.host.perf import EVENTS, unavailable
from tests.builders.host_records import costs, counts, host_record, latency, machine, simulation


def _by_name(metrics: tuple[HostMetric, ...]) -> dict[str, HostMetric]:
    return {m.name: m for m in metrics}


def _without_counts() -> HostRecord:
    return host_record(reference={"simulation": None, "simulation_note": "valgrind is not installed"})


def _card(record: HostRecord) -> str:
    out = io.StringIO()
    render_host(record, Console(file=out, width=120, highlight=False, markup=False))
    return out.getvalue()


def test_hardware_metrics_by_hand() -> None:
    found = _by_name(runtime_metrics(host_record()))
    assert found["IPC"].value == 2.5
    assert found["cache miss rate"].value == 0.05
    assert found["L1 data miss rate"].value == 0.05
    assert found["branch accuracy"].value == 0.95
    # 20 loads of 64 bytes in 0.1 ms
    assert found["memory bandwidth"].value == pytest.approx(20 * 64 / 1e-4 / 1e9)


def test_absent_counters_carry_their_reason_into_the_metrics() -> None:
    record = host_record()
    assert record.runtime is not None
    without = record.runtime.model_copy(update={"counters": unavailable("no PMU")})
    found = runtime_metrics(record.model_copy(update={"runtime": without}))
    assert [(m.value, m.reason) for m in found] == [(None, "no PMU")] * 5
    zero = tuple(HostCounter(event=e.name, value=0.0, reason="") for e in EVENTS)
    found = runtime_metrics(record.model_copy(update={"runtime": without.model_copy(update={"counters": zero})}))
    assert found[0].reason == "cycles is 0"
    assert runtime_metrics(host_record(runtime=None, runtime_note="no LiteRT")) == ()


def test_metrics_of_our_kernels_by_hand() -> None:
    found = _by_name(reference_metrics(host_record()))
    assert found["clock"].value == 4.0
    # two million instructions in four million cycles
    assert found["IPC"].value == pytest.approx(0.5)
    assert found["D1 miss rate"].value == pytest.approx(800 / 800_000)
    assert found["LL miss rate"].value == 0.0
    assert found["branch accuracy"].value == pytest.approx(0.999)
    assert found["bandwidth beyond L1"].value == pytest.approx(800 * 64 / 1e6)
    assert found["MACs per instruction"].value == pytest.approx(0.1)
    nothing = _by_name(reference_metrics(host_record(simulation(dict.fromkeys(counts(), 0)))))
    assert nothing["D1 miss rate"].reason == "reads + writes is 0"
    assert nothing["branch accuracy"].reason == "branches is 0"
    assert {m.reason for m in reference_metrics(_without_counts())} == {"valgrind is not installed"}


def test_compute_bounds_where_slots_alone_take_more_than_half() -> None:
    # 2 x 6,000,000 instructions less 2 x 100,000 branches, a slot of 0.05 ns each, in 1 ms
    found = classify(host_record(simulation(counts(instructions=6_000_000), counts(instructions=6_000_000))))
    assert found is not None
    assert found.name == "compute"
    assert found.shares[0].low == pytest.approx(0.59)
    assert "at least 59.0 %" in found.sentence


def test_compute_bounds_where_nothing_else_can() -> None:
    found = classify(host_record())
    assert found is not None
    compute, memory, branch = found.shares
    assert compute.low == pytest.approx(0.09)
    assert (memory.low, memory.high) == (pytest.approx(800 * 0.5e-6), pytest.approx(800 * 4e-6))
    assert (branch.low, branch.high) == (0.0, pytest.approx(200 * 5e-6))
    assert found.name == "compute"
    assert "leave more than half" in found.sentence


def test_memory_bounds_where_lines_in_order_already_do() -> None:
    missing = counts(reads=400_000, d1_misses=200_000, ll_misses=150_000)
    found = classify(host_record(simulation(missing)))
    assert found is not None
    # 50,000 lines from the second level and 150,000 from memory, read in order
    assert found.shares[1].low == pytest.approx((50_000 * 0.5 + 150_000 * 4.0) / 1e6)
    assert found.name == "memory"


def test_where_lines_lie_decides_what_waiting_costs() -> None:
    inside, outside = (classify(host_record(reference={"working_set_bytes": n})) for n in (1 << 20, (1 << 20) + 1))
    assert inside is not None
    assert outside is not None
    assert outside.shares[1].high == pytest.approx(5 * (inside.shares[1].high or 0))


def test_undecided_is_an_answer() -> None:
    found = classify(
        host_record(simulation(counts(mispredictions=90_000)), reference={"costs": costs(misprediction_ns=8.0)})
    )
    assert found is not None
    assert found.name == "undecided"
    assert "up to 72.0 %" in found.sentence
    assert classify(_without_counts()) is None


def test_doubts_are_said() -> None:
    assert doubts(host_record()) == ()
    spread = host_record(
        machine=machine(virtual=True, governor="absent: no policy"),
        reference={"latency": latency(1.0, p95_ms=2.0, p99_ms=2.0, most_ms=2.0)},
    )
    text = " ".join(doubts(spread))
    assert "p95 is 2.00 times the median" in text
    assert "virtual machine" in text
    assert "governor: no policy" in text


def test_the_card_says_all_of_it() -> None:
    text = _card(host_record())
    for part in (
        "LiteRT 2.3.0 (XNNPACK)",
        "our kernels, clang 22",
        "Bound by compute",
        "IPC",
        "conv2d",
        "identical",
        "desk reference",
    ):
        assert part in text
    text = _card(
        _without_counts().model_copy(update={"runtime": None, "runtime_note": "ai-edge-litert is not installed"})
    )
    assert "LiteRT: absent: ai-edge-litert is not installed" in text
    assert "What bounds it: absent: valgrind is not installed" in text
    assert "our kernels: absent: IPC, D1 miss rate" in text
