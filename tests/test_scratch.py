"""Temporary folders: gone at the end, and those of the dead removed without touching those of the living."""

import os
import time
from pathlib import Path

import pytest

from engine.scratch import remove_stale, scratch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path))
    for folder in ("firmware", "objects/ab", "profiles", "runs/a"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_a_folder_is_gone_at_the_end(cache: Path) -> None:
    with scratch(cache / "firmware") as folder:
        (folder / "deep").mkdir()
        assert folder.parent == cache / "firmware"
        assert folder.name.startswith("tmp")
    with pytest.raises(RuntimeError), scratch(cache / "firmware"):
        raise RuntimeError
    assert [*(cache / "firmware").iterdir()] == []


def test_what_the_dead_left_is_removed_and_what_is_in_use_stays(cache: Path) -> None:
    for dead in ("firmware/tmpabcdef", "objects/ab/tmp-xyz"):
        (cache / dead / "deep").mkdir(parents=True)
    kept = cache / "objects" / "ab" / "cdef.o"
    kept.write_text("")
    with scratch(cache / "objects" / "ab") as alive:
        remove_stale()
        assert alive.is_dir()
        assert {p.name for p in (cache / "objects" / "ab").iterdir()} == {alive.name, kept.name}
    assert [*(cache / "firmware").iterdir()] == []


def test_files_go_by_age(cache: Path) -> None:
    old, new = cache / "profiles" / "a.tmp", cache / "runs" / "a" / ".record.json.x"
    unborn = cache / "firmware" / ".unborn-x"
    unborn.mkdir()
    for path in (old, new):
        path.write_text("")
    long_ago = time.time() - 86400
    os.utime(old, (long_ago, long_ago))
    remove_stale()
    assert (old.exists(), new.exists(), unborn.exists()) == (False, True, True)
    for path in (new, unborn):
        os.utime(path, (long_ago, long_ago))
    remove_stale()
    assert (new.exists(), unborn.exists()) == (False, False)


def test_a_link_is_not_followed(cache: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("")
    (cache / "firmware" / "tmp-link").symlink_to(elsewhere)
    remove_stale()
    assert (elsewhere / "precious").exists()


def test_an_absent_cache_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "none"))
    remove_stale()
    assert not (tmp_path / "none").exists()
