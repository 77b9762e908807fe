"""Files to flash and how: ELF, BIN and, where the device takes it, UF2; with pyOCD at once, other tools by their commands."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from engine.catalog.board import Board
from engine.errors import BuildError, ToolError, UsageError
from engine.firmware.link import boot_memory
from engine.firmware.ports import Port, board_port
from engine.models.reader import read_graph
from engine.pipeline.board import board_firmware
from engine.pipeline.settings import ResolvedRun
from engine.records.store import write_atomically

_PAYLOAD = 256
_START, _SECOND, _END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_FAMILY_PRESENT = 0x2000


@dataclass(frozen=True)
class FlashCommand:
    """How one tool flashes the files."""

    tool: str
    command: str


@dataclass(frozen=True)
class Images:
    """A firmware as files, and how to flash them."""

    elf: Path
    bin: Path
    uf2: Path | None
    elf_sha256: str
    flash_bytes: int
    ram_bytes: int
    port: Port
    commands: tuple[FlashCommand, ...]


def write_images(run: ResolvedRun, out: Path | None = None) -> Images:
    """Build a run's firmware for its board and write its files. Raises what building raises, and UsageError for a board without port."""
    port = board_port(run.board)
    firmware = board_firmware(run, read_graph(run.model.path))
    folder = out or Path(f"firmware-{run.model.name.replace('/', '-')}-{run.board.name}")
    stem = folder / run.id
    origin = boot_memory(run.board).origin
    flat = flat_image(firmware.elf, origin)
    elf, binary = stem.with_name(f"{stem.name}.elf"), stem.with_name(f"{stem.name}.bin")
    uf2 = stem.with_name(f"{stem.name}.uf2") if port.uf2_family is not None else None
    write_atomically(elf, firmware.elf.read_bytes())
    write_atomically(binary, flat)
    if uf2 is not None and port.uf2_family is not None:
        write_atomically(uf2, uf2_image(flat, origin, port.uf2_family))
    commands = flash_commands(run.board, elf, binary, uf2, origin)
    return Images(elf, binary, uf2, firmware.elf_sha256, firmware.flash_bytes, firmware.ram_bytes, port, commands)


def flat_image(elf: Path, origin: int) -> bytes:
    """All that is stored, from ``origin`` on, gaps as erased flash. Raises BuildError for parts that are stored elsewhere."""
    with elf.open("rb") as stream:
        parts = [(int(s["p_paddr"]), s.data()) for s in ELFFile(stream).iter_segments("PT_LOAD") if s["p_filesz"]]
    if any(address < origin for address, _ in parts):
        raise BuildError(
            "a part is stored before the boot memory: there is no single image",
            hint="flash the ELF, which says where each part goes",
        )
    image = bytearray(b"\xff" * max(address - origin + len(data) for address, data in parts))
    for address, data in parts:
        image[address - origin : address - origin + len(data)] = data
    return bytes(image)


def uf2_image(data: bytes, origin: int, family: int) -> bytes:
    """A UF2 file: blocks of 512 bytes, each with 256 bytes of content and the address they belong to."""
    data += b"\xff" * (-len(data) % _PAYLOAD)
    count = len(data) // _PAYLOAD
    blocks = []
    for i in range(count):
        piece = data[i * _PAYLOAD : (i + 1) * _PAYLOAD]
        head = struct.pack("<8I", _START, _SECOND, _FAMILY_PRESENT, origin + i * _PAYLOAD, _PAYLOAD, i, count, family)
        blocks.append(head + piece + bytes(476 - _PAYLOAD) + struct.pack("<I", _END))
    return b"".join(blocks)


def flash_commands(board: Board, elf: Path, binary: Path, uf2: Path | None, origin: int) -> tuple[FlashCommand, ...]:
    """What to type to flash the files, for every tool that the board's description names."""
    names = board.flashing
    found = []
    if uf2 is not None:
        found.append(FlashCommand("uf2", f"cp {uf2} /media/$USER/RPI-RP2/   (hold BOOTSEL while plugging it in)"))
    if names is not None and names.pyocd is not None:
        found.append(FlashCommand("pyocd", f"pyocd flash --target {names.pyocd} {elf}"))
    if names is not None and names.probe_rs is not None:
        found.append(
            FlashCommand(
                "probe-rs", f"probe-rs download --chip {names.probe_rs} {elf} && probe-rs reset --chip {names.probe_rs}"
            )
        )
    if names is not None and names.openocd is not None:
        found.append(FlashCommand("openocd", f'openocd -f {names.openocd} -c "program {elf} verify reset exit"'))
    if not found:
        found.append(FlashCommand("any", f"write {binary} to 0x{origin:08x}, then reset"))
    return tuple(found)


def flash_with_pyocd(images: Images, board: Board) -> None:
    """Flash and start. Raises UsageError for a board pyOCD has no name for, ToolError where pyOCD is missing or fails."""
    if board.flashing is None or board.flashing.pyocd is None:
        raise UsageError(
            f"{board.name} does not say what pyOCD calls it", hint='add pyocd = "TARGET" to its [flashing]'
        )
    if importlib.util.find_spec("pyocd") is None:
        others = "; ".join(c.command for c in images.commands if c.tool != "pyocd")
        raise ToolError("pyOCD is not installed", hint=f"pip install -e '.[board]', or: {others}")
    target = board.flashing.pyocd
    done = subprocess.run(
        [sys.executable, "-m", "pyocd", "flash", "--target", target, str(images.elf)], capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        pack = f"; an unknown target needs its pack: `pyocd pack install {target}`"
        raise ToolError(
            f"pyOCD could not flash {board.name}: {said[-1] if said else 'no word'}",
            hint=f"is the probe plugged in and free (`pyocd list`)?{pack}",
        )
