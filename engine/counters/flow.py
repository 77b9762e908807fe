"""How control leaves a block, and which loop ends a core with a loop buffer does not execute.

Emulators execute every LE, so counts hold one per iteration, as for any branch. A core that remembers where a loop ends executes the first
and the last of each run of the loop; those between cost nothing and do not retire (``INST_RETIRED`` leaves them out).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.counters.isa import LOOP_ENDS, LOOPS
from engine.counters.types import Block, Instruction


def may_fall_through(instruction: Instruction) -> bool:
    """May control go on behind a branch? LE without a counter never does."""
    if instruction.condition or instruction.mnemonic in ("cbz", "cbnz"):
        return True
    stem = instruction.mnemonic.partition(".")[0]
    return stem in LOOPS and "," in instruction.operands


def is_loop_end(instruction: Instruction) -> bool:
    """Is it an LE or LETP that counts?"""
    return instruction.mnemonic in LOOP_ENDS and may_fall_through(instruction)


def leads_in(block: Block) -> bool:
    """Does a block that ends in an LE begin before the loop does? Then its LE is the loop's first."""
    target = block.instructions[-1].target
    return target is not None and block.start < target


@dataclass
class LoopEnd:
    """Executions of one LE: that went back from a block that leads into the loop, and that went back or fell through from its body."""

    led_in: int = 0
    back: int = 0
    on: int = 0

    def add(self, block: Block, taken: bool, count: int) -> None:
        """Executions at the end of a block. One that leads in and falls through is a run of one iteration, its only LE."""
        if leads_in(block):
            self.led_in += count if taken else 0
        elif taken:
            self.back += count
        else:
            self.on += count

    @property
    def first_in_body(self) -> int:
        """Of ``back``, those that were a loop's first: every run that was not led into has one, unless it iterates once.

        Where some of those runs iterate once and others often, the counts cannot tell and the number is an upper bound.
        """
        return min(self.back, max(0, self.on - self.led_in))

    @property
    def folded(self) -> int:
        """Executions that a loop buffer saves: neither the first nor the last of a run."""
        return self.back - self.first_in_body
