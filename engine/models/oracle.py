"""The oracle: what TensorFlow Lite Micro's own interpreter computes, bit for bit (PyPI package ``tflite-micro``)."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ToolError, UsageError
from engine.models.cost import model_cost
from engine.models.graph import Graph
from engine.models.inputs import input_bytes, output_bytes
from engine.models.read_tensors import numpy_dtype
from engine.models.reader import parse_graph, read_graph
from engine.models.samples import zoo_samples
from engine.records.run import ORACLE_AGREES

_PACKAGE = "tflite-micro"
_MAX_ARENA_BYTES = 2**30
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class OracleStatus:
    """Whether the oracle works here: ``detail`` is its version, or why not."""

    found: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """``matches`` is None where there was nothing to compare with; ``note`` says with what, or why not."""

    matches: bool | None
    note: str


def oracle_status() -> OracleStatus:
    """Look for the oracle without running it."""
    try:
        found = version(_PACKAGE)
    except PackageNotFoundError:
        return OracleStatus(False, f"the package {_PACKAGE} is not installed (it exists for x86-64 Linux only)")
    try:
        from tflite_micro import runtime  # noqa: F401
    except Exception as error:  # A binary wheel can fail to load in many ways; all mean "not here".
        return OracleStatus(False, f"{_PACKAGE} {found} is installed, but does not load: {error}")
    return OracleStatus(True, found)


def available() -> bool:
    """Whether the oracle can run on this machine; ``oracle_status`` says why not."""
    return oracle_status().found


class Oracle:
    """One model in TensorFlow Lite Micro's interpreter.

    ``isolated`` runs it in a process of its own: the interpreter trusts a model and may take the process down with it.
    Variables of a stateful model keep their values from one ``run`` to the next within one ``run_many``.
    Raises ModelError for a broken model, ToolError where the oracle is missing or refuses the model.
    """

    def __init__(self, model: Path | bytes, *, isolated: bool = False) -> None:
        status = oracle_status()
        if not status.found:
            raise ToolError(f"the oracle is not available: {status.detail}", hint=f"pip install {_PACKAGE}")
        self.graph = read_graph(model) if isinstance(model, Path) else parse_graph(model, "model")
        self._data = model.read_bytes() if isinstance(model, Path) else model
        self._isolated = isolated
        self._arena = _arena_bytes(self.graph)
        self._interpreter = None if isolated else self._start(preserve=False)

    def run(self, inputs: bytes) -> bytes:
        """One inference: raw bytes of all inputs in graph order to raw bytes of all outputs in graph order."""
        return self.run_many((inputs,))[0]

    def run_many(self, inputs: Sequence[bytes]) -> tuple[bytes, ...]:
        """Inferences one after the other. Raises UsageError where an input has the wrong size."""
        wanted = input_bytes(self.graph)
        for i, entry in enumerate(inputs):
            if len(entry) != wanted:
                raise UsageError(
                    f"input {i} has {len(entry)} bytes, but {self.graph.name} takes {wanted}",
                    hint="concatenate the raw bytes of all inputs in graph order",
                )
        if self._isolated:
            return self._run_apart(inputs)
        return tuple(self._infer(self._interpreter, entry) for entry in inputs)

    def tensors(self, inputs: bytes) -> tuple[NDArray[np.generic] | None, ...]:
        """Every activation of the main subgraph after one inference, by tensor index; None for constants. For debugging."""
        interpreter = self._start(preserve=True)
        self._infer(interpreter, inputs)
        return tuple(
            None if t.data is not None else np.array(interpreter.GetTensor(t.index, 0)["tensor_data"])
            for t in self.graph.main.tensors
        )

    def _start(self, *, preserve: bool) -> Any:
        from tflite_micro import runtime

        mode = runtime.InterpreterConfig
        config = mode.kPreserveAllTensors if preserve else mode.kAllocationRecording
        arena = self._arena + (sum(t.bytes for t in self.graph.main.tensors) if preserve else 0)
        try:
            return runtime.Interpreter.from_bytes(self._data, arena_size=arena, intrepreter_config=config)
        except Exception as error:  # Unpacking may raise anything on a field that our reader ignores.
            raise self._refused(error) from error

    def _infer(self, interpreter: Any, entry: bytes) -> bytes:
        at = 0
        try:
            for position, index in enumerate(self.graph.main.inputs):
                tensor = self.graph.main.tensors[index]
                values = np.frombuffer(entry, numpy_dtype(tensor.dtype), tensor.elements, at).reshape(tensor.shape)
                interpreter.set_input(values, position)
                at += tensor.bytes
            interpreter.invoke()
            outputs = [interpreter.get_output(i).tobytes() for i in range(len(self.graph.main.outputs))]
        except (RuntimeError, ValueError, TypeError, LookupError) as error:
            raise self._refused(error) from error
        return b"".join(outputs)

    def _refused(self, error: Exception) -> ToolError:
        return ToolError(
            f"the oracle does not run {self.graph.name}: {error}",
            hint=f"{_PACKAGE} prints the reason above; it knows fewer operators and types than TensorFlow Lite",
        )

    def _run_apart(self, inputs: Sequence[bytes]) -> tuple[bytes, ...]:
        message = b"".join(struct.pack("<Q", len(part)) + part for part in (self._data, *inputs))
        command = [sys.executable, "-m", "engine.models.oracle_worker"]
        try:
            done = subprocess.run(command, input=message, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(
                f"the oracle did not finish {self.graph.name}: {error}", hint="try a smaller model"
            ) from error
        size = output_bytes(self.graph)
        if done.returncode != 0 or len(done.stdout) != size * len(inputs):
            said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
            how = f"died of signal {-done.returncode}" if done.returncode < 0 else "gave up"
            raise ToolError(
                f"the oracle {how} on {self.graph.name}" + (f": {said[-1]}" if said else ""),
                hint=f"{_PACKAGE} knows fewer operators and types than TensorFlow Lite",
            )
        return tuple(done.stdout[i * size : (i + 1) * size] for i in range(len(inputs)))


@dataclass(frozen=True)
class Expected:
    """What should come out: ``outputs`` is None where nobody can say, and ``note`` says who said it, or why nobody can."""

    outputs: tuple[bytes, ...] | None
    note: str


def expected_outputs(graph: Graph, path: Path, inputs: Sequence[bytes]) -> Expected:
    """The oracle's outputs for ``inputs``; where it is missing, the committed ones if all inputs are zoo samples.

    A model from outside the zoo runs in a process of its own. Never raises ToolError: that becomes the note.
    """
    samples = zoo_samples(graph.sha256)
    status = oracle_status()
    if status.found:
        try:
            outputs = Oracle(path, isolated=not samples).run_many(inputs)
        except ToolError as error:
            return Expected(None, error.message)
        return Expected(outputs, f"{_PACKAGE} {status.detail}")
    known = {s.inputs: s.outputs for s in samples}
    if known and all(entry in known for entry in inputs):
        return Expected(tuple(known[entry] for entry in inputs), "the model's committed oracle outputs")
    return Expected(None, status.detail)


def check_outputs(graph: Graph, path: Path, inputs: Sequence[bytes], outputs: Sequence[bytes]) -> Verdict:
    """Compare the outputs of a run with the oracle's, bit for bit."""
    expected = expected_outputs(graph, path, inputs)
    if expected.outputs is None:
        return Verdict(None, expected.note)
    if len(outputs) != len(expected.outputs):
        return Verdict(False, f"{len(outputs)} outputs for {len(expected.outputs)} inputs")
    for i, (found, wanted) in enumerate(zip(outputs, expected.outputs, strict=True)):
        if len(found) != len(wanted):
            return Verdict(False, f"inference {i} gave {len(found)} bytes instead of {len(wanted)} ({expected.note})")
        if found != wanted:
            differing = sum(a != b for a, b in zip(found, wanted, strict=True))
            return Verdict(False, f"inference {i} differs in {differing} of {len(wanted)} bytes from {expected.note}")
    return Verdict(True, f"{len(inputs)} inferences equal {expected.note}, {ORACLE_AGREES}")


def _arena_bytes(graph: Graph) -> int:
    """Generous: persistent structures grow with operators and tensors, scratch buffers with the largest operator."""
    peak = max(model_cost(graph).peak_bytes, sum(t.bytes for t in graph.main.tensors if t.is_variable))
    tensors = sum(len(s.tensors) + len(s.operators) for s in graph.subgraphs)
    arena = 2**20 + 6 * peak + 1024 * tensors + 2 * graph.file_bytes
    if arena > _MAX_ARENA_BYTES:
        raise ToolError(f"the oracle would need {arena} bytes of memory for {graph.name}", hint="try a smaller model")
    return arena
