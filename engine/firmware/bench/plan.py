"""Which benchmarks a board gets: every integer MAC its core has, and reading and copying for each of its memories."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.access_waits import front_of
from engine.catalog.board import Board, Memory, MemoryKind
from engine.catalog.core import Core, Fpu
from engine.catalog.flash import Cache
from engine.firmware.bench.types import Benchmark, Buffer, Pattern, Plan, Skipped, Work

_MAC_PASSES = 256
_MEMORY_BYTES = 64 * 1024
"""Bytes each memory benchmark reads: enough that entering and leaving its function does not count."""

_LARGE_BYTES = 16 * 1024
_LEAST_BYTES = 2048
_CACHES_FOR_LARGE = 2
"""A working set of two caches leaves nothing of its start when it begins again, whatever the replacement."""

_FIRMWARE_BYTES = 16 * 1024
"""Left free in a memory that also holds a part of the firmware: stack, harness, code."""

_WHOLE_CACHE = "a working set that its cache cannot hold does not fit into the memory"
_TOO_SMALL = f"too small: less than {_LEAST_BYTES} bytes are free beside the firmware"


@dataclass(frozen=True)
class _Form:
    """One way to move words: accesses of ``access_bytes``, ``accesses`` to a block (firmware/bench/wc_bench_memory.h)."""

    work: Work
    instructions: str
    access_bytes: int
    accesses: int
    sampled_back_words: int

    @property
    def block_bytes(self) -> int:
        return self.access_bytes * self.accesses

    @property
    def label(self) -> str:
        return self.instructions.lower().replace("+", "-")


# LDR: 32 groups of 4 words, the first of the last group is sampled; LDM: the first word of the last one
_FORMS = (
    _Form(Work.READ, "LDR", 16, 32, 4),
    _Form(Work.READ, "LDM", 32, 16, 8),
    _Form(Work.COPY, "LDM+STM", 32, 8, 0),
)
_VECTOR_FORMS = (*_FORMS, _Form(Work.READ, "VLDR", 16, 32, 4))
_BASELINE_FORMS = (_Form(Work.READ, "LDM", 28, 16, 7), _Form(Work.COPY, "LDM+STM", 24, 16, 0))


def plan_benchmarks(board: Board, core: Core) -> Plan:
    """The benchmarks of a board with its core. Sizes follow the board's memories and caches; what does not fit says why."""
    found: list[Benchmark] = list(_mac(core))
    skipped: list[Skipped] = []
    buffers: list[Buffer] = []
    forms = _BASELINE_FORMS if core.architecture == "armv6-m" else _VECTOR_FORMS if core.mve else _FORMS
    sizes = {m.name: _room(board, m) for m in board.memories}
    for memory in board.memories:
        room = sizes[memory.name]
        if not room:
            skipped.append(Skipped(f"read-{memory.name}", _TOO_SMALL))
            continue
        buffers.append(Buffer(memory.name, room, memory.kind is MemoryKind.FLASH))
        for form in forms:
            for wanted in _of_form(board, memory, form, sizes):
                if isinstance(wanted, Benchmark):
                    found.append(wanted)
                else:
                    skipped.append(wanted)
    return Plan(tuple(found), tuple(buffers), tuple(skipped))


def _mac(core: Core) -> tuple[Benchmark, ...]:
    def mac(name: str, instructions: str, function: str, per_pass: int) -> Benchmark:
        return Benchmark(f"mac-{name}", Work.MAC, instructions, function, _MAC_PASSES, macs=per_pass * _MAC_PASSES)

    if core.architecture == "armv6-m":
        return (mac("muls-adds", "MULS+ADDS", "wc_bench_mul_add", 120),)
    found = [mac("mul-add", "MUL+ADD", "wc_bench_mul_add", 64), mac("mla", "MLA", "wc_bench_mla", 128)]
    if core.dsp:
        found.append(mac("smlad", "SMLAD", "wc_bench_smlad", 256))
    if core.fpu is not Fpu.NONE:
        found.append(mac("vfma", "VFMA.F32", "wc_bench_vfma", 128))
    if core.mve:
        found.append(mac("vmladav", "VMLADAV", "wc_bench_vmladav", 2048))
    return tuple(found)


def _room(board: Board, memory: Memory) -> int:
    """Bytes of the buffer in a memory: what its largest benchmark wants, or all that can be spared."""
    # source and destination of a copy inside it, and of those that end in the activations' memory
    wanted = 2 * max(_large(front_of(m, board.flash).data) for m in board.memories)
    parts = board.placement.model_dump().values()
    held = memory.name in parts or memory.kind is MemoryKind.FLASH
    free = memory.bytes - (_FIRMWARE_BYTES if held else 0)
    room = min(wanted, free) // 32 * 32
    return room if room >= _LEAST_BYTES else 0


def _of_form(board: Board, memory: Memory, form: _Form, sizes: dict[str, int]) -> list[Benchmark | Skipped]:
    """One form of access to one memory: with a small working set where a cache may hold it, and with a large one."""
    cache = front_of(memory, board.flash).data
    made: list[Benchmark | Skipped] = []
    copies = form.work is Work.COPY
    # constants cannot be written: they are copied to where activations lie
    target = (board.placement.activations if memory.kind is MemoryKind.FLASH else memory.name) if copies else ""
    here = copies and target == memory.name
    name = f"{form.work}-{memory.name}{f'-to-{target}' if copies and not here else ''}-{form.label}"
    if copies and not sizes[target]:
        return [Skipped(name, f"{target} is {_TOO_SMALL}")]
    if cache is not None:
        loads = form.accesses
        share = cache.bytes // (4 if copies else 2)
        while loads > 1 and loads * form.access_bytes > share:
            loads //= 2
        pattern = _pattern(form, form.accesses // loads, loads, _MEMORY_BYTES // form.block_bytes, step=0)
        made.append(_memory(f"{name}-cached", form, memory.name, target, pattern, resident=True, passes=1))
    room = min(sizes[memory.name] // (2 if here else 1), sizes[target] if copies else sizes[memory.name])
    blocks = min(room, _large(cache)) // form.block_bytes
    pattern = _pattern(form, 1, form.accesses, blocks, step=form.block_bytes)
    # whole blocks: up to one less than two caches
    if cache is not None and pattern.touched_bytes < _CACHES_FOR_LARGE * cache.bytes - form.block_bytes:
        made.append(Skipped(name, _WHOLE_CACHE))
        return made
    passes = -(-_MEMORY_BYTES // pattern.pass_bytes)
    resident = None if cache is None else False
    made.append(_memory(name, form, memory.name, target, pattern, resident=resident, passes=passes))
    return made


def _large(cache: Cache | None) -> int:
    return max(_LARGE_BYTES, _CACHES_FOR_LARGE * cache.bytes if cache else 0)


def _pattern(form: _Form, turns: int, loads: int, blocks: int, *, step: int) -> Pattern:
    last = loads * form.access_bytes // 4 - form.sampled_back_words
    return Pattern(form.access_bytes, turns, loads, blocks, step, last)


def _memory(
    name: str, form: _Form, memory: str, target: str, pattern: Pattern, *, resident: bool | None, passes: int
) -> Benchmark:
    function = f"{form.work}_{form.label.replace('-', '_')}_{pattern.span_bytes}"
    return Benchmark(
        name=name,
        work=form.work,
        instructions=form.instructions,
        function=function,
        passes=passes,
        memory=memory,
        target=target,
        working_set_bytes=pattern.touched_bytes * (2 if form.work is Work.COPY else 1),
        resident=resident,
        pattern=pattern,
    )
