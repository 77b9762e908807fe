"""Code and weights that start-up copies to RAM: they run there, give the same output, and fetch nothing from flash."""

from __future__ import annotations

import pytest

from engine.catalog.board import Board
from engine.catalog.load import load_board
from engine.firmware.types import Firmware
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine
from engine.targets.session import code_bytes
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from tests.targets.keyword_spotting import DATA, keyword_spotting


def placed(**place: str) -> Board:
    board = load_board("nucleo-l4r5zi")
    return board.model_copy(update={"placement": board.placement.model_copy(update=place)})


def measured(board: Board) -> tuple[Firmware, Execution]:
    firmware = keyword_spotting(board)
    return firmware, UnicornTarget(board, limits=Limits(None, 120)).run(firmware, [DATA])


def fetches(execution: Execution) -> int:
    return sum(e.fetch_lines for e in execution.warm.events if e.memory == "flash")


def reads(execution: Execution) -> int:
    return sum(e.read_lines for e in execution.warm.events if e.memory == "flash")


@pytest.fixture(scope="module")
def default() -> tuple[Firmware, Execution]:
    return measured(placed())


@pytest.mark.parametrize(
    "place",
    [{"code": "sram1"}, {"weights": "sram3"}, {"code": "sram2", "weights": "sram3"}],
    ids=["code", "weights", "both"],
)
def test_what_start_up_copies_runs_where_it_was_placed(
    place: dict[str, str], default: tuple[Firmware, Execution]
) -> None:
    board = placed(**place)
    firmware, execution = measured(board)
    assert execution.outputs == default[1].outputs
    assert code_bytes(Image(firmware.elf), execution.profile) == pytest.approx(
        code_bytes(Image(default[0].elf), default[1].profile), rel=0.01
    )
    code = board.memory(board.placement.code)
    assert all(code.origin <= block < code.end for block in set(execution.profile.dst.tolist()))
    assert fetches(default[1]) > 0
    assert (fetches(execution) > 0) == ("code" not in place)
    # the layers' constants stay in flash, weights in RAM are most of what was read from it
    assert reads(execution) < reads(default[1]) / 2 if "weights" in place else reads(execution) > 0


def test_an_address_is_stored_where_start_up_copies_it_from(default: tuple[Firmware, Execution]) -> None:
    board = placed(code="sram1")
    firmware, _ = measured(board)
    image = Image(firmware.elf)
    symbol = image.symbol("wc_idle")
    assert symbol is not None
    flash = board.memory("flash")
    stored = image.stored_at(symbol.address)
    assert flash.origin <= stored < flash.end
    machine = Machine(firmware, image, board, board.core, Limits(10_000_000, 60))
    before = bytes(machine.uc.mem_read(stored, 16))
    machine.reset(str)
    # the breakpoint is gone, in the stored image and in the copy
    assert bytes(machine.uc.mem_read(stored, 16)) == before == bytes(machine.uc.mem_read(symbol.address, 16))
    plain = Image(default[0].elf)
    assert plain.stored_at(plain.code[0].start) == plain.code[0].start
