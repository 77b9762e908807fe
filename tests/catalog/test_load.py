"""Boards and cores that come with the project, and what happens to broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.catalog.board import Board
from engine.catalog.campaign import load_campaign
from engine.catalog.flash import ClockStep, FlashInterface
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

# how pydantic speaks
RAW = ("Value error", "String should", "Field required", "Input should", "Extra inputs", "should have at least")
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
        assert core.log[0].before_validation
        # what was changed later says what it did to the published points
        assert all(e.before_validation or "rror" in e.why or "published point" in e.why for e in core.log)
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
        ("prefetch = true", "prefech = true", "flash: unknown key 'prefech' (did you mean prefetch?)", "rename it to prefetch"),
        ("value = 64, source", "value = 64, sorce", "max_clock_mhz: unknown key 'sorce' (did you mean source?)", "source"),
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
        ("bytes = 16 ", "bytes = 18 ", "multiple of line_bytes * ways", "8 * 2 = 16: write 32"),
        ("line_bytes = 8", "line_bytes = 12", "flash.icache: 'line_bytes' must be a power of two", "write 8, 16"),
        ("bytes = 0x24000", "bytes = 0x24002", "memory 'sram': bytes 0x24002 must be a multiple of 8", "0x24000"),
        ("origin = 0x08000000", "origin = 0x08000004", "memory 'flash': origin 0x8000004 must be a multiple of 8", "0x8000000"),
        ('"reference/mcu_specs.csv: STM32G0B1RE" }', '"" }', "max_clock_mhz.source: must not be empty", "say what you opened"),
        ("prefetch_source = \"ST", "prefetch_source = \"inferred: \" # ", "flash.prefetch_source: must not be empty", "believe"),
        ("wait_states = 2", "wait_states = 0", "fewer wait states up to 64 MHz (0) than up to 48 MHz (1)", "at least as long"),
        ('activations = "sram"', 'activations = "flash"', "placement.activations names 'flash', which is flash", "one of sram"),
        ('stack = "sram"', 'stack = "flash"', "placement.stack names 'flash', which is flash", "place stack in one of sram"),
        ("default_clock_mhz = 64", "default_clock_mhz = 64000000", "default_clock_mhz is 64000000 MHz", "clocks are in MHz: write 64"),
        ("value = 64, source", "value = 65, source", "max_clock_mhz is above the last step", "up_to_mhz = 65"),
        ("value = 64, source", 'inferred = "so", low = 1, high = 2, value = 64, source', "found both", "keep 'source' if"),
        ("value = 64, source", "value = 64, inferred", "an inferred figure needs 'low' and 'high'", "low = …, high = …"),
        ('max_clock_mhz = { value = 64, source = "reference/mcu_specs.csv: STM32G0B1RE" }', "max_clock_mhz = 64", "max_clock_mhz: expected a figure with its origin, found 64", 'write { value = 64, source = "…" }'),
        ('name = "nucleo-g0b1re" ', 'name = "My Board" ', "name: must be lower-case letters, digits and dashes", "another name"),
        ("wait_states = 2", "wait_states = -2", "flash.ladder[2].wait_states: must be at least 0, found -2", "at least 0"),
        ("default_clock_mhz = 64", "", "default_clock_mhz: missing", "at the top of the file"),
        ("[placement]", "[placment]", "unknown section 'placment' (did you mean placement?)", "rename it"),
        ('vendor = "STMicroelectronics"', "vendor = true", "vendor: expected text, found true", "quotes"),
        ('title = "ST NUCLEO-G0B1RE"', "title = 1979-05-27", "dates and times", "quotes"),
        (', source = "reference/mcu_specs.csv: STM32G0B1RE"', "", "exactly one of 'source' and 'inferred'", ""),
        ('name = "sram"', 'name = "flash"', "same name", ""),
    ],
)  # fmt: skip
def test_broken_boards_say_what_and_where(tmp_path: Path, old: str, new: str, place: str, hint: str) -> None:
    path = tmp_path / "my-board.toml"
    whole = EXAMPLE.replace("\nbytes = 16\n", "\nbytes = 16 \nline_bytes = 8\nways = 2\n")
    text = whole.replace(old, new, 1)
    assert text != whole
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_board(path)
    assert str(path) in caught.value.message
    assert place in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2
    for raw in RAW:
        assert raw not in caught.value.message + caught.value.hint


def broken(tmp_path: Path, text: str) -> CatalogError:
    path = tmp_path / "my-board.toml"
    path.write_text(text)
    with pytest.raises(CatalogError) as caught:
        load_board(path)
    return caught.value


def test_a_misspelt_key_is_one_problem(tmp_path: Path) -> None:
    error = broken(tmp_path, EXAMPLE.replace("default_clock_mhz", "defualt_clock_mhz"))
    assert error.message.endswith("my-board.toml: unknown key 'defualt_clock_mhz' (did you mean default_clock_mhz?)")


def test_further_problems_are_listed_up_to_three(tmp_path: Path) -> None:
    text = EXAMPLE
    for key in ("title", "vendor", "mcu", "core", "default_clock_mhz"):
        text = text.replace(f"\n{key} =", f"\n# {key} =", 1)
    message = broken(tmp_path, text).message
    assert message.endswith("title: missing; also vendor: missing; also mcu: missing; also core: missing (and 1 more)")


def test_a_missing_section_is_called_so(tmp_path: Path) -> None:
    no_flash = broken(tmp_path, EXAMPLE[: EXAMPLE.index("# How the core reaches")])
    assert no_flash.message.endswith("my-board.toml: the section [flash] is missing")
    assert "add [flash] with width_bytes, ladder" in no_flash.hint
    start = EXAMPLE.index("[[memories]]")
    no_memories = broken(tmp_path, EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("# How the core reaches") :])
    assert "the section [[memories]] is missing" in no_memories.message


def test_a_model_is_not_a_board(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"model\.tflite: is a model, not a board TOML"):
        load_board("model.tflite")
    renamed = tmp_path / "board.toml"
    renamed.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(CatalogError, match="is a model, not a TOML file"):
        load_board(renamed)


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(CatalogError, match="larger than 1 MiB"):
        load_board("/dev/zero")


def test_two_wait_ladders_that_fall_or_do_not() -> None:
    flash = load_board("nucleo-g0b1re").flash

    def ladder(*steps: tuple[int, int]) -> tuple[ClockStep, ...]:
        return tuple(
            ClockStep(up_to_mhz=20 * (n + 1), wait_states=waits, bus_ratio=ratio)
            for n, (waits, ratio) in enumerate(steps)
        )

    # half as fast a bus needs fewer of its own cycles
    kept = FlashInterface(**(dict(flash) | {"ladder": ladder((4, 1), (1, 2))}))
    assert kept.step(40).bus_ratio == 2
    with pytest.raises(ValidationError, match="'ladder' falls"):
        FlashInterface(**(dict(flash) | {"ladder": ladder((4, 2), (3, 2))}))


CAMPAIGN = (BOARDS_DIR.parent / "campaigns" / "default.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "what", "hint"),
    [
        ("models =", "modles =", "unknown key 'modles' (did you mean models?)", "rename it to models"),
        ('"cmsis-nn"', '"cmsis"', "expected 'reference' or 'cmsis-nn', found \"cmsis\"", "write one of"),
        ("title =", "# title =", "title: missing", "add title"),
        ('name = "default"', 'name = "My Campaign"', "name: must be lower-case letters", "another name"),
        ("models =", "models = []\nx =", "models: must not be empty", "at least one"),
        ("models =", "models = 7 #", "models: expected a list, found 7", "write ["),
    ],
)
def test_broken_campaigns_say_what_and_where(tmp_path: Path, old: str, new: str, what: str, hint: str) -> None:
    path = tmp_path / "my-campaign.toml"
    assert old in CAMPAIGN
    path.write_text(CAMPAIGN.replace(old, new, 1))
    with pytest.raises(CatalogError) as caught:
        load_campaign(str(path))
    assert what in caught.value.message
    assert hint in caught.value.hint or "; also" in caught.value.message
    for raw in RAW:
        assert raw not in caught.value.message


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
        assert not any(raw in found.message for raw in RAW)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("l4r5zi", "nucleo-l4r5zi"),
        ("NUCLEO_L4R5ZI", "nucleo-l4r5zi"),
        ("stm32l4r5zi", "nucleo-l4r5zi"),
        ("nucleo-f270zg", "nucleo-f207zg"),
        ("pico", "raspberry-pi-pico"),
        ("nrf5340", "nrf5340-dk"),
        ("stm32f411", "nucleo-f411re?"),
        ("RP2040", "raspberry-pi-pico?"),
    ],
)
def test_an_unknown_board_gets_those_it_may_mean(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as error:
        load_board(name)
    assert error.value.hint.startswith(f"did you mean {meant}"), error.value.hint
