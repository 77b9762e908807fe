"""Models that the tests of this folder share."""

import os
from pathlib import Path

import pytest

from tests.builders.tflite_builder import ModelBuilder


def one_of_each() -> ModelBuilder:
    """Every operator the reader knows, in one chain."""
    b = ModelBuilder(seed=5)
    x = b.input((1, 8, 8, 3), scale=0.04, zero_point=-7, signature=(-1, 8, 8, 3))
    y = b.conv_2d(x, 4, (3, 3), stride=(2, 1), activation="relu6", zero_point=3)
    y = b.depthwise_conv_2d(y, (3, 3), depth_multiplier=2, dilation=(1, 2))
    y = b.add(y, y, activation="relu")
    y = b.max_pool_2d(y)
    y = b.average_pool_2d(y, (1, 2), stride=(1, 2))
    y = b.reshape(y, (1, 32), options=True)
    y = b.fully_connected(y, 3)
    y = b.softmax(y)
    b.output(y)
    b.signature()
    return b


def one_conv() -> ModelBuilder:
    """One convolution, 6x6x2 to 6x6x4; tensors: 0 input, 1 filter, 2 bias, 3 output."""
    b = ModelBuilder(seed=1)
    b.output(b.conv_2d(b.input((1, 6, 6, 2)), 4))
    return b


def reference(file: str) -> Path:
    """A reference model from WHYCYCLES_MODELS; skips the test where it is absent."""
    path = Path(os.environ.get("WHYCYCLES_MODELS", "")) / "mlperf-tiny" / file
    if not path.is_file():
        pytest.skip(f"WHYCYCLES_MODELS does not hold mlperf-tiny/{file}")
    return path
