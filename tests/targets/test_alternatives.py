"""The memory run simulates a board's alternatives beside it: each sees what a run on that board alone would see."""

from __future__ import annotations

import pytest

from engine.catalog.alternatives import simulated_alternatives
from engine.catalog.board import Board, MemoryKind
from engine.catalog.flash import Cache
from engine.errors import ToolError
from engine.targets.qemu.find import find_qemu
from engine.targets.qemu.target import QemuTarget
from engine.targets.unicorn_target import UnicornTarget
from tests.targets import kit
from tests.targets.conftest import Builder

INPUT = [bytes(range(64))]


def cache(size: int, *alternatives: dict[str, object], serves: tuple[str, ...] = ()) -> Cache:
    return Cache.model_validate(
        {
            "bytes": size, "line_bytes": 16, "ways": 2, "inferred": "of the test", "also_serves": serves,
            "alternatives": tuple(a | {"why": "of the test"} for a in alternatives),
        }
    )  # fmt: skip


def board(core: str, *, unified: bool, serves: tuple[str, ...] = ()) -> Board:
    icache = cache(128, {"ways": 1}, {"bytes": 256}, {"line_bytes": 32}, serves=serves)
    dcache = cache(64, {"ways": 4}, {"bytes": 32}, serves=serves)
    made = kit.board(core)
    ram = {"line_fill_cycles": kit.figure(9)}
    return made.model_copy(
        update={
            "flash": kit.flash_interface(16, icache, None if unified else dcache, unified=unified),
            "memories": tuple(m if m.kind is MemoryKind.FLASH else m.model_copy(update=ram) for m in made.memories),
        }
    )


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("serves", [(), ("sram",)])
def test_each_sees_what_its_board_alone_would(make: Builder, core: str, unified: bool, serves: tuple[str, ...]) -> None:
    firmware = make(core, kit.SMALL_NET, 3)
    made = board(core, unified=unified, serves=serves)
    execution = UnicornTarget(made).run(firmware, INPUT)
    others = simulated_alternatives(made)
    assert len(others) == len(execution.alternatives) == (3 if unified else 5)
    for other, seen in zip(others, execution.alternatives, strict=True):
        alone = UnicornTarget(other.board).run(firmware, INPUT)
        assert alone.alternatives == ()
        assert seen == alone.warm, other.key
    assert len({execution.warm, *execution.alternatives}) > 3


def test_the_board_itself_sees_the_same_with_and_without_them(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    made = board("cortex-m4", unified=False)
    flash = made.flash.model_copy(update={"icache": cache(128), "dcache": cache(64)})
    with_them, without = (
        UnicornTarget(b).run(firmware, INPUT) for b in (made, made.model_copy(update={"flash": flash}))
    )
    assert (with_them.cold, with_them.warm) == (without.cold, without.warm)
    assert with_them.stack_by_region_bytes == without.stack_by_region_bytes


def test_one_that_never_repeats_itself_does_not_keep_the_run_going(make: Builder) -> None:
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    icache = cache(64, {"replacement": "random"})
    made = kit.board("cortex-m4", flash=kit.flash_interface(16, icache))
    (seen,) = UnicornTarget(made).run(firmware, INPUT).alternatives
    alone = UnicornTarget(simulated_alternatives(made)[0].board).run(firmware, INPUT)
    lines = [sum(e.fetch_lines for e in memory.events) for memory in (seen, alone.warm)]
    assert lines[0] == lines[1] > 0


def test_qemu_sees_the_same(make: Builder) -> None:
    try:
        find_qemu()
    except ToolError as error:
        pytest.skip(error.message)
    made = board("cortex-m4", unified=False, serves=("sram",))
    firmware = make("cortex-m4", kit.SMALL_NET, 3)
    target = QemuTarget(made, relink=lambda memories: make("cortex-m4", kit.SMALL_NET, 3, memories=memories))
    found = target.run(firmware, INPUT)
    assert found.alternatives == UnicornTarget(made).run(firmware, INPUT).alternatives
