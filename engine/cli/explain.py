"""``whycycles explain``: the card of a run, in the terminal."""

from __future__ import annotations

import click

from engine.cli.shell import console, json_option, print_json


@click.command()
@click.argument("record")
@click.option("--layer", type=int, metavar="N", help="Explain one layer in full.")
@json_option
def explain(record: str, layer: int | None, as_json: bool) -> None:
    """Say why a run takes the cycles it takes. RECORD is a record file or a run id."""
    from engine.errors import UsageError
    from engine.explain.explain import explain_run
    from engine.explain.terminal import render, render_layer
    from engine.pipeline.local import find_record
    from engine.pipeline.rerun import hardware_for

    found = find_record(record)
    explanation = explain_run(found, hardware_for(found))
    # by index: float conversions come first and last but have the highest indices
    by_index = {x.index: x for x in explanation.layers}
    if layer is not None and layer not in by_index:
        raise UsageError(f"run {found.id} has no layer {layer}", hint=f"layers are 0 to {len(found.layers) - 1}")
    if as_json:
        print_json(explanation if layer is None else by_index[layer])
    elif layer is None:
        render(explanation, found, console())
    else:
        render_layer(by_index[layer], found, console())
