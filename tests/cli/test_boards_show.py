"""``whycycles boards show``: every board, with all its figures and what stands where there is none."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from engine.catalog.board import Board
from engine.catalog.left_out import stand_ins, taken_for_granted
from engine.catalog.load import list_boards, load_board
from engine.catalog.walk import figures
from engine.cli import main


def shown(name: str) -> str:
    result = CliRunner().invoke(main, ["boards", "show", name], env={"COLUMNS": "400"})
    assert result.exit_code == 0
    return " ".join(result.stdout.split())


@pytest.mark.parametrize("board", list_boards(), ids=lambda b: b.name)
def test_every_board_is_shown_whole(board: Board) -> None:
    text = shown(board.name)
    for key, figure in figures(board):
        if not key.startswith(("current", "price")):
            assert f"{key} {figure.value:g} " in text
            assert " ".join((figure.source or figure.inferred or "").split())[:60] in text
    for note in board.notes:
        assert note in text
    for step in board.flash.ladder:
        assert f" {step.up_to_mhz:g} {step.wait_states} {step.wait_states * step.bus_ratio}" in text
    assert all(sentence in text for sentence in taken_for_granted(board))
    assert list(stand_ins(board)) == []


def test_sources_are_lines_below_and_not_a_narrow_column() -> None:
    result = CliRunner().invoke(main, ["boards", "show", "nucleo-l4r5zi"], env={"COLUMNS": "80"})
    lines = result.stdout.splitlines()
    assert "memory  kind   origin        KB  holds               behind" in lines[lines.index("") + 1]
    assert any(line.startswith("- sram1, sram2, sram3: ") and len(line) > 60 for line in lines)
    assert any(line.startswith("- flash.width_bytes: DBANK 1") for line in lines)


def test_the_caches_of_a_cortex_m7_are_named_by_what_they_serve() -> None:
    text = shown("nucleo-h743zi")
    assert (
        "data cache of flash and axi_sram: 16384 bytes, 4 ways of 32-byte lines, least recently used, write-back"
        in text
    )
    assert "480 4 8, as one lasts 2 (bus_ratio)" in text
    assert "memories.axi_sram.wait_states 10 4 to 20 no" in text
    assert "memories.axi_sram.line_fill_cycles 10 4 to 20 yes" in text
    assert "wait_states of dtcm: data accesses do not wait" in text


def test_an_accelerator_and_a_unified_cache() -> None:
    assert "instruction cache of flash: 1024 bytes, 128 ways of 8-byte lines (one read of the flash)" in shown(
        "nucleo-l4r5zi"
    )
    assert "unified cache of flash: 8192 bytes, 2 ways" in shown("nucleo-u575zi")
    assert "constants without a cache wait for the array alone" in shown("nrf52840-dk")
    assert "write-" not in shown("nucleo-f446re").split("figure value")[0]  # nothing is written through these


def test_what_is_left_out_of_a_ram_behind_a_cache() -> None:
    board = load_board("nucleo-h743zi")
    bare = {f.split(".")[-1]: None for f, _ in figures(board) if f.startswith("memories.axi_sram.") and "fill" not in f}
    memories = tuple(m.model_copy(update=bare) if m.name == "axi_sram" else m for m in board.memories)
    board = board.model_copy(update={"memories": memories})
    found = list(taken_for_granted(board))
    assert "write_miss_cycles of axi_sram: a write that takes a line in does not wait" in found
    dcache = board.flash.dcache
    assert dcache is not None
    through = board.flash.model_copy(update={"dcache": dcache.model_copy(update={"policy": "write_through"})})
    found = list(taken_for_granted(board.model_copy(update={"flash": through})))
    assert "write_wait_states of axi_sram: writes that the cache passes on do not wait" in found
