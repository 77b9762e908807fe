"""NPUs as TOML: every figure has a source, every name is one that Vela knows, and a user's file is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog.campaign import load_campaign
from engine.catalog.npu import (
    NPUS_DIR,
    accelerators,
    is_npu,
    list_npus,
    load_npu,
    npu_names,
    npu_sha256,
    vela_config_sha256,
)
from engine.errors import CatalogError, UsageError

TEXT = (NPUS_DIR / "ethos-u55-128.toml").read_text("utf-8")


def _file(folder: Path, text: str = TEXT, **changes: str) -> Path:
    for old, new in {'name = "ethos-u55-128"': 'name = "mine"', **changes}.items():
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


def test_there_is_one_for_every_configuration_of_the_accelerators() -> None:
    found = list_npus()
    assert tuple(n.accelerator for n in found) == accelerators() == npu_names()
    for npu in found:
        assert npu.macs_per_cycle.source
        assert npu.clock_mhz.source
        assert npu.host_board is None


def test_small_and_large_u85_sit_in_different_systems() -> None:
    systems = {n.accelerator: n.system_config for n in list_npus() if n.accelerator.startswith("ethos-u85")}
    assert systems["ethos-u85-128"] == systems["ethos-u85-256"] != systems["ethos-u85-512"]


def test_the_default_campaign_names_only_npus_that_exist() -> None:
    named = {n for matrix in load_campaign("default").estimates for n in matrix.npus}
    assert named == set(npu_names())


def test_a_file_of_the_users(tmp_path: Path) -> None:
    path = _file(tmp_path, **{"system_config_source": 'vela_config = "my.ini"\nsystem_config_source'})
    assert is_npu(str(path))
    with pytest.raises(CatalogError, match="vela_config: no such file"):
        load_npu(str(path))
    ini = tmp_path / "my.ini"
    ini.write_text("[System_Config.X]\n")
    npu = load_npu(str(path))
    assert npu.vela_config == str(ini)
    before = npu_sha256(npu), vela_config_sha256(npu)
    ini.write_text("[System_Config.Y]\n")
    after = npu_sha256(npu), vela_config_sha256(npu)
    assert before[0] != after[0]
    assert before[1] != after[1]
    ini.unlink()
    with pytest.raises(CatalogError, match="cannot be read"):
        vela_config_sha256(npu)


def test_names_are_told_apart_from_boards(tmp_path: Path) -> None:
    assert is_npu("ethos-u55-128")
    assert not is_npu("nucleo-l4r5zi")
    assert not is_npu(str(tmp_path / "absent.toml"))
    board = NPUS_DIR.parent / "boards" / "nucleo-l4r5zi.toml"
    assert not is_npu(str(board))
    (tmp_path / "broken.toml").write_text("= =")
    assert not is_npu(str(tmp_path / "broken.toml"))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"value = 128": "value = 64"}, "macs_per_cycle is 64"),
        ({"value = 500": "value = 0"}, "clock_mhz must be greater than 0"),
        ({'accelerator = "ethos-u55-128"': 'accelerator = "ethos-n78"'}, "accelerator"),
        ({'memory_mode = "Shared_Sram"': 'memory_mode = "Shared Sram"'}, "memory_mode"),
        ({'vendor = "Arm"': 'vendor = "Arm"\nspeed = 3'}, "unknown key 'speed'"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, str], what: str) -> None:
    with pytest.raises(CatalogError, match=what):
        load_npu(str(_file(tmp_path, **changes)))


def test_a_catalogue_name_means_the_catalogues(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(TEXT, "utf-8")
    assert load_npu(str(path)) == load_npu("ethos-u55-128")
    path.write_text(TEXT.replace("Shared_Sram", "Sram_Only"), "utf-8")
    with pytest.raises(UsageError, match="is another NPU"):
        load_npu(str(path))
    with pytest.raises(UsageError, match="unknown NPU 'ethos-u55-12'"):
        load_npu("ethos-u55-12")
