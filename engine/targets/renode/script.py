"""The Monitor script of one run: platform, image, driver, what to note where, and how long to go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ExecutionError, ToolError
from engine.targets.image import Image, RawInstruction
from engine.targets.renode.driver import Driver, require
from engine.targets.renode.platform import MIPS

SCRIPT, PLATFORM, ELF, DRIVER = "run.resc", "platform.repl", "firmware.elf", "driver.bin"
EVENTS, LOG, UART, TRACE = "events.txt", "renode.log", "uart.bin", "trace.bin"
_QUANTUM_SECONDS = "0.01"  # long: nothing talks to the UART, so nothing has to be synchronised often
_PLAIN_PATH = re.compile(r"^[\w./+@ -]+$")


@dataclass(frozen=True)
class Watch:
    """An address where the count of executed instructions is noted, before its instruction runs, under a name."""

    address: int
    name: str


@dataclass(frozen=True)
class Tracing:
    """Write an execution trace of all PCs, with memory accesses if asked."""

    accesses: bool


def watches(image: Image, driver: Driver) -> tuple[Watch, ...]:
    """Where to look: the driver's stages, ``wc_infer``, the returns of ``wc_layer_begin``, ``wc_layer_end``, the fault handler."""
    found = [Watch(driver.address, "ready"), Watch(require(image, "wc_infer"), "infer")]
    found += [Watch(i.address, "open") for i in _returns(image, "wc_layer_begin")]
    found += [
        Watch(require(image, "wc_layer_end"), "close"),
        Watch(driver.returned, "back"),
        Watch(driver.done, "done"),
    ]
    fault = image.symbol("wc_fault")
    return (*found, Watch(fault.address, "fault")) if fault is not None else tuple(found)


def render_script(
    folder: Path,
    image: Image,
    vectors: int,
    driver: Driver,
    patches: Sequence[tuple[int, Path]],
    seconds: float,
    tracing: Tracing | None = None,
) -> str:
    """The script that runs what lies in ``folder``; ``patches`` are files and their addresses, ``seconds`` virtual time.

    There is one `RunFor`: the driver sleeps when it is done, and sleeping costs next to no time. Raises ToolError for a folder whose
    name the Monitor could not read.
    """
    lines = [
        f"logFile {monitor_path(folder / LOG)} true",
        "logLevel 1 file",
        'mach create "whycycles"',
        f"machine LoadPlatformDescription {monitor_path(folder / PLATFORM)}",
        "emulation SetGlobalAdvanceImmediately true",
        f'emulation SetGlobalQuantum "{_QUANTUM_SECONDS}"',
        f"sysbus LoadELF {monitor_path(folder / ELF)}",
        f"cpu VectorTableOffset 0x{vectors:x}",
        f"sysbus LoadBinary {monitor_path(folder / DRIVER)} 0x{driver.address:x}",
        *(f"sysbus LoadBinary {monitor_path(path)} 0x{address:x}" for address, path in patches),
        f"sysbus.uart0 CreateFileBackend {monitor_path(folder / UART)} true",
        *(_hook(w, folder) for w in watches(image, driver)),
    ]
    if tracing is not None:
        lines.append(f'cpu CreateExecutionTracing "tr" {monitor_path(folder / TRACE)} PC true')
        lines += ["tr TrackMemoryAccesses"] if tracing.accesses else []
    lines.append(f'emulation RunFor "{seconds:.6f}"')
    if tracing is not None:
        lines.append("cpu DisableExecutionTracing")
    return "\n".join(lines) + "\n"


def virtual_seconds(instructions: int) -> float:
    """The virtual time in which so many instructions run."""
    return instructions / (MIPS * 1e6)


def monitor_path(path: Path) -> str:
    """A path as the Monitor reads it: ``@`` in front, blanks escaped. Raises ToolError for characters that it could misread."""
    text = str(path)
    if not _PLAIN_PATH.match(text):
        raise ToolError(
            f"Renode's Monitor cannot be given the path {text}", hint="set TMPDIR to a folder of letters and digits"
        )
    return "@" + text.replace(" ", "\\ ")


def _hook(watch: Watch, folder: Path) -> str:
    """Python of Renode's own (IronPython 2.7, no standard library) that appends a line; text without line ends or double quotes."""
    path = monitor_path(folder / EVENTS)[1:].replace("\\ ", " ")
    note = f"'{watch.name} %d 0x%x' % (cpu.ExecutedInstructions, pc) + chr(10)"
    return f"cpu AddHook 0x{watch.address:x} \"f=open('{path}','a'); f.write({note}); f.close()\""


def _returns(image: Image, name: str) -> Iterator[RawInstruction]:
    """The instructions by which a function returns. Raises ExecutionError if it has none."""
    function = image.symbol(name)
    start = require(image, name)
    inside = (i for a, i in sorted(image.instructions.items()) if a >= start and image.function_at(a) == function)
    found = [i for i in inside if _is_return(i)]
    if not found:
        raise ExecutionError(f"{name} never returns", hint="link the harness of this version in, unchanged")
    yield from found


def _is_return(i: RawInstruction) -> bool:
    if i.mnemonic == "bx":
        return i.operands == "lr"
    return i.ends_block and (i.mnemonic.startswith(("pop", "ldm")) or (i.mnemonic, i.operands) == ("mov", "pc, lr"))
