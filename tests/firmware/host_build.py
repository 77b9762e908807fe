"""Compiles a lowered model for the host with ziglang's clang and runs it, so that kernels can be tested without an emulator.

Undefined behaviour in our code (signed overflow, bad shifts) traps, so that a wrong bound shows up as a crash of the child.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from engine.firmware.lowering import LoweredModel
from engine.paths import FIRMWARE_DIR

_HARNESS = """
#include "whycycles.h"
static unsigned begins, ends, wrong;
void wc_layer_begin(void) { wrong += begins != ends; ++begins; }
void wc_layer_end(void) { ++ends; wrong += begins != ends; }
unsigned host_layers(void) { unsigned n = wrong ? 0 : begins; begins = ends = wrong = 0; return n; }
"""


def _cmsis_nn() -> Path:
    spec = importlib.util.find_spec("bakenn")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "backend" / "cmsis_nn" / "vendor" / "cmsis_nn"


class HostBuilder:
    """Compiles C files once each (objects are kept in ``folder``) and links one shared library per model."""

    def __init__(self, folder: Path, *, dsp: bool) -> None:
        self._folder = folder
        self._flags = [
            "-O1", "-g0", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-command-line-argument",
            f"-I{Path(__file__).parent / 'host_shim'}", f"-I{FIRMWARE_DIR / 'harness'}", f"-I{FIRMWARE_DIR / 'kernels'}",
            f"-I{_cmsis_nn() / 'Include'}",
        ]  # fmt: skip
        # Ours must be free of undefined behaviour; CMSIS-NN's own (x * (1 << 31) in places) is not for us to judge.
        self._strict = ["-fsanitize=undefined", "-fsanitize-trap=undefined", "-Werror"]
        self._arm = ["-fno-sanitize=all", "-w", *(["-D__ARM_FEATURE_DSP=1"] if dsp else [])]

    def build(self, model: LoweredModel) -> HostModel:
        """Compile, link and load a model."""
        sources = _cmsis_nn() / "Source"
        jobs = [(path, self._strict) for path in model.kernel_sources]
        jobs += [(sources / name, self._arm) for name in model.cmsis_nn_sources]
        generated = [(self._text("model", model.source), self._strict), (self._text("host", _HARNESS), self._strict)]
        objects = [self._compile(path, flags) for path, flags in jobs + generated]
        name = hashlib.sha256(" ".join(map(str, objects)).encode()).hexdigest()[:16]
        return HostModel(self._link(name, objects), model)

    def _link(self, name: str, objects: Sequence[Path]) -> Path:
        library = self._folder / f"lib{name}.so"
        if not library.exists():
            # Nothing but mem* is missing, and the process has those: without libc there is none to build first.
            _zig(["-shared", "-nostdlib", "-nodefaultlibs", "-o", str(library), *map(str, objects)])
        return library

    def build_probe(self) -> Path:
        """A library that tells which kernels CMSIS-NN's wrappers would call."""
        source = _cmsis_nn() / "Source"
        self._arm.append(f"-I{source}")
        kernels = ("ConvolutionFunctions/*.c", "NNSupportFunctions/arm_*.c", "PoolingFunctions/arm_avgpool_s8.c")
        paths = [p for pattern in kernels for p in sorted(source.glob(pattern)) if "wrapper" not in p.name]
        objects = [self._compile(p, self._arm) for p in [Path(__file__).parent / "host_shim" / "probe.c", *paths]]
        return self._link("probe", objects)

    def _text(self, stem: str, text: str) -> Path:
        path = self._folder / f"{stem}_{hashlib.sha256(text.encode()).hexdigest()[:16]}.c"
        if not path.exists():
            path.write_text(text)
        return path

    def _compile(self, source: Path, flags: Sequence[str]) -> Path:
        key = hashlib.sha256(repr((source.read_bytes(), list(flags))).encode()).hexdigest()[:16]
        target = self._folder / f"{source.stem}_{key}.o"
        if not target.exists():
            _zig(["-c", str(source), "-o", str(target), *self._flags, *flags])
        return target


def _zig(arguments: Iterable[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


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
