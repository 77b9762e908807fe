"""Building the benchmark firmware of a board: the same toolchain, link and memory map as any model's."""

from __future__ import annotations

import hashlib

from engine import __version__
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.firmware.assemble import Job, assemble, kept_firmware
from engine.firmware.bench.lower import MODEL, lower_benchmarks
from engine.firmware.bench.types import Plan
from engine.firmware.info import OutputScale
from engine.firmware.keys import content_key
from engine.firmware.link import STACK_BYTES
from engine.firmware.ports import port_flags, port_named
from engine.firmware.toolchain import cpu_for, toolchain
from engine.firmware.types import CompilerName, Firmware, KernelLibrary, KernelLibraryInfo

OPT = "O2"
"""Optimisation of the code around the benchmarks, which are assembly."""

_FORMAT = "bench-1"


def build_benchmarks(
    plan: Plan,
    board: Board,
    core: Core,
    *,
    compiler: CompilerName = CompilerName.CLANG,
    port: str = "bare",
    memory_map: Board | None = None,
) -> Firmware:
    """Build a plan's firmware, linked for ``memory_map`` if given. The same arguments give the same ELF bytes on every machine.

    Raises UsageError (core or port that no firmware exists for), DoesNotFitError, ToolError and BuildError.
    """
    flags = port_flags(port_named(port), board, board.default_clock_mhz)
    tools, cpu = toolchain(compiler), cpu_for(core)
    kernels = KernelLibraryInfo(KernelLibrary.REFERENCE, __version__)
    lowered = lower_benchmarks(plan, board)
    key = content_key(
        _FORMAT,
        lowered.source,
        kernels,
        board,
        core,
        tools.name,
        tools.version,
        tools.flags(cpu, OPT),
        port,
        memory_map,
    )
    kept = kept_firmware(key)
    if kept is not None:
        return kept
    facts = (
        ("model", MODEL), ("board", board.name), ("core", core.name), ("compiler", tools.name),
        ("compiler-version", tools.version), ("opt", OPT), ("whycycles", __version__),
    )  # fmt: skip
    job = Job(
        lowered=lowered, model=MODEL, model_sha256=hashlib.sha256(lowered.source.encode()).hexdigest(), board=board,
        core=core, tools=tools, cpu=cpu, opt=OPT, port=port, port_flags=flags, stack_bytes=STACK_BYTES, kernels=kernels, facts=facts,
        scales=(OutputScale(1.0, 0),), needs={f"buffer in {b.memory}": b.bytes for b in plan.buffers},
        kernels_folder="bench", buffers=plan.buffer_memories, memory_map=memory_map,
    )  # fmt: skip
    return assemble(job, key)
