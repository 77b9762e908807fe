"""An executed run with parts in other memories, from its stored trace: neither linked nor executed again."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import UsageError, WhycyclesError
from engine.firmware.placing import Placed, place_again
from engine.firmware.stimulus import stimulus
from engine.firmware.types import Section
from engine.pipeline.fingerprint import execution_key
from engine.pipeline.prepare import Prepared
from engine.pipeline.settings import PARTS, ResolvedRun, RunSettings
from engine.targets.choose import AUTO, choose_target
from engine.targets.replay import Move, replay
from engine.targets.store import load_trace


@dataclass(frozen=True)
class Estimate:
    """A run re-timed in another placement: ``made`` can be asked what an executed run can; ``note`` says what it rests on, ``command``
    links and runs it."""

    made: Prepared
    note: str
    command: str


def placed(made: Prepared, wanted: ResolvedRun) -> Estimate:
    """The executed run ``made`` placed as ``wanted`` has it; the two differ in their placement alone.

    Every block and access of an inference goes through the caches and buffers of the memory that its section would lie in. Raises
    UsageError or DoesNotFitError where only a link can tell or the part does not fit; its hint is the command that links.
    """
    before, after = made.run.board, wanted.board
    command = run_command(wanted)
    try:
        again = place_again(made.firmware, before, after, wanted.core)
    except WhycyclesError as error:
        parts = " and ".join(_changes(made.run, wanted))
        raise type(error)(
            f"no estimate with {parts} on {before.name}: {error.message}", hint=f"{error.hint}: {command}"
        ) from error
    trace = made.execution.trace
    if trace is None:
        inputs = stimulus(made.firmware, made.inputs)
        trace = load_trace(execution_key(made.run.target, made.firmware, before, inputs))
    if trace is None:
        raise UsageError(
            f"{made.run.id} has no stored trace: an inference of it is too long to keep",
            hint=f"link and run it: {command}",
        )
    moves = [Move(old.address, old.address + old.bytes, new.address - old.address) for old, new in again.moved]
    # what lies in no section (a kernel may read a little too far) stays where it is
    moves += [Move(m.origin, m.end, 0) for m in before.memories]
    events = replay(trace, made.firmware, made.decoder.image, after, wanted.core, moves)
    execution = dataclasses.replace(
        made.execution, cold=events.cold, warm=events.warm, alternatives=events.alternatives
    )
    return Estimate(
        dataclasses.replace(made, run=wanted, firmware=again.firmware, execution=execution),
        _note(made.run, wanted, again),
        command,
    )


def run_command(run: ResolvedRun) -> str:
    """The command line that makes a run, without what is so anyway."""
    settings = run.settings
    plain = RunSettings(settings.model, settings.board)
    words = ["whycycles", "run", settings.model, "--board", settings.board]
    for name in ("kernels", "compiler", "opt", "lowering"):
        value = getattr(settings, name)
        words += [f"--{name}", str(value)] if value != getattr(plain, name) else []
    words += ["--target", run.target.name] if run.target != choose_target(AUTO, run.core) else []
    words += ["--clock", f"{run.clock_mhz:g}"] if run.clock_mhz != run.board.default_clock_mhz else []
    for option, pairs in (("--place", settings.place), ("--set", settings.set)):
        for key, value in pairs:
            words += [option, f"{key}={value}"]
    return shlex.join(words)


def _changes(before: ResolvedRun, after: ResolvedRun) -> Iterator[str]:
    for part in PARTS:
        old, new = getattr(before.board.placement, part), getattr(after.board.placement, part)
        if old != new:
            yield f"{part} in {new}"


def _note(before: ResolvedRun, after: ResolvedRun, again: Placed) -> str:
    """What was estimated, and what the linker may make of it."""
    flash = after.board.flash
    lines = [c.line_of(int(flash.width_bytes.value)) for c in (flash.icache, flash.dcache) if c is not None]
    said = [
        f"An estimate from the stored profile, not linked: {', '.join(_changes(before, after))}. Sections move as blocks, to where the linker "
        "script puts them."
    ]
    kept = max(lines, default=0)
    shifted = [old.name for old, new in again.moved if kept and (new.address - old.address) % kept]
    if shifted:
        said.append(f"Their place in a cache line of {kept} bytes changes for {', '.join(shifted)}.")
    elif kept:
        said.append(f"Each keeps its place in a cache line of {kept} bytes.")
    behind = [f"{old.name} by {new.address - old.address:+d}" for old, new in again.moved if _pushed(old, new)]
    if behind:
        said.append(f"In the same memory moved: {', '.join(behind)} bytes.")
    said.append("The linked run may differ.")
    return " ".join(said)


def _pushed(old: Section, new: Section) -> bool:
    return old.memory == new.memory and old.address != new.address
