"""Renode's platform descriptions (.repl), rendered from the memory map that the second link of a firmware uses."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.board import Memory
from engine.firmware.templates import template
from engine.targets.renode.machines import DRIVER_BYTES, RenodeMachine

MIPS = 100
"""Instructions per microsecond of virtual time: virtual time is nothing but a count of instructions."""


_PAGE = 0x1000


@dataclass(frozen=True)
class _Span:
    """A memory in whole pages of the emulator."""

    name: str
    origin: int
    bytes: int


def render_platform(machine: RenodeMachine) -> str:
    """The platform description of a machine."""
    return template("renode/platform.repl.j2").render(
        title=machine.board.title.removesuffix(" (emulated)"),
        core=machine.core,
        runs_as=machine.runs_as,
        cpu_type=machine.cpu_type,
        priority_mask=machine.priority_mask,
        mips=MIPS,
        memories=[_span(m) for m in machine.board.memories],
        uart=machine.uart,
        clock_hz=machine.clock_hz,
        fpgaio=machine.fpgaio,
        driver=machine.driver,
        driver_bytes=DRIVER_BYTES,
    )


def _span(memory: Memory) -> _Span:
    origin = memory.origin & -_PAGE
    return _Span(memory.name, origin, -(-(memory.end - origin) // _PAGE) * _PAGE)
