"""Small firmwares executed and cut into blocks, for the tests of hot spots and flame graphs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from engine.catalog.board import Board
from engine.catalog.core import Core
from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.counters.types import Block
from engine.explain.block_costs import RunProfile, profile_of
from engine.firmware.types import Firmware
from engine.targets.types import Execution
from engine.targets.unicorn_target import UnicornTarget
from engine.timing.timing import TimedRun, time_execution
from tests.targets import kit

MHZ = 100.0


@dataclass(frozen=True, eq=False)
class Ran:
    """One firmware that ran on the test board, with all that timing needs."""

    firmware: Firmware
    execution: Execution
    board: Board
    core: Core
    blocks: dict[int, Block]
    decoder: Decoder

    def timed(self) -> TimedRun:
        return time_execution(self.blocks, self.execution, self.firmware, self.board, self.core, MHZ)

    def profile(self) -> RunProfile:
        return profile_of(self.blocks, self.execution, self.firmware, self.board, self.core, MHZ, self.decoder.image)


@cache
def run(firmware: Firmware) -> Ran:
    board = kit.board(firmware.core)
    execution = UnicornTarget(board).run(firmware, [bytes(range(64))])
    decoder = Decoder.of(firmware)
    blocks = {int(start): decoder.block(int(start)) for start in np.unique(execution.profile.dst)}
    return Ran(firmware, execution, board, load_core(firmware.core), blocks, decoder)
