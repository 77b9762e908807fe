"""``whycycles run`` where the board is an NPU."""

from __future__ import annotations

import click

from engine.cli.other_targets import refuse_options
from engine.cli.shell import console, print_json, progress_console
from engine.errors import UsageError

_NOT_OF_AN_NPU = ("kernels", "compiler", "opt", "lowering", "clock_mhz", "place")


def wants_npu(board: str, target: str, host_board: str | None) -> bool:
    """Whether a run is for an NPU. Raises UsageError for options that contradict each other."""
    from engine.catalog.npu import is_npu

    if target == "npu":
        return True
    # a mistyped NPU is answered with NPUs, not with boards
    npu = is_npu(board) or board.startswith("ethos-")
    if npu and target != "auto":
        raise UsageError(f"{board} is an NPU, which the target {target} does not execute", hint="leave --target out")
    if host_board is not None and not npu:
        raise UsageError(
            "--host-board belongs to an NPU", hint="`whycycles boards` lists the NPUs; leave the option out"
        )
    return npu


def run_npu(
    context: click.Context,
    model: str,
    npu: str,
    sets: tuple[str, ...],
    host_board: str | None,
    *,
    fresh: bool,
    as_json: bool,
) -> None:
    """Estimate a model on an NPU and print the card or the record."""
    refuse_options(
        context,
        _NOT_OF_AN_NPU,
        "on an NPU",
        "its clock and memories are those of its system configuration (--set system_config=…)",
    )
    from engine.explain.npu_terminal import render_npu
    from engine.pipeline.npu import NpuSettings, resolve_npu
    from engine.pipeline.npu_keep import make_npu, npu_dir

    resolved = resolve_npu(NpuSettings(model, npu, tuple(_parse_set(text) for text in sets), host_board))
    with progress_console().status(resolved.id) as status:
        record = make_npu(resolved, lambda step: status.update(f"{resolved.id}: {step}"), again=fresh)
    if as_json:
        print_json(record)
        return
    out = console()
    render_npu(record, out)
    out.print(f"record: {npu_dir() / record.id / 'record.json'}", style="dim", soft_wrap=True)


def _parse_set(text: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key or not value:
        raise UsageError(f"--set {text} is not understood", hint="write KEY=VALUE, like --set memory_mode=Sram_Only")
    return key, value
