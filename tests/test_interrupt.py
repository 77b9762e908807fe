"""Ctrl-C at every kind of moment: one line, exit code 130, no traceback, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import INTERRUPTED
from engine.interrupt import EXIT_CODE

REPO = Path(__file__).resolve().parents[1]
KILL = "os.kill(os.getpid(), signal.SIGINT)"


def start(*command: str, cache: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=REPO,
        env=os.environ | {"WHYCYCLES_CACHE": str(cache), "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def assert_ended_well(process: subprocess.Popen[str]) -> None:
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained) == (EXIT_CODE, "", f"{INTERRUPTED}\n")
    # whatever was started is gone too: all of it was in this session
    for _ in range(50):
        left = alive_in_session(process.pid)
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"left running: {left}")


def alive_in_session(leader: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        state, _parent, _group, session = rest.split()[:4]
        if int(session) == leader and state != "Z":
            found.append(name)
    return found


def wait_for(happened: Callable[[], object]) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


IMPORT = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == {{0!r}}:
            {KILL}
sys.meta_path.insert(0, Finder())
import engine.cli
print("imported")
"""


@pytest.mark.parametrize(
    "module",
    [
        "click",
        pytest.param("engine.interrupt", marks=pytest.mark.slow),
        pytest.param("rich.table", marks=pytest.mark.slow),
        pytest.param("engine.cli.whatif", marks=pytest.mark.slow),
    ],
)
def test_while_modules_are_imported(module: str, tmp_path: Path) -> None:
    assert_ended_well(start("-c", IMPORT.format(module), cache=tmp_path))


@pytest.mark.slow
def test_where_a_callback_swallows_it(tmp_path: Path) -> None:
    script = f"""
import ctypes, os, signal, time
from engine.cli import main
from engine.cli.main import boards
@ctypes.CFUNCTYPE(None)
def callback():
    {KILL}
    time.sleep(0)
def swallow():
    callback()
    time.sleep(30)
boards.callback = lambda **_: swallow()
main(["boards"])
"""
    assert_ended_well(start("-c", script, cache=tmp_path))


@pytest.mark.slow
def test_while_the_emulator_runs(tmp_path: Path) -> None:
    for shared in ("numba", "objects", "firmware", "runtime", "zig"):
        (REPO / ".whycycles" / shared).mkdir(parents=True, exist_ok=True)
        (tmp_path / shared).symlink_to(REPO / ".whycycles" / shared)
    script = f"""
import os, signal, threading
from engine.cli import main
from engine.targets import machine
emulate = machine.interruptible
def interrupted(call, stop):
    threading.Timer(0.05, lambda: {KILL}).start()
    emulate(call, stop)
    threading.Event().wait(10)
machine.interruptible = interrupted
main(["run", "kws", "--board", "nucleo-l4r5zi"])
"""
    assert_ended_well(start("-c", script, cache=tmp_path))


@pytest.mark.slow
def test_while_compiling(tmp_path: Path) -> None:
    process = start("-m", "engine", "run", "kws", "--board", "nucleo-l4r5zi", cache=tmp_path)
    wait_for(lambda: [*tmp_path.glob("objects/*/tmp*")])
    process.send_signal(signal.SIGINT)
    assert_ended_well(process)
    assert not [*tmp_path.glob("objects/*/tmp*"), *tmp_path.glob("firmware/tmp*")]


@pytest.mark.slow
@pytest.mark.parametrize("at", ["cache", "objects/*/tmp*"])
def test_a_campaign_with_workers(at: str, tmp_path: Path) -> None:
    process = start("-m", "engine", "campaign", "default", "--jobs", "2", cache=tmp_path / "cache")
    wait_for(lambda: [*(tmp_path / "cache").glob(at)] if at != "cache" else (tmp_path / "cache").exists())
    # a terminal sends it to all of them
    os.killpg(process.pid, signal.SIGINT)
    assert_ended_well(process)
    assert not [*(tmp_path / "cache").glob("objects/*/tmp*")]


@pytest.mark.slow
def test_a_server_ends_by_it(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("")
    script = (
        f"import os; os.chdir({str(tmp_path)!r}); from engine.cli import main; main(['site', 'serve', '--port', '0'])"
    )
    process = start("-u", "-c", script, cache=tmp_path)
    assert process.stdout is not None
    assert "Ctrl-C ends" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
