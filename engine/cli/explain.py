"""``whycycles explain``: the card of a run, in the terminal."""

from __future__ import annotations

import click

from engine.cli.shell import console, json_option, print_json, progress_console
from engine.records.host import HostRecord
from engine.records.run import RunRecord


@click.command()
@click.argument("record")
@click.option("--layer", type=int, metavar="N", help="Explain one layer in full.")
@click.option(
    "--blocks", type=click.IntRange(1, 50), metavar="K", help="With --layer: its K hottest basic blocks, disassembled."
)
@click.option(
    "--mca", is_flag=True, help="The ten hottest basic blocks of the run, with llvm-mca's cycles beside ours."
)
@json_option
def explain(record: str, layer: int | None, blocks: int | None, mca: bool, as_json: bool) -> None:
    """Say why a run takes the cycles it takes. RECORD is a record file or a run id."""
    from engine.errors import UsageError
    from engine.explain.energy_card import with_energy_card
    from engine.explain.explain import explain_run
    from engine.explain.host_terminal import render_host
    from engine.explain.measured import explain_measured, render_measured
    from engine.explain.npu_terminal import render_npu
    from engine.explain.remedies import with_remedies
    from engine.explain.terminal import render, render_layer
    from engine.pipeline.board_store import find_measured
    from engine.pipeline.host import find_host_record
    from engine.pipeline.local import find_record
    from engine.pipeline.npu_keep import find_npu_record
    from engine.pipeline.rerun import analysis_for, hardware_for

    if blocks is not None and layer is None:
        raise UsageError("--blocks needs a layer", hint="add --layer N")
    if mca and layer is not None:
        raise UsageError("--mca is about the whole run", hint="leave out --layer and --blocks")
    measured = find_measured(record)
    if measured is not None:
        if layer is not None or blocks is not None or mca:
            raise UsageError(
                f"{record} is a measurement: it has layers, but no blocks", hint="leave out --layer, --blocks and --mca"
            )
        explained = explain_measured(measured)
        if as_json:
            print_json(explained)
        else:
            render_measured(explained, measured, console())
        return
    other = find_npu_record(record) or find_host_record(record)
    if other is not None:
        if layer is not None or mca:
            raise UsageError(
                f"{other.id} has no blocks behind it: it is no run on a board", hint="leave the options out"
            )
        if as_json:
            print_json(other)
        elif isinstance(other, HostRecord):
            render_host(other, console())
        else:
            render_npu(other, console())
        return
    found = find_record(record)
    if mca:
        _print_mca(found, as_json)
        return
    hardware = hardware_for(found)
    explanation = with_remedies(explain_run(found, hardware), found, analysis_for(found), hardware.board)
    explanation = with_energy_card(explanation, found, hardware.board)
    # by index: float conversions come first and last but have the highest indices
    by_index = {x.index: x for x in explanation.layers}
    if layer is not None and layer not in by_index:
        raise UsageError(f"run {found.id} has no layer {layer}", hint=f"layers are 0 to {len(found.layers) - 1}")
    if layer is not None and blocks is not None:
        _print_blocks(found, layer, blocks, as_json)
    elif as_json:
        print_json(explanation if layer is None else by_index[layer])
    elif layer is None:
        render(explanation, found, console())
    else:
        render_layer(by_index[layer], found, console())


def _print_blocks(found: RunRecord, layer: int, count: int, as_json: bool) -> None:
    from engine.pipeline.prepare import prepare
    from engine.pipeline.rerun import settings_of
    from engine.pipeline.rethink import hot_spots
    from engine.words import name_title, share_text

    with progress_console().status(f"{found.id}: hottest blocks"):
        made = prepare(settings_of(found))
        position = next(n for n, x in enumerate(made.firmware.layers) if x.index == layer)
        spots = hot_spots(made, count)[position]
    if as_json:
        print_json(spots)
        return
    out = console()
    out.print(
        f"{name_title(spots.name)}: {spots.cycles:,} cycles, {spots.pipeline_cycles:,.0f} of them in {spots.blocks_executed} "
        f"basic blocks; those below hold {share_text(spots.share_shown, 0)} of them (simulated)"
    )
    for b in spots.blocks:
        causes = ", ".join(f"{c.label} {c.cycles:g}" for c in b.per_iteration if c.cycles)
        out.print()
        out.print(f"0x{b.address:08x} {b.function}+0x{b.offset:x}  {b.source}")
        out.print(
            f"{b.count:,} times, {b.cycles_per_iteration:g} cycles each ({causes}), {share_text(b.share)} of the pipeline cycles"
        )
        for i in b.disassembly:
            out.print(f"  {i.cycles:6g}  0x{i.address:08x}  {i.text}", soft_wrap=True)


def _print_mca(found: RunRecord, as_json: bool) -> None:
    from engine.explain.second_opinion_text import render_opinion
    from engine.pipeline.prepare import prepare
    from engine.pipeline.rerun import settings_of
    from engine.pipeline.rethink import ask_llvm

    with progress_console().status(f"{found.id}: hottest blocks"):
        opinion = ask_llvm(prepare(settings_of(found)))
    if as_json:
        print_json(opinion)
    else:
        render_opinion(opinion, console())
