"""``whycycles models`` and ``whycycles boards``: the catalogue."""

from __future__ import annotations

import json

import click
from rich.table import Table

from engine.cli.shell import Shell, console, json_option, print_json
from engine.errors import ModelError
from engine.firmware.types import KernelLibrary
from engine.models.graph import Graph


@click.group(cls=Shell, invoke_without_command=True)
@json_option
@click.pass_context
def boards(context: click.Context, as_json: bool) -> None:
    """List the boards (`boards show NAME` for one)."""
    if context.invoked_subcommand is not None:
        return
    from engine.catalog.load import list_boards
    from engine.records.measured import silicon_status

    found = list_boards()
    if as_json:
        print_json(found)
        return
    table = Table("name", "core", "MCU", "clock MHz", "flash KB", "RAM KB", "silicon", box=None, pad_edge=False)
    for b in found:
        flash = sum(m.bytes for m in b.memories if m.kind == "flash") // 1024
        ram = sum(m.bytes for m in b.memories if m.kind != "flash") // 1024
        table.add_row(
            b.name,
            b.core,
            b.mcu,
            f"{b.default_clock_mhz:g}",
            str(flash),
            str(ram),
            silicon_status(b.name),
        )
    console().print(table)


@boards.command("show")
@click.argument("name")
@json_option
def show_board(name: str, as_json: bool) -> None:
    """Show one board: memories, placement, flash interface and the source of every figure."""
    from engine.catalog.load import load_board
    from engine.firmware.ports import board_port
    from engine.records.measured import silicon_status

    b = load_board(name)
    if as_json:
        print_json(b)
        return
    out = console()
    out.print(
        f"{b.title} ({b.mcu}, {b.core}), {b.default_clock_mhz:g} MHz by default, silicon: {silicon_status(b.name)}"
    )
    if b.port is not None:
        port = board_port(b)
        out.print(f"port {port.name}: {port.uart}; cycles: {port.counter}; marker pin {port.marker}")
    table = Table("memory", "kind", "origin", "KB", "holds", "source", box=None, pad_edge=False)
    for m in b.memories:
        holds = [p for p in type(b.placement).model_fields if getattr(b.placement, p) == m.name]
        table.add_row(m.name, m.kind, f"0x{m.origin:08x}", f"{m.bytes / 1024:g}", ", ".join(holds), m.source)
    out.print(table)
    steps = ", ".join(f"{s.wait_states} up to {s.up_to_mhz:g} MHz" for s in b.flash.ladder)
    out.print(f"flash wait states: {steps} ({b.flash.ladder_source})")
    for cache, label in ((b.flash.icache, "instruction cache"), (b.flash.dcache, "constant cache")):
        if cache is not None:
            origin = cache.source or f"inferred: {cache.inferred}"
            out.print(f"{label}: {cache.bytes} bytes, {cache.ways} ways of {cache.line_bytes}-byte lines ({origin})")


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
