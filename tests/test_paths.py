from pathlib import Path

import pytest

from engine.paths import cache_dir


def test_the_cache_lies_where_the_user_says_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "there"))
    assert cache_dir() == tmp_path / "there"
    # set but empty, as scripts do: not the working directory itself
    monkeypatch.setenv("WHYCYCLES_CACHE", "")
    assert cache_dir() == tmp_path / ".whycycles"
    monkeypatch.delenv("WHYCYCLES_CACHE")
    assert cache_dir() == tmp_path / ".whycycles"
