"""How control leaves a block, and which loop ends a core with a loop buffer does not execute.

Emulators execute every LE, so counts hold one per iteration, as for any branch. A core that remembers where a loop ends executes the first
and the last of each run of the loop; those between cost nothing and do not retire (``INST_RETIRED`` leaves them out).
"""

from __future__ import annotations

from engine.counters.isa import LOOP_ENDS, LOOPS
from engine.counters.types import Instruction


def may_fall_through(instruction: Instruction) -> bool:
    """May control go on behind a branch? LE without a counter never does."""
    if instruction.condition or instruction.mnemonic in ("cbz", "cbnz"):
        return True
    stem = instruction.mnemonic.partition(".")[0]
    return stem in LOOPS and "," in instruction.operands


def is_loop_end(instruction: Instruction) -> bool:
    """Is it an LE or LETP that counts?"""
    return instruction.mnemonic in LOOP_ENDS and may_fall_through(instruction)


def first_ends(back: int, on: int) -> int:
    """Of ``back`` executions of one LE that went back, those that were a loop's first; ``on``: executions that fell through.

    Every run of a loop falls through once. One that iterates more than once has a first LE that goes back; where some runs
    iterate once and others often, the counts cannot tell and the number is an upper bound.
    """
    return min(back, on)


def folded_ends(back: int, on: int) -> int:
    """Executions of one LE that a loop buffer saves."""
    return back - first_ends(back, on)
