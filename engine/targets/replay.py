"""A recorded inference on other memories: its accesses go through another board's caches and buffers, nothing is emulated."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.errors import CheckFailedError
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.image import Image
from engine.targets.session import STEADY_TRIES
from engine.targets.types import MemoryProfile

_REPLAY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


@dataclass(frozen=True)
class Move:
    """What lay at [start, end) lies ``distance`` bytes further on."""

    start: int
    end: int
    distance: int


@dataclass(frozen=True)
class Replayed:
    """Memory events of the first inference after reset and of one in steady state; of that also on the board's simulated alternatives."""

    cold: MemoryProfile
    warm: MemoryProfile
    alternatives: tuple[MemoryProfile, ...]


def replay(
    trace: NDArray[np.int64], firmware: Firmware, image: Image, board: Board, core: Core, moves: Sequence[Move]
) -> Replayed:
    """Feed a trace of ``firmware`` to the memory system of ``board``; ``moves`` cover all that it touches.

    Raises CheckFailedError if the trace is not of this firmware.
    """
    from engine.targets.replay_hook import replay_trace

    rows = np.array([(m.start, m.end, m.distance) for m in moves], np.int64)
    state, system = shared.memory_state(firmware, image, board, 0, -1, core.data_port_bytes, rows=rows)
    words = np.ascontiguousarray(trace, np.int64)
    feed = _REPLAY(replay_trace.address)

    def infer() -> tuple[MemoryProfile, ...]:
        shared.begin_inference(state)
        shared.forget_contexts(state)
        feed(None, state.ctypes.data, words.ctypes.data, words.size)
        if state[at.H_ERROR] or state[at.H_OPENED] != len(firmware.layers):
            raise CheckFailedError(
                f"the stored trace does not fit the firmware (0x{int(state[at.H_ERROR_AT]):08x})",
                hint="execute the run again with `whycycles run … --fresh`",
            )
        return shared.take_systems(state, board)

    def remembered() -> NDArray[np.int64]:
        return system.remembered(state[state[at.H_STREAMS] : state[at.H_STREAMS_END]])

    before = remembered()
    cold, *others = infer()
    warm = cold
    for _ in range(STEADY_TRIES):
        after = remembered()
        if np.array_equal(before, after):
            break  # as in the memory run: every further inference is the same
        before = after
        warm, *others = infer()
    return Replayed(cold, warm, tuple(others))
