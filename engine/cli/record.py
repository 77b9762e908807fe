"""``whycycles record``: check a record, or re-simulate it and compare."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from engine.cli.shell import Shell, json_option, plural, progress_console
from engine.errors import CheckFailedError, RecordError, UsageError
from engine.records.run import RunRecord


@click.group(cls=Shell)
def record() -> None:
    """Check a run record, re-simulate it, or print its schema."""


@record.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def check(path: Path, as_json: bool) -> None:
    """Validate a record (of a run, of ceilings, of a board, of an NPU, of this machine), or every one below a folder: its schema, its own sums, and what the catalogue knows.

    Exit code 1 if one is not valid, 2 if PATH cannot be read or is no JSON.
    """
    from engine.pipeline.contradictions import file_problems
    from engine.pipeline.local import (
        ANALYSIS,
        ENERGY,
        agreement_path,
        layer_validations_path,
        other_kernels_path,
        validations_path,
    )

    if path.is_dir():
        # what these commands keep, and what lies beside the record of a run, are none
        others = {str(p()) for p in (validations_path, agreement_path, layer_validations_path, other_kernels_path)}
        paths = sorted(
            p for p in path.rglob("*.json") if os.path.realpath(p) not in others and p.name not in (ANALYSIS, ENERGY)
        )
        found = {p: _problems_below(p) for p in paths}
    else:
        found = {path: file_problems(path)}
    if not found:
        raise UsageError(
            f"there is no record below {path}", hint="records are JSON files, such as measurements/simulated/"
        )
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
        raise CheckFailedError(
            f"{len(wrong)} of {len(found)} records are not valid",
            hint="measure again with `whycycles run`: a record is not edited",
        )


def _problems_below(path: Path) -> tuple[str, ...]:
    """Problems of a file of a folder; one that cannot be read must not hide those of the others."""
    from engine.pipeline.contradictions import file_problems

    try:
        return file_problems(path)
    except RecordError as error:
        return (error.message,)


@record.command()
@click.argument("path")
@json_option
def verify(path: str, as_json: bool) -> None:
    """Check a record (a file or a run id), make it again and compare every field.

    Exit code 1 if it is not valid or a field differs.
    """
    from engine.pipeline.contradictions import file_problems
    from engine.pipeline.local import find_file
    from engine.pipeline.npu_keep import find_npu_record, verify_npu
    from engine.pipeline.rerun import verify_record
    from engine.records.store import read_record

    npu = find_npu_record(path)
    if npu is None:
        file = find_file(path)
        problems = file_problems(file)
        if problems:
            raise CheckFailedError(
                f"{path} is not a valid record: {problems[0]}",
                hint=f"`whycycles record check {file}` lists all that is wrong",
            )
    found = read_record(file) if npu is None else npu
    with progress_console().status(f"re-simulating {found.id}"):
        differences = verify_record(found) if isinstance(found, RunRecord) else verify_npu(found)
    if as_json:
        click.echo(
            json.dumps({"id": found.id, "reproduced": not differences, "differences": [str(d) for d in differences]})
        )
    else:
        for d in differences:
            click.echo(f"  {d}")
    if differences:
        raise CheckFailedError(
            f"{found.id} was not reproduced: {plural(len(differences), 'field')} differ",
            hint="compare engine version, compiler and table hashes under `provenance`",
        )
    if not as_json:
        click.echo(f"{found.id}: reproduced exactly")


@record.command()
def schema() -> None:
    """Print the JSON Schema of a run record."""
    from engine.records.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))
