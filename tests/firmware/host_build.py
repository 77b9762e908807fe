"""Builds a lowered model as a shared library of this machine and runs it, so that kernels can be tested without an emulator.

Undefined behaviour in our code (signed overflow, bad shifts) traps, so that a wrong bound shows up as a crash of the child.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.firmware.cmsis_nn import find_cmsis_nn
from engine.firmware.lowering import LoweredModel
from engine.firmware.toolchain import Source, Tree, compile_all
from engine.firmware.toolchain.host import HOST_CPU, HostClang
from engine.paths import FIRMWARE_DIR

_HARNESS = """
#include "whycycles.h"
static unsigned begins, ends, wrong;
void wc_layer_begin(void) { wrong += begins != ends; ++begins; }
void wc_layer_end(void) { ++ends; wrong += begins != ends; }
unsigned host_layers(void) { unsigned n = wrong ? 0 : begins; begins = ends = wrong = 0; return n; }
"""
# Ours must be free of undefined behaviour; CMSIS-NN's own (x * (1 << 31) in places) is not for us to judge.
_STRICT = ("-fPIC", "-fsanitize=undefined", "-fsanitize-trap=undefined", "-Werror")


def _cmsis_nn() -> Path:
    spec = importlib.util.find_spec("bakenn")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "backend" / "cmsis_nn" / "vendor" / "cmsis_nn"


class HostBuilder:
    """Links one shared library per model into ``folder``; objects come from the engine's cache."""

    def __init__(self, folder: Path, *, dsp: bool) -> None:
        self._folder = folder
        self._tools = HostClang()
        self._arm = ("-fPIC", *(["-D__ARM_FEATURE_DSP=1"] if dsp else []))
        self._shim = Tree(Path(__file__).parent / "host_shim", "host-shim")
        self._cmsis = Tree(_cmsis_nn(), "cmsis-nn")
        self._kernels = Tree(FIRMWARE_DIR / "kernels", "kernels")
        self._includes = (
            self._shim, Tree(FIRMWARE_DIR / "harness", "harness"), self._kernels, Tree(_cmsis_nn() / "Include", "cmsis-nn/Include"),
            Tree(FIRMWARE_DIR / "harness" / "libc", "harness/libc"),
        )  # fmt: skip

    def build(self, model: LoweredModel) -> HostModel:
        """Compile, link and load a model."""
        sources = [Source(self._kernels, p.name, self._includes, _STRICT) for p in model.kernel_sources]
        if model.cmsis_nn_sources:
            sources += [self._arms(file) for file in find_cmsis_nn().files(model.cmsis_nn_sources, mve=False)]
        sources += [self._generated("model", model.source), self._generated("host", _HARNESS)]
        return HostModel(self._link(sources), model)

    def build_probe(self, *, mve: bool = False) -> Path:
        """A library that tells which kernels CMSIS-NN's wrappers would call; ``mve``: those on a core with Helium (sizes are not)."""
        within = Tree(_cmsis_nn() / "Source", "cmsis-nn/Source")
        kernels = ("ConvolutionFunctions/*.c", "NNSupportFunctions/arm_*.c", "PoolingFunctions/arm_avgpool_s8.c")
        paths = [p for pattern in kernels for p in sorted(within.path.glob(pattern)) if "wrapper" not in p.name]
        helium = ("-DARM_MATH_MVEI",) if mve else ()  # for the wrappers alone: the kernels need its intrinsics
        probe = Source(self._shim, "probe.c", (*self._includes, within), (*self._arm, *helium), third_party=True)
        return self._link([probe, *(self._arms(p.relative_to(_cmsis_nn()).as_posix()) for p in paths)])

    def _arms(self, file: str) -> Source:
        return Source(self._cmsis, file, self._includes, self._arm, third_party=True)

    def _generated(self, stem: str, text: str) -> Source:
        folder = self._folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(exist_ok=True)
        (folder / f"{stem}.c").write_text(text)
        return Source(Tree(folder, "generated"), f"{stem}.c", self._includes, _STRICT)

    def _link(self, sources: Sequence[Source]) -> Path:
        objects = compile_all(self._tools, HOST_CPU, "O1", tuple(sources))
        library = self._folder / f"lib{hashlib.sha256(' '.join(map(str, objects)).encode()).hexdigest()[:16]}.so"
        if not library.exists():
            # nothing but mem* is missing, and the process that loads it has those
            self._tools.link_library(objects, library)
        return library


class HostModel:
    """A lowered model as a shared library."""

    def __init__(self, library: Path, model: LoweredModel) -> None:
        self._library = library
        self._model = model

    def infer(self, rounds: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
        """One inference per entry, each from a dirty arena; flat int8 outputs. A crash is an AssertionError."""
        m = self._model
        places = [[(t.offset, t.bytes) for t in ports] for ports in (m.inputs, m.outputs)]
        data = [[np.ascontiguousarray(v, np.int8).tobytes() for v in values] for values in rounds]
        job = (str(self._library), m.arena.bytes, *places, len(m.layers), data)
        child = [sys.executable, "-I", "-S", str(Path(__file__).with_name("host_child.py"))]
        done = subprocess.run(child, input=pickle.dumps(job), capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr.decode()}"
        return [[np.frombuffer(b, np.int8) for b in values] for values in pickle.loads(done.stdout)]
