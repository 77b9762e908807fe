"""Inferences on a device whose hooks (or plugin) follow control flow in a shared state: what every emulating target does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from engine.errors import CheckFailedError, ExecutionError, UsageError
from engine.firmware.types import Firmware
from engine.targets import layout as at
from engine.targets import state as shared
from engine.targets.device import Device
from engine.targets.follow import following
from engine.targets.image import Image
from engine.targets.state import State
from engine.targets.types import Counted, Follow, Profile

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
