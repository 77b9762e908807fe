"""One measurement on a board, from the firmware to the record, with the simulation of the same ELF beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.energy.measured import measured_energy, timeline_of
from engine.energy.meters.meter import Meter
from engine.energy.trace import PowerTrace
from engine.errors import UsageError, WhycyclesError
from engine.firmware.build import build
from engine.firmware.ports import Port, board_port
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Firmware
from engine.models.graph import Graph
from engine.models.inputs import make_inputs, output_bytes
from engine.models.reader import read_graph
from engine.pipeline.board_energy import Metered, meter_inferences, try_meter
from engine.pipeline.board_live import Tell, simulated_layers, so_far
from engine.pipeline.board_record import measured_record
from engine.pipeline.board_verdict import check_clock, output_verdict
from engine.pipeline.measure import record_of
from engine.pipeline.prepare import INPUTS, Progress, prepare
from engine.pipeline.settings import ResolvedRun, overrides_of
from engine.records.measured import MeasuredRecord
from engine.records.run_energy import NoEnergy
from engine.targets.board.device import Device
from engine.targets.board.link import BAUD, SerialLink
from engine.targets.board.measure import measure_device
from engine.targets.board.qemu import qemu_machine, qemu_pty, qemu_version
from engine.targets.board.session import Session

QEMU = "qemu:"
"""What stands in for a serial port to have the board's firmware run in QEMU."""

REPEATS = 100


@dataclass(frozen=True, eq=False)
class BoardRun:
    """A finished measurement; with a power meter, its trace, or why there is no energy (the record says so too)."""

    record: MeasuredRecord
    trace: PowerTrace | None = None
    failure: WhycyclesError | None = None


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
    meter: Meter | None = None,
    tell: Tell = lambda _: None,
) -> BoardRun:
    """Measure a run on the device at ``where``; ``emulated`` says that no board is behind it. ``tell`` hears of layers meanwhile.

    With a ``meter``, power is measured once time is. What goes wrong then takes the energy, not the measurement.

    Raises UsageError, ToolError, ExecutionError (a meter that cannot be used at the start included), what building and simulating raise, and
    CheckFailedError when the device runs another firmware, its output is wrong, or its clock is not the one that was asked for.
    """
    if repeats < 1:
        raise UsageError(f"{repeats} repeats are none", hint=f"ask for 1 or more; {REPEATS} unless given")
    refuse_overrides(run, where)
    refuse_unnamed(where, emulated)
    port = board_port(run.board)
    graph = read_graph(run.model.path)
    progress("building the firmware")
    firmware = board_firmware(run, graph)
    inputs = make_inputs(graph, count=INPUTS)
    emulator = _emulator(where, port, emulated)
    if meter is not None:
        # before the board is looked for: some meters supply it
        progress(f"trying {meter.name}")
        reach = try_meter(meter)
    progress(f"connecting to {where}")
    with connected(firmware, port, where, baud) as session:
        simulation = None
        if session.own:
            session.verify(firmware)
            progress("simulating the same firmware")
            simulation = record_of(prepare(run, progress, port=port.name), progress)
            tell(simulated_layers(simulation, run))
        found = measure_device(
            session, stimulus(firmware, inputs), output_bytes(graph), repeats, progress, lambda runs: tell(so_far(runs, repeats))
        )  # fmt: skip
        verdict = output_verdict(graph, run, inputs, found)
        check_clock(run, found, emulator)
        done = BoardRun(measured_record(run, found, firmware, inputs, verdict, emulator, simulation))
        if meter is None:
            return done
        try:
            return _with_energy(done, meter_inferences(session, meter, reach, found, port.marker, progress))
        except WhycyclesError as error:
            return replace(done, record=done.record.model_copy(update={"energy": NoEnergy(reason=error.message)}), failure=error)  # fmt: skip


def _with_energy(done: BoardRun, metered: Metered) -> BoardRun:
    record = done.record
    try:
        energy = measured_energy(record, timeline_of(record), metered.trace, metered.windows, metered.busy)
    except WhycyclesError as error:
        # the trace is kept: it may be looked at
        return BoardRun(record.model_copy(update={"energy": NoEnergy(reason=error.message)}), metered.trace, error)
    return BoardRun(record.model_copy(update={"energy": energy}), metered.trace)


def refuse_overrides(run: ResolvedRun, where: str) -> None:
    """A board is what it is. Raises UsageError for a run with ``--set``."""
    if run.settings.set:
        keys = ", ".join(str(o) for o in overrides_of(run.settings))
        raise UsageError(
            f"--set {keys} describes other hardware than the board at {where}: it would go into that board's firmware "
            "and into the simulation beside its measurement",
            hint="leave out --set to measure the board, or --port to simulate the other hardware",
        )


def _emulator(where: str, port: Port, emulated: bool) -> str | None:
    if where == QEMU and port.qemu is not None:
        return f"qemu-system-arm {qemu_version()} {port.qemu[0]}"
    return "declared emulated" if emulated else None
