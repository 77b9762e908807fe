"""The group of commands. Each command is a module of this folder; what it does lives in the rooms."""

from __future__ import annotations

import click

from engine import __version__
from engine.cli.agree import agree
from engine.cli.board import build, mlperf
from engine.cli.campaign import campaign
from engine.cli.catalogue import boards, models
from engine.cli.ceilings import ceilings
from engine.cli.compare import compare
from engine.cli.doctor import doctor
from engine.cli.energy import energy
from engine.cli.explain import explain
from engine.cli.record import record
from engine.cli.renode import renode
from engine.cli.run import run
from engine.cli.shell import Shell
from engine.cli.site import site
from engine.cli.validate import validate
from engine.cli.whatif import whatif


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="whycycles")
def main() -> None:
    """Benchmark TinyML inference on embedded hardware, and say why it takes what it takes.

    Exit codes: 0 done, 1 a check failed, 2 bad usage or bad input, 130 interrupted (Ctrl-C; finished runs are kept).
    """


for command in (
    doctor,
    models,
    boards,
    run,
    build,
    mlperf,
    explain,
    compare,
    whatif,
    ceilings,
    energy,
    campaign,
    agree,
    record,
    validate,
    renode,
    site,
):
    main.add_command(command)
