"""What ``whycycles run`` asks of targets that are no boards: their own options, and none that mean nothing there."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource

from engine.errors import UsageError

_OPTIONS = {"clock_mhz": "--clock", "overrides": "--set", "host_board": "--host-board", "flamegraph": "--flamegraph"}
"""Options that are not spelt as their parameter."""


WITH_PORT = ("repeats", "baud", "emulated", "update", "meter")
"""Parameters that say how a board at a port is measured."""


def refuse_options(context: click.Context, parameters: Iterable[str], where: str, hint: str) -> None:
    """Raise UsageError for the first of these parameters that was given on the command line."""
    for parameter in parameters:
        if context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            raise UsageError(f"{_OPTIONS.get(parameter, f'--{parameter}')} has no meaning {where}", hint=hint)
