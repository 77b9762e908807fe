"""Vela as a subprocess: a model and a configuration in, the text of its two tables out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.catalog.npu import Npu
from engine.errors import BadInputError, ModelError, ToolError, UsageError

HINT = "install it with pip install 'ethos-u-vela>=5.2,<6'"
"""How to get the tool."""

TIMEOUT_S = 600.0
"""The reference models take well under a second each."""

OLDEST, BELOW = (5, 2), (6,)
"""Versions whose tables are known: from the first one, below the second."""

_VERSION = re.compile(r"^\d+(\.\d+)+")
_RAISED = re.compile(r"^(?:[\w.]*\.)?(\w*(?:Error|Exception))\b:?\s*(.*)$")
_MODEL = "model"


@dataclass(frozen=True)
class Vela:
    """The tool and its version."""

    path: Path
    version: str


@dataclass(frozen=True)
class VelaTables:
    """What Vela wrote: its table per operation, its summary, its debug database, and what it said on the terminal."""

    per_layer: str
    summary: str
    debug: str
    log: str


def find_vela(timeout_s: float = TIMEOUT_S) -> Vela:
    """The tool beside this interpreter, else the one on the PATH. Raises ToolError if there is none, or none that is known."""
    beside = Path(sys.executable).parent / "vela"
    path = beside if beside.is_file() else Path(shutil.which("vela") or "")
    if not path.is_file():
        raise ToolError("Vela, Arm's compiler for Ethos-U, is not installed", hint=HINT)
    done = _call(path, ["--version"], timeout_s)
    found = _VERSION.match(done.stdout.strip())
    if done.returncode or found is None:
        said = _last_line(done.stderr) or _last_line(done.stdout) or "nothing"
        raise ToolError(f"{path} --version does not answer with a version: {said}", hint=HINT)
    numbers = tuple(int(n) for n in found[0].split("."))
    if not OLDEST <= numbers < BELOW:
        raise ToolError(
            f"{path} is Vela {found[0]}; its tables are known from {_dotted(OLDEST)} and below {_dotted(BELOW)}",
            hint=HINT,
        )
    return Vela(path, found[0])


def run_vela(vela: Vela, model: Path, npu: Npu, timeout_s: float = TIMEOUT_S) -> VelaTables:
    """Compile a model for an NPU in a folder of its own, which is gone afterwards.

    Raises ModelError for a model that Vela does not convert, UsageError for a configuration name that its file does not have or that
    does not fit the accelerator, ToolError where Vela cannot be run, crashes, hangs, or leaves no tables.
    """
    with tempfile.TemporaryDirectory(prefix="whycycles-vela-") as name:
        folder = Path(name)
        # the name of the model's file becomes the name of the tables
        shutil.copyfile(model, folder / f"{_MODEL}.tflite")
        arguments = [
            "--accelerator-config", npu.accelerator, "--config", npu.vela_config, "--system-config", npu.system_config,
            "--memory-mode", npu.memory_mode, "--verbose-performance", "--enable-debug-db", "--output-dir", "out", f"{_MODEL}.tflite",
        ]  # fmt: skip
        done = _call(vela.path, arguments, timeout_s, folder)
        if done.returncode:
            raise _failure(done, model, npu)
        out = folder / "out"
        summaries = sorted(out.glob(f"{_MODEL}_summary_*.csv"))
        return VelaTables(
            per_layer=_table(out / f"{_MODEL}_per-layer.csv"),
            summary=_table(summaries[0] if summaries else out / f"{_MODEL}_summary_{npu.system_config}.csv"),
            debug=_table(out / f"{_MODEL}_debug.xml"),
            log=done.stdout,
        )


def _call(
    path: Path, arguments: list[str], timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [str(path.absolute()), *arguments],
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise ToolError(f"{path} cannot be run: {error.strerror}", hint=HINT) from None
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"Vela gave no answer in {timeout_s:g} s", hint="a smaller model, or a faster machine, may get further"
        ) from None


def _failure(done: subprocess.CompletedProcess[str], model: Path, npu: Npu) -> BadInputError | UsageError | ToolError:
    """The error behind a call that failed, from the last line of Vela's traceback."""
    if done.returncode < 0:
        number = -done.returncode
        known = {s.value: s.name for s in signal.Signals}
        return ToolError(
            f"Vela was ended by {known.get(number, f'signal {number}')} while it compiled {model.name}",
            hint="too little memory, or a bug of Vela; a newer version (below 6) may help",
        )
    last = _last_line(done.stderr) or _last_line(done.stdout)
    raised = _RAISED.match(last)
    kind, said = (raised[1], raised[2].strip("'\" ")) if raised else ("", last)
    said = said.removeprefix("Error: ") or kind or "it does not say why"
    if kind in ("CliOptionError", "ConfigOptionError"):
        return UsageError(
            f"Vela refuses {npu.system_config} with {npu.memory_mode} for {npu.accelerator}: {said}",
            hint=f"`vela --list-configs {npu.vela_config}` lists the names of that file",
        )
    if kind == "InputFileError" and Path(npu.vela_config).name in said:
        return UsageError(
            f"Vela cannot read {npu.vela_config}: {said}", hint="check vela_config in the NPU's TOML file"
        )
    if kind in ("InputFileError", "RuntimeError", "UnsupportedFeatureError", "VelaError", "AllocationError"):
        return ModelError(
            f"Vela cannot convert {model.name}: {said}", hint="the NPU takes int8 models of TensorFlow Lite"
        )
    return ToolError(f"Vela failed on {model.name}: {said}", hint="run `vela` on the model yourself to see all it says")


def _table(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ToolError(f"Vela ended well, but its table {path.name} cannot be read: {why}", hint=HINT) from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
