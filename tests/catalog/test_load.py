"""Boards and cores that come with the project, and what happens to broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.catalog.board import Board
from engine.catalog.load import (
    BOARDS_DIR,
    board_sha256,
    core_sha256,
    list_boards,
    list_cores,
    load_board,
    load_core,
)
from engine.errors import CatalogError, UsageError, WhycyclesError

EXAMPLE = (BOARDS_DIR / "nucleo-g0b1re.toml").read_text()


def test_one_board_per_core_and_every_placement_exists() -> None:
    boards = list_boards()
    assert {b.core for b in boards} == {c.name for c in list_cores()}
    for board in boards:
        for part in ("code", "weights", "activations", "stack"):
            assert board.memory(getattr(board.placement, part)).bytes > 0
        assert board.flash.wait_states(board.default_clock_mhz) >= 0


def test_every_core_figure_has_an_origin_and_a_log() -> None:
    for core in list_cores():
        assert core.log
        assert all(entry.before_validation for entry in core.log)
        for name, figure in core.figures():
            assert (figure.source is None) != (figure.inferred is None), name
            assert figure.lowest <= figure.value <= figure.highest, name


def test_wait_states_follow_the_ladder() -> None:
    flash = load_board("nucleo-l4r5zi").flash
    assert [flash.wait_states(mhz) for mhz in (1, 20, 20.5, 80, 120)] == [0, 0, 1, 3, 5]
    with pytest.raises(ValueError, match="above the flash ladder"):
        flash.wait_states(121)


def test_hashes_follow_content_not_layout(tmp_path: Path) -> None:
    same, other = tmp_path / "same.toml", tmp_path / "other.toml"
    same.write_text("# a comment\n" + EXAMPLE)
    other.write_text(EXAMPLE.replace("wait_states = 2", "wait_states = 3"))
    reference = board_sha256(load_board("nucleo-g0b1re"))
    assert board_sha256(load_board(same)) == reference
    assert board_sha256(load_board(other)) != reference
    assert len({core_sha256(c) for c in list_cores()}) == len(list_cores())


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ("bytes = 0x80000", 'bytes = "512K"', "memories[0].bytes: expected a valid integer", "whole number"),
        ("bytes = 0x80000", "bytes = 512.5", "memories[0].bytes: expected a valid integer", "whole number"),
        ("prefetch = true", "prefech = true", "flash.prefech: unknown key", "did you mean prefetch"),
        ("value = 64, source", "value = 64, sorce", "max_clock_mhz.sorce: unknown key", "source"),
        ("default_clock_mhz = 64", 'default_clock_mhz = "64"', "default_clock_mhz: expected a valid number", "without quotes"),
        ("default_clock_mhz = 64", "default_clock_mhz = 640", "above the last step of flash.ladder", ""),
        ("default_clock_mhz = 64", "default_clock_mhz = nan", "'inf' and 'nan'", "finite"),
        ("origin = 0x20000000", "origin = 0x08001000", "'flash' (up to 0x0807ffff) and 'sram' (from 0x08001000) overlap", ""),
        ("origin = 0x20000000", "origin = 0xffffff00", "beyond the 32-bit address space", ""),
        ("kind = \"sram\"", "kind = \"ram\"", "memories[1].kind: expected 'flash', 'sram', 'itcm' or 'dtcm'", ""),
        ('code = "flash"', 'code = "flsh"', "placement.code names 'flsh'", ""),
        ("core = \"cortex-m0plus\"", "core = \"cortex-m0\"", "core: unknown core 'cortex-m0'", "did you mean cortex-m0plus"),
        ("[flash]", "[flash", "TOML syntax", ""),
        ("wait_states = 1", 'wait_states = "1"', "flash.ladder[1].wait_states: expected a valid integer", ""),
        ("up_to_mhz = 48", "up_to_mhz = 12", "must rise", ""),
        ("bytes = 16 ", "bytes = 18 ", "", ""),
        ('title = "ST NUCLEO-G0B1RE"', "title = 1979-05-27", "dates and times", "quotes"),
        (', source = "reference/mcu_specs.csv: STM32G0B1RE"', "", "exactly one of 'source' and 'inferred'", ""),
        ('name = "sram"', 'name = "flash"', "same name", ""),
    ],
)  # fmt: skip
def test_broken_boards_say_what_and_where(tmp_path: Path, old: str, new: str, place: str, hint: str) -> None:
    path = tmp_path / "my-board.toml"
    text = EXAMPLE.replace("bytes = 16\n", "bytes = 16 \n").replace(old, new, 1)
    assert text != EXAMPLE.replace("bytes = 16\n", "bytes = 16 \n")
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_board(path)
    assert str(path) in caught.value.message
    assert place in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text('name = "x"\ntitle = \n')
    with pytest.raises(CatalogError, match="line 2"):
        load_board(path)


def test_unknown_names_offer_near_ones() -> None:
    with pytest.raises(UsageError) as board:
        load_board("nucleo-l4r5z")
    assert "nucleo-l4r5zi" in board.value.hint
    with pytest.raises(UsageError) as core:
        load_core("cortex-m4f")
    assert "cortex-m4" in core.value.hint


@pytest.mark.parametrize("path", ["/nonexistent/x.toml", "a\0b.toml", "/"])
def test_unreadable_paths_are_one_message(path: str) -> None:
    with pytest.raises(CatalogError):
        load_board(path)


def test_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="UTF-8"):
        load_board(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(CatalogError, match="larger"):
        load_board(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_boards_load_or_fail_with_one_message(tmp_path: Path, data: st.DataObject) -> None:
    lines = EXAMPLE.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(lines) - 1))
        lines[i] = data.draw(
            st.one_of(st.just(""), st.sampled_from(lines), st.text(max_size=30), st.just("x = [[1],[2]]"))
        )
    path = tmp_path / "mutated.toml"
    path.write_text("\n".join(lines), encoding="utf-8", errors="ignore")
    found: Board | WhycyclesError
    try:
        found = load_board(path)
    except WhycyclesError as error:
        found = error
    if isinstance(found, WhycyclesError):
        assert str(path) in found.message
        assert found.hint
