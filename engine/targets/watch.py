"""The memory run: one inference on a device, whose accesses go through the memory system of a board; every further one from its trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import CheckFailedError, ExecutionError
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.follow import following
from engine.targets.image import Image
from engine.targets.memory_system import MemorySystem
from engine.targets.replay import Move, replay
from engine.targets.session import STEADY_TRIES, Session
from engine.targets.state import State
from engine.targets.types import Follow, MemoryProfile, Moved, Settled, Watching


@dataclass(frozen=True, eq=False)
class Watched:
    """What a memory run saw; ``stack`` holds bytes of stack in use per region, ``code_bytes`` those run by an inference.

    ``alternatives``: ``warm`` of each simulated alternative of the board. ``totals`` [region][layout.TOTALS] are of one inference, ``trace`` is
    one inference in the words of ``trace_code`` (None: too long).
    """

    cold: MemoryProfile
    warm: MemoryProfile
    alternatives: tuple[MemoryProfile, ...]
    output: bytes
    stack: tuple[int, ...]
    code_bytes: int
    totals: NDArray[np.int64]
    trace: NDArray[np.int64] | None


@dataclass(frozen=True)
class MemoryRun:
    """What a memory run works on: ``state`` and ``system`` hold the memory system (the session's own, or those of a trace's reader).

    ``firmware`` and ``image`` are those linked for ``board``.
    """

    state: State
    system: MemorySystem
    board: Board
    core: Core
    firmware: Firmware
    image: Image


def watch_inferences(session: Session, run: MemoryRun, data: bytes, follow: Follow | None = None) -> Watched:
    """On a booted session: a cold inference, then further ones until the memory system repeats itself.

    The further ones, and those of the board's alternatives, come from the trace of the first: emulating them again would take some ten
    times as long and is no other information, as the counting run shows that they take the same path. They are emulated where the trace
    is too long to keep. Raises CheckFailedError if the trace does not give the events of the inference it was recorded in.
    """
    memory, board = run.state, run.board

    def moved(region: int) -> None:
        assert follow is not None
        read, written = (int(shared.totals(memory)[region, at.T_READS + n]) for n in (1, 3))
        follow(Moved(region, read, written))

    if follow is not None:
        follow(Watching(1))
    systems, memory[at.H_SYSTEMS] = int(memory[at.H_SYSTEMS]), 1
    before = _remembered(run)
    shared.begin_recording(memory)
    with following(memory, moved if follow else None):
        output = session.infer(data)
    trace = shared.take_recording(memory)
    executed = int(memory[at.H_WORK])
    (cold,) = shared.take_systems(memory, board)
    totals = shared.take_totals(memory)
    memory[at.H_SYSTEMS] = systems
    if trace is None:

        def again(repeat: int) -> tuple[MemoryProfile, ...]:
            if follow is not None:
                follow(Watching(2 + repeat))
            if session.infer(data) != output or int(memory[at.H_WORK]) != executed:
                raise CheckFailedError(
                    "a repeated inference gave another output or took another path", hint="report this with the ELF"
                )
            if not np.array_equal(shared.take_totals(memory), totals):
                raise CheckFailedError("a repeated inference made other accesses", hint="report this with the ELF")
            return shared.take_systems(memory, board)

        warm, *others = _until_steady(run, before, (cold,), again)
    else:
        found = replay(
            trace, run.firmware, run.image, board, run.core, [Move(m.origin, m.end, 0) for m in board.memories]
        )
        if found.cold != cold:
            raise CheckFailedError(
                "the trace of an inference does not give the memory events of that inference",
                hint="report this with the ELF",
            )
        warm, others = found.warm, list(found.alternatives)
    watched = Watched(cold, warm, tuple(others), output, _stack(session, memory, run.firmware), executed, totals, trace)
    if follow is not None:
        follow(Settled(cold, warm, watched.stack))
    return watched


def _remembered(run: MemoryRun) -> NDArray[np.int64]:
    return run.system.remembered(run.state[run.state[at.H_STREAMS] : run.state[at.H_STREAMS_END]])


def _until_steady(
    run: MemoryRun,
    before: NDArray[np.int64],
    found: tuple[MemoryProfile, ...],
    again: Callable[[int], tuple[MemoryProfile, ...]],
) -> tuple[MemoryProfile, ...]:
    """Events of the board and its alternatives once an inference ends as it began; the alternatives' caches are empty yet.

    ``before``: what the caches remembered before the cold inference, whose events are ``found``. ``again`` makes another one.
    """
    for repeat in range(STEADY_TRIES + 1):
        after = _remembered(run)
        if np.array_equal(before, after) and len(found) == run.state[at.H_SYSTEMS]:
            break  # every further inference is the same
        before, found = after, again(repeat)
    return found


def _stack(session: Session, memory: State, firmware: Firmware) -> tuple[int, ...]:
    """Bytes between the initial stack pointer and the lowest address stored to; at least what ``main`` holds."""
    low, top = shared.stack_limits(firmware)
    lows = shared.stack_lows(memory)
    if low and min(lows) <= low and firmware.stack_bytes:
        raise ExecutionError(
            f"the stack ({firmware.stack_bytes} bytes) is full: its lowest word was written",
            hint="give the firmware a larger stack",
        )
    main = session.device.stack_top - session.device.stack_idle
    return tuple(max(main, top - depth) for depth in lows)
