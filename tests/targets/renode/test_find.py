"""Finding Renode, and refusing what is none or the wrong one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.errors import ToolError
from engine.targets.renode import find
from engine.targets.status import targets_status


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No Renode anywhere: an empty home, an empty PATH."""
    monkeypatch.delenv("RENODE_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    find._version_text.cache_clear()
    return tmp_path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def says(path: Path, version: str) -> Path:
    banner = f"Renode v{version}.0\\n  build: v{version}-src\\n  build type: Release\\n  runtime: .NET 8.0.3"
    return program(path, f"printf '{banner}\\n'")


def test_none_is_said_plainly() -> None:
    assert not find.available()
    with pytest.raises(ToolError, match="not installed") as error:
        find.find_renode()
    assert "renode install" in error.value.hint
    (status,) = (t for t in targets_status() if t.name == "renode")
    assert not status.available
    assert "not installed" in status.detail


def test_the_path_variable_wins_and_may_be_a_folder(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(nowhere / "bin" / "renode", "1.16.0")
    mine = says(nowhere / "mine" / "renode", "1.16.1")
    monkeypatch.setenv("RENODE_PATH", str(mine.parent))
    found = find.find_renode()
    assert (found.path, found.version, found.runtime) == (mine, "1.16.1", ".NET 8.0.3")
    (status,) = (t for t in targets_status() if t.name == "renode")
    assert status.available
    assert status.version == "1.16.1"


def test_a_wrong_path_variable_is_an_error_even_if_there_is_another(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(nowhere / "bin" / "renode", "1.16.1")
    monkeypatch.setenv("RENODE_PATH", str(nowhere / "missing"))
    with pytest.raises(ToolError, match="RENODE_PATH is"):
        find.find_renode()


@pytest.mark.parametrize("version", ["1.15.3", "1.17.0", "2.16.1"])
def test_another_version_is_named_and_refused(nowhere: Path, version: str) -> None:
    says(nowhere / "bin" / "renode", version)
    with pytest.raises(ToolError, match=rf"Renode {version} .* not supported, only 1\.16"):
        find.find_renode()


def test_an_old_one_on_the_path_gives_way_to_the_installed_one(nowhere: Path) -> None:
    says(nowhere / "bin" / "renode", "1.15.3")
    folder = find.download_folder()
    for place in (folder / "renode-1.16.1", folder / "mono-portable" / "renode-gh-1.16.1"):
        mine = says(place / "renode", "1.16.1")
        assert find.installed() == mine
        assert find.find_renode().path == mine
        shutil.rmtree(place)


def test_what_is_no_renode_is_refused(nowhere: Path) -> None:
    program(nowhere / "bin" / "renode", "echo hello")
    with pytest.raises(ToolError, match="says nothing of a Renode version"):
        find.find_renode()
    find._version_text.cache_clear()
    (nowhere / "bin" / "renode").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(ToolError, match="cannot run"):
        find.find_renode()


def test_the_stand_in_is_found(renode: Path) -> None:
    assert find.find_renode().version == "1.16.1"
