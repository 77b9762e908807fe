"""Stalls of two runs: the right mechanism, bounds, and exact sums, on random traffic behind described boards and on committed runs."""

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.catalog.board import MemoryKind
from engine.catalog.load import board_sha256, load_board, load_core
from engine.catalog.override_text import parse_override
from engine.catalog.overrides import override_board
from engine.explain.compare import compare
from engine.explain.compare_mechanism import Mechanism
from engine.explain.compare_split import cycle_effects, split
from engine.explain.compare_traffic import keeps_traffic
from engine.explain.hardware import Hardware
from engine.records.comparable import Choice, choices_that_differ
from engine.records.run import MemoryTraffic, PlacementUsed, RunRecord
from engine.records.store import read_records
from tests.builders.records import make_counters, make_layer, make_record, make_region, make_stack

COMMITTED = Path(__file__).parents[2] / "measurements" / "simulated"

CACHES = {
    "nucleo-l4r5zi": ("flash.dcache.bytes=1024", "flash.icache.bytes=2048", "flash.dcache=none"),
    "nucleo-h743zi": ("flash.dcache.bytes=1024", "flash.dcache.policy=write_through", "flash.dcache.line_bytes=64"),
    "nucleo-g0b1re": ("flash.icache.bytes=1024",),
    "nrf5340-dk": ("flash.icache.bytes=1024", "flash.unified=false"),
}
"""Settings that change nothing but caches."""

FIGURES = {
    "nucleo-l4r5zi": ("flash.wait_states=8", "flash.prefetch=true", "memories.sram1.wait_states=1"),
    "nucleo-h743zi": ("flash.miss_extra_cycles=0", "memories.axi_sram.line_fill_cycles=20"),
    "nucleo-g0b1re": ("flash.prefetch=false", "flash.width_bytes=16"),
    "nrf5340-dk": ("flash.miss_extra_cycles=5",),
}
"""Settings that change nothing but what memories take."""

QUICK = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])

COUNT = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 10**7))


def described(layers, board="nucleo-l4r5zi", overrides=(), glue=None, **settings):
    """A record of a board as the catalogue describes it, with the placement of the description unless told."""
    base = load_board(board)
    sha = board_sha256(override_board(base, [parse_override(o) for o in overrides]))
    placement = settings.pop("placement", None) or PlacementUsed(**base.placement.model_dump())
    record = make_record(
        layers, board=board, core=base.core, glue=glue or make_region(make_stack()),
        clock_mhz=settings.pop("clock_mhz", float(base.default_clock_mhz)), **settings,
    )  # fmt: skip
    changed = {
        "overrides": tuple(overrides),
        "placement": placement,
        "provenance": record.provenance.model_copy(update={"board_sha256": sha}),
    }
    return RunRecord.model_validate(record.model_copy(update=changed).model_dump(by_alias=True))


def row(memory, stalls, **counts):
    names = [n for n in MemoryTraffic.model_fields if n not in ("memory", "stall_cycles")]
    return MemoryTraffic(memory=memory, stall_cycles=stalls, **dict.fromkeys(names, 0) | counts)


@st.composite
def stalls(draw):
    """A stack that holds nothing but stalls: the split of the others does not depend on them."""
    return make_stack(instruction_fetch=draw(COUNT), data_read=draw(COUNT), data_write=draw(COUNT))


@st.composite
def counts(draw):
    """Counters as far as stalls depend on them."""
    names = (
        "alu_instructions",
        "flash_read_bytes",
        "ram_read_bytes",
        "ram_write_bytes",
        "flash_fetch_misses",
        "flash_read_misses",
    )
    found = {name: draw(COUNT) for name in names}
    return make_counters(**found, flash_fetch_lines=found["flash_fetch_misses"] + draw(COUNT))


def fitting(region, rows):
    """The region with these rows, and counters that read and wrote as many bytes."""
    read, written = (sum(getattr(r, name) for r in rows) for name in ("read_bytes", "write_bytes"))
    kept = {
        name: getattr(region.counters, name)
        for name in ("alu_instructions", "flash_fetch_lines", "flash_fetch_misses", "flash_read_misses")
    }
    flash = min(region.counters.flash_read_bytes, read)
    moved = {"flash_read_bytes": flash, "ram_read_bytes": read - flash, "ram_write_bytes": written}
    counters = make_counters(**kept, **moved) if rows else region.counters
    return region.model_copy(update={"memories": tuple(rows), "counters": counters})


@st.composite
def with_traffic(draw, region, names, keep):
    """The region with its stalls divided over memories of the board."""
    touched = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)) if keep else []
    left = region.stack.instruction_fetch + region.stack.data_read + region.stack.data_write
    rows = []
    for i, memory in enumerate(touched):
        own = left if i == len(touched) - 1 else draw(st.integers(0, left))
        left -= own
        counted = {name: draw(COUNT) for name in ("read_bytes", "write_bytes", "write_backs")}
        for path in ("fetch", "read", "write"):
            counted[f"{path}_misses"] = draw(COUNT)
            counted[f"{path}_lines"] = counted[f"{path}_misses"] + draw(COUNT)
        rows.append(row(memory, own, **counted))
    return fitting(region, rows)


@st.composite
def runs(draw, board, overrides, kernels, keep, clock_mhz=None, placement=None):
    """A run of a layer and the glue."""
    memories = load_board(board).memories
    names = [m.name for m in memories]
    ram = [m.name for m in memories if m.kind is not MemoryKind.FLASH]
    if placement is None:
        placement = PlacementUsed(
            code=draw(st.sampled_from(names)), weights=draw(st.sampled_from(names)),
            activations=draw(st.sampled_from(ram)), stack=draw(st.sampled_from(ram)),
        )  # fmt: skip
    regions = (
        make_layer(0, stack=draw(stalls()), counters=draw(counts()), library=kernels),
        make_region(draw(stalls()), draw(counts())),
    )
    layer, glue = (draw(with_traffic(r, names, keep)) for r in regions)
    return described(
        [layer], board, overrides, glue, placement=placement, kernels=kernels,
        **({} if clock_mhz is None else {"clock_mhz": clock_mhz}),
    )  # fmt: skip


@st.composite
def pairs(draw):
    """Two runs that may differ in everything; now and then one does not keep its traffic, as older records."""
    found = []
    for _ in "AB":
        board = draw(st.sampled_from(sorted(CACHES)))
        overrides = draw(st.lists(st.sampled_from(CACHES[board] + FIGURES[board]), max_size=1))
        clock = draw(st.sampled_from([float(step.up_to_mhz) for step in load_board(board).flash.ladder]))
        kernels = draw(st.sampled_from(("cmsis-nn", "reference")))
        found.append(draw(runs(board, overrides, kernels, draw(st.sampled_from((True, True, False))), clock)))
    return tuple(found)


@st.composite
def pairs_of_one_board(draw, settings_of, same_clock):
    """Two runs on one board that differ in some of these settings, and perhaps in kernels, clock and placement."""
    board = draw(st.sampled_from(sorted(settings_of)))
    clocks = [float(step.up_to_mhz) for step in load_board(board).flash.ladder]
    clock = draw(st.sampled_from(clocks))
    found = []
    for _ in "AB":
        overrides = draw(st.lists(st.sampled_from(settings_of[board]), max_size=1))
        kernels = draw(st.sampled_from(("cmsis-nn", "reference")))
        mhz = clock if same_clock else draw(st.sampled_from(clocks))
        found.append(draw(runs(board, overrides, kernels, draw(st.booleans()), mhz)))
    return tuple(found)


def waits(record):
    return sum(
        r.stack.instruction_fetch + r.stack.data_read + r.stack.data_write for r in (*record.layers, record.glue)
    )


def by_mechanism(a, b):
    """Cycles."""
    found = dict.fromkeys(Mechanism, Fraction(0))
    for reasons, cycles in cycle_effects(a, b):
        for mechanism in reasons:
            found[mechanism] += cycles / len(reasons)
    return found


@given(pairs())
@QUICK
def test_stalls_sum_reverse_and_stay_within_both_runs(pair):
    a, b = pair
    found = by_mechanism(a, b)
    assert sum(found.values()) == waits(b) - waits(a)
    assert by_mechanism(b, a) == {m: -cycles for m, cycles in found.items()}
    assert all(abs(cycles) <= waits(a) + waits(b) for cycles in found.values())
    assert not any(by_mechanism(a, a).values())


@given(pairs_of_one_board(CACHES, same_clock=True))
@QUICK
def test_where_only_caches_differ_nothing_goes_to_wait_states(pair):
    assert by_mechanism(*pair)[Mechanism.WAIT_STATES] == 0


@given(pairs_of_one_board(FIGURES, same_clock=False))
@QUICK
def test_where_the_caches_are_the_same_nothing_goes_to_them(pair):
    assert by_mechanism(*pair)[Mechanism.CACHES] == 0


@given(st.data())
@QUICK
def test_where_only_the_placement_differs_all_is_its_own(data):
    board = data.draw(st.sampled_from(sorted(CACHES)))
    a, b = (data.draw(runs(board, (), "reference", keep=True)) for _ in "AB")
    if choices_that_differ(a, b) == {Choice.PLACEMENT}:
        assert by_mechanism(a, b)[Mechanism.PLACEMENT] == waits(b) - waits(a)


def test_committed_runs_pair_by_pair():
    boards = ("nucleo-g0b1re", "nucleo-l4r5zi", "nucleo-h743zi")
    records = [r for r in read_records(COMMITTED) if r.model == "kws" and r.board in boards]
    assert len(records) >= 6
    assert keeps_traffic(*records)
    for a, b in combinations(records, 2):
        one, two = split(a, b), split(b, a)
        period_a, period_b = 1 / Fraction(str(a.clock_mhz)), 1 / Fraction(str(b.clock_mhz))
        assert sum(one.by_mechanism.values()) == b.cycles.warm * period_b - a.cycles.warm * period_a
        assert two.by_mechanism == {m: -us for m, us in one.by_mechanism.items()}
        most = (waits(a) + waits(b)) * (period_a + period_b) / 2
        for mechanism in (Mechanism.WAIT_STATES, Mechanism.CACHES):
            assert abs(one.by_mechanism[mechanism]) <= most
            assert a.board != b.board or not one.by_mechanism[mechanism]


def one_layer(stack, rows, board="nucleo-l4r5zi", overrides=(), **settings):
    moved = {"ram_read_bytes": sum(r.read_bytes for r in rows)} if rows else {}
    events = make_counters(alu_instructions=1000, load_instructions=500, read_accesses=2000, **moved)
    layer = make_layer(0, stack=stack, counters=events).model_copy(update={"memories": tuple(rows)})
    return described([layer], board, overrides, **settings)


def charged(a, b):
    return {m.value: cycles for m, cycles in by_mechanism(a, b).items() if cycles}


@pytest.mark.parametrize("keep", [True, False])
def test_a_smaller_cache_before_two_memories(keep):
    """A miss costs 18 cycles in flash and 10 in SRAM: that more of both miss is the cache's doing alone."""

    def run(flash_misses, sram_misses, overrides):
        rows = (
            row("flash", 18 * flash_misses, read_bytes=4000, read_lines=900, read_misses=flash_misses),
            row("axi_sram", 10 * sram_misses, read_bytes=3000, read_lines=800, read_misses=sram_misses),
        )
        stack = make_stack(data_read=18 * flash_misses + 10 * sram_misses)
        return one_layer(stack, rows if keep else (), "nucleo-h743zi", overrides)

    assert charged(run(10, 20, ()), run(50, 100, ("flash.dcache.bytes=1024",))) == {"caches": 1520}


def test_what_the_length_of_a_line_alone_changes_is_the_caches():
    """A miss costs 5 in A; with wait states of 8 it would cost 8, with lines of two words 2 x 5 + 1, with both 2 x 8 + 1."""
    settings = ("flash.dcache.line_bytes=16", "flash.dcache.ways=16", "flash.wait_states=8")
    a, b = (
        one_layer(
            make_stack(data_read=stalled),
            [row("flash", stalled, read_bytes=4000, read_lines=900, read_misses=misses)],
            overrides=overrides,
        )
        for misses, stalled, overrides in ((100, 500, ()), (60, 60 * 17, settings))
    )
    # A 500, caches alone 660, wait states alone 800, both 1020
    assert charged(a, b) == {"caches": (160 + 220) // 2, "wait_states": (300 + 360) // 2}


@pytest.mark.parametrize("also", [(), ("flash.dcache=none", "flash.icache=none")])
def test_a_wider_flash_is_the_wait_states_and_never_the_kernels(also):
    """Lines as long as a read of the flash are longer, and a buffer holds more: the code is the same."""

    def run(misses, fetches, overrides):
        rows = [
            row(
                "flash", 5 * (misses + fetches), read_bytes=4000, read_lines=900, read_misses=misses, fetch_lines=500,
                fetch_misses=fetches,
            )
        ]  # fmt: skip
        stack = make_stack(data_read=5 * misses, instruction_fetch=5 * fetches)
        return one_layer(stack, rows, overrides=(*also, *overrides))

    assert charged(run(100, 60, ()), run(60, 30, ("flash.width_bytes=16",))) == {"wait_states": -350}


def test_a_board_of_ones_own_is_compared_by_its_description():
    """A cache with longer lines on a board that the catalogue does not know: 5 cycles a miss, 11 for lines of two words."""
    base = load_board("nucleo-l4r5zi")

    def run(name, overrides, misses, cycles):
        board = override_board(base, [parse_override(o) for o in overrides]).model_copy(update={"name": name})
        rows = [row("flash", cycles, read_bytes=4000, read_lines=900, read_misses=misses)]
        record = one_layer(make_stack(data_read=cycles), rows)
        made = record.provenance.model_copy(update={"board_sha256": board_sha256(board)})
        return record.model_copy(update={"board": name, "provenance": made}), Hardware(board, load_core(base.core))

    (a, one), (b, two) = (
        run("mine", (), 100, 500),
        run("mine-2", ("flash.dcache.line_bytes=16", "flash.dcache.ways=16"), 60, 660),
    )
    found = compare(a, b, (one, two))
    assert {m: us for m, us in found.by_mechanism.items() if us} == {Mechanism.CACHES: found.delta_us}
    assert found.delta_cycles == 160
    # records alone cannot tell a dearer miss from more wait states
    assert compare(a, b).by_mechanism[Mechanism.WAIT_STATES] > 0


def test_a_slower_ram_behind_a_cache_against_one_that_answers_at_once():
    a = one_layer(make_stack(), [row("sram1", 0, read_bytes=3000)])
    b = one_layer(
        make_stack(data_read=200),
        [row("axi_sram", 200, read_bytes=3000, read_lines=800, read_misses=20)],
        "nucleo-h743zi",
    )
    assert charged(a, b) == {"wait_states": 200}


def test_a_bus_that_carries_code_and_constants_is_the_pipeline():
    """The Cortex-M33's table charges it; flash misses are the caches' and the wait states'."""
    a = one_layer(make_stack(), [row("flash", 0, read_bytes=2000, read_lines=500)])
    b = one_layer(make_stack(data_read=250), [row("flash", 250, read_bytes=2000, read_lines=500)], "nrf5340-dk")
    assert charged(a, b) == {"pipeline": 250}


def test_a_part_moved_at_another_clock_cannot_be_told_from_wait_states():
    a = one_layer(make_stack(data_read=500), [row("flash", 500, read_bytes=4000, read_lines=900, read_misses=100)])
    moved = a.placement.model_copy(update={"weights": "sram1"})
    b = one_layer(make_stack(), [row("sram1", 0, read_bytes=4000)], clock_mhz=60.0, placement=moved)
    assert charged(a, b) == {"placement": -250, "wait_states": -250}
    assert "The placement and wait states changed at once" in compare(a, b).text
