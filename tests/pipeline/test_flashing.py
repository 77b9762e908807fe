"""Files to flash, and how: flat images, UF2, and commands of the tools."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.catalog.load import load_board
from engine.cli.main import main
from engine.errors import BuildError, ToolError, UsageError
from engine.pipeline.flashing import flash_commands, flash_with_pyocd, flat_image, uf2_image, write_images
from engine.pipeline.settings import RunSettings, resolve


def test_uf2_by_its_description() -> None:
    data = bytes(i & 0xFF for i in range(700))
    blocks = uf2_image(data, 0x1000_0000, 0xE48B_FF56)
    assert len(blocks) == 3 * 512
    content = b""
    for i in range(3):
        block = blocks[512 * i : 512 * (i + 1)]
        first, second, flags, address, size, number, count, family = struct.unpack("<8I", block[:32])
        assert (first, second, struct.unpack("<I", block[-4:])[0]) == (0x0A32_4655, 0x9E5D_5157, 0x0AB1_6F30)
        assert (flags, family) == (0x2000, 0xE48B_FF56)
        assert (address, size, number, count) == (0x1000_0000 + 256 * i, 256, i, 3)
        content += block[32 : 32 + size]
    assert content == data + b"\xff" * (3 * 256 - 700)


def test_files_for_a_pico(tmp_path: Path) -> None:
    images = write_images(resolve(RunSettings("kws", "raspberry-pi-pico")), tmp_path)
    assert images.uf2 is not None
    flat = images.bin.read_bytes()
    assert len(flat) == pytest.approx(images.flash_bytes, abs=256)
    assert len(images.uf2.read_bytes()) == 512 * -(-len(flat) // 256)
    # boot stage, then the vector table: the stack in RAM, the start in flash
    stack, reset = struct.unpack("<2I", flat[256:264])
    assert 0x2000_0000 < stack <= 0x2004_2000
    assert 0x1000_0100 < reset < 0x1020_0000
    assert reset & 1
    assert flat == flat_image(images.elf, 0x1000_0000)
    with pytest.raises(BuildError, match="stored before"):
        flat_image(images.elf, 0x1000_1000)
    assert [c.tool for c in images.commands] == ["uf2", "pyocd", "probe-rs", "openocd"]


def test_build_as_json_says_where_and_how(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["build", "kws", "--board", "nucleo-l4r5zi", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert Path(told["elf"]).is_file()
    assert (told["uf2"], told["marker_pin"], told["flashed"]) == (None, "PF13 (D7)", False)
    assert any("pyocd flash --target stm32l4r5zitx" in c["command"] for c in told["commands"])


def test_a_board_that_names_no_tool_still_gets_an_address() -> None:
    board = load_board("nucleo-l4r5zi").model_copy(update={"flashing": None})
    (command,) = flash_commands(board, Path("a.elf"), Path("a.bin"), None, 0x0800_0000)
    assert command.command == "write a.bin to 0x08000000, then reset"


def test_flashing_without_pyocd_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = resolve(RunSettings("kws", "nucleo-l4r5zi"))
    images = write_images(run, tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pyOCD is not installed") as caught:
        flash_with_pyocd(images, run.board)
    assert "probe-rs download" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="does not say what pyOCD calls it"):
        flash_with_pyocd(images, run.board.model_copy(update={"flashing": None}))


def test_a_board_without_port_is_refused_with_what_to_write() -> None:
    done = CliRunner().invoke(main, ["build", "kws", "--board", "nucleo-g0b1re"])
    assert done.exit_code == 2
    assert 'port = "NAME"' in done.stderr
