"""QEMU against Unicorn: the same edges, the same memory events, the same outputs, in the board's addresses."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest

from engine.catalog.load import load_board, load_core
from engine.counters.decode import Decoder
from engine.firmware.build import build
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.targets.device import Limits
from engine.targets.qemu.target import QemuTarget
from engine.targets.session import same_profile
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.targets.test_unicorn import long_block

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")

INPUT = bytes((7 * n + 3) % 256 for n in range(64))
LIMITS = Limits(50_000_000, 60)


def both(make: Builder, core: str, *source: object) -> tuple[Firmware, Execution, Execution]:
    """The firmware, and what Unicorn and QEMU make of it, with small caches that everything has to share."""
    # no validation: an SRAM behind a cache would need timing, and nothing is timed here
    cache = kit.cache(256, 16, 2, also_serves=("sram",))
    flash = kit.flash_interface(16, kit.cache(256, 16, 2), unified=True).model_copy(update={"icache": cache})
    board = kit.board(core).model_copy(update={"flash": flash})
    firmware = make(core, *source)
    inputs = [INPUT, bytes(64)]
    unicorn = UnicornTarget(board, limits=LIMITS).run(firmware, inputs)
    qemu = QemuTarget(board, load_core(core), lambda m: make(core, *source, memories=m), limits=LIMITS)
    return firmware, unicorn, qemu.run(firmware, inputs)


def assert_equal(unicorn: Execution, qemu: Execution) -> None:
    assert (unicorn.target, qemu.target) == ("unicorn", "qemu")
    assert qemu.outputs == unicorn.outputs
    assert same_profile(qemu.profile, unicorn.profile)
    assert (qemu.cold, qemu.warm) == (unicorn.cold, unicorn.warm)
    assert qemu.stack_by_region_bytes == unicorn.stack_by_region_bytes
    assert qemu.stack_high_water_bytes == unicorn.stack_high_water_bytes


@pytest.mark.parametrize("core", kit.CORES)
def test_the_same_execution_on_every_core(make: Builder, core: str) -> None:
    _, unicorn, qemu = both(make, core, kit.SMALL_NET, 3)
    assert_equal(unicorn, qemu)
    assert sum(e.read_misses for e in qemu.cold.events) > 0


@pytest.mark.parametrize(("count", "align"), [(40, 2), (900, 4), (3000, 2)])
def test_blocks_that_an_emulator_splits(make: Builder, count: int, align: int) -> None:
    firmware, unicorn, qemu = both(make, "cortex-m4", long_block(count, align), 1, "assembler-with-cpp")
    assert_equal(unicorn, qemu)
    decoder = Decoder.of(firmware)
    assert max(len(decoder.block(int(b)).instructions) for b in np.unique(qemu.profile.dst)) >= count


def test_a_model_gives_the_same_execution() -> None:
    board = load_board("nucleo-l4r5zi")
    core = load_core(board.core)
    link = partial(
        build, read_graph(resolve_model("kws").path), model="kws", library=KernelLibrary.CMSIS_NN, board=board, core=core,
        compiler=CompilerName.CLANG, opt="O2",
    )  # fmt: skip
    firmware = link()
    inputs = [bytes((11 * n + 5) % 256 for n in range(490))]
    qemu = QemuTarget(board, core, lambda m: link(memory_map=m)).run(firmware, inputs)
    assert_equal(UnicornTarget(board).run(firmware, inputs), qemu)
