"""From a graph to a firmware: lower, compile, link, account for every byte. Everything is cached by content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine import __version__
from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import ToolError, UsageError
from engine.firmware.cmsis_nn import CmsisNn, find_cmsis_nn
from engine.firmware.image import read_image
from engine.firmware.info import OutputScale, info_source
from engine.firmware.keys import firmware_key
from engine.firmware.link import STACK_BYTES, link, refuse_absurd
from engine.firmware.lowering import LoweredModel, lower
from engine.firmware.toolchain import Cpu, Source, Toolchain, Tree, check_opt, compile_all, cpu_for, toolchain
from engine.firmware.types import Compiler, CompilerName, Firmware, KernelLibrary, KernelLibraryInfo, Lowering
from engine.models.graph import Graph
from engine.paths import FIRMWARE_DIR, cache_dir

_FORMAT = "firmware-1"
_ELF, _JSON = "firmware.elf", "firmware.json"
_ADAPTER = TypeAdapter(Firmware)

PORTS = ("bare", "mps2")
"""Ports a firmware can be built for: without UART (emulators), and Arm's MPS2 boards."""


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
) -> Firmware:
    """Build ``graph`` for a board. The same arguments give the same ELF bytes on every machine, at once if cached.

    ``model`` is the name for records and the UART; ``board.placement`` decides where each part lies; ``stack_bytes`` (a
    multiple of 8) is reserved and counted as RAM; ``lowering`` says whose choice of kernels is followed.

    Raises UsageError (options), ModelError (cannot be lowered), DoesNotFitError, ToolError and BuildError.
    """
    # the file a model was read from must not change the ELF
    graph = dataclasses.replace(graph, name=model)
    opt = check_opt(opt)
    if port not in PORTS:
        raise UsageError(f"unknown port '{port}'", hint=f"one of {', '.join(PORTS)}")
    if stack_bytes < 256 or stack_bytes % 8:
        raise UsageError(f"a stack of {stack_bytes} bytes is no good", hint="at least 256, a multiple of 8")
    tools = toolchain(compiler)
    cpu = cpu_for(core)
    cmsis_nn = find_cmsis_nn() if library is KernelLibrary.CMSIS_NN else None
    kernels = KernelLibraryInfo(library, cmsis_nn.version if cmsis_nn else __version__)
    wanted = (_FORMAT, model, kernels, board, core, tools.name, tools.version)
    key = firmware_key(graph, (*wanted, tools.flags(cpu, opt), port, stack_bytes, lowering))
    folder = cache_dir() / "firmware" / key
    cached = _read(folder)
    if cached is not None:
        return cached

    lowered = lower(graph, library, core_features=_features(core), lowering=lowering)
    needs = {"arena": lowered.arena.bytes, "weights": sum(layer.weight_bytes for layer in lowered.layers)}
    refuse_absurd(board, needs, stack_bytes)
    facts: tuple[tuple[str, str], ...] = (
        ("model", model), ("model-sha256", graph.sha256), ("board", board.name), ("core", core.name),
        ("kernels", library), ("kernels-version", kernels.version), ("compiler", tools.name),
        ("compiler-version", tools.version), ("opt", opt), ("whycycles", __version__),
    )  # fmt: skip
    if lowering is not Lowering.TFLM:
        facts = (*facts, ("lowering", lowering))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            elf = Path(work) / _ELF
            objects = _objects(elf.parent, graph, lowered, cmsis_nn, model, facts, tools, cpu, opt, port)
            link(tools, cpu, objects, board, elf, stack_bytes=stack_bytes, needs=needs)
            image = read_image(elf, board)
            firmware = Firmware(
                elf=Path(_ELF),
                elf_sha256=image.sha256,
                model=model,
                model_sha256=graph.sha256,
                board=board.name,
                core=core.name,
                compiler=Compiler(tools.name, tools.version, opt, tools.flags(cpu, opt)),
                kernels=kernels,
                layers=lowered.layers,
                arena=lowered.arena,
                inputs=lowered.inputs,
                outputs=lowered.outputs,
                sections=image.sections,
                flash_bytes=image.flash_bytes,
                ram_bytes=image.ram_bytes,
                stack_bytes=image.stack_bytes,
                lowering=lowering,
                float_input=lowered.float_input,
            )
            _store(firmware, elf, folder)
    except OSError as error:
        raise ToolError(
            f"cannot use the cache folder {cache_dir()}: {error.strerror or error}",
            hint="free some space, or set WHYCYCLES_CACHE to a folder that can be written",
        ) from error
    return dataclasses.replace(firmware, elf=folder / _ELF)


def harness_sources(port: str) -> tuple[Source, ...]:
    """Start-up, libc, harness and port: the C every firmware shares."""
    libc, harness, ports = _tree("harness/libc"), _tree("harness"), _tree("ports")
    includes = (harness, ports, libc)
    # in mem.c alone: a memcpy that is compiled into a call of memcpy never ends
    itself = ("-fno-builtin",)
    return (
        Source(ports, "common/startup.c", includes),
        *(Source(harness, f"{name}.c", includes) for name in ("main", "markers", "protocol", "extensions", "text")),
        Source(libc, "mem.c", includes, itself),
        Source(ports, f"{port}/port.c", includes),
    )


def _objects(
    work: Path,
    graph: Graph,
    lowered: LoweredModel,
    cmsis_nn: CmsisNn | None,
    model: str,
    facts: tuple[tuple[str, str], ...],
    tools: Toolchain,
    cpu: Cpu,
    opt: str,
    port: str,
) -> tuple[Path, ...]:
    libc, harness, kernels = _tree("harness/libc"), _tree("harness"), _tree("kernels")
    arm = cmsis_nn.includes if cmsis_nn else ()
    generated = work / "model"
    generated.mkdir()
    (generated / "model.c").write_text(lowered.source, encoding="utf-8")
    info = info_source(
        model=model,
        facts=facts,
        outputs=[_scale(graph, t.tensor) for t in lowered.outputs],
        stimulus_bytes=sum(t.bytes for t in lowered.inputs),
        layer_count=len(lowered.layers),
    )
    (generated / "info.c").write_text(info, encoding="utf-8")
    own = Tree(generated, "model")
    sources = [
        *harness_sources(port),
        Source(own, "model.c", (harness, kernels, *arm, libc)),
        Source(own, "info.c", (harness, libc)),
        *(Source(kernels, p.name, (harness, kernels, libc)) for p in lowered.kernel_sources),
    ]
    if cmsis_nn is not None and lowered.cmsis_nn_sources:
        sources += cmsis_nn.sources(lowered.cmsis_nn_sources, libc)
    return compile_all(tools, cpu, opt, tuple(sources))


def _scale(graph: Graph, tensor: int | None) -> OutputScale:
    quantisation = graph.main.tensors[tensor].quantisation if tensor is not None else None
    if quantisation is None or not quantisation.scales:
        return OutputScale(1.0, 0)
    zero = quantisation.zero_points[0] if quantisation.zero_points else 0
    return OutputScale(quantisation.scales[0], zero)


def _features(core: Core) -> frozenset[str]:
    return frozenset(name for name, present in (("dsp", core.dsp), ("mve", core.mve)) if present)


def _tree(name: str) -> Tree:
    return Tree(FIRMWARE_DIR / name, name)


def _read(folder: Path) -> Firmware | None:
    try:
        firmware = _ADAPTER.validate_json((folder / _JSON).read_bytes())
        elf = (folder / _ELF).read_bytes()
    except (OSError, ValidationError):
        return None
    if hashlib.sha256(elf).hexdigest() != firmware.elf_sha256:
        return None
    return dataclasses.replace(firmware, elf=folder / _ELF)


def _store(firmware: Firmware, elf: Path, folder: Path) -> None:
    # the JSON comes last: a folder without it counts as absent
    folder.mkdir(parents=True, exist_ok=True)
    elf.replace(folder / _ELF)
    text = elf.with_name(_JSON)
    content = json.loads(_ADAPTER.dump_json(firmware))
    text.write_text(json.dumps(content, indent=1), encoding="utf-8")
    text.replace(folder / _JSON)
