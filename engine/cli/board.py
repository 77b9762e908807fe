"""``whycycles build`` and ``whycycles mlperf``, and the part of ``whycycles run`` that talks to a board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.shell import Finite, console, json_option, print_json, progress_console
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.targets.choose import AUTO

if TYPE_CHECKING:
    from engine.pipeline.board import BoardRun
    from engine.pipeline.board_live import Tell
    from engine.pipeline.mlperf import MlperfSession
    from engine.pipeline.settings import ResolvedRun

_F = Callable[..., Any]


def firmware_options(command: _F) -> _F:
    """The options that decide which firmware is built, beside MODEL."""
    for option in reversed((
        click.option("--board", "-b", required=True, help="Board name, or a path to a board TOML; it names its port."),
        click.option("--kernels", type=click.Choice([k.value for k in KernelLibrary]), default=KernelLibrary.CMSIS_NN.value, show_default=True, help="Kernel library."),
        click.option("--compiler", type=click.Choice([c.value for c in CompilerName]), default=CompilerName.CLANG.value, show_default=True, help="clang comes with pip; gcc is arm-none-eabi-gcc on the PATH."),
        click.option("--opt", default="O2", show_default=True, help="Optimisation level."),
        click.option("--lowering", type=click.Choice([x.value for x in Lowering]), default=Lowering.TFLM.value, show_default=True, help="Whose choice of kernels to follow."),
        click.option("--clock", "clock_mhz", type=float, metavar="MHZ", help="Core clock; the board's default if absent."),
        click.option("--place", multiple=True, metavar="PART=MEMORY", help="Place code, weights, activations or stack elsewhere."),
    )):  # fmt: skip
        command = option(command)
    return command


def resolved(
    model: str, board: str, kernels: str, compiler: str, opt: str, lowering: str, clock_mhz: float | None, place: tuple[str, ...],
    overrides: tuple[str, ...] = (), target: str = AUTO,
) -> ResolvedRun:  # fmt: skip
    """The run that these options describe. Raises what ``resolve`` raises."""
    from engine.pipeline.settings import RunSettings, parse_place, parse_set, resolve

    return resolve(
        RunSettings(
            model=model,
            board=board,
            kernels=KernelLibrary(kernels),
            compiler=CompilerName(compiler),
            opt=opt,
            clock_mhz=clock_mhz,
            place=tuple(parse_place(p) for p in place),
            lowering=Lowering(lowering),
            set=tuple(parse_set(text) for text in overrides),
            target=target,
        )
    )


def measure(
    run: ResolvedRun,
    port: str,
    *,
    repeats: int,
    baud: int,
    emulated: bool,
    update: bool,
    meter: str | None,
    live: bool,
    as_json: bool,
) -> None:
    """Measure a run on the device at a serial port, with ``live`` shown meanwhile, keep the record and show it.

    A power meter that failed is told last, when time was kept and shown.
    """
    from engine.cli.board_live import live_view
    from engine.energy.meters.choose import parse_meter
    from engine.errors import UsageError
    from engine.explain.measured import explain_measured, render_measured
    from engine.pipeline.board import QEMU, measure_on_board
    from engine.pipeline.board_store import keep_measured, trace_path

    if update and (emulated or port == QEMU):
        raise UsageError("nothing emulated is committed among the boards' measurements", hint="leave out --update")
    device = parse_meter(meter) if meter is not None else None

    def measured(progress: Callable[[str], None], tell: Tell = lambda _: None) -> BoardRun:
        return measure_on_board(
            run, port, repeats=repeats, baud=baud, emulated=emulated, progress=progress, meter=device, tell=tell
        )

    view = live_view(run, emulated=emulated or port == QEMU, as_json=as_json) if live else None
    if view is not None:
        with view.open():
            done = measured(view.progress, view.tell)
    else:
        with progress_console().status(run.id) as status:
            done = measured(lambda step: status.update(f"{run.id}: {step}"))
    path = keep_measured(done.record, update=update, trace=done.trace)
    if view is not None:
        view.close(done.record)
    if not as_json:
        out = console()
        render_measured(explain_measured(done.record), done.record, out)
        out.print(f"record: {path}", style="dim", soft_wrap=True)
        if done.trace is not None:
            out.print(f"power trace: {trace_path(done.record.id)}", style="dim", soft_wrap=True)
    elif view is None:
        print_json(done.record)
    if done.failure is not None:
        raise done.failure


@click.command()
@click.argument("model")
@firmware_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files [default: firmware-MODEL-BOARD].",
)
@click.option("--flash", is_flag=True, help="Write it to the board with pyOCD.")
@json_option
def build(model: str, out: Path | None, flash: bool, as_json: bool, **options: Any) -> None:
    """Build the firmware of MODEL for a board: ELF, BIN (and UF2), and how to flash them."""
    from engine.pipeline.flashing import flash_with_pyocd, write_images

    run = resolved(model, **options)
    with progress_console().status(f"building {run.id}"):
        images = write_images(run, out)
    if flash:
        flash_with_pyocd(images, run.board)
    if as_json:
        click.echo(json.dumps({
            "elf": str(images.elf), "bin": str(images.bin), "uf2": str(images.uf2) if images.uf2 else None,
            "elf_sha256": images.elf_sha256, "flash_bytes": images.flash_bytes, "ram_bytes": images.ram_bytes,
            "uart": images.port.uart, "marker_pin": images.port.marker, "flashed": flash,
            "commands": [{"tool": c.tool, "command": c.command} for c in images.commands],
        }, indent=1))  # fmt: skip
        return
    shown = console()
    for path in (images.elf, images.bin, images.uf2):
        if path is not None:
            shown.print(str(path), soft_wrap=True)
    shown.print(f"{images.flash_bytes:,} bytes of flash, {images.ram_bytes:,} of RAM", style="dim")
    shown.print(f"serial port: {images.port.uart}; marker pin: {images.port.marker}", style="dim")
    if flash:
        shown.print("flashed")
    else:
        shown.print("to flash it, one of:")
        for c in images.commands:
            shown.print(f"  {c.command}", soft_wrap=True)
    shown.print(f"then: whycycles run {model} --board {options['board']} --port /dev/ttyACM0", soft_wrap=True)


@click.command()
@click.argument("model")
@firmware_options
@click.option("--port", "where", required=True, metavar="PORT", help="Serial port, or qemu: for the firmware in QEMU.")
@click.option("--baud", type=click.IntRange(300, 4_000_000), default=115200, show_default=True, help="Baud rate.")
@click.option(
    "--mode",
    type=click.Choice(["accuracy", "performance"]),
    default="performance",
    show_default=True,
    help="Which session.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Accuracy: folder of .bin inputs with a labels CSV (y_labels.csv).",
)
@click.option(
    "--inputs",
    "count",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Accuracy without --data: generated inputs.",
)
@click.option(
    "--seconds",
    type=Finite(0.1, 600),
    default=10.0,
    show_default=True,
    help="Performance: least length of a window.",
)
@click.option("--emulated", is_flag=True, help="Say that no board is behind the port.")
@json_option
def mlperf(model: str, where: str, baud: int, mode: str, data: Path | None, count: int, seconds: float, emulated: bool, as_json: bool, **options: Any) -> None:  # fmt: skip
    """Run an MLPerf Tiny session against any firmware that speaks its protocol.

    Performance: five inputs, each in a window of at least --seconds; the median throughput. Accuracy: top-1 (AUC for anomaly detection)
    against the labels of --data, or agreement with the oracle on generated inputs. Not an official result.
    """
    from engine.pipeline.mlperf import accuracy_session, performance_session

    run = resolved(model, **options)
    with progress_console().status(f"{run.model.name} over {where}") as status:

        def progress(step: str) -> None:
            status.update(f"{run.model.name} over {where}: {step}")

        session = (
            performance_session(run, where, baud=baud, seconds=seconds, emulated=emulated, progress=progress)
            if mode == "performance"
            else accuracy_session(run, where, baud=baud, data=data, count=count, emulated=emulated, progress=progress)
        )
    if as_json:
        print_json(session)
    else:
        _show_session(session)


def _show_session(session: MlperfSession) -> None:
    out = console()
    out.print(f"{session.device}, {session.model or 'no model named'} ({session.profile})")
    for w in session.windows:
        out.print(f"  {w.inferences} inferences in {w.seconds:.3f} s: {w.per_second:.3f} per second")
    if session.per_second is not None:
        out.print(
            f"median {session.per_second:.3f} inferences per second, {session.latency_ms:.3f} ms each ({session.label})"
        )
    if session.score is not None:
        out.print(f"{session.score_is}: {session.score:.4f} over {session.inputs} inputs ({session.label})")
    if session.largest_difference is not None:
        out.print(f"largest difference of a result: {session.largest_difference:g}")
    for note in session.notes:
        out.print(f"Note: {note}.", style="dim", soft_wrap=True)
