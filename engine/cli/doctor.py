"""``whycycles doctor``: what this machine has."""

from __future__ import annotations

import json

import click
from rich.table import Table

from engine.cli.shell import console, json_option


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say which compilers, emulators and oracles this machine has, and what is missing and how to get it."""
    from engine.pipeline.doctor import examine

    findings = examine()
    if as_json:
        click.echo(
            json.dumps([{"name": f.name, "kind": f.kind, "found": f.found, "detail": f.detail} for f in findings])
        )
        return
    table = Table("", "what", "for", "detail", box=None, pad_edge=False)
    for f in findings:
        table.add_row("yes" if f.found else "no", f.name, f.kind, f.detail)
    console().print(table)
