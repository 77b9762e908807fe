"""From a model's int8 input to what its firmware takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.firmware.types import Firmware


def stimulus(firmware: Firmware, inputs: Sequence[bytes]) -> tuple[bytes, ...]:
    """The inputs as the firmware takes them: int8 as they are, or the float32 values that int8 stands for.

    The device quantises those back to the very same int8: the product of two float32 roundings is off by far less than half
    a step for differences below 2^9, so an oracle that computes from int8 stays an oracle.
    """
    affine = firmware.float_input
    if affine is None:
        return tuple(inputs)
    scale = np.float32(affine.scale)
    return tuple(
        ((np.frombuffer(data, np.int8).astype(np.float32) - np.float32(affine.zero_point)) * scale).tobytes()
        for data in inputs
    )
