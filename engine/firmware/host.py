"""A model as a program of this machine: our portable kernels, lowered as for a board, with a small harness instead of a firmware."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

from engine.firmware.lowering import LoweredModel, lower
from engine.firmware.toolchain import Source, Tree, check_opt, compile_all
from engine.firmware.toolchain.host import HOST_CPU, HostClang, check_host
from engine.firmware.types import ArenaTensor, Compiler, KernelLibrary, LoweredLayer
from engine.models.graph import Graph
from engine.paths import FIRMWARE_DIR, cache_dir
from engine.scratch import scratch, unusable


@dataclass(frozen=True)
class HostProgram:
    """What runs: see firmware/host/main.c for its words. ``layers`` in the order of execution."""

    path: Path
    sha256: str
    compiler: Compiler
    layers: tuple[LoweredLayer, ...]
    inputs: tuple[ArenaTensor, ...]
    outputs: tuple[ArenaTensor, ...]
    arena_bytes: int

    @property
    def working_set_bytes(self) -> int:
        """Weights and arena together."""
        return self.arena_bytes + sum(layer.weight_bytes for layer in self.layers)

    @property
    def input_bytes(self) -> int:
        """Bytes of one inference's input."""
        return sum(t.bytes for t in self.inputs)

    @property
    def output_bytes(self) -> int:
        """Bytes of one inference's output."""
        return sum(t.bytes for t in self.outputs)


def build_host(graph: Graph, model: str, opt: str = "O2") -> HostProgram:
    """Lower, compile and link; the same arguments give the same bytes on every machine.

    Raises UsageError for the optimisation level, ModelError for what cannot be lowered, ToolError elsewhere than on x86-64 Linux, and
    BuildError.
    """
    check_host()
    opt = check_opt(opt)
    tools = HostClang()
    lowered = lower(dataclasses.replace(graph, name=model), KernelLibrary.REFERENCE, core_features=frozenset())
    folder = cache_dir() / "host-programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch(folder) as work:
            made = work / "program"
            tools.link_program(compile_all(tools, HOST_CPU, opt, _sources(work, lowered)), made)
            sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
            path = made.replace(folder / sha256[:16])
    except OSError as error:
        raise unusable(error) from error
    return HostProgram(
        path=path,
        sha256=sha256,
        compiler=Compiler(tools.name, tools.version, opt, tools.flags(HOST_CPU, opt)),
        layers=lowered.layers,
        inputs=lowered.inputs,
        outputs=lowered.outputs,
        arena_bytes=lowered.arena.bytes,
    )


def _sources(work: Path, lowered: LoweredModel) -> tuple[Source, ...]:
    libc, harness, kernels, host = (
        Tree(FIRMWARE_DIR / name, name) for name in ("harness/libc", "harness", "kernels", "host")
    )
    generated = work / "model"
    generated.mkdir()
    (generated / "model.c").write_text(lowered.source, encoding="utf-8")
    return (
        *(Source(host, f"{name}.c", (host, harness, libc)) for name in ("system", "main", "probe")),
        # in mem.c alone: a memcpy that is compiled into a call of memcpy never ends
        Source(libc, "mem.c", (libc,), ("-fno-builtin",)),
        Source(Tree(generated, "model"), "model.c", (harness, kernels, libc)),
        *(Source(kernels, p.name, (harness, kernels, libc)) for p in lowered.kernel_sources),
    )
