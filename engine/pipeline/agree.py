"""The same ELF on every emulator of this machine: issued instructions, accesses, bytes and outputs must be the same, per layer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from engine import __version__
from engine.catalog.core import Core
from engine.catalog.load import list_cores
from engine.errors import ToolError, UsageError, WhycyclesError
from engine.firmware.build import build
from engine.firmware.mps2 import has_mps2_machine, mps2_board
from engine.firmware.stimulus import stimulus
from engine.firmware.toolchain import toolchain
from engine.firmware.types import GLUE, CompilerName, Firmware, KernelLibrary
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.library import Origin, list_models, resolve_model
from engine.models.reader import read_graph
from engine.pipeline.emulators import EMULATORS, Emulator
from engine.records.agreement import Agreement, AgreementCase, Disagreement, EmulatorRun
from engine.targets.types import RegionCounts

COMPILER, OPT = CompilerName.CLANG, "O2"
DEFAULT_MODELS = ("kws", "ic")
_INPUTS = 2
_COUNTERS = ("instructions", "loads", "stores", "read_bytes", "write_bytes")


@dataclass(frozen=True)
class Question:
    """One firmware that several emulators are to run."""

    model: str
    kernels: KernelLibrary
    core: Core
    emulators: tuple[Emulator, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.model} with {self.kernels.value} on {self.core.name}"


def every_model() -> tuple[str, ...]:
    """The models that ``--all`` means: the zoo's and the reference models."""
    return tuple(m.name for m in list_models() if m.origin is not Origin.FILE)


def absent_emulators() -> dict[str, str]:
    """Emulators that are not on this machine, with the reason."""
    return {e.name: why for e in EMULATORS if (why := e.missing())}


def questions(models: Sequence[str], cores: Sequence[str] | None = None) -> tuple[Question, ...]:
    """Every model with both kernel libraries on every core (or those named) that two of the emulators here have.

    Raises ToolError if fewer than two emulators are here, UsageError if one of the cores named is on fewer than two.
    """
    absent = absent_emulators()
    here = [e for e in EMULATORS if e.name not in absent]
    if len(here) < 2:
        raise ToolError(
            f"only {', '.join(e.name for e in here) or 'no emulator'} is here: nothing to compare",
            hint="; ".join(f"{name}: {why}" for name, why in absent.items()),
        )
    able = {c.name: (c, tuple(e for e in here if e.has(c))) for c in list_cores() if has_mps2_machine(c)}
    shared = {name: found for name, found in able.items() if len(found[1]) > 1}
    for name in cores or ():
        if name not in shared:
            has = able[name][1] if name in able else ()
            raise UsageError(
                f"{name} is on {len(has)} emulator here ({', '.join(e.name for e in has) or 'none'})",
                hint=f"two or more have {', '.join(shared)}",
            )
    chosen = [shared[name] for name in (cores or shared)]
    return tuple(
        Question(model, library, core, emulators)
        for model, library, (core, emulators) in product(models, KernelLibrary, chosen)
    )


def agreement(cases: Sequence[AgreementCase]) -> Agreement:
    """Cases as they are kept."""
    version = toolchain(COMPILER).version
    return Agreement(
        engine_version=__version__,
        compiler=f"{COMPILER.value} {version} -{OPT}",
        cases=tuple(sorted(cases, key=lambda c: (c.model, c.kernels, c.core))),
    )


def check_traced() -> None:
    """Raises ToolError if no emulator is here that traces."""
    absent = absent_emulators()
    able = [e.name for e in EMULATORS if e.trace]
    if all(name in absent for name in able):
        raise ToolError(
            f"{', '.join(able) or 'an emulator that traces'} is not here: nothing to trace",
            hint="; ".join(absent[name] for name in able) or "leave --trace out",
        )


def answer(asked: Sequence[Question], *, trace: bool = False) -> Iterator[AgreementCase]:
    """Run every question on its emulators, one after the other, and compare; with ``trace`` those that can also trace an inference.

    Raises ModelError, BuildError or ToolError where a firmware cannot be built; an emulator that fails is part of the answer.
    """
    graphs: dict[str, Graph] = {}
    for question in asked:
        if question.model not in graphs:
            graphs[question.model] = read_graph(resolve_model(question.model).path)
        yield _answer(question, graphs[question.model], trace)


def _answer(question: Question, graph: Graph, trace: bool) -> AgreementCase:
    firmware = build(
        graph, model=question.model, library=question.kernels, board=mps2_board(question.core), core=question.core,
        compiler=COMPILER, opt=OPT,
    )  # fmt: skip
    inputs = stimulus(firmware, make_inputs(graph, count=_INPUTS))
    found: list[RegionCounts] = []
    failures: list[str] = []
    for emulator in question.emulators:
        try:
            count = emulator.trace if trace and emulator.trace else emulator.count
            found.append(count(firmware, question.core, inputs))
        except WhycyclesError as error:
            failures.append(f"{emulator.name}: {error.message}")
    first = found[0] if found else None
    return AgreementCase(
        model=question.model,
        model_sha256=graph.sha256,
        kernels=question.kernels.value,
        core=question.core.name,
        elf_sha256=firmware.elf_sha256,
        emulators=tuple(EmulatorRun(name=c.target, version=c.target_version, machine=c.machine) for c in found),
        layers=len(firmware.layers),
        **{name: sum(getattr(first, name) or ()) if first else 0 for name in _COUNTERS},
        differences=tuple(d for other in found[1:] for d in differences(firmware, found[0], other)),
        failures=tuple(failures),
    )


def differences(firmware: Firmware, one: RegionCounts, other: RegionCounts) -> Iterator[Disagreement]:
    """Every counter that both have and that is not the same, layer by layer; then the outputs."""
    names = [*(f"layer {n} ({layer.name})" for n, layer in enumerate(firmware.layers)), GLUE]
    for region, name in enumerate(names):
        for counter in _COUNTERS:
            a, b = getattr(one, counter), getattr(other, counter)
            if a is not None and b is not None and a[region] != b[region]:
                yield _disagreement(name, counter, one, str(a[region]), other, str(b[region]))
    if one.outputs != other.outputs:
        a, b = (hashlib.sha256(b"".join(c.outputs)).hexdigest()[:16] for c in (one, other))
        yield _disagreement("the inference", "outputs (SHA-256)", one, a, other, b)


def _disagreement(layer: str, counter: str, one: RegionCounts, a: str, other: RegionCounts, b: str) -> Disagreement:
    return Disagreement(layer=layer, counter=counter, one=one.target, one_value=a, other=other.target, other_value=b)
