"""Inferences on a device whose hooks (or plugin) follow control flow in a shared state: what every emulating target does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.catalog.board import Board
from engine.errors import CheckFailedError, ExecutionError, UsageError
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.device import Device
from engine.targets.follow import following
from engine.targets.image import Image
from engine.targets.memory_system import MemorySystem
from engine.targets.state import State
from engine.targets.types import Counted, Follow, MemoryProfile, Moved, Profile, Settled, Watching

T = TypeVar("T")

FIRST_SLOTS = 1 << 14
MOST_SLOTS = 1 << 22
TRACE_WORDS = 1 << 24
"""Longest trace that is kept, in words of 8 bytes before compression."""
STEADY_TRIES = 4  # inferences until the memory system repeats itself
_STOP_TEXT = {
    at.Stop.BUDGET: ("ran away: more code executed than any real kernel needs", "an endless loop, most likely"),
    at.Stop.BEGIN_INSIDE_LAYER: ("wc_layer_begin inside an open layer", "every begin needs its end"),
    at.Stop.END_OUTSIDE_LAYER: ("wc_layer_end without an open layer", "every end needs its begin"),
    at.Stop.TOO_MANY_LAYERS: (
        "more layers opened than the firmware describes",
        "build firmware and layer list together",
    ),
    at.Stop.VECTOR_TOO_WIDE: ("a vector load or store moved more bytes than a vector has", "report this with the ELF"),
    at.Stop.OUTSIDE_CODE: ("jump out of the code", "a function pointer or a return address was overwritten"),
}


class TableFullError(Exception):
    """The edge table was too small; run again with a larger one."""


class Session:
    """A device with something that follows its control flow in ``state``; knows how to explain why that stopped it.

    Subclasses make ``state`` and attach hooks or a plugin to it before anything runs.
    """

    def __init__(self, firmware: Firmware, image: Image, device: Device) -> None:
        self.firmware, self.image, self.device = firmware, image, device
        self.state: State = np.zeros(at.HEADER, np.int64)
        device.check = self.check

    def boot(self) -> None:
        """Reset and run to ``wc_idle``: what follows control flow guards already, but counts nothing."""
        self.device.reset(self.where)

    def infer(self, data: bytes) -> bytes:
        """One inference, counted."""
        shared.begin_inference(self.state)
        self.state[at.H_ACTIVE] = 1
        output = self.device.infer_once(data, self.where)
        self.state[at.H_ACTIVE] = 0
        opened, layers = int(self.state[at.H_OPENED]), len(self.firmware.layers)
        if opened != layers or self.state[at.H_REGION] != layers or self.state[at.H_PENDING] >= 0:
            raise ExecutionError(
                f"{opened} of {layers} layers were opened and closed by their markers",
                hint="every layer needs one wc_layer_begin and one wc_layer_end",
            )
        return output

    def where(self) -> str:
        """ ", in layer 3 (conv_2d)" for error messages."""
        return place_of(self.firmware, self.state) if self.state[at.H_ACTIVE] else ", during start-up"

    def check(self) -> None:
        """Raises ExecutionError if a hook stopped the device, TableFullError if only its table was too small."""
        error = at.Stop(int(self.state[at.H_ERROR]))
        if error is at.Stop.TABLE_FULL:
            raise TableFullError
        if error in _STOP_TEXT:
            what, hint = _STOP_TEXT[error]
            place = self.image.describe(int(self.state[at.H_ERROR_AT]))
            raise ExecutionError(f"{what}, at {place}{self.where()}", hint=hint)


def place_of(firmware: Firmware, state: State) -> str:
    """The region that a state's control flow is in, for error messages."""
    region, layers = int(state[at.H_REGION]), firmware.layers
    return f", in layer {region} ({layers[region].name})" if region < len(layers) else ", between layers"


def with_room(attempt: Callable[[int], T]) -> T:
    """Call ``attempt`` with a number of slots for edges, and again with more until they are enough. Raises ExecutionError."""
    slots = FIRST_SLOTS
    while True:
        try:
            return attempt(slots)
        except TableFullError:
            slots *= 4
            if slots > MOST_SLOTS:
                raise ExecutionError(
                    f"more than {MOST_SLOTS // 2} different edges in one inference", hint="report this with the ELF"
                ) from None


def check_inputs(firmware: Firmware, inputs: Sequence[bytes]) -> None:
    """Raises UsageError unless every entry has the size of all model inputs together."""
    need = sum(t.bytes for t in firmware.inputs)
    if not inputs:
        raise UsageError("no input to run", hint="give at least one")
    for n, entry in enumerate(inputs):
        if len(entry) != need:
            raise UsageError(f"input {n} has {len(entry)} bytes, the model takes {need}", hint="check the input file")


def count_inferences(
    session: Session, inputs: Sequence[bytes], follow: Follow | None = None
) -> tuple[Profile, tuple[bytes, ...]]:
    """On a booted session: ``inputs[0]`` cold and warm (they must agree), then the others for their outputs."""

    def counted(region: int) -> None:
        assert follow is not None
        follow(Counted(region, shared.region_profile(session.state, region)))

    with following(session.state, counted if follow else None):
        cold_output = session.infer(inputs[0])
    cold = shared.take_profile(session.state)
    outputs = [session.infer(inputs[0])]
    warm = shared.take_profile(session.state)
    if not same_profile(cold, warm) or cold_output != outputs[0]:
        raise CheckFailedError(
            "the second inference of the same input took another path or gave another output than the first",
            hint="the firmware keeps state between inferences; whycycles expects it to be a pure function",
        )
    for data in inputs[1:]:
        outputs.append(session.infer(data))
        shared.take_profile(session.state)
    return warm, tuple(outputs)


def same_profile(a: Profile, b: Profile) -> bool:
    """Are two profiles equal, edge by edge?"""
    return all(
        np.array_equal(x, y) for x, y in ((a.region, b.region), (a.src, b.src), (a.dst, b.dst), (a.count, b.count))
    )


def code_bytes(image: Image, profile: Profile) -> int:
    """Bytes of code that a profile's blocks hold, each as often as it was entered."""
    ends = np.array(sorted(image.block_ends), np.int64)
    starts = profile.dst.astype(np.int64)
    return int(((ends[np.searchsorted(ends, starts, "right")] - starts) * profile.count).sum())


@dataclass(frozen=True, eq=False)
class Watched:
    """What a memory run saw; ``stack`` holds bytes of stack in use per region, ``code_bytes`` those run by an inference.

    ``alternatives``: ``warm`` of each simulated alternative of the board. ``totals`` [region][layout.TOTALS] are of one warm inference, ``trace`` is one inference in the words of ``trace_code`` (None: too long).
    """

    cold: MemoryProfile
    warm: MemoryProfile
    alternatives: tuple[MemoryProfile, ...]
    output: bytes
    stack: tuple[int, ...]
    code_bytes: int
    totals: NDArray[np.int64]
    trace: NDArray[np.int64] | None


def watch_inferences(
    session: Session,
    memory: State,
    system: MemorySystem,
    board: Board,
    firmware: Firmware,
    data: bytes,
    follow: Follow | None = None,
) -> Watched:
    """On a booted session: a cold inference, then further ones until the memory system repeats itself.

    ``memory`` is the state that holds the memory system's counters (the session's own, or that of a trace's reader), ``firmware``
    the one linked for ``board``.
    """

    def remembered() -> NDArray[np.int64]:
        return system.remembered(memory[memory[at.H_STREAMS] : memory[at.H_STREAMS_END]])

    def moved(region: int) -> None:
        assert follow is not None
        read, written = (int(shared.totals(memory)[region, at.T_READS + n]) for n in (1, 3))
        follow(Moved(region, read, written))

    if follow is not None:
        follow(Watching(1))
    before = remembered()
    shared.begin_recording(memory)
    with following(memory, moved if follow else None):
        output = session.infer(data)
    trace = shared.take_recording(memory)
    executed = int(memory[at.H_WORK])
    cold, *others = shared.take_systems(memory, board)
    warm = cold
    totals = shared.take_totals(memory)
    for repeat in range(STEADY_TRIES):
        after = remembered()
        if np.array_equal(before, after):
            break  # the last inference began as it ended: every further one is the same
        before = after
        if follow is not None:
            follow(Watching(2 + repeat))
        if session.infer(data) != output or int(memory[at.H_WORK]) != executed:
            raise CheckFailedError(
                "a repeated inference gave another output or took another path", hint="report this with the ELF"
            )
        warm, *others = shared.take_systems(memory, board)
        if not np.array_equal(shared.take_totals(memory), totals):
            raise CheckFailedError("a repeated inference made other accesses", hint="report this with the ELF")
    watched = Watched(cold, warm, tuple(others), output, _stack(session, memory, firmware), executed, totals, trace)
    if follow is not None:
        follow(Settled(cold, warm, watched.stack))
    return watched


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
