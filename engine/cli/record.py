"""``whycycles record``: check a record, or re-simulate it and compare."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engine.cli.shell import Shell, json_option, progress_console
from engine.errors import CheckFailedError, RecordError, UsageError


@click.group(cls=Shell)
def record() -> None:
    """Check a run record, re-simulate it, or print its schema."""


@record.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def check(path: Path, as_json: bool) -> None:
    """Validate a record (or ceilings, or a measurement), or every one below a folder, against the schema and its own sums."""
    from engine.pipeline.local import validations_path
    from engine.records.ceilings import ceilings_problems
    from engine.records.measured import measured_problems
    from engine.records.store import problems_of

    # the kept validation lies among the records, but is none
    paths = sorted(p for p in path.rglob("*.json") if p.resolve() != validations_path()) if path.is_dir() else [path]
    if not paths:
        raise UsageError(
            f"there is no record below {path}", hint="records are JSON files, such as measurements/simulated/"
        )
    found: dict[Path, tuple[str, ...]] = {}
    for p in paths:
        special = ceilings_problems(p)
        special = measured_problems(p) if special is None else special
        found[p] = problems_of(p) if special is None else special
    wrong = {p: problems for p, problems in found.items() if problems}
    if as_json:
        rows = [{"path": str(p), "valid": not problems, "problems": list(problems)} for p, problems in found.items()]
        click.echo(json.dumps(rows, indent=1))
    else:
        for p, problems in wrong.items():
            for problem in problems:
                click.echo(f"{p}: {problem}")
        click.echo(f"{len(found) - len(wrong)} of {len(found)} records are valid")
    if wrong:
        raise RecordError(
            f"{len(wrong)} of {len(found)} records are not valid", hint="measure them again: `whycycles run`"
        )


@record.command()
@click.argument("path")
@json_option
def verify(path: str, as_json: bool) -> None:
    """Re-simulate a record (a file or a run id) and compare every field; exit code 1 if one differs."""
    from engine.pipeline.local import find_record
    from engine.pipeline.rerun import verify_record

    found = find_record(path)
    with progress_console().status(f"re-simulating {found.id}"):
        differences = verify_record(found)
    if as_json:
        click.echo(
            json.dumps({"id": found.id, "reproduced": not differences, "differences": [str(d) for d in differences]})
        )
    else:
        for d in differences:
            click.echo(f"  {d}")
    if differences:
        raise CheckFailedError(
            f"{found.id} was not reproduced: {len(differences)} fields differ",
            hint="compare engine version, compiler and table hashes under `provenance`",
        )
    if not as_json:
        click.echo(f"{found.id}: reproduced exactly")


@record.command()
def schema() -> None:
    """Print the JSON Schema of a run record."""
    from engine.records.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))
