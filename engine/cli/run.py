"""``whycycles run``: one model on one board."""

from __future__ import annotations

import click

from engine.cli.shell import console, json_option, print_json, progress_console
from engine.firmware.types import CompilerName, KernelLibrary, Lowering
from engine.pipeline.settings import OPTS, RunSettings, parse_place, parse_set, resolve


@click.command()
@click.argument("model")
@click.option("--board", "-b", required=True, help="Board name, or a path to a board TOML.")
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
    "--target", type=click.Choice(["auto", "unicorn"]), default="auto", show_default=True, help="Where to run."
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
@click.option("--fresh", is_flag=True, help="Measure again even if nothing changed.")
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
    fresh: bool,
    as_json: bool,
) -> None:
    """Run MODEL on a board, check its output and explain its cycles.

    MODEL is a zoo name (kws, ic), a reference name (mlperf-tiny/kws …) or a path to a .tflite. The record is kept, so
    `whycycles explain` and `whycycles site build` find it.
    """
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

    settings = RunSettings(
        model=model,
        board=board,
        kernels=KernelLibrary(kernels),
        compiler=CompilerName(compiler),
        opt=opt,
        clock_mhz=clock_mhz,
        place=tuple(parse_place(p) for p in place),
        lowering=Lowering(lowering),
        set=tuple(parse_set(text) for text in overrides),
    )
    resolved = resolve(settings)
    record = None if fresh else kept(resolved)
    if record is None:
        with progress_console().status(resolved.id) as status:
            record = make(resolved, lambda step: status.update(f"{resolved.id}: {step}"), again=fresh)
    if as_json:
        print_json(with_energy(record, resolved.board))
        return
    out = console()
    measured = known_ceilings(resolved.described, resolved.core, resolved.clock_mhz)
    explanation = explain_run(record, Hardware(resolved.board, resolved.core, measured=measured))
    explanation = with_remedies(explanation, record, fresh_analysis(resolved), resolved.board)
    render(with_energy_card(explanation, record, resolved.board), record, out)
    out.print(f"record: {runs_dir() / record.id / 'record.json'}", style="dim", soft_wrap=True)
