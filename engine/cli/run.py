"""``whycycles run``: one model on one board."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.board import measure, resolved
from engine.cli.live import run_live
from engine.cli.other_targets import WITH_PORT, refuse_options
from engine.cli.run_host import run_host, wants_host
from engine.cli.run_npu import run_npu, wants_npu
from engine.cli.shell import console, json_option, print_json, progress_console
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.pipeline.settings import OPTS
from engine.targets.choose import AUTO, NAMES


@click.command()
@click.argument("model")
@click.option("--board", "-b", required=True, help="Board or NPU by name, or a path to its TOML; host is this machine.")
@click.option(
    "--kernels",
    type=click.Choice([k.value for k in KernelLibrary]),
    default=KernelLibrary.CMSIS_NN.value,
    show_default=True,
    help="Kernel library.",
)
@click.option(
    "--compiler",
    type=click.Choice([c.value for c in CompilerName]),
    default=CompilerName.CLANG.value,
    show_default=True,
    help="clang comes with pip; gcc is arm-none-eabi-gcc on the PATH.",
)
@click.option("--opt", type=click.Choice(OPTS), default="O2", show_default=True, help="Optimisation level.")
@click.option(
    "--lowering",
    type=click.Choice([x.value for x in Lowering]),
    default=Lowering.TFLM.value,
    show_default=True,
    help="Whose choice of kernels to follow: TensorFlow Lite Micro's, or microTVM's (cmsis-nn only).",
)
@click.option("--clock", "clock_mhz", type=float, metavar="MHZ", help="Core clock; the board's default if absent.")
@click.option(
    "--target",
    type=click.Choice([AUTO, *NAMES, "npu", "host"]),
    default=AUTO,
    show_default=True,
    help="What executes it; for a board, auto is unicorn, or qemu if unicorn lacks the core. Renode, where installed, counts each run again.",
)
@click.option(
    "--place", multiple=True, metavar="PART=MEMORY", help="Place code, weights, activations or stack elsewhere."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a figure of the board or core, like flash.wait_states=3 or core.latency.load=3.",
)
@click.option("--host-board", metavar="B", help="Of an NPU: the board whose core runs what the NPU cannot.")
@click.option(
    "--flamegraph",
    type=click.Path(path_type=Path, dir_okay=False),
    help="On the board host: also sample LiteRT with py-spy, and draw it (SVG).",
)
@click.option("--fresh", is_flag=True, help="Measure again even if nothing changed.")
@click.option(
    "--live", is_flag=True, help="Show each layer's cycles, class and advice while it runs; with --json, as JSON lines."
)
@click.option(
    "--port", metavar="PORT", help="Measure on the board at this serial port (qemu: for its firmware in QEMU)."
)
@click.option(
    "--repeats", type=click.IntRange(1, 100_000), default=100, show_default=True, help="With --port: warm inferences."
)
@click.option(
    "--baud", type=click.IntRange(300, 4_000_000), default=115200, show_default=True, help="With --port: baud rate."
)
@click.option("--emulated", is_flag=True, help="With --port: say that no board is behind it.")
@click.option(
    "--meter",
    metavar="NAME:KEY=VALUE,…",
    help="With --port: measure energy too, with ina226, ppk2 or joulescope, as in `energy record`.",
)
@click.option("--update", is_flag=True, help="With --port: write the record to measurements/boards/ too.")
@json_option
def run(
    model: str,
    board: str,
    kernels: str,
    compiler: str,
    opt: str,
    lowering: str,
    clock_mhz: float | None,
    target: str,
    place: tuple[str, ...],
    overrides: tuple[str, ...],
    host_board: str | None,
    flamegraph: Path | None,
    fresh: bool,
    live: bool,
    port: str | None,
    repeats: int,
    baud: int,
    emulated: bool,
    meter: str | None,
    update: bool,
    as_json: bool,
) -> None:
    """Run MODEL on a board, check its output and explain its cycles; on an NPU, explain its
    vendor's estimate; on the board host, time and count it on this machine.

    MODEL is a zoo name (kws, ic), a reference name (mlperf-tiny/kws …) or a path to a .tflite. The record is kept, so
    `whycycles explain` and `whycycles site build` find it.
    """
    context = click.get_current_context()
    if wants_npu(board, target, host_board):
        refuse_options(
            context,
            ("live", "port", *WITH_PORT),
            "on an NPU",
            "its vendor's estimate runs nothing; leave the option out",
        )
        run_npu(context, model, board, overrides, host_board, fresh=fresh, as_json=as_json)
        return
    if wants_host(board, target, flamegraph):
        refuse_options(
            context,
            ("live", "port", *WITH_PORT),
            "on this machine",
            "LiteRT times its operators together; leave the option out",
        )
        run_host(context, model, opt, flamegraph, as_json=as_json)
        return
    # the rooms behind a run load an emulator and a compiler: only when one is wanted
    from engine.energy.attribute import with_energy
    from engine.explain.energy_card import with_energy_card
    from engine.explain.explain import explain_run
    from engine.explain.hardware import Hardware
    from engine.explain.remedies import with_remedies
    from engine.explain.terminal import render
    from engine.pipeline.ceilings import known_ceilings
    from engine.pipeline.keep import kept, make
    from engine.pipeline.local import fresh_analysis, runs_dir

    wanted = resolved(model, board, kernels, compiler, opt, lowering, clock_mhz, place, overrides, target)
    if port is not None:
        measure(
            wanted, port, repeats=repeats, baud=baud, emulated=emulated, update=update, meter=meter, live=live, as_json=as_json
        )  # fmt: skip
        return
    refuse_options(context, WITH_PORT, "without --port", "it says how a board is measured: name the port it is at")
    if live:
        record = run_live(wanted, fresh=fresh, as_json=as_json)
        if as_json:
            return
    else:
        found = None if fresh else kept(wanted)
        if found is None:
            with progress_console().status(wanted.id) as status:
                found = make(wanted, lambda step: status.update(f"{wanted.id}: {step}"), again=fresh)
        record = found
        if as_json:
            print_json(with_energy(record, wanted.board))
            return
    out = console()
    measured = known_ceilings(wanted.described, wanted.core, wanted.clock_mhz)
    explanation = explain_run(record, Hardware(wanted.board, wanted.core, measured=measured))
    explanation = with_remedies(explanation, record, fresh_analysis(wanted), wanted.board)
    explanation = with_energy_card(explanation, record, wanted.board)
    # the live table was the layers'
    render(explanation.model_copy(update={"layers": ()}) if live else explanation, record, out)
    out.print(f"record: {runs_dir() / record.id / 'record.json'}", style="dim", soft_wrap=True)
