import pytest

from engine.catalog.load import list_cores, load_core
from engine.explain.roofline import ceilings_of, document_name, keys_in, point_of
from tests.builders.records import make_counters, make_layer, make_stack


def layer_with(*, macs, cycles, data_bytes):
    counts = make_counters(ram_read_bytes=data_bytes)
    return make_layer(macs=macs, stack=make_stack(mac=cycles), counters=counts)


@pytest.mark.parametrize(
    ("core", "ops_per_cycle", "bytes_per_cycle"),
    # M3: MLA takes 2 cycles. M0+: MULS and ADDS; LDM moves a word a cycle. M7: LDM moves two
    [("cortex-m0plus", 1, 4), ("cortex-m3", 1, 4), ("cortex-m4", 4, 4), ("cortex-m33", 4, 4), ("cortex-m7", 4, 8)],
)
def test_ceilings_follow_from_the_pipeline_tables(core, ops_per_cycle, bytes_per_cycle):
    found = ceilings_of(load_core(core))
    assert found.compute.value == ops_per_cycle
    assert found.slopes == (found.flash,) == (found.ram,)
    assert found.flash.value == bytes_per_cycle
    assert not found.measured
    assert found.ridge_ops_per_byte == ops_per_cycle / bytes_per_cycle


def test_every_core_has_ceilings_with_a_basis_and_an_interval_that_holds_them():
    for core in list_cores():
        found = ceilings_of(core)
        for ceiling in (found.compute, found.flash, found.ram):
            assert ceiling.low <= ceiling.value <= ceiling.high
            assert ceiling.basis
            # a reader of the page does not know the table's own abbreviations
            assert not [key for key in core.sources if f"{key}: " in ceiling.basis]


def test_the_short_names_of_sources_that_texts_use_can_be_explained():
    core = load_core("cortex-m4")
    used = keys_in(core, ["llvm: only IT can be dual-issued; symex: IT 0", "TRM lists one cycle", "as trm:x"])
    assert used == ("symex", "llvm")
    assert document_name(core.sources["llvm"]) == "llvm/llvm-project:llvm/lib/Target/ARM/ARMScheduleM4.td"


def test_an_inferred_figure_makes_an_inferred_ceiling():
    core = load_core("cortex-m4")
    sourced = ceilings_of(core)
    guess = core.issue.mac.model_copy(update={"source": None, "inferred": "a guess", "low": 1, "high": 2})
    changed = core.model_copy(update={"issue": core.issue.model_copy(update={"mac": guess})})
    found = ceilings_of(changed)
    assert (sourced.compute.inferred, found.compute.inferred) == (False, True)
    assert (found.compute.low, found.compute.high) == (2, 4)
    assert "inferred: a guess" in found.compute.basis


def test_a_layer_lies_under_the_lower_roof():
    roofs = ceilings_of(load_core("cortex-m4"))
    # 2000 ops over 4000 bytes: 0.5 ops/byte, where the port allows 2 ops/cycle
    sloped = point_of(layer_with(macs=1000, cycles=2000, data_bytes=4000), 100.0, roofs)
    assert (sloped.roof, sloped.counted_intensity, sloped.ops_per_cycle) == ("data port", 0.5, 1.0)
    assert sloped.of_roof == 0.5
    assert sloped.gops == pytest.approx(0.1)
    flat = point_of(layer_with(macs=1000, cycles=2000, data_bytes=100), 100.0, roofs)
    assert (flat.roof, flat.of_roof) == ("MAC issue", 0.25)


@pytest.mark.parametrize(("macs", "cycles", "data_bytes"), [(0, 10, 10), (10, 0, 10), (10, 10, 0)])
def test_no_point_where_there_is_nothing_to_divide(macs, cycles, data_bytes):
    roofs = ceilings_of(load_core("cortex-m4"))
    assert point_of(layer_with(macs=macs, cycles=cycles, data_bytes=data_bytes), 100.0, roofs) is None


def test_roofs_of_a_vector_core_are_those_of_its_pipes():
    roofs = ceilings_of(load_core("cortex-m55"))
    # one VMLADAV of 16 products every 2 cycles, 16 bytes loaded every 2
    assert (roofs.compute.value, roofs.ram.value) == (16.0, 8.0)
    assert "VMLADAV of 16 products" in roofs.compute.basis
    assert not roofs.compute.inferred
