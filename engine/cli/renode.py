"""``whycycles renode``: find, fetch and talk to Renode, the third emulator."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engine.cli.shell import Shell, console, json_option, progress_console
from engine.errors import UsageError
from engine.firmware.types import CompilerName, KernelLibrary


@click.group(cls=Shell, short_help="Find, fetch and talk to Renode, the third emulator.")
def renode() -> None:
    """Renode counts the same ELF a third time. It is optional: where it is installed, runs must agree with it."""


@renode.command()
@json_option
def show(as_json: bool) -> None:
    """Say which Renode is used, and what it can and cannot tell."""
    from engine.targets.renode.find import find_renode

    found = find_renode()
    if as_json:
        click.echo(json.dumps({"path": str(found.path), "version": found.version, "runtime": found.runtime}, indent=1))
        return
    out = console()
    out.print(f"Renode {found.version} ({found.runtime}): {found.path}", soft_wrap=True)
    out.print(
        "It counts issued instructions exactly; it times nothing. An M0+ runs on its M3; an M55 or M85 is refused."
    )


@renode.command()
def install() -> None:
    """Fetch the pinned Renode through renode-run, into ~/.config/renode."""
    from engine.targets.renode.find import installed
    from engine.targets.renode.install import install as fetch

    there = installed() is not None
    with progress_console().status("Renode") as status:
        found = fetch(lambda step: status.update(step))
    click.echo(
        f"Renode {found.version} ({found.runtime}) {'is there already' if there else 'is installed'}: {found.path}"
    )


@renode.command("platform")
@click.argument("name")
def platform_command(name: str) -> None:
    """Print the platform description (.repl) that runs the code of NAME, a core or a board."""
    from engine.catalog.load import list_cores, load_board, load_core
    from engine.targets.renode.machines import renode_machine
    from engine.targets.renode.platform import render_platform

    core = load_core(name if name in {c.name for c in list_cores()} else load_board(name).core)
    click.echo(render_platform(renode_machine(core)), nl=False)


@renode.command()
@click.argument("model")
@click.argument("core")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to write the ELF.")
@click.option("--kernels", type=click.Choice([k.value for k in KernelLibrary]), default="cmsis-nn", show_default=True)
@click.option("--compiler", type=click.Choice([c.value for c in CompilerName]), default="clang", show_default=True)
def firmware(model: str, core: str, out: Path, kernels: str, compiler: str) -> None:
    """Build the ELF of MODEL for a CORE's MPS2 board, with its UART: for Renode, or QEMU, by hand."""
    from engine.catalog.load import load_core
    from engine.firmware.build import build
    from engine.firmware.mps2 import mps2_board
    from engine.models.library import resolve_model
    from engine.models.reader import read_graph
    from engine.records.store import write_atomically

    found, table = resolve_model(model), load_core(core)
    with progress_console().status(f"{found.name} for {core}"):
        made = build(
            read_graph(found.path),
            model=found.name,
            library=KernelLibrary(kernels),
            board=mps2_board(table),
            core=table,
            compiler=CompilerName(compiler),
            opt="O2",
            port="mps2",
        )
    write_atomically(out, made.elf.read_bytes())
    click.echo(f"{out}: {made.model} for {made.board}, {made.flash_bytes:,} bytes")


@renode.command()
@click.argument("commands", nargs=-1, required=True, metavar="COMMAND...")
@click.option("--open-port", is_flag=True, help="Yes, open a port that anybody on the network can use meanwhile.")
@json_option
def monitor(commands: tuple[str, ...], open_port: bool, as_json: bool) -> None:
    """Run Monitor commands in a fresh Renode and print its answers, for a look by hand.

    This is the one command that makes Renode listen: on all interfaces, without authentication. Runs of whycycles never do.
    """
    from engine.targets.renode.find import find_renode
    from engine.targets.renode.monitor import WARNING, run_commands

    if not open_port:
        raise UsageError(WARNING, hint="on a network you trust, repeat the command with --open-port")
    click.echo(f"warning: {WARNING}", err=True)
    answers = []
    for answer in run_commands(find_renode(), commands):
        answers.append(answer)
        if not as_json and answer:
            click.echo(answer)
    if as_json:
        click.echo(json.dumps(answers, indent=1))
