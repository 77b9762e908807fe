"""Fetching Renode through renode-run, Antmicro's own installer, at the pinned version."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path

from engine.errors import CheckFailedError, ToolError
from engine.targets.renode.find import PINNED, Renode, find_renode, installed

Progress = Callable[[str], None]

# renode-run is on no package index; this commit's README shows `renode-run install URL --version-override NAME`
_RENODE_RUN = "renode-run @ git+https://github.com/antmicro/renode-run@1d6fe426d2c76ed4895eb5351b6cc24d0c8f9b2c"
_RELEASE = f"https://github.com/renode/renode/releases/download/v{PINNED}/renode-{PINNED}"
# the names of this release: its Mono package carries no suffix, unlike what newer ones and renode-run's own defaults call it
_PACKAGES = {"x86_64": "linux-portable.tar.gz", "aarch64": "linux-arm64-portable-dotnet.tar.gz"}
_REACH_SECONDS = 10
_STEP_SECONDS = 1800


def package_url() -> str:
    """The release package for this machine. Raises ToolError where renode-run installs nothing."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _PACKAGES:
        raise ToolError(
            f"renode-run has no package for {platform.system()} on {machine}",
            hint="install Renode from renode.io by hand and set RENODE_PATH to its executable",
        )
    return f"{_RELEASE}.{_PACKAGES[machine]}"


def install(progress: Progress = lambda _: None) -> Renode:
    """Fetch the pinned Renode unless it is there, and find it. Raises CheckFailedError if it cannot be fetched."""
    if installed() is None:
        url = package_url()
        progress("asking for the package")
        _reach(url)
        if shutil.which("git") is None:
            raise ToolError("git is missing: renode-run comes from its repository", hint="install git")
        with tempfile.TemporaryDirectory(prefix="whycycles-") as folder:
            progress("installing renode-run into a folder of its own")
            program = _renode_run(Path(folder))
            progress(f"renode-run fetches Renode {PINNED}")
            _step([str(program), "install", url, "--version-override", PINNED], f"renode-run could not install {url}")
    found = installed()
    if found is None:
        raise CheckFailedError(
            "renode-run ended well, but no Renode is where it puts it",
            hint=f"unpack {package_url()} and set RENODE_PATH",
        )
    return find_renode()


def _reach(url: str) -> None:
    """Fail at once and clearly where there is no network: the steps behind take long to find out."""
    try:
        # an opener of its own: urlopen keeps the proxies of the process's first request
        opener = urllib.request.build_opener()
        with opener.open(urllib.request.Request(url, method="HEAD"), timeout=_REACH_SECONDS):
            return
    except urllib.error.HTTPError as error:
        reason = f"the server answers {error.code} {error.reason}"
    except (urllib.error.URLError, OSError) as error:
        cause = getattr(error, "reason", error)
        reason = str(getattr(cause, "strerror", None) or cause)
    raise CheckFailedError(
        f"Renode {PINNED} cannot be fetched from {url}: {reason}",
        hint="connect to the network, or unpack that file elsewhere and set RENODE_PATH to the renode inside",
    )


def _renode_run(folder: Path) -> Path:
    """renode-run in an environment of its own: its pinned dependencies must not touch ours."""
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _RENODE_RUN]
    _step(pip, "renode-run could not be installed")
    return programs / "renode-run"


def _step(command: list[str], failed: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_STEP_SECONDS,
            check=False,
        )
        words = (done.stderr + "\n" + done.stdout).strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        done, words = None, f"no end after {_STEP_SECONDS} s"
    except OSError as error:
        done, words = None, error.strerror or str(error)
    if done is None or done.returncode:
        last = words.splitlines()[-1].strip() if words else "no reason given"
        raise CheckFailedError(
            f"{failed}: {last}", hint=f"try again, or unpack {package_url()} and set RENODE_PATH to the renode inside"
        )
