"""TensorFlow Lite Micro, the oracle: bit for bit what an int8 model must compute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

ARENA_BYTES = 8 * 2**20


def oracle_outputs(model: bytes, inputs: Sequence[np.ndarray], outputs: int) -> list[np.ndarray]:
    """Flat int8 outputs of one inference. Skips the test where the oracle has no wheel."""
    return Oracle(model).infer(inputs, outputs)


class Oracle:
    """One interpreter for many inferences."""

    def __init__(self, model: bytes) -> None:
        runtime = pytest.importorskip(
            "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro has no wheel for this platform"
        )
        self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)

    def infer(self, inputs: Sequence[np.ndarray], outputs: int) -> list[np.ndarray]:
        """Flat int8 outputs of one inference."""
        for index, values in enumerate(inputs):
            self._interpreter.set_input(values, index)
        self._interpreter.invoke()
        return [self._interpreter.get_output(i).reshape(-1).copy() for i in range(outputs)]
