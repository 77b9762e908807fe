"""Small firmwares executed and cut into blocks, for the tests of hot spots and flame graphs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from engine.catalog.load import load_core
from engine.counters.decode import Decoder
from engine.explain.block_costs import RunProfile, profile_of
from engine.firmware.types import Firmware
from engine.targets.unicorn_target import UnicornTarget
from engine.timing.stored import StoredRun
from engine.timing.timing import TimedRun, time_execution
from tests.targets import kit

MHZ = 100.0


@dataclass(frozen=True, eq=False)
class Ran:
    """One firmware that ran on the test board."""

    stored: StoredRun
    decoder: Decoder

    def timed(self) -> TimedRun:
        return time_execution(self.stored)

    def profile(self) -> RunProfile:
        return profile_of(self.stored, self.decoder.image)


@cache
def run(firmware: Firmware) -> Ran:
    board = kit.board(firmware.core)
    execution = UnicornTarget(board).run(firmware, [bytes(range(64))])
    decoder = Decoder.of(firmware)
    blocks = decoder.blocks(execution.profile)
    return Ran(StoredRun(blocks, execution, firmware, board, load_core(firmware.core), MHZ), decoder)
