"""From a graph to a firmware: lower, compile, link, account for every byte. Everything is cached by content."""

from __future__ import annotations

import dataclasses

from engine import __version__
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import UsageError
from engine.firmware.assemble import Job, assemble, kept_firmware
from engine.firmware.cmsis_nn import find_cmsis_nn
from engine.firmware.cmsis_nn_interface import PACKAGED
from engine.firmware.info import OutputScale
from engine.firmware.keys import firmware_key
from engine.firmware.link import STACK_BYTES, refuse_absurd
from engine.firmware.lowering import lower
from engine.firmware.ports import port_flags, port_named
from engine.firmware.toolchain import check_opt, cpu_for, toolchain
from engine.firmware.types import CompilerName, Firmware, KernelLibrary, KernelLibraryInfo, Lowering
from engine.models.graph import Graph

_FORMAT = "firmware-1"


def build(
    graph: Graph,
    *,
    model: str,
    library: KernelLibrary,
    board: Board,
    core: Core,
    compiler: CompilerName,
    opt: str,
    port: str = "bare",
    stack_bytes: int = STACK_BYTES,
    lowering: Lowering = Lowering.TFLM,
    clock_mhz: float | None = None,
    memory_map: Board | None = None,
) -> Firmware:
    """Build ``graph`` for a board. The same arguments give the same ELF bytes on every machine, at once if cached.

    ``model`` is the name for records and the UART; ``board.placement`` decides where each part lies; ``stack_bytes`` (a
    multiple of 8) is reserved and counted as RAM; ``lowering`` says whose choice of kernels is followed; ``clock_mhz`` (default:
    the board's) is what a port for hardware sets; ``memory_map`` links the very same objects for another board's addresses (see
    ``engine.firmware.mps2``).

    Raises UsageError (options), ModelError (cannot be lowered), DoesNotFitError, ToolError and BuildError.
    """
    # the file a model was read from must not change the ELF
    graph = dataclasses.replace(graph, name=model)
    opt = check_opt(opt)
    flags = port_flags(port_named(port), board, board.default_clock_mhz if clock_mhz is None else clock_mhz)
    if stack_bytes < 256 or stack_bytes % 8:
        raise UsageError(f"a stack of {stack_bytes} bytes is no good", hint="at least 256, a multiple of 8")
    tools = toolchain(compiler)
    cpu = cpu_for(core)
    cmsis_nn = find_cmsis_nn() if library is KernelLibrary.CMSIS_NN else None
    kernels = KernelLibraryInfo(library, cmsis_nn.version if cmsis_nn else __version__)
    wanted = (_FORMAT, model, kernels, board, core, tools.name, tools.version)
    key = firmware_key(graph, (*wanted, tools.flags(cpu, opt), port, flags, stack_bytes, lowering, memory_map))
    cached = kept_firmware(key)
    if cached is not None:
        return cached

    interface = cmsis_nn.interface if cmsis_nn else PACKAGED
    lowered = lower(graph, library, core_features=_features(core), lowering=lowering, interface=interface)
    needs = {"arena": lowered.arena.bytes, "weights": sum(layer.weight_bytes for layer in lowered.layers)}
    refuse_absurd(board, needs, stack_bytes)
    facts: tuple[tuple[str, str], ...] = (
        ("model", model), ("model-sha256", graph.sha256), ("board", board.name), ("core", core.name),
        ("kernels", library), ("kernels-version", kernels.version), ("compiler", tools.name),
        ("compiler-version", tools.version), ("opt", opt), ("whycycles", __version__),
    )  # fmt: skip
    if lowering is not Lowering.TFLM:
        facts = (*facts, ("lowering", lowering))
    job = Job(
        lowered=lowered, model=model, model_sha256=graph.sha256, board=board, core=core, tools=tools, cpu=cpu, opt=opt,
        port=port, port_flags=flags, stack_bytes=stack_bytes, kernels=kernels, facts=facts,
        scales=tuple(_scale(graph, t.tensor) for t in lowered.outputs), needs=needs, lowering=lowering, cmsis_nn=cmsis_nn,
        memory_map=memory_map,
    )  # fmt: skip
    return assemble(job, key)


def _scale(graph: Graph, tensor: int | None) -> OutputScale:
    quantisation = graph.main.tensors[tensor].quantisation if tensor is not None else None
    if quantisation is None or not quantisation.scales:
        return OutputScale(1.0, 0)
    zero = quantisation.zero_points[0] if quantisation.zero_points else 0
    return OutputScale(quantisation.scales[0], zero)


def _features(core: Core) -> frozenset[str]:
    return frozenset(name for name, present in (("dsp", core.dsp), ("mve", core.mve)) if present)
