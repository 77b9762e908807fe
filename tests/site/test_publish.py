"""Publishing to a branch of a scratch repository: versions stay, the checkout is not touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.site.publish import publish
from tests.site.conftest import Built


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.org")
    folder = tmp_path / "clone"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("a\n")
    _git(folder, "add", "a.txt")
    _git(folder, "commit", "-q", "-m", "first")
    (folder / "a.txt").write_text("being edited\n")
    return folder


@pytest.mark.slow
def test_old_versions_stay(built: Built, cache: Path, repository: Path) -> None:
    head = _git(repository, "rev-parse", "main")
    docs = cache / "site-docs"
    assert publish("1.0", repository=repository, docs=docs).versions == ("1.0",)
    first = _git(repository, "ls-tree", "-r", "gh-pages", "1.0/")
    said: list[str] = []
    done = publish("1.1", repository=repository, docs=docs, progress=said.append)
    assert done.versions == ("1.1", "1.0")
    assert _git(repository, "ls-tree", "-r", "gh-pages", "1.0/") == first
    assert any("1.1" in line for line in said)
    versions = json.loads(_git(repository, "show", "gh-pages:versions.json"))
    assert {v["version"]: v["aliases"] for v in versions} == {"1.1": ["latest"], "1.0": []}
    assert "latest" in _git(repository, "show", "gh-pages:index.html")
    home = _git(repository, "show", "gh-pages:1.1/index.html")
    # the switcher is offered here, and only here: a site that is served by itself has no versions.json
    assert '"provider": "mike"' in home
    assert '"provider"' not in (built.out / "index.html").read_text("utf-8")
    assert _git(repository, "rev-parse", "main") == head
    assert (repository / "a.txt").read_text() == "being edited\n"
    assert _git(repository, "status", "--porcelain") == " M a.txt\n"


@pytest.mark.parametrize("version", ["", "../x", "1 0", "latest", "-x", "a/b"])
def test_a_version_must_be_a_name(version: str, repository: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a version"):
        publish(version, repository=repository)


def test_nothing_to_publish(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no site to publish"):
        publish("1.0", repository=repository, docs=tmp_path / "none")


def test_not_a_checkout(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# x\n")
    with pytest.raises(UsageError, match="not a git checkout"):
        publish("1.0", repository=tmp_path, docs=docs)
