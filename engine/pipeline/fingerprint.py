"""A digest of everything a run depends on: equal digests mean that measuring again cannot change the record."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import engine
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import board_sha256, core_sha256
from engine.catalog.npu import Npu, npu_sha256
from engine.firmware.cmsis_nn import find_cmsis_nn
from engine.firmware.toolchain import toolchain
from engine.firmware.types import CompilerName, Firmware, KernelLibrary
from engine.paths import FIRMWARE_DIR
from engine.pipeline.settings import ResolvedRun
from engine.targets.choose import AUTO, TargetChoice, choose_target

_ROOMS = ("records", "models", "firmware", "targets", "counters", "timing", "pipeline")
_PACKAGES = ("capstone", "pyelftools", "bakenn", "tflite", "tflite-micro", "jinja2")


def fingerprint(run: ResolvedRun) -> str:
    """SHA-256 over the run's inputs: model, board, core, settings, our code, the compiler and the packages used."""
    parts = {
        "run": run.id,
        "model": run.model.sha256,
        "board": board_sha256(run.board),
        "core": core_sha256(run.core),
        "target": f"{run.target.name} {run.target.version()}",
        "compiler": toolchain(run.settings.compiler).version,
        "code": _code_sha256(_ROOMS),
        "packages": {p: _version(p) for p in _PACKAGES},
        "kernels": _kernels_version(run),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def ceilings_fingerprint(board: Board, core: Core, clock_mhz: float) -> str:
    """SHA-256 over everything the ceilings of a board depend on."""
    target = choose_target(AUTO, core)
    parts = {
        "board": board_sha256(board),
        "core": core_sha256(core),
        "target": f"{target.name} {target.version()}",
        "clock_mhz": clock_mhz,
        "compiler": toolchain(CompilerName.CLANG).version,
        "code": _code_sha256(_ROOMS),
        "packages": {p: _version(p) for p in _PACKAGES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def npu_fingerprint(model_sha256: str, npu: Npu, host_board: str | None, vela_version: str) -> str:
    """SHA-256 over everything the estimate of a model on an NPU depends on; a host is part of it by name and by our code."""
    parts = {
        "model": model_sha256,
        "npu": npu_sha256(npu),
        "host": host_board,
        "vela": vela_version,
        "code": _code_sha256(_ROOMS) if host_board else _code_sha256(("records", "models", "targets/npu", "pipeline")),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def analysis_key(run: ResolvedRun) -> str:
    """SHA-256 over what an analysis depends on: the run, and the code that explains."""
    return hashlib.sha256("\0".join([fingerprint(run), _code_sha256(("explain",))]).encode()).hexdigest()


def execution_key(target: TargetChoice, firmware: Firmware, board: Board, inputs: tuple[bytes, ...]) -> str:
    """SHA-256 over what an execution depends on. The clock is not part of it: re-timing needs no second execution."""
    parts = [
        firmware.elf_sha256,
        hashlib.sha256(b"".join(inputs)).hexdigest(),
        board_sha256(board),
        target.name,
        target.version(),
        _code_sha256(("targets",)),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _kernels_version(run: ResolvedRun) -> str:
    """The version of CMSIS-NN, with the hash of a checkout that stands in for the packaged one."""
    return find_cmsis_nn().version if run.settings.kernels is KernelLibrary.CMSIS_NN else ""


@cache
def _code_sha256(rooms: tuple[str, ...]) -> str:
    package = Path(engine.__file__).parent
    files = [p for room in rooms for p in (package / room).rglob("*") if p.suffix in {".py", ".c", ".npz", ".json"}]
    if "firmware" in rooms:
        files += [p for p in FIRMWARE_DIR.rglob("*") if p.is_file()]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
