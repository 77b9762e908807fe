"""Lowering: a graph becomes kernel calls in C."""

from engine.firmware.lowering.model import lower
from engine.firmware.lowering.registry import supported_operators
from engine.firmware.lowering.types import NO_KERNEL, LoweredModel

__all__ = ["NO_KERNEL", "LoweredModel", "lower", "supported_operators"]
