"""What a run's time depends on, together: every way to time a run is asked about one of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.counters.types import Block
from engine.errors import UsageError
from engine.firmware.types import Firmware
from engine.targets.types import Execution
from engine.timing.memory import EventTable, event_table
from engine.timing.pipeline import Work, prepare_work


@dataclass(frozen=True, eq=False)
class StoredRun:
    """An execution of a firmware, and the board, the core and the clock (MHz) that it is timed on.

    ``blocks`` holds the decoded block of every start address in the profile. Raises UsageError for a clock that the board's flash
    ladder does not cover.
    """

    blocks: Mapping[int, Block]
    execution: Execution
    firmware: Firmware
    board: Board
    core: Core
    clock_mhz: float

    def __post_init__(self) -> None:
        top = self.board.flash.ladder[-1].up_to_mhz
        if not 0 < self.clock_mhz <= top:
            raise UsageError(
                f"{self.board.name} cannot run at {self.clock_mhz:g} MHz", hint=f"choose a clock up to {top:g} MHz"
            )

    @property
    def regions(self) -> int:
        """How many there are: the layers, and the glue behind them."""
        return len(self.firmware.layers) + 1

    def at(self, clock_mhz: float) -> StoredRun:
        """The same at another clock. Raises UsageError."""
        return replace(self, clock_mhz=clock_mhz)

    def on(self, board: Board, core: Core) -> StoredRun:
        """The same execution with other figures of board and core; only such as change neither what runs nor what misses. Raises UsageError."""
        return replace(self, board=board, core=core)

    def work(self) -> Work:
        """The profile, prepared. Raises KeyError where ``blocks`` lacks one."""
        return prepare_work(self.blocks, self.execution.profile, self.regions)

    def warm_events(self) -> EventTable:
        """What the board's memories were asked in steady state."""
        return event_table(self.execution.warm, self.board, self.regions)
