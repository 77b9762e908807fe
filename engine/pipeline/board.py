"""One measurement on a board, from the firmware to the record, with the simulation of the same ELF beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import engine
from engine.catalog.load import board_sha256, core_sha256
from engine.errors import CheckFailedError, RecordError, UsageError
from engine.firmware.build import build
from engine.firmware.ports import Port, board_port
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Firmware
from engine.models.graph import Graph
from engine.models.inputs import make_inputs, output_bytes
from engine.models.oracle import Verdict, check_outputs
from engine.models.reader import read_graph
from engine.paths import cache_dir
from engine.pipeline.measure import record_of
from engine.pipeline.prepare import INPUTS, Progress, prepare
from engine.pipeline.settings import ResolvedRun
from engine.records.cause import Evidence
from engine.records.measured import (
    ByLayer,
    DeviceClock,
    MeasuredLayer,
    MeasuredProvenance,
    MeasuredRecord,
    boards_dir,
    percentiles,
    read_measured,
    write_measured,
)
from engine.records.run import PlacementUsed, RunRecord
from engine.targets.board.device import Device
from engine.targets.board.link import BAUD, SerialLink
from engine.targets.board.measure import WARMUPS, Measurement, measure_device
from engine.targets.board.qemu import qemu_machine, qemu_pty, qemu_version
from engine.targets.board.session import Session
from engine.targets.board.spread import explain_spread

QEMU = "qemu:"
"""What stands in for a serial port to have the board's firmware run in QEMU."""

REPEATS = 100
_CLOCK_TOLERANCE = 0.02
_CLOCK_SECONDS = 2.0


def board_firmware(run: ResolvedRun, graph: Graph) -> Firmware:
    """The firmware of a run for its board. Raises UsageError where there is no port or it cannot set the clock, and what ``build`` raises."""
    s = run.settings
    return build(
        graph, model=run.model.name, library=s.kernels, board=run.board, core=run.core, compiler=s.compiler, opt=s.opt,
        lowering=s.lowering, port=board_port(run.board).name, clock_mhz=run.clock_mhz,
    )  # fmt: skip


@contextmanager
def connected(firmware: Firmware, port: Port, where: str, baud: int = BAUD) -> Iterator[Session]:
    """A session with the device on a serial port, or with QEMU for ``qemu:``. Raises ToolError, UsageError, ExecutionError."""
    if where == QEMU:
        machine, serial = qemu_machine(port)
        with qemu_pty(firmware.elf, machine, serial) as pty, _opened(pty, BAUD) as session:
            yield session
        return
    with _opened(where, baud) as session:
        yield session


def refuse_unnamed(where: str, emulated: bool) -> None:
    """A pseudo-terminal may have anything behind it, so it must be said. Raises UsageError."""
    if where != QEMU and not emulated and Path(where).resolve().parent == Path("/dev/pts"):
        raise UsageError(
            f"{where} is a pseudo-terminal, not a board: whatever is behind it, nothing there is measured on silicon",
            hint="add --emulated, and every number will be labelled so",
        )


@contextmanager
def _opened(where: str, baud: int) -> Iterator[Session]:
    link = SerialLink(where, baud)
    try:
        yield Session(Device(link))
    finally:
        link.close()


def measure_on_board(
    run: ResolvedRun,
    where: str,
    *,
    repeats: int = REPEATS,
    baud: int = BAUD,
    emulated: bool = False,
    progress: Progress = lambda _: None,
) -> MeasuredRecord:
    """Measure a run on the device at ``where``; ``emulated`` says that no board is behind it.

    Raises UsageError, ToolError, ExecutionError, what building and simulating raise, and CheckFailedError when the device runs another
    firmware, its output is wrong, or its clock is not the one that was asked for.
    """
    if repeats < 1:
        raise UsageError(f"{repeats} repeats are none", hint=f"ask for 1 or more; {REPEATS} unless given")
    refuse_unnamed(where, emulated)
    port = board_port(run.board)
    graph = read_graph(run.model.path)
    progress("building the firmware")
    firmware = board_firmware(run, graph)
    inputs = make_inputs(graph, count=INPUTS)
    progress(f"connecting to {where}")
    with connected(firmware, port, where, baud) as session:
        if session.own:
            session.verify(firmware)
        found = measure_device(session, stimulus(firmware, inputs), output_bytes(graph), repeats, progress)
    verdict = _verdict(graph, run, inputs, found)
    emulator = _emulator(where, port, emulated)
    _check_clock(run, found, emulator)
    simulation = None
    if session.own:
        progress("simulating the same firmware")
        simulation = record_of(prepare(run, progress, port=port.name), progress)
    return _record(run, found, firmware, inputs, verdict, emulator, simulation)


def measured_path(record_id: str) -> Path:
    """Where a measurement made on this machine is kept."""
    return cache_dir() / "boards" / f"{record_id}.json"


def keep_measured(record: MeasuredRecord, *, update: bool = False) -> Path:
    """Keep a measurement here, and with ``update`` among the committed ones. Raises UsageError for an emulated one there."""
    if update and record.evidence is not Evidence.MEASURED:
        raise UsageError(
            f"{record.id} was not measured on a board ({record.label})", hint="only measurements of silicon are committed: leave out --update"
        )  # fmt: skip
    path = measured_path(record.id)
    write_measured(record, path)
    if update:
        path = boards_dir() / path.name
        write_measured(record, path)
    return path


def find_measured(name: str) -> MeasuredRecord | None:
    """A measurement by file or id, here or among the committed ones; None if that is none."""
    for path in (Path(name), measured_path(name), boards_dir() / f"{name}.json"):
        if path.is_file():
            try:
                return read_measured(path)
            except RecordError:
                if path != Path(name):
                    raise
    return None


def _verdict(graph: Graph, run: ResolvedRun, inputs: tuple[bytes, ...], found: Measurement) -> Verdict:
    if found.outputs is None:
        return Verdict(None, "the device gives no raw output: a firmware that is not ours")
    verdict = check_outputs(graph, run.model.path, inputs, found.outputs)
    if verdict.matches is False:
        raise CheckFailedError(
            f"{run.id}: the device's output differs from the oracle's: {verdict.note}",
            hint="is the flash worn or the clock too fast for the supply? flash it again; else report the model",
        )
    return verdict


def _emulator(where: str, port: Port, emulated: bool) -> str | None:
    if where == QEMU and port.qemu is not None:
        return f"qemu-system-arm {qemu_version()} {port.qemu[0]}"
    return "declared emulated" if emulated else None


def _check_clock(run: ResolvedRun, found: Measurement, emulator: str | None) -> None:
    """On a board the clock must be what was asked for, by its own word and against this machine's. Raises CheckFailedError."""
    facts = found.identity.facts
    if emulator is not None or facts is None:
        return
    if facts.clock_problem is not None:
        raise CheckFailedError(
            f"the board could not set {run.clock_mhz:g} MHz: {facts.clock_problem}; it runs from {facts.clock_source}",
            hint="check the board's clock source (crystal, jumpers, solder bridges), or choose a lower --clock; is it an emulator? --emulated",
        )
    check = found.clock
    if check.seconds >= _CLOCK_SECONDS and abs(check.ratio - 1) > _CLOCK_TOLERANCE:
        raise CheckFailedError(
            f"a second of the board lasts {1 / check.ratio:.3f} s here: its clock is not {run.clock_mhz:g} MHz",
            hint="check the board's clock source; is it an emulator? add --emulated",
        )


def _record(
    run: ResolvedRun,
    found: Measurement,
    firmware: Firmware,
    inputs: tuple[bytes, ...],
    verdict: Verdict,
    emulator: str | None,
    simulation: RunRecord | None,
) -> MeasuredRecord:
    s, facts, ours = run.settings, found.identity.facts, found.warm is not None
    latencies = _latencies(found)
    return MeasuredRecord(
        schema_version=1,
        id=f"{run.id}_{'emulated' if emulator else 'board' if ours else 'plain'}",
        model=run.model.name,
        board=run.board.name,
        core=run.core.name,
        clock_mhz=run.clock_mhz,
        placement=PlacementUsed(**run.board.placement.model_dump()),
        kernels=s.kernels.value if ours else None,
        lowering=s.lowering.value if ours else None,
        compiler=s.compiler.value if ours else None,
        opt=s.opt if ours else None,
        port=firmware.port if ours else None,
        evidence=Evidence.SIMULATED if emulator else Evidence.MEASURED,
        warmups=WARMUPS,
        firmware_verified=ours,
        output_matches_oracle=verdict.matches,
        oracle_note=verdict.note,
        by_layer=_by_layer(found),
        loop_us=round(found.loop.each_us, 3),
        loop_inferences=found.loop.inferences,
        latency_us=percentiles(latencies),
        spread=explain_spread(found, latencies),
        clock=DeviceClock(
            hz=facts.clock_hz if facts else None,
            source=facts.clock_source if facts else "not told",
            problem=facts.clock_problem if facts else None,
            device_per_host=round(found.clock.ratio, 5),
            seconds=round(found.clock.seconds, 1),
        ),
        notes=_notes(found),
        provenance=MeasuredProvenance(
            engine_version=engine.__version__,
            model_sha256=run.model.sha256,
            elf_sha256=firmware.elf_sha256 if ours else None,
            input_sha256=hashlib.sha256(b"".join(inputs)).hexdigest(),
            board_sha256=board_sha256(run.described),
            core_sha256=core_sha256(run.core),
            compiler_version=firmware.compiler.version if ours else None,
            compiler_flags=firmware.compiler.flags if ours else (),
            kernels_version=firmware.kernels.version if ours else None,
            device=found.identity.name,
            profile=found.identity.profile,
            emulator=emulator,
        ),
        simulation=simulation,
    )


def _latencies(found: Measurement) -> tuple[int, ...]:
    """Single warm inferences in whole µs."""
    if found.warm is None or found.identity.facts is None:
        return found.singles_us
    per_us = found.identity.facts.clock_hz / 1e6 if found.warm.counter == "cycles" else 1.0
    return tuple(round(run.total / per_us) for run in found.warm.runs)


def _by_layer(found: Measurement) -> ByLayer | None:
    if found.warm is None or found.cold is None:
        return None
    return ByLayer(
        counter="cycles" if found.warm.counter == "cycles" else "us",
        marker=found.warm.marker,
        cold=percentiles([run.total for run in found.cold.runs]),
        warm=percentiles([run.total for run in found.warm.runs]),
        layers=tuple(
            MeasuredLayer(
                index=i,
                name=name,
                cold=percentiles([run.layers[i] for run in found.cold.runs]),
                warm=percentiles([run.layers[i] for run in found.warm.runs]),
            )
            for i, name in enumerate(found.warm.names)
        ),
    )


def _notes(found: Measurement) -> tuple[str, ...]:
    notes = []
    if found.warm is None:
        notes.append(
            "a firmware that speaks the plain MLPerf Tiny protocol: whole inferences only, no cold one, nothing checked on the device"
        )
    elif found.warm.counter == "us":
        notes.append(
            "no cycle counter runs on this device: microseconds of its timer stand in, which resolve short layers poorly"
        )
    if found.retries or found.restarts:
        notes.append(
            f"{found.retries} answers were asked for again, {found.restarts} unexpected restarts of the device"
        )
    return tuple(notes)
