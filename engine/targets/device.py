"""One emulated Cortex-M as every target drives it: reset to ``wc_idle``, then call ``wc_infer`` like the firmware would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import ExecutionError
from engine.firmware.types import Firmware
from engine.targets.image import Image

Where = Callable[[], str]
"""Names the place in an inference, for error messages: ", in layer 3 (conv_2d)"."""


@dataclass(frozen=True)
class Limits:
    """When to give up: halfwords of code executed per inference (None: derived from the MACs), and wall-clock seconds."""

    halfwords: int | None = None
    wall_seconds: float = 300.0

    def per_inference(self, firmware: Firmware) -> int:
        """Guard against run-aways: far above any real kernel (soft float on an M0+ stays below 200 per MAC)."""
        macs = sum(layer.macs for layer in firmware.layers)
        return self.halfwords if self.halfwords is not None else 1_000_000_000 + 400 * macs


def check_status(firmware: Firmware, word: bytes) -> None:
    """Raises ExecutionError if ``wc_status``, the four bytes of ``word``, says that a kernel failed."""
    status = int.from_bytes(word, "little", signed=True)
    if status:
        layers = firmware.layers
        which = layers[status - 1].name if 0 < status <= len(layers) else "?"
        raise ExecutionError(
            f"the kernel of layer {status - 1} ({which}) reported an error",
            hint="its parameters are outside what this kernel supports; try --kernels reference",
        )


class Device(ABC):
    """A core with a firmware in its memory. Subclasses know the emulator; ``check`` is asked whenever it stopped.

    ``stack_top`` and ``stack_idle`` are the stack pointers at reset and in ``wc_idle``, known after ``reset``; an inference returns
    to ``sentinel``, where no code of the firmware lies.
    """

    sentinel: int
    stack_top: int
    stack_idle: int

    def __init__(self, firmware: Firmware, image: Image, limits: Limits) -> None:
        """Raises ExecutionError for an ELF without the symbols every firmware has."""
        self.firmware, self.image, self.limits = firmware, image, limits
        self.check: Callable[[], None] | None = None
        self.arena = self.require("wc_arena")
        self.infer = self.require("wc_infer")
        self.idle = self.require("wc_idle")
        status = image.symbol("wc_status")
        self._status = None if status is None else status.address

    @abstractmethod
    def reset(self, where: Where) -> None:
        """Run from ``Reset_Handler`` to ``wc_idle``."""

    @abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """Bytes of the stopped machine's memory."""

    @abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Put bytes into the stopped machine's memory."""

    @abstractmethod
    def call(self, function: int, where: Where) -> None:
        """Call a function with the stack of ``wc_idle`` and run until it returns to the sentinel. Raises ExecutionError."""

    def require(self, name: str) -> int:
        """Address of a symbol every firmware must have; raises ExecutionError."""
        symbol = self.image.symbol(name)
        if symbol is None:
            raise ExecutionError(
                f"{self.firmware.elf.name} has no symbol '{name}'", hint="link the harness in and keep its symbols"
            )
        return symbol.address & ~1

    def infer_once(self, data: bytes, where: Where) -> bytes:
        """Write the inputs, run ``wc_infer``, return the outputs; all in the order of the firmware's placements."""
        at = 0
        for tensor in self.firmware.inputs:
            self.write(self.arena + tensor.offset, data[at : at + tensor.bytes])
            at += tensor.bytes
        self.call(self.infer, where)
        if self._status is not None:
            check_status(self.firmware, self.read(self._status, 4))
        return b"".join(self.read(self.arena + t.offset, t.bytes) for t in self.firmware.outputs)
