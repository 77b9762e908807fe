"""``whycycles compare``: why two runs differ."""

from __future__ import annotations

import dataclasses
import json

import click

from engine.cli.shell import console, json_option, print_json
from engine.errors import CheckFailedError, UsageError
from engine.records.npu import NpuRecord


@click.command()
@click.argument("a")
@click.argument("b")
@json_option
def compare(a: str, b: str, as_json: bool) -> None:
    """Say whether two runs may be compared, by how much they differ, and why.

    A and B are record files or run ids; every difference is B minus A. Exit code 1 if they may not be compared.
    """
    from engine.energy.attribute import energy_of
    from engine.explain.compare import compare as compare_records
    from engine.explain.compare_energy import energy_delta
    from engine.explain.compare_terminal import render_comparison
    from engine.pipeline.host import find_host_record
    from engine.pipeline.local import find_record
    from engine.pipeline.npu_keep import find_npu_record
    from engine.pipeline.rerun import hardware_for

    for name in (a, b):
        if (host := find_host_record(name)) is not None:
            raise UsageError(
                f"{host.id} is of this machine: its times and another target's differ in everything at once",
                hint="`whycycles explain` shows it by itself",
            )
    npus = find_npu_record(a), find_npu_record(b)
    if any(npus):
        _compare_npus(*npus, as_json=as_json)
        return
    one, two = find_record(a), find_record(b)
    hardware = hardware_for(one), hardware_for(two)
    found = compare_records(one, two, hardware)
    if found.comparable:
        energies = (energy_of(r, known.board) for r, known in zip((one, two), hardware, strict=True))
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


def _compare_npus(a: NpuRecord | None, b: NpuRecord | None, *, as_json: bool) -> None:
    from engine.explain.npu_terminal import render_npu_comparison
    from engine.records.npu_comparable import npu_comparable

    if a is None or b is None:
        raise UsageError(
            "one is an NPU's estimate by its vendor's tool, the other a simulated run: their difference would be the methods'",
            hint="compare two estimates, or two runs",
        )
    answer = npu_comparable(a, b)
    if as_json:
        more = b.cycles - a.cycles if answer.comparable else None
        click.echo(json.dumps({"a": a.id, "b": b.id, **dataclasses.asdict(answer), "cycles": more}, indent=1))
    else:
        render_npu_comparison(a, b, console())
    if not answer.comparable:
        raise CheckFailedError(
            f"{a.id} and {b.id} may not be compared",
            hint="compare two estimates of one model with one configuration of the accelerator",
        )
