"""One model on this machine: LiteRT timed, our kernels built, checked, timed and counted, one record kept here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import engine
from engine.errors import CheckFailedError, RecordError, ToolError, WhycyclesError
from engine.firmware.host import HostProgram, build_host
from engine.firmware.toolchain.host import check_host
from engine.models.cost import model_cost
from engine.models.graph import Graph
from engine.models.inputs import make_inputs
from engine.models.library import ModelRef, resolve_model
from engine.models.oracle import check_outputs
from engine.models.reader import read_graph
from engine.paths import cache_dir
from engine.pipeline.prepare import INPUTS, Progress
from engine.pipeline.settings import slug
from engine.records.host import HostMachine, HostRecord, HostReference, HostRuntime
from engine.records.host_store import host_problems, read_host, write_host
from engine.targets.host.callgrind import find_valgrind, simulate
from engine.targets.host.flamegraph import record_flamegraph
from engine.targets.host.litert import time_litert
from engine.targets.host.machine import describe_machine
from engine.targets.host.process import quiet_cpu
from engine.targets.host.program import outputs_of, probe_costs, time_program

HOST = "host"
"""The name of this machine as a board."""

WARM_UP, REPEATS = 10, 100
"""Inferences that do not count, and those that do; more of a fast model, so that its percentiles are of a tenth of a second."""

_MOST_REPEATS = 1000
_WORTH_MS = 100.0


@dataclass(frozen=True)
class HostSettings:
    """A run on this machine as a user writes it."""

    model: str
    opt: str = "O2"


def host_dir() -> Path:
    """Folder of the records of this machine; they are never committed."""
    return cache_dir() / "host"


def host_id(model: ModelRef, opt: str) -> str:
    """Name of a run on this machine."""
    return f"{slug(model.name)}_host_{opt.lower()}"


def measure_host(settings: HostSettings, progress: Progress = lambda _: None) -> HostRecord:
    """Measure now (a latency is never up to date) and keep the record.

    Without LiteRT, perf or valgrind their part is absent and says why. Raises UsageError, ModelError, ToolError (elsewhere than on x86-64
    Linux), BuildError, ExecutionError, and CheckFailedError where our output differs from the oracle's.
    """
    check_host()
    model = resolve_model(settings.model)
    progress("reading the model")
    graph = read_graph(model.path)
    cpu = quiet_cpu()
    machine = describe_machine(cpu)
    progress("building our kernels for this machine")
    program = build_host(graph, model.name, settings.opt)
    reference = _reference(model, graph, program, machine, cpu, progress)
    progress("timing LiteRT")
    runtime, why_not = _runtime(model, graph, cpu)
    record = HostRecord(
        schema_version=1,
        id=host_id(model, settings.opt),
        model=model.name,
        model_sha256=graph.sha256,
        macs=model_cost(graph).macs,
        machine=machine,
        runtime=runtime,
        runtime_note=why_not,
        reference=reference,
        notes=("LiteRT's own kernels are not ours: its counters and those of our kernels are of different programs",),
        engine_version=engine.__version__,
    )
    write_host(record, host_dir() / record.id / "record.json")
    return record


def draw_flamegraph(model: str, record: HostRecord, out: Path) -> None:
    """Sample LiteRT on a model that was measured. Raises ToolError where that cannot be done."""
    if record.runtime is None:
        raise ToolError(f"no flame graph: {record.runtime_note}", hint="it is LiteRT that is sampled")
    ref = resolve_model(model)
    data = make_inputs(read_graph(ref.path), count=1)[0]
    record_flamegraph(ref.path, data, record.runtime.latency.cpu, record.runtime.latency.p50_ms, out)


def find_host_record(name: str) -> HostRecord | None:
    """A record of this machine by path or id; None if the name is of something else. Raises RecordError for one that is not valid."""
    path = Path(name)
    if name.endswith(".json") or path.is_file():
        return read_host(path) if host_problems(path) is not None else None
    kept = host_dir() / name / "record.json"
    return read_host(kept) if kept.is_file() else None


def known_hosts() -> tuple[HostRecord, ...]:
    """The records of this machine that can be read."""
    found = []
    for path in sorted(host_dir().glob("*/record.json")):
        try:
            found.append(read_host(path))
        except RecordError:
            continue
    return tuple(found)


def _reference(
    model: ModelRef, graph: Graph, program: HostProgram, machine: HostMachine, cpu: int, progress: Progress
) -> HostReference:
    inputs = make_inputs(graph, count=INPUTS)
    verdict = check_outputs(graph, model.path, inputs, outputs_of(program, inputs, cpu))
    if verdict.matches is False:
        raise CheckFailedError(
            f"{model.name} on this machine: our output differs from the oracle's: {verdict.note}",
            hint="this is a bug in a kernel or in the lowering; please report the model",
        )
    progress("timing our kernels")
    first = time_program(program, inputs[0], cpu, warm_up=WARM_UP, repeats=REPEATS)
    repeats = repeats_for(first.p50_ms)
    latency = first if repeats == REPEATS else time_program(program, inputs[0], cpu, warm_up=WARM_UP, repeats=repeats)
    progress("measuring what this machine costs")
    costs = probe_costs(program, machine, cpu)
    progress("counting with callgrind")
    simulation, note = None, ""
    try:
        simulation = simulate(program, inputs[0], machine, cpu, valgrind=find_valgrind())
    except WhycyclesError as error:
        # latencies stand without counts
        note = f"{error.message}; {error.hint}"
    return HostReference(
        compiler=program.compiler.name.value,
        compiler_version=program.compiler.version,
        compiler_flags=program.compiler.flags,
        program_sha256=program.sha256,
        working_set_bytes=program.working_set_bytes,
        output_matches_oracle=verdict.matches,
        oracle_note=verdict.note,
        latency=latency,
        costs=costs,
        simulation=simulation,
        simulation_note=note,
    )


def _runtime(model: ModelRef, graph: Graph, cpu: int) -> tuple[HostRuntime | None, str]:
    data = make_inputs(graph, count=1)[0]
    try:
        first = time_litert(model.path, data, cpu, warm_up=WARM_UP, repeats=REPEATS)
        repeats = repeats_for(first.latency.p50_ms)
        if repeats == REPEATS:
            return first, ""
        return time_litert(model.path, data, cpu, warm_up=WARM_UP, repeats=repeats), ""
    except WhycyclesError as error:
        return None, f"{error.message}; {error.hint}" if isinstance(error, ToolError) else error.message


def repeats_for(p50_ms: float) -> int:
    """How often a model is timed: 100 times, up to 1000 where that takes no longer than a tenth of a second."""
    return max(REPEATS, min(_MOST_REPEATS, round(_WORTH_MS / p50_ms)))
