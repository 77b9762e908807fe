"""Outputs only: a firmware on an emulated core without any hook, at the emulator's full speed."""

from __future__ import annotations

from collections.abc import Sequence

from engine.catalog.board import Board
from engine.errors import UsageError
from engine.firmware.types import Firmware
from engine.targets.device import Limits
from engine.targets.image import Image
from engine.targets.machine import Machine


def run_outputs(
    firmware: Firmware, inputs: Sequence[bytes], board: Board, core: str | None = None, limits: Limits | None = None
) -> tuple[bytes, ...]:
    """The raw output bytes of one inference per entry of ``inputs``, one after the other on the same machine.

    Nothing is counted and only wall-clock time (``limits.wall_seconds`` per inference) bounds a run-away.
    Raises UsageError for inputs of the wrong size, ExecutionError on a fault, an unmapped access or a run-away.
    """
    need = sum(t.bytes for t in firmware.inputs)
    for n, entry in enumerate(inputs):
        if len(entry) != need:
            raise UsageError(f"input {n} has {len(entry)} bytes, the model takes {need}", hint="check the input file")
    machine = Machine(firmware, Image(firmware.elf), board, core or board.core, limits or Limits())
    machine.reset(lambda: ", during start-up")
    return tuple(machine.infer_once(entry, str) for entry in inputs)
