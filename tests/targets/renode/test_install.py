"""Fetching Renode: at once and clearly where there is no network, and found afterwards where there is."""

from __future__ import annotations

import platform
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest

from engine.errors import CheckFailedError, ToolError
from engine.targets.renode import find, install


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("RENODE_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    find._version_text.cache_clear()
    return tmp_path


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.usefixtures("linux")
def test_without_a_network_it_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # a proxy where nobody listens
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # somebody opened an address in this process before, without a proxy
    monkeypatch.setattr(urllib.request, "_opener", urllib.request.build_opener(urllib.request.ProxyHandler({})))
    monkeypatch.setattr(install, "_renode_run", lambda _: pytest.fail("went on"))
    with pytest.raises(
        CheckFailedError, match=r"Renode 1\.16\.1 cannot be fetched from https://.*: Connection refused"
    ) as error:
        install.install()
    assert error.value.exit_code == 1
    assert "RENODE_PATH" in error.value.hint


def test_machines_without_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ToolError, match="renode-run has no package"):
        install.install()


@pytest.mark.usefixtures("linux")
def test_the_package_is_the_pinned_release() -> None:
    assert install.package_url().endswith("/v1.16.1/renode-1.16.1.linux-portable.tar.gz")


def stand_in(folder: Path, body: str) -> Path:
    """A renode-run."""
    path = folder / "renode-run"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("linux")
def test_what_renode_run_unpacks_is_found(monkeypatch: pytest.MonkeyPatch, home: Path, fake: Path) -> None:
    target = find.download_folder() / "renode-1.16.1"
    body = f'[ "$1 $3 $4" = "install --version-override 1.16.1" ] || exit 7\nmkdir -p {target} && cp {fake} {target}/renode'
    steps: list[str] = []
    monkeypatch.setattr(install, "_reach", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "git" else None)
    monkeypatch.setattr(install, "_renode_run", lambda folder: stand_in(folder, body))
    found = install.install(steps.append)
    assert found.path == target / "renode"
    assert len(steps) == 3
    # the second time nothing is fetched
    monkeypatch.setattr(install, "_reach", lambda _: pytest.fail("asked again"))
    assert install.install() == found


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo Resolving; echo 'disk is full' >&2; exit 1", "could not install https://.*: "),
        ("exit 0", "no Renode is where it puts it"),
    ],
)
def test_what_renode_run_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch, body: str, message: str) -> None:
    monkeypatch.setattr(install, "_reach", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(install, "_renode_run", lambda folder: stand_in(folder, body))
    with pytest.raises(CheckFailedError, match=message):
        install.install()
