"""Counters: classes partition instructions, regions add up, and what cannot be is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.catalog.load import load_board, load_core
from engine.counters.count import add_up, count_regions
from engine.counters.decode import Decoder
from engine.errors import CheckFailedError
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.records.counters import Counters
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.counters.test_decode import compare, objdump
from tests.targets import kit
from tests.targets.conftest import Builder

CLASSES = tuple(n for n in Counters.model_fields if n.endswith("_instructions") and not n.startswith("mve_"))


def execute(firmware: Firmware) -> Execution:
    return UnicornTarget(kit.board(firmware.core)).run(firmware, [bytes(range(64))])


def check_sums(regions: tuple[Counters, ...], execution: Execution) -> None:
    for counters in regions:
        assert sum(getattr(counters, name) for name in CLASSES) == counters.instructions
    whole = add_up(regions)
    assert whole.blocks == execution.profile.count.sum()
    assert whole.read_accesses == sum(t.reads for t in execution.warm.events)
    assert whole.ram_write_bytes == sum(t.write_bytes for t in execution.warm.events)
    assert whole.flash_read_bytes + whole.ram_read_bytes == sum(t.read_bytes for t in execution.warm.events)
    assert whole.flash_fetch_lines == sum(e.fetch_lines for e in execution.warm.events if e.memory == "flash")
    assert whole.stack_high_water_bytes == execution.stack_high_water_bytes


@pytest.mark.parametrize("core", kit.CORES)
def test_classes_partition_and_regions_add_up(make: Builder, core: str) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    execution = execute(firmware)
    regions = count_regions(firmware, execution, kit.board(core))
    assert len(regions) == 4
    check_sums(regions, execution)
    dense = regions[0]
    assert dense.flash_read_bytes >= 1024  # every weight once
    # v6-M multiplies and adds; the others accumulate
    assert dense.mac_lanes + dense.multiply_instructions >= 1024


def test_lanes_offered(make: Builder) -> None:
    m3, m4 = (make(c, kit.SMALL_NET, 3) for c in ("cortex-m3", "cortex-m4"))
    for firmware, lanes in ((m3, 1), (m4, 2)):
        for c in count_regions(firmware, execute(firmware), kit.board(firmware.core)):
            each = c.mac_instructions + c.simd_mac_instructions + c.multiply_instructions
            assert c.simd_lane_slots == lanes * each


def test_an_impossible_edge_is_refused(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution = execute(firmware)
    decoder = Decoder.of(firmware)
    profile = execution.profile
    direct = [n for n, s in enumerate(profile.src.tolist()) if s and decoder.block(s).instructions[-1].target]
    wrong = profile.dst.copy()
    wrong[direct[0]] = profile.dst[direct[0]] + 2
    broken = dataclasses.replace(execution, profile=dataclasses.replace(profile, dst=wrong))
    with pytest.raises(CheckFailedError, match="edge"):
        count_regions(firmware, broken, kit.board("cortex-m4"))


def test_lost_accesses_are_noticed(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution = execute(firmware)
    first, *rest = execution.warm.events
    less = dataclasses.replace(first, read_bytes=first.read_bytes - 1)
    broken = dataclasses.replace(execution, warm=dataclasses.replace(execution.warm, events=(less, *rest)))
    with pytest.raises(CheckFailedError, match="layer0"):
        count_regions(firmware, broken, kit.board("cortex-m4"))


def test_wrong_counts_are_noticed(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    execution = execute(firmware)
    more = execution.profile.count + np.int64(1)
    broken = dataclasses.replace(execution, profile=dataclasses.replace(execution.profile, count=more))
    with pytest.raises(CheckFailedError):
        count_regions(firmware, broken, kit.board("cortex-m4"))


@pytest.mark.slow
@pytest.mark.parametrize("library", list(KernelLibrary))
@pytest.mark.parametrize("name", ["nucleo-g0b1re", "nucleo-f207zg", "nucleo-l4r5zi", "nucleo-h743zi", "nrf5340-dk"])
def test_a_whole_model(name: str, library: KernelLibrary) -> None:
    board = load_board(name)
    graph = read_graph(resolve_model("kws").path)
    firmware = build(
        graph,
        model="kws",
        library=library,
        board=board,
        core=load_core(board.core),
        compiler=CompilerName.CLANG,
        opt="O2",
    )
    data = np.random.default_rng(1).integers(0, 256, sum(t.bytes for t in firmware.inputs), dtype=np.uint8).tobytes()
    execution = UnicornTarget(board).run(firmware, [data])
    regions = count_regions(firmware, execution, board)
    check_sums(regions, execution)
    assert all(r.instructions for r in regions)
    tool = objdump()
    if tool is not None:
        assert compare(firmware.elf, board.core, tool) > 1000
