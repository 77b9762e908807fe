"""A run once more on Renode, where that is installed: its counts per region and its outputs must be those of the run.

The same objects are linked to the MPS2 memory map that Renode's platform describes. Region bodies are the same instructions there, so
the counts must be equal, not close.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from engine.errors import CheckFailedError, ToolError
from engine.firmware.build import build
from engine.firmware.mps2 import mps2_board
from engine.firmware.stimulus import stimulus
from engine.firmware.types import GLUE
from engine.pipeline.fingerprint import fingerprint
from engine.pipeline.local import runs_dir
from engine.pipeline.prepare import Prepared, Progress, prepare
from engine.pipeline.settings import ResolvedRun
from engine.records.store import write_atomically
from engine.targets.renode.find import Renode, find_renode
from engine.targets.renode.machines import renode_machine
from engine.targets.renode.target import count

CONFIRMATION = "renode.json"
_SHOWN = 3


@dataclass(frozen=True)
class Confirmation:
    """What Renode counted for a run: instructions per region, equal to the run's. ``key``: what it holds for.

    ``machine``: the core of Renode's model; ``reason``: why there are no counts, else empty.
    """

    key: str
    machine: str
    instructions: tuple[int, ...]
    reason: str


_ADAPTER = TypeAdapter(Confirmation)


def unconfirmed(run: ResolvedRun) -> bool:
    """Is there a Renode here that has not confirmed this run as it is now?"""
    renode = _renode()
    return renode is not None and _kept(run, renode) is None


def confirm(run: ResolvedRun, progress: Progress = lambda _: None, made: Prepared | None = None) -> Confirmation | None:
    """Count a run on Renode and require agreement, once per run and version of Renode; None where Renode is not installed.

    Raises CheckFailedError where the counts or outputs differ, ExecutionError where the run fails on Renode alone.
    """
    renode = _renode()
    if renode is None:
        return None
    found = _kept(run, renode)
    if found is None:
        try:
            renode_machine(run.core)
        except ToolError as error:
            found = Confirmation(_key(run, renode), "", (), error.message)
        else:
            progress("counting on Renode")
            found = _count(run, renode, made or prepare(run, progress))
        write_atomically(runs_dir() / run.id / CONFIRMATION, _ADAPTER.dump_json(found, indent=1) + b"\n")
    return found


def _count(run: ResolvedRun, renode: Renode, made: Prepared) -> Confirmation:
    s = run.settings
    firmware = build(
        made.graph, model=run.model.name, library=s.kernels, board=mps2_board(run.core), core=run.core,
        compiler=s.compiler, opt=s.opt, lowering=s.lowering,
    )  # fmt: skip
    counts = count(firmware, run.core, stimulus(firmware, made.inputs), renode=renode)
    expected = instructions_of(made)
    names = [*(layer.name for layer in firmware.layers), GLUE]
    wrong = [
        f"{name}: {ours:,} here, {theirs:,} on Renode"
        for name, ours, theirs in zip(names, expected, counts.instructions, strict=True)
        if ours != theirs
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise CheckFailedError(
            f"{run.id}: Renode {renode.version} counts other instructions in {'; '.join(wrong[:_SHOWN])}{more}",
            hint="one of the two emulators, or the region markers, are wrong: report this with the ELF",
        )
    if counts.outputs != made.execution.outputs:
        raise CheckFailedError(
            f"{run.id}: the output on Renode {renode.version} is another one",
            hint="one of the two emulators is wrong: report this with the ELF",
        )
    return Confirmation(_key(run, renode), counts.machine, counts.instructions, "")


def instructions_of(made: Prepared) -> tuple[int, ...]:
    """Issued instructions per region of a run: its layers, then the glue."""
    totals = [0] * (len(made.firmware.layers) + 1)
    profile = made.execution.profile
    for region, start, times in zip(profile.region.tolist(), profile.dst.tolist(), profile.count.tolist(), strict=True):
        totals[region] += len(made.blocks[start].instructions) * times
    return tuple(totals)


def _renode() -> Renode | None:
    try:
        return find_renode()
    except ToolError:
        return None


def _key(run: ResolvedRun, renode: Renode) -> str:
    return f"{fingerprint(run)} renode {renode.version}"


def _kept(run: ResolvedRun, renode: Renode) -> Confirmation | None:
    try:
        found = _ADAPTER.validate_json((runs_dir() / run.id / CONFIRMATION).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.key == _key(run, renode) else None
