"""``whycycles compare``: why two runs differ."""

from __future__ import annotations

import click

from engine.cli.shell import console, json_option, print_json


@click.command()
@click.argument("a")
@click.argument("b")
@json_option
def compare(a: str, b: str, as_json: bool) -> None:
    """Say whether two runs may be compared, by how much they differ, and why.

    A and B are record files or run ids; every difference is B minus A. Exit code 1 if they may not be compared.
    """
    from engine.energy.attribute import energy_of
    from engine.errors import CheckFailedError
    from engine.explain.compare import compare as compare_records
    from engine.explain.compare_energy import energy_delta
    from engine.explain.compare_terminal import render_comparison
    from engine.pipeline.local import find_record
    from engine.pipeline.rerun import hardware_for

    one, two = find_record(a), find_record(b)
    found = compare_records(one, two)
    if found.comparable:
        energies = (energy_of(r, hardware_for(r).board) for r in (one, two))
        found = found.model_copy(update={"energy": energy_delta(one, two, *energies)})
    if as_json:
        print_json(found)
    else:
        render_comparison(found, console())
    if not found.comparable:
        raise CheckFailedError(
            f"{found.a} and {found.b} may not be compared",
            hint="compare two runs of one model file by the same kind of evidence, each with a right output",
        )
