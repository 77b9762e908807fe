"""What every command shares: error texts, exit codes, JSON output."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from pydantic import BaseModel
from rich.console import Console

from engine import interrupt
from engine.catalog.problems import near
from engine.errors import ToolError, UsageError, WhycyclesError
from engine.scratch import remove_stale


class Shell(click.Group):
    """A group whose commands end in one message and a hint, never in a traceback, for anything a user can cause."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The program: what ``main`` does, with what killed runs left removed, and an end that Ctrl-C brings about at any moment."""
        interrupt.install()
        try:
            remove_stale()
            return self.main(*args, **kwargs)
        finally:
            interrupt.settle()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint on what a mistyped command may mean."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UsageError(
                f"no such command '{args[0]}'",
                hint=near(args[0], tuple(self.list_commands(ctx)), f"see `{ctx.command_path} --help`"),
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for; click itself would answer an interrupt with an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupt.say()
            sys.exit(interrupt.EXIT_CODE)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit: 0 done, 1 a check failed, 2 bad usage or bad input, 130 interrupted."""
        # a terminal that cannot show a sign gets a question mark, not a traceback
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except WhycyclesError as error:
            fail(error)
        except click.UsageError as error:
            if error.format_message().startswith("Usage:"):
                # nothing was asked for: the help is the answer
                error.show()
                sys.exit(error.exit_code)
            fail(_usage(error))
        except click.ClickException as error:
            fail(UsageError(error.format_message(), hint="see `whycycles --help`"))
        except click.Abort:
            interrupt.say()
            sys.exit(interrupt.EXIT_CODE)
        except BrokenPipeError:
            # the reader of a pipe has seen enough; the interpreter must not flush into it again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            fail(
                ToolError(
                    f"{error.strerror or error}{where}", hint="check the path, its permissions and the space left"
                )
            )
        sys.exit(0)


class Finite(click.FloatRange):
    """A number in bounds; click's own takes "nan" for one, because that is below nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does, without infinity and what is no number."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return found

    def _describe_range(self) -> str:
        """For the help: nothing where there are no bounds (click would say "x<=None")."""
        return "" if self.min is None and self.max is None else super()._describe_range()


FINITE = Finite()


def _usage(error: click.UsageError) -> UsageError:
    """click's complaint about words and options, as one of ours."""
    program = error.ctx.command_path if error.ctx else "whycycles"
    return UsageError(error.format_message().rstrip("."), hint=f"see `{program} --help`")


def fail(error: WhycyclesError) -> NoReturn:
    """Print an error with its hint and exit."""
    click.echo(f"error: {error.message}", err=True)
    click.echo(f"hint: {error.hint}", err=True)
    sys.exit(error.exit_code)


def console() -> Console:
    """A console for results: as wide as the terminal, ``$COLUMNS`` or 100 columns where there is none."""
    columns = os.environ.get("COLUMNS", "")
    width = None if sys.stdout.isatty() else int(columns) if columns.isdecimal() and int(columns) >= 20 else 100
    return Console(width=width, highlight=False, markup=False)


def progress_console() -> Console:
    """A console for progress: stderr, so that stdout stays clean."""
    return Console(stderr=True, highlight=False, markup=False)


def print_json(data: BaseModel | Sequence[BaseModel]) -> None:
    """Print one model, or a list of models, as JSON."""
    if isinstance(data, BaseModel):
        plain: object = data.model_dump(mode="json", by_alias=True)
    else:
        plain = [d.model_dump(mode="json", by_alias=True) for d in data]
    click.echo(json.dumps(plain, indent=1, ensure_ascii=False))


def plural(count: int, noun: str) -> str:
    """ "1 point", "4 points"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
