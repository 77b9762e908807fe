"""What this machine has: compilers, emulators, the oracle, what shows the site, boards."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from engine.catalog.load import list_boards
from engine.errors import ToolError
from engine.explain.mca import McaUnavailableError, find_mca, mca_version
from engine.firmware.toolchain import compilers
from engine.models.oracle import oracle_status
from engine.records.measured import silicon_status
from engine.targets.board.link import serial_ports
from engine.targets.host.perf import offered_counters
from engine.targets.llvm_tools import HINT
from engine.targets.npu.vela import find_vela
from engine.targets.status import targets_status


@dataclass(frozen=True)
class Finding:
    """One tool: whether it is there, and its version or how to get it."""

    name: str
    kind: str
    found: bool
    detail: str


def examine() -> tuple[Finding, ...]:
    """Look at this machine. Nothing is installed or changed."""
    found = [
        Finding(
            "python", "everything", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}"
        )
    ]
    if sys.platform == "darwin":
        found.append(Finding("macOS", "platform", True, "untested"))
    found += [Finding(c.name, "compiler", c.available, c.version or c.reason or "") for c in compilers()]
    found += [Finding(t.name, "emulator", t.available, f"{t.version} {t.detail}".strip()) for t in targets_status()]
    oracle = oracle_status()
    found.append(Finding("tflite-micro", "oracle", oracle.found, oracle.detail))
    found.append(_package("bakenn", "CMSIS-NN sources", "pip install bakenn"))
    found.append(_mca())
    found.append(_vela())
    found.append(_package("ai-edge-litert", "board host: LiteRT", "pip install ai-edge-litert"))
    found.append(_program("valgrind", "board host: counts", "apt install valgrind"))
    found.append(_perf())
    found += _boards()
    found.append(_program("chromium", "browser tests only", "apt install chromium"))
    return tuple(found)


def _boards() -> list[Finding]:
    """What talks to boards and flashes them, the ports that are there, and which of our ports were proven on silicon."""
    found = [_package("pyserial", "boards: serial ports", "pip install -e '.[board]'")]
    found.append(_package("pyocd", "boards: flashing", "pip install -e '.[board]', or flash with another tool"))
    try:
        ports = serial_ports()
    except ToolError:
        ports = ()
    else:
        if not ports:
            found.append(Finding("serial port", "boards", False, "none found: is a board plugged in?"))
    found += [Finding(p.device, "serial port", True, p.description) for p in ports]
    ported = [b for b in list_boards() if b.port is not None]
    tested = [b.name for b in ported if silicon_status(b.name) == "tested"]
    untested = [b.name for b in ported if b.name not in tested]
    for names, what in ((tested, "silicon: tested"), (untested, "silicon: untested")):
        if names:
            found.append(Finding(what, "boards with a port", bool(tested) and names is tested, ", ".join(names)))
    return found


def _mca() -> Finding:
    tool = find_mca()
    try:
        detail = mca_version(tool) if tool else HINT
    except McaUnavailableError as error:
        tool, detail = None, str(error)
    return Finding("llvm-mca", "a second opinion on hot blocks", tool is not None, detail)


def _vela() -> Finding:
    try:
        detail, found = find_vela().version, True
    except ToolError as error:
        detail, found = f"{error.message}; {error.hint}", False
    return Finding("vela", "estimates of NPUs", found, detail)


def _perf() -> Finding:
    name, kind = "perf", "board host: hardware counters"
    try:
        counters = offered_counters()
    except ToolError as error:
        return Finding(name, kind, False, f"{error.message}; {error.hint}")
    absent = [c for c in counters if c.value is None]
    detail = f"{len(counters) - len(absent)} of {len(counters)} counters"
    if absent:
        detail += f"; {absent[0].event}: {absent[0].reason}"
    return Finding(name, kind, len(absent) < len(counters), detail)


def _package(name: str, kind: str, how: str) -> Finding:
    try:
        return Finding(name, kind, True, version(name))
    except PackageNotFoundError:
        return Finding(name, kind, False, how)


def _program(name: str, kind: str, how: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, kind, path is not None, path or f"not on PATH; {how}")
