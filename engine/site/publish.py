"""One version of the site onto a branch, beside the versions that are there already. ``mike`` does the work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ToolError, UsageError
from engine.paths import cache_dir
from engine.site.build import mkdocs_environment, write_config

_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]*")


@dataclass(frozen=True)
class Publication:
    """What the branch holds now: all versions, newest first."""

    branch: str
    versions: tuple[str, ...]


def publish(
    version: str,
    *,
    branch: str = "gh-pages",
    alias: str = "latest",
    repository: Path = Path(),
    docs: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Publication:
    """Commit the documents of the last ``build_site`` as ``version`` to ``branch``; other versions stay as they are.

    ``alias`` is a second address that moves to this version, which is also where the branch's root redirects to. Publishing a
    version that exists replaces it. The working tree, the index and the current branch are not touched, nothing is pushed.
    ``docs`` is the staging folder of the build (default: that of ``build_site``).

    Raises UsageError for a version that is no name, or where no site was built, or ``repository`` is no git checkout;
    ToolError if git or mike fail.
    """
    if not _VERSION.fullmatch(version) or version == alias:
        raise UsageError(
            f"'{version}' cannot be a version", hint="use a number such as 1.0, or a short name without spaces"
        )
    folder = docs if docs is not None else cache_dir() / "site-docs"
    if not (folder / "index.md").is_file():
        raise UsageError("there is no site to publish yet", hint="build it first: `whycycles site build`")
    if _run(["git", "rev-parse", "--verify", "HEAD"], repository).returncode:
        raise UsageError(
            f"{repository.resolve()} is not a git checkout with a commit", hint="publish from the project's clone"
        )
    config = write_config(
        folder,
        cache_dir() / "site-published",
        notebooks=(folder / "notebooks").is_dir(),
        name=f"{folder.name}.publish.yml",
    )
    progress(f"building version {version}")
    common = ["--config-file", str(config), "--branch", branch]
    _mike(["deploy", *common, "--update-aliases", "--alias-type", "redirect", version, alias], repository)
    progress(f"making {alias} the page that readers land on")
    _mike(["set-default", *common, alias], repository)
    listed = _run(["git", "show", f"{branch}:versions.json"], repository)
    return Publication(branch, tuple(v["version"] for v in json.loads(listed.stdout)))


def _mike(arguments: list[str], repository: Path) -> None:
    code = "from mike.driver import main; import sys; sys.exit(main())"
    done = _run([sys.executable, "-c", code, *arguments], repository)
    if done.returncode:
        said = "; ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ToolError(
            f"mike could not {arguments[0]} the version: {said}", hint="see `git status` and the branch's log"
        )


def _run(command: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=where, capture_output=True, text=True, env=mkdocs_environment(), check=False)
    except FileNotFoundError:
        raise ToolError("git is not installed", hint="install git to publish versions") from None
