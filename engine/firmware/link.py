"""Linker scripts from a board's memories, and linking; an overflow becomes a DoesNotFitError."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.override_text import SOURCE
from engine.errors import BuildError, DoesNotFitError
from engine.firmware.templates import template
from engine.firmware.toolchain import Cpu, Toolchain
from engine.firmware.toolchain.process import first_complaint, run

STACK_BYTES = 4096
"""Stack reserved by default; the emulator's high-water mark says how much of it a run needs."""

_OVERFLOWS = (
    # lld, once per section; GNU ld, once per region
    re.compile(r"section '[^']+' will not fit in region '(?P<memory>[^']+)': overflowed by (?P<bytes>\d+) bytes"),
    re.compile(r"region [`'](?P<memory>[^']+)' overflowed by (?P<bytes>\d+) bytes"),
)


@dataclass(frozen=True)
class _Copied:
    section: str


@dataclass(frozen=True)
class _Buffers:
    memory: str
    constant: bool


def boot_memory(board: Board) -> Memory:
    """Where the image is stored and reset begins: the code's memory if it is flash, else the first flash, else the code's."""
    code = board.memory(board.placement.code)
    if code.kind is MemoryKind.FLASH:
        return code
    return next((m for m in board.memories if m.kind is MemoryKind.FLASH), code)


def linker_script(
    board: Board, stack_bytes: int = STACK_BYTES, buffers: Sequence[str] = (), *, boot_block: bool = False
) -> str:
    """The linker script of a board, for lld and GNU ld alike. Each memory in ``buffers`` gets what is in its section .wc_bench.NAME.

    The vector table is at the start of the boot memory, or behind the boot block, if there is one. Code or weights placed in another memory
    are stored in the boot memory and copied by the start-up. Constants other than weights stay in the boot memory.
    """
    place = board.placement
    boot = boot_memory(board).name
    away = {"code": place.code != boot, "weights": place.weights != boot, "activations": place.activations != boot}
    names = {"code": ".text", "weights": ".weights", "activations": ".data"}
    return template("ports/common/link.ld.j2").render(
        title=board.name,
        memories=board.memories,
        boot=boot,
        code=place.code,
        weights=place.weights,
        activations=place.activations,
        stack=place.stack,
        at={part: f" AT> {boot}" if moved else "" for part, moved in away.items()},
        copied=[_Copied(names[part]) for part, moved in away.items() if moved],
        # GNU ld would otherwise let them follow .data's load address and count them against the boot memory
        own_lma=f" AT> {place.activations}" if away["activations"] else "",
        stack_bytes=stack_bytes,
        boot_block=boot_block,
        buffers=[_Buffers(m.name, m.kind is MemoryKind.FLASH) for m in board.memories if m.name in buffers],
    )


def link(
    toolchain: Toolchain,
    cpu: Cpu,
    objects: tuple[Path, ...],
    board: Board,
    out: Path,
    *,
    stack_bytes: int = STACK_BYTES,
    needs: Mapping[str, int] | None = None,
    buffers: Sequence[str] = (),
    boot_block: bool = False,
) -> None:
    """Link objects to a board's memory map.

    ``needs`` names large parts and their bytes ("arena", "weights"), for the message when they do not fit.

    Raises DoesNotFitError naming each memory and by how much it overflows; BuildError for any other failure.
    """
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        script = Path(folder) / "link.ld"
        script.write_text(linker_script(board, stack_bytes, buffers, boot_block=boot_block), encoding="utf-8")
        command = toolchain.link_command(objects, script, cpu, out)
        done = run(command, what=f"linking for {board.name}", cwd=Path(folder))
    if done.returncode == 0:
        return
    overflows = parse_overflows(done.stderr)
    if overflows:
        raise _does_not_fit(board, overflows, stack_bytes, needs or {})
    raise BuildError(f"linking for {board.name} failed: {first_complaint(done.stderr)}", hint="see 'whycycles doctor'")


def refuse_absurd(board: Board, needs: Mapping[str, int], stack_bytes: int) -> None:
    """Raise DoesNotFitError before anything is compiled, if a single part is larger than the memory it is meant for.

    Parts of gigabytes would otherwise end in whatever a compiler says about such arrays. What else is known to be in a memory is
    counted with it.
    """
    place, boot = board.placement, boot_memory(board).name
    parts = [(place.activations, needs["arena"]), (place.stack, stack_bytes)]
    parts += [(name, needs["weights"]) for name in {place.weights, boot}]  # stored in one, copied to the other
    if all(size <= board.memory(name).bytes for name, size in parts):
        return
    room = Counter({name: -board.memory(name).bytes for name, _ in parts})
    for name, size in parts:
        room[name] += size
    raise _does_not_fit(board, {n: x for n, x in room.items() if x > 0}, stack_bytes, needs, at_least=True)


def parse_overflows(stderr: str) -> dict[str, int]:
    """Memory name → bytes too many, from what lld or GNU ld said."""
    found: dict[str, int] = {}
    for pattern in _OVERFLOWS:
        for match in pattern.finditer(stderr):
            memory = match["memory"]
            found[memory] = max(found.get(memory, 0), int(match["bytes"]))
    return found


def _does_not_fit(
    board: Board, overflows: Mapping[str, int], stack_bytes: int, needs: Mapping[str, int], *, at_least: bool = False
) -> DoesNotFitError:
    place = board.placement
    said = []
    least = "at least " if at_least else ""
    for name, too_many in sorted(overflows.items()):
        held = [part for part in ("code", "weights", "activations", "stack") if getattr(place, part) == name]
        if boot_memory(board).name == name:
            held = [*([] if "code" in held else ["boot image"]), *held]
            held += ["weights to copy"] if "weights" not in held and needs.get("weights") else []
        size = board.memory(name).bytes
        said.append(f"memory '{name}' ({size} bytes: {', '.join(held)}) overflows by {least}{too_many} bytes")
    homes = {"arena": {place.activations}, "weights": {place.weights, boot_memory(board).name}, "stack": {place.stack}}
    sizes = {**needs, "stack": stack_bytes}
    parts = ", ".join(
        f"{part} {size} bytes" for part, size in sizes.items() if homes.get(part, overflows.keys()) & overflows.keys()
    )
    hints = _move_hint(board, overflows)
    hints += _set_hints(board, overflows, at_least=at_least)
    hints += ["choose a board with more memory", "a smaller model"]
    if boot_memory(board).name in overflows:
        hints.append("--opt Os for smaller code")
    sized = f" ({parts})" if parts else ""
    return DoesNotFitError(f"does not fit {board.name}: {'; '.join(said)}{sized}", hint="; ".join(hints))


def _set_hints(board: Board, overflows: Mapping[str, int], *, at_least: bool) -> list[str]:
    """How large the memories have to be whose size was set for the run."""
    hints = []
    for name, too_many in sorted(overflows.items()):
        memory = board.memory(name)
        if f"bytes {SOURCE}" in memory.source:
            needed = -(-(memory.bytes + too_many) // 8) * 8  # sizes are multiples of 8
            more = f"more than {needed} bytes" if at_least else f"{needed} bytes (--set memories.{name}.bytes={needed})"
            hints.append(f"{name} needs {more}")
    return hints


def _move_hint(board: Board, overflows: Mapping[str, int]) -> list[str]:
    """Moving a part helps where RAM overflows; what is stored in the boot memory stays stored there wherever it runs."""
    stored = boot_memory(board).name
    for part in ("activations", "weights", "code"):
        memory = getattr(board.placement, part)
        if memory not in overflows or memory == stored:
            continue
        others = [m for m in board.memories if m.name not in overflows and m.kind is not MemoryKind.FLASH]
        roomy = max(others, key=lambda m: m.bytes, default=None)
        if roomy is not None and roomy.bytes > overflows[memory]:
            return [f"place {part} in '{roomy.name}' ({roomy.bytes} bytes): --place {part}={roomy.name}"]
    return []
