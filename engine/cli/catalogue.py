"""``whycycles models`` and ``whycycles boards``: the catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.table import Table

from engine.catalog.board import Board
from engine.catalog.npu import Npu
from engine.cli.shell import Shell, console, json_option, print_json
from engine.errors import ModelError
from engine.firmware.types import KernelLibrary
from engine.models.graph import Graph


@click.group(cls=Shell, invoke_without_command=True)
@click.option("--npus", "only_npus", is_flag=True, help="List the NPUs alone.")
@json_option
@click.pass_context
def boards(context: click.Context, only_npus: bool, as_json: bool) -> None:
    """List the boards, and the NPUs below them (`boards show NAME` for one). JSON holds the boards, with --npus the NPUs."""
    if context.invoked_subcommand is not None:
        return
    from engine.catalog.load import list_boards
    from engine.catalog.npu import list_npus

    if as_json:
        print_json(list_npus() if only_npus else list_boards())
        return
    out = console()
    if not only_npus:
        out.print(_boards_table(list_boards()))
        out.print()
    out.print(_npus_table(list_npus()))
    out.print("NPUs are estimated by their vendor's compiler, Vela, and comparable only within one configuration.")


def _boards_table(found: Sequence[Board]) -> Table:
    from engine.records.measured import silicon_status

    table = Table("name", "core", "MCU", "clock MHz", "flash KB", "RAM KB", "silicon", box=None, pad_edge=False)
    for b in found:
        flash = sum(m.bytes for m in b.memories if m.kind == "flash") // 1024
        ram = sum(m.bytes for m in b.memories if m.kind != "flash") // 1024
        table.add_row(b.name, b.core, b.mcu, f"{b.default_clock_mhz:g}", str(flash), str(ram), silicon_status(b.name))
    return _whole(table, 0, 1, 2, 6)


def _npus_table(found: Sequence[Npu]) -> Table:
    table = Table("NPU", "MACs per cycle", "clock MHz", "system configuration", "memory mode", box=None, pad_edge=False)
    for n in found:
        macs, clock = f"{n.macs_per_cycle.value:g}", f"{n.clock_mhz.value:g}"
        table.add_row(n.name, macs, clock, n.system_config, n.memory_mode)
    return _whole(table, 0, 3, 4)


def _whole(table: Table, *columns: int) -> Table:
    """Names are typed, so none may be cut on a terminal of 80 columns: the heads of the other columns, numbers, wrap instead."""
    for i, column in enumerate(table.columns):
        column.no_wrap = i in columns
        column.justify = "left" if i in columns else "right"
    return table


@boards.command("show")
@click.argument("name")
@json_option
def show_board(name: str, as_json: bool) -> None:
    """Show one board: memories, placement, flash interface, what accesses wait for, and the source of every figure. Or one NPU."""
    from engine.catalog.load import load_board
    from engine.catalog.npu import is_npu, load_npu
    from engine.cli.board_view import print_board

    if is_npu(name):
        _show_npu(load_npu(name), as_json)
        return
    b = load_board(name)
    if as_json:
        print_json(b)
        return
    print_board(b, console())


def _show_npu(npu: Npu, as_json: bool) -> None:
    if as_json:
        print_json(npu)
        return
    out = console()
    out.print(f"{npu.title} ({npu.vendor}), Vela's {npu.accelerator}")
    for what, value, source in (
        ("MACs per cycle", f"{npu.macs_per_cycle.value:g}", npu.macs_per_cycle.source),
        ("clock", f"{npu.clock_mhz.value:g} MHz", npu.clock_mhz.source),
        ("system configuration", npu.system_config, npu.system_config_source),
        ("memory mode", npu.memory_mode, npu.memory_mode_source),
    ):
        out.print(f"{what}: {value} ({source or 'inferred'})", soft_wrap=True)
    out.print(f"configuration file: {npu.vela_config}; host core: {npu.host_board or 'none chosen, see --host-board'}")


@click.group(cls=Shell, invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models (`models show NAME` for one, a path to a .tflite works too)."""
    if context.invoked_subcommand is not None:
        return
    from engine.models.library import list_models

    found = list_models()
    if as_json:
        click.echo(json.dumps([{"name": m.name, "title": m.title, "origin": m.origin} for m in found], indent=1))
        return
    table = Table("name", "what", "from", box=None, pad_edge=False)
    for m in found:
        table.add_row(m.name, m.title, m.origin)
    console().print(table)


@models.command("show")
@click.argument("name")
@json_option
def show_model(name: str, as_json: bool) -> None:
    """Show one model's operators and what they cost before any hardware is chosen."""
    import dataclasses

    from engine.models.cost import model_cost
    from engine.models.library import resolve_model
    from engine.models.reader import read_graph

    ref = resolve_model(name)
    graph = read_graph(ref.path)
    cost = model_cost(graph)
    refusal = _refusal(graph)
    if as_json:
        plain = {
            "name": ref.name,
            "can_run": refusal is None,
            "reason": refusal,
            "sha256": graph.sha256,
            "macs": cost.macs,
            "parameters": cost.parameters,
            "peak_bytes": cost.peak_bytes,
            "operators": [dataclasses.asdict(o) for o in cost.operators],
        }
        click.echo(json.dumps(plain, indent=1))
        return
    out = console()
    out.print(f"{ref.name}: {ref.title}")
    out.print(
        f"{len(cost.operators)} operators, {cost.macs:,} MACs, {cost.parameters:,} parameters, "
        f"{cost.peak_bytes:,} bytes of activations alive at once"
    )
    if refusal is not None:
        out.print(f"cannot be run: {refusal}", soft_wrap=True)
    table = Table("#", "operator", "output", "MACs", "weights B", "in B", "out B", "ops/byte", box=None, pad_edge=False)
    for column in table.columns[3:]:
        column.justify = "right"
    for o in cost.operators:
        shape = "x".join(map(str, o.output_shape))
        numbers = [f"{v:,}" for v in (o.macs, o.weight_bytes, o.input_bytes, o.output_bytes)]
        table.add_row(str(o.index), o.op, shape, *numbers, f"{o.arithmetic_intensity:.1f}")
    out.print(table)


def _refusal(graph: Graph) -> str | None:
    """Why no kernel library takes a model; None if one does."""
    from engine.firmware.lowering import lower

    reason = None
    for library in KernelLibrary:
        try:
            lower(graph, library, core_features=())
        except ModelError as error:
            reason = reason or f"{error.message} ({error.hint})"
        else:
            return None
    return reason
