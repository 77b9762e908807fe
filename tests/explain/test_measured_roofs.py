"""Roofs from micro-benchmarks: which benchmark bounds what, and when none does."""

import pytest

from engine.catalog.load import load_board, load_core
from engine.explain.explain import explain_run
from engine.explain.hardware import Hardware, hardware_of
from engine.explain.measured_roofs import measured_roofs
from engine.explain.roofline import Ceilings, point_of
from engine.paths import measurements_dir
from engine.records.ceilings import MeasuredCeiling, MeasuredCeilings, committed_ceilings, rate
from engine.records.run import PlacementUsed, RunRecord
from engine.records.store import read_records
from tests.builders.records import make_counters, make_layer, make_stack

BOARD = load_board("nucleo-l4r5zi")
HERE = PlacementUsed(**BOARD.placement.model_dump())


def bench(name, work, per_cycle, *, memory="", target="", resident=None, instructions="LDR"):
    units, cycles = round(per_cycle * 10_000), 10_000
    macs, moved = (units, 0) if work == "mac" else (0, units)
    return MeasuredCeiling(
        name=name, work=work, instructions=instructions, memory=memory, target=target, working_set_bytes=0 if macs else 64,
        resident=resident, macs=macs, bytes=moved, cycles=cycles, cycles_interval=(cycles, cycles),
        per_cycle=rate(units, cycles),
    )  # fmt: skip


def ceilings(*extra, code="flash"):
    benchmarks = (
        bench("mac-mla", "mac", 0.5, instructions="MLA"),
        bench("mac-smlad", "mac", 1.5, instructions="SMLAD"),
        bench("mac-vfma", "mac", 9, instructions="VFMA.F32"),
        bench("read-flash-cached", "read", 4, memory="flash", resident=True),
        bench("read-flash", "read", 1, memory="flash", resident=False),
        bench("copy-flash", "copy", 7, memory="flash", target="sram1"),
        bench("read-sram1", "read", 2, memory="sram1"),
        bench("copy-sram1", "copy", 3, memory="sram1", target="sram1"),
        bench("read-sram2", "read", 8, memory="sram2"),
        *extra,
    )
    made = committed_file().model_dump(by_alias=True)
    placement = HERE.model_copy(update={"code": code})
    return MeasuredCeilings(**{**made, "benchmarks": benchmarks, "skipped": (), "placement": placement})


def committed_file():
    return MeasuredCeilings.model_validate_json(
        (measurements_dir() / "ceilings" / "nucleo-l4r5zi_120mhz.json").read_text()
    )


def test_the_fastest_integer_mac_and_the_fastest_streams_bound():
    roofs = measured_roofs(ceilings(), BOARD, HERE)
    assert isinstance(roofs, Ceilings)
    assert (roofs.compute.name, roofs.compute.value) == ("SMLAD peak", 3)
    # a copy out of flash also writes, a copy inside RAM is all RAM
    assert (roofs.flash.value, roofs.ram.value) == (4, 3)
    assert {c.name: c.value for c in roofs.below} == {"MLA peak": 1, "flash bandwidth, beyond the cache": 1}
    assert roofs.measured
    assert "nucleo-l4r5zi at 120 MHz (simulated)" in roofs.origin
    assert roofs.ridge_ops_per_byte == 3 / 4


def test_the_fastest_memory_that_holds_data_bounds_ram():
    roofs = measured_roofs(ceilings(), BOARD, HERE.model_copy(update={"stack": "sram2"}))
    assert isinstance(roofs, Ceilings)
    assert (roofs.ram.name, roofs.ram.value) == ("sram2 bandwidth", 8)


def test_what_does_not_bound_a_run_says_why():
    moved = HERE.model_copy(update={"code": "sram1"})
    assert measured_roofs(ceilings(), BOARD, moved) == "the micro-benchmarks ran from flash, this run's code from sram1"
    assert measured_roofs(ceilings(), BOARD, HERE.model_copy(update={"activations": "sram3"})) == (
        "no micro-benchmark could run in sram3"
    )


def test_bytes_of_flash_and_ram_take_their_own_time():
    roofs = measured_roofs(ceilings(), BOARD, HERE)
    counts = make_counters(flash_read_bytes=4000, ram_read_bytes=2000, ram_write_bytes=1000)
    layer = make_layer(macs=500, stack=make_stack(mac=4000), counters=counts)
    point = point_of(layer, 100.0, roofs)
    # 1000 cycles for flash, 1000 for RAM: 1000 operations in 2000 cycles
    assert (point.attainable_ops_per_cycle, point.ops_per_cycle, point.of_roof) == (0.5, 0.25, 0.5)
    flash_only = make_layer(macs=500, stack=make_stack(mac=4000), counters=make_counters(flash_read_bytes=4000))
    assert point_of(flash_only, 100.0, roofs).roof == "flash bandwidth"
    many = make_layer(macs=50_000, stack=make_stack(mac=100_000), counters=counts)
    assert point_of(many, 100.0, roofs).roof == "SMLAD peak"


def committed_runs():
    return read_records(measurements_dir() / "simulated")


@pytest.mark.parametrize("record", committed_runs(), ids=lambda r: r.id)
def test_no_layer_of_a_committed_run_exceeds_its_measured_roof(record: RunRecord):
    found = explain_run(record)
    if hardware_of(record).core is None:
        pytest.skip("made with another core table")
    assert found.ceilings.measured
    shares = [x.roofline.of_roof for x in found.layers if x.roofline is not None]
    assert shares
    assert max(shares) <= 1


def test_a_run_without_ceilings_falls_back_to_the_table_and_says_so():
    record = next(r for r in committed_runs() if r.board == BOARD.name)
    core = load_core(BOARD.core)
    table = explain_run(record, Hardware(BOARD, core)).ceilings
    assert not table.measured
    assert (
        table.origin == "Roofs derived from the core's table: no micro-benchmarks of this board at 120 MHz are known."
    )
    elsewhere = explain_run(record, Hardware(BOARD, core, measured=ceilings(code="sram1"))).ceilings
    assert not elsewhere.measured
    assert "ran from sram1" in elsewhere.origin


def test_ceilings_of_another_description_or_clock_are_not_found():
    made = committed_file().provenance
    assert committed_ceilings(BOARD.name, 120, made.board_sha256, made.core_sha256) == committed_file()
    assert committed_ceilings(BOARD.name, 80, made.board_sha256, made.core_sha256) is None
    assert committed_ceilings(BOARD.name, 120, "0" * 64, made.core_sha256) is None
