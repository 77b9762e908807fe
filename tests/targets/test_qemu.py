"""QEMU against Unicorn: the same edges, the same memory events, the same outputs, in the board's addresses."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest

from engine.catalog.load import load_board, load_core
from engine.counters.decode import Decoder
from engine.firmware.build import build
from engine.firmware.mps2 import mps2_board
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.models.library import resolve_model
from engine.models.reader import read_graph
from engine.targets import layout
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.qemu.target import QemuTarget
from engine.targets.session import same_profile
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder
from tests.targets.test_unicorn import _ASM_HEAD, long_block

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


def straight(body: str) -> str:
    """One layer of straight-line code; r2 and r3 point into the arena."""
    return f"""{_ASM_HEAD}
wc_infer:
  push {{r4, lr}}
  ldr r2, =wc_arena
  ldr r3, =wc_arena + 512
  bl wc_layer_begin
{body}
  bl wc_layer_end
  pop {{r4, pc}}
.ltorg
"""


def test_events_do_not_depend_on_where_a_block_is_cut(make: Builder) -> None:
    loads = "\n".join(
        f"  ldr r0, [r2, #{4 * (7 * n % 31)}]" if n % 3 else f"  str r0, [r3, #{4 * (5 * n % 29)}]" for n in range(400)
    )
    _, unicorn, qemu = both(make, "cortex-m4", straight(loads), 1, "assembler-with-cpp")
    assert_equal(unicorn, qemu)


PAIRS = """
  vldr d0, [r2]
  vstr d0, [r2, #8]
  vpush {d8-d9}
  vpop {d8-d9}
  vldr s0, [r2]
  ldrd r0, r1, [r2]
  strd r0, r1, [r2, #16]
  ldm r2, {r0, r1, r3}
  ldrh r0, [r2, #1]
  cmp r0, r0
  it ne
  ldrne r0, [r2]
"""


def test_pairs_and_multiples_are_counted_in_words(make: Builder) -> None:
    """Unicorn makes one access of a 64-bit one and two of a pair; QEMU, by its version, other ones."""
    firmware, unicorn, _ = both(make, "cortex-m7", straight(PAIRS), 1, "assembler-with-cpp")
    watched = UnicornTarget(kit.board("cortex-m7")).watch(firmware, Image(firmware.elf), INPUT)
    assert watched.totals[0, layout.T_READS :].tolist() == [2 + 4 + 1 + 2 + 3 + 1, 50, 2 + 4 + 2, 32]
    assert sum(e.reads for e in unicorn.warm.events if e.region == 0) == 1 + 2 + 1 + 2 + 3 + 1
    here = kit.board("cortex-m7").model_copy(update={"memories": mps2_board(load_core("cortex-m7")).memories})
    flash, sram = here.memories
    here = here.model_copy(
        update={
            "memories": (
                flash.model_copy(update={"name": "flash"}),
                sram.model_copy(update={"name": "sram"}),
            )
        }
    )
    counts = QemuTarget(here, load_core("cortex-m7")).region_counts(
        make("cortex-m7", straight(PAIRS), 1, "assembler-with-cpp", memories=here), [INPUT]
    )
    assert (counts.loads, counts.stores) == ((13, watched.totals[1, 1]), (8, watched.totals[1, 3]))
    assert (counts.read_bytes, counts.write_bytes) == ((50, watched.totals[1, 2]), (32, watched.totals[1, 4]))
    assert counts.machine == "cortex-m7"


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
