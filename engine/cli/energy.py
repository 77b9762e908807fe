"""``whycycles energy``: joules from power traces."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import click

from engine.cli.energy_model import fit, predict
from engine.cli.energy_use import battery, check, sweep
from engine.cli.shell import FINITE, Finite, console, json_option, print_json, progress_console

_LOOK_S = 0.1
"""How often a meter is asked whether it is still there."""


@click.group()
def energy() -> None:
    """Energy per inference and per layer."""


@energy.command("import")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--run", "run_name", required=True, help="The run that was measured: a record file or a run id.")
@click.option("--time", "time_column", metavar="COLUMN[:UNIT]", help="Column of times; units s, ms, us, ns.")
@click.option("--power", metavar="COLUMN[:UNIT]", help="Column of power; units W, mW, uW, nW.")
@click.option("--current", metavar="COLUMN[:UNIT]", help="Column of current; units A, mA, uA, nA.")
@click.option("--shunt", metavar="COLUMN[:UNIT]", help="Column of the drop over a shunt; units V, mV, uV.")
@click.option("--shunt-ohm", type=FINITE, metavar="OHM", help="The shunt's resistance.")
@click.option("--voltage", metavar="COLUMN[:UNIT]", help="Column of the supply's voltage.")
@click.option("--supply-v", type=FINITE, metavar="V", help="The supply's voltage, where no column holds it.")
@click.option("--gate", metavar="COLUMN", help="Column that is high during inferences.")
@click.option(
    "--gate-level", type=FINITE, metavar="LEVEL", default=0.5, show_default=True, help="From where on the gate is high."
)
@click.option(
    "--saturated-at", type=FINITE, metavar="VALUE", help="End of the instrument's range, in A, V (shunt) or W."
)
@click.option(
    "--marker", "markers", multiple=True, metavar="BEGIN,END", help="Seconds at which inferences begin and end."
)
@click.option(
    "--jitter-ms", type=Finite(0, 1e6), default=0.0, show_default=True, help="How far a marker's times may be off."
)
@click.option(
    "--inferences",
    type=click.IntRange(1, 1_000_000_000),
    default=1,
    show_default=True,
    help="Inferences between two edges.",
)
@json_option
def import_(
    trace: Path,
    run_name: str,
    time_column: str | None,
    power: str | None,
    current: str | None,
    shunt: str | None,
    shunt_ohm: float | None,
    voltage: str | None,
    supply_v: float | None,
    gate: str | None,
    gate_level: float,
    saturated_at: float | None,
    markers: tuple[str, ...],
    jitter_ms: float,
    inferences: int,
    as_json: bool,
) -> None:
    """Lay a power TRACE over a run: energy per inference and per layer.

    TRACE is CSV or Parquet of any instrument, with its columns named, or a .npz that `energy record` or `run --meter` wrote. Energy and trace
    are kept beside the run's record, or in it if a board was measured.
    """
    from engine.energy.measured import measured_energy, timeline_of
    from engine.energy.meters.table_file import TableFormat, parse_column, read_table
    from engine.energy.trace import read_trace
    from engine.energy.windows import windows_of_gate, windows_of_markers
    from engine.errors import UsageError
    from engine.explain.measured_energy import render_measured_energy
    from engine.pipeline.board_store import find_measured, keep_measured
    from engine.pipeline.local import find_record, save_energy
    from engine.records.measured import MeasuredRecord

    record = find_measured(run_name) or find_record(run_name)
    if trace.suffix == ".npz":
        samples = read_trace(trace)
    else:
        if time_column is None:
            raise UsageError("--time is missing", hint="name the column of times, like --time t:ms")
        samples = read_table(
            trace,
            TableFormat(
                time=parse_column(time_column, "s"),
                power=parse_column(power, "W") if power else None,
                current=parse_column(current, "A") if current else None,
                shunt=parse_column(shunt, "V") if shunt else None,
                shunt_ohm=shunt_ohm,
                voltage=parse_column(voltage, "V") if voltage else None,
                supply_v=supply_v,
                gate=gate,
                gate_level=gate_level,
                saturated_at=saturated_at,
            ),
        )
    windows = (
        windows_of_markers([_marker(m) for m in markers], jitter_ms / 1e3, inferences)
        if markers
        else windows_of_gate(samples, inferences)
    )
    found = measured_energy(record, timeline_of(record), samples, windows)
    if isinstance(record, MeasuredRecord):
        path = keep_measured(record.model_copy(update={"energy": found}), trace=samples)
    else:
        path = save_energy(record, found, samples)
    if as_json:
        print_json(found)
        return
    render_measured_energy(found, console())
    console().print(f"record: {path}", style="dim", soft_wrap=True)


@energy.command("record")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--meter", required=True, metavar="NAME:KEY=VALUE,…", help="ina226, ppk2 or joulescope, with its settings."
)
@click.option("--seconds", type=Finite(0.01, 86_400), default=5.0, show_default=True, help="How long.")
def record_(out: Path, meter: str, seconds: float) -> None:
    """Sample a power meter for some seconds and store the trace as OUT (.npz).

    A meter that goes away ends it at once: what was sampled until then is kept, and the exit code is 1.
    """
    from engine.energy.meters.choose import parse_meter
    from engine.energy.meters.meter import sample
    from engine.energy.trace import quality_of, write_trace
    from engine.errors import BadInputError, ExecutionError, UsageError

    if out.suffix != ".npz":
        raise UsageError(f"{out} is no name for a trace", hint="end it in .npz")
    device = parse_meter(meter)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"{out.parent} cannot be written to", hint="name a file in a folder of yours")

    def wait() -> KeyboardInterrupt | None:
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0 and not device.failed:
                time.sleep(min(left, _LOOK_S))
        except KeyboardInterrupt as error:  # what was sampled until then is kept
            return error
        return None

    with progress_console().status(f"{device.name}: sampling for {seconds:g} s"):
        ended: BaseException | None
        try:
            ended, samples = sample(device, wait)
        except ExecutionError as error:
            ended = error
            try:
                samples = device.trace()
            except BadInputError:
                raise error from None
    write_trace(samples, out)
    quality = quality_of(samples)
    shell = console()
    shell.print(f"{out}: {len(samples.time_s):,} samples at {quality.rate_hz:,.0f} Hz from {device.name}")
    for complaint in quality.complaints:
        shell.print(f"note: {complaint}")
    if ended is not None:
        raise ended


def _marker(text: str) -> tuple[float, float]:
    from engine.errors import UsageError

    try:
        begin, end = map(float, text.split(","))
        if not (math.isfinite(begin) and math.isfinite(end)):
            raise ValueError(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is no marker", hint="write BEGIN,END in seconds of the trace, like 0.25,0.31"
        ) from None
    return begin, end


for _command in (fit, predict, sweep, battery, check):
    energy.add_command(_command)
