"""Where the linker script would put the sections of a linked firmware if a part lay in another memory; nothing is linked.

The sections keep their sizes and their order; only addresses change, and the boot image with them: start-up gets a row (address to load from,
address, size) for every section it copies, and a veneer where its call of ``main`` does not reach the code. All other calls stay within
one section, and data are named by whole addresses, whose values alone change: so no other code grows or shrinks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import DoesNotFitError, UsageError
from engine.firmware.image import symbol_addresses
from engine.firmware.link import boot_memory
from engine.firmware.types import CompilerName, Firmware, Section

_ORDER = (".boot2", ".vectors", ".text", ".rodata", ".weights", ".stack", ".data", ".bss", ".wc_arena")
_PARTS = {".text": "code", ".weights": "weights", ".stack": "stack"}
_ACTIVATIONS = frozenset({".data", ".bss", ".wc_arena"})
_STORED = frozenset({".text", ".weights", ".data"})
_LINK = "link and run it"
_ALIGNED = 32
_COPY_ROW = 12
_BL_REACH = 1 << 24
_THUNK = 12  # lld: 10 or 12 bytes, aligned to 4
_VENEER, _VENEER_ARMV6 = 8, 16  # GNU ld, aligned to 8


@dataclass(frozen=True)
class Placed:
    """A firmware as it would be linked: ``firmware`` with its sections elsewhere; ``moved`` holds each section before and after, by address."""

    firmware: Firmware
    moved: tuple[tuple[Section, Section], ...]


def place_again(firmware: Firmware, before: Board, after: Board, core: Core) -> Placed:
    """Lay the sections of a firmware that was linked for ``before`` out as for ``after``, the same board with another placement.

    Raises UsageError where only a link can tell, DoesNotFitError where a memory is too small.
    """
    known = {s.name: s for s in firmware.sections}
    if boot_memory(before) != boot_memory(after):
        raise UsageError("what boots would lie elsewhere", hint=_LINK)
    if not known.keys() <= set(_ORDER) or _lay_out(firmware, known, before, before, core) != firmware.sections:
        raise UsageError("the sections do not lie where the linker script puts them", hint=_LINK)
    sections = _lay_out(firmware, known, before, after, core)
    boot = boot_memory(after).name
    ram = sum(
        s.bytes
        for s in sections
        if s.kind in ("data", "bss", "arena", "stack") or (s.name in _STORED and s.memory != boot)
    )
    grown = sum(s.bytes - known[s.name].bytes for s in sections)
    return Placed(
        dataclasses.replace(firmware, sections=sections, flash_bytes=firmware.flash_bytes + grown, ram_bytes=ram),
        tuple(sorted(((known[s.name], s) for s in sections), key=lambda pair: pair[0].address)),
    )


def _lay_out(
    firmware: Firmware, known: dict[str, Section], before: Board, after: Board, core: Core
) -> tuple[Section, ...]:
    boot = boot_memory(after)
    free = {m.name: m.origin for m in after.memories}
    found = []
    for name in _ORDER:
        section = known.get(name)
        if section is None:
            continue
        memory, size = _memory_of(name, after), section.bytes
        if name == ".vectors":
            size += _boot_bytes(firmware, after, core) - _boot_bytes(firmware, before, core)
        alignment = (256 if ".boot2" in known else 512) if name == ".vectors" else _ALIGNED
        address = _up(free[memory], alignment)
        free[memory] = address + size
        if name in _STORED and memory != boot.name:
            free[boot.name] = _up(free[boot.name], _ALIGNED) + size
        found.append(Section(name, section.kind, memory, address, size))
    _check_room(free, after)
    return tuple(sorted(found, key=lambda s: s.address))


def _memory_of(section: str, board: Board) -> str:
    if section in _ACTIVATIONS:
        return board.placement.activations
    part = _PARTS.get(section)
    return boot_memory(board).name if part is None else str(getattr(board.placement, part))


def _boot_bytes(firmware: Firmware, board: Board, core: Core) -> int:
    """Bytes of the boot image that depend on the placement."""
    boot, place = boot_memory(board), board.placement
    rows = _COPY_ROW * sum(memory != boot.name for memory in (place.code, place.weights))
    if abs(board.memory(place.code).origin - boot.origin) < _BL_REACH:
        return rows
    if firmware.compiler.name is CompilerName.CLANG:
        return rows + _THUNK
    # it follows the code of start-up, which ends where the table of copies begins
    padding = -symbol_addresses(firmware.elf)["wc_copy_start"] % 8
    return rows + padding + (_VENEER_ARMV6 if core.architecture == "armv6-m" else _VENEER)


def _check_room(ends: dict[str, int], board: Board) -> None:
    over = [m for m in board.memories if ends[m.name] > m.end]
    if over:
        what = ", ".join(f"'{m.name}' ({m.bytes} bytes) by {ends[m.name] - m.end} bytes" for m in over)
        raise DoesNotFitError(f"it would overflow {what}", hint="place it in a larger memory, or see what a link says")


def _up(address: int, alignment: int) -> int:
    return -(-address // alignment) * alignment
