"""``whycycles run`` on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.other_targets import refuse_options
from engine.cli.shell import console, print_json, progress_console
from engine.errors import UsageError

_NOT_OF_THE_HOST = ("kernels", "compiler", "lowering", "clock_mhz", "place", "overrides", "host_board")


def wants_host(board: str, target: str, flamegraph: Path | None) -> bool:
    """Whether a run is for this machine. Raises UsageError for options that contradict each other."""
    from engine.pipeline.host import HOST

    if (board == HOST) != (target == HOST) and target != "auto":
        raise UsageError(f"the board {board} and the target {target} do not belong together", hint="leave --target out")
    if board != HOST and flamegraph is not None:
        raise UsageError(
            "--flamegraph belongs to the board host", hint="a run on a board has its flame graph on its page"
        )
    return board == HOST


def run_host(context: click.Context, model: str, opt: str, flamegraph: Path | None, *, as_json: bool) -> None:
    """Measure a model on this machine and print the card or the record."""
    refuse_options(
        context,
        _NOT_OF_THE_HOST,
        "on this machine",
        "it runs LiteRT, and our portable kernels built by clang (--opt chooses how)",
    )
    from engine.explain.host_terminal import render_host
    from engine.pipeline.host import HostSettings, draw_flamegraph, host_dir, measure_host

    with progress_console().status(f"{model} on this machine") as status:
        record = measure_host(HostSettings(model, opt), lambda step: status.update(f"{model} on this machine: {step}"))
        if flamegraph is not None:
            status.update("sampling for the flame graph")
            draw_flamegraph(model, record, flamegraph)
    if as_json:
        print_json(record)
        return
    out = console()
    render_host(record, out)
    if flamegraph is not None:
        out.print(f"flame graph: {flamegraph}", style="dim", soft_wrap=True)
    out.print(f"record: {host_dir() / record.id / 'record.json'}", style="dim", soft_wrap=True)
