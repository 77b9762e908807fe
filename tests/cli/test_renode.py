"""``whycycles renode``, and the workflow that uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from elftools.elf.elffile import ELFFile

from engine.cli import main
from engine.paths import FIRMWARE_DIR
from engine.targets.attributes import read_attributes
from engine.targets.renode import find
from tests.targets.renode.conftest import fake as fake
from tests.targets.renode.conftest import renode as renode

REPO = Path(__file__).resolve().parents[2]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["renode", *arguments])


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Renode."""
    monkeypatch.delenv("RENODE_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("engine.targets.renode.find.shutil.which", lambda _: None)


@pytest.mark.usefixtures("renode")
def test_show_and_doctor_name_it(renode: Path) -> None:
    assert json.loads(invoke("show", "--json").stdout) == {
        "path": str(renode.resolve()), "version": "1.16.1", "runtime": "Mono 4.0.30319.42000",
    }  # fmt: skip
    assert "It counts issued instructions exactly; it times nothing" in invoke("show").stdout
    doctor = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    (line,) = (f for f in doctor if f["name"] == "renode")
    assert line["found"]
    assert "1.16.1" in line["detail"]


@pytest.mark.usefixtures("none")
def test_absence_is_one_message_and_a_hint() -> None:
    result = invoke("show")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: Renode is not installed",
        "hint: `whycycles renode install` fetches 1.16.1; or set RENODE_PATH to an executable",
    ]


@pytest.mark.usefixtures("none")
def test_install_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    result = invoke("install")
    if "has no package" not in result.stderr:
        assert result.exit_code == 1
        assert "cannot be fetched" in result.stderr
        assert "hint: connect to the network" in result.stderr


def test_install_where_it_is_already(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("RENODE_PATH", raising=False)
    place = find.download_folder() / "renode-1.16.1"
    place.mkdir(parents=True)
    (place / "renode").symlink_to(fake)
    result = invoke("install")
    assert result.exit_code == 0, result.stderr
    assert "is there already" in result.stdout


def test_platforms() -> None:
    assert invoke("platform", "cortex-m33").stdout == (FIRMWARE_DIR / "renode" / "cortex-m33.repl").read_text()
    assert invoke("platform", "nucleo-h743zi").stdout == (FIRMWARE_DIR / "renode" / "cortex-m7.repl").read_text()
    board = str(REPO / "engine" / "catalog" / "boards" / "raspberry-pi-pico.toml")
    assert 'cpuType: "cortex-m0+"' in invoke("platform", board).stdout
    assert invoke("platform", "no-such-thing").exit_code == 2


def test_the_monitor_wants_to_be_asked_twice(renode: Path) -> None:
    refused = invoke("monitor", "version")
    assert refused.exit_code == 2
    assert "all interfaces of this machine, without authentication" in refused.stderr
    done = invoke("monitor", "version", "--open-port", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == ["Renode, version 1.16.1 (v1.16.1-src)"]
    assert "warning: " in done.stderr


@pytest.mark.slow
def test_a_firmware_to_run_by_hand(tmp_path: Path) -> None:
    out = tmp_path / "f.elf"
    result = invoke("firmware", "kws", "cortex-m4", "--out", str(out))
    assert result.exit_code == 0, result.stderr
    with out.open("rb") as stream:
        built = read_attributes(ELFFile(stream))
    assert built is not None
    assert (built.architecture, built.dsp) == ("armv7e-m", True)


def test_the_workflow_is_sound() -> None:
    text = (REPO / ".github" / "workflows" / "renode.yml").read_text()
    # YAML reads the key `on` as true
    flow = yaml.safe_load(text)
    assert flow.keys() == {"name", True, "permissions", "jobs"}
    assert flow["permissions"] == {"contents": "read"}
    steps = flow["jobs"]["agree"]["steps"]
    assert all(set(s) <= {"uses", "with", "run"} and len({"uses", "run"} & set(s)) == 1 for s in steps)
    assert all(s["uses"].partition("@")[2].startswith("v") for s in steps if "uses" in s)
    commands = [s["run"].split() for s in steps if s.get("run", "").startswith("whycycles")]
    assert [c[1:] for c in commands] == [
        ["renode", "install"],
        ["renode", "show"],
        ["doctor"],
        ["agree"],
        ["campaign", "default"],
    ]
    assert find.PINNED in text


def test_the_robot_test_uses_recorded_keywords() -> None:
    import re

    from tests.targets.renode.recordings import transcript

    known = {k.lower() for k in transcript("success_cortex-m4")["exchanges"][0]["response"]}
    text = (FIRMWARE_DIR / "renode" / "uart.robot").read_text()
    used = re.findall(r"^    ([A-Z][A-Za-z ]+?)(?:   ?.*)?$", text.split("*** Keywords ***")[1], re.MULTILINE)
    own = {"ask", "startdevice"}
    assert used
    assert {u.replace(" ", "").lower() for u in used} <= known | own
