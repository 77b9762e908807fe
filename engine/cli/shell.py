"""What every command shares: error texts, exit codes, JSON output."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console

from engine.errors import WhycyclesError


class Shell(click.Group):
    """A group whose commands end in one message and a hint, never in a traceback, for anything a user can cause."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; exit code 0 done, 1 a check failed, 2 bad usage or bad input."""
        try:
            return super().main(*args, **kwargs)
        except WhycyclesError as error:
            fail(error)
        except BrokenPipeError:
            # the reader of a pipe went away: nothing left to say
            sys.stderr.close()
            sys.exit(0)


def fail(error: WhycyclesError) -> None:
    """Print an error with its hint and exit."""
    click.echo(f"error: {error.message}", err=True)
    click.echo(f"hint: {error.hint}", err=True)
    sys.exit(error.exit_code)


def console() -> Console:
    """A console for results: colour only on a terminal, at least 80 columns."""
    width = None if sys.stdout.isatty() else 100
    return Console(width=width, highlight=False)


def progress_console() -> Console:
    """A console for progress: stderr, so that stdout stays clean."""
    return Console(stderr=True, highlight=False)


def print_json(data: BaseModel | Sequence[BaseModel]) -> None:
    """Print one model, or a list of models, as JSON."""
    if isinstance(data, BaseModel):
        plain: object = data.model_dump(mode="json", by_alias=True)
    else:
        plain = [d.model_dump(mode="json", by_alias=True) for d in data]
    click.echo(json.dumps(plain, indent=1, ensure_ascii=False))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
