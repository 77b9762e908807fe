"""Cycles in which nothing is issued, and those of them that wait for Helium: by hand, from the figures of the core's table."""

from __future__ import annotations

import pytest

from engine.catalog.load import load_core
from engine.counters.decode import decode
from engine.counters.types import Block
from engine.targets.image import RawInstruction
from engine.timing.classes import prepare
from engine.timing.static_cost import pass_through
from engine.timing.table import CYCLE, End, core_ticks
from engine.timing.timing import Idle, time_execution
from tests.targets.kit import board
from tests.timing.test_timing import stored

M55 = core_ticks(load_core("cortex-m55"), End.VALUE)


def line(text: str, start: int = 0x100) -> Block:
    """Instructions of 4 bytes, one per line; those that branch end the block."""
    parts = [x.strip().partition(" ") for x in text.strip().splitlines()]
    raw = [
        RawInstruction(start + 4 * n, 4, name, operands, "", False, name in ("le", "bx", "b"))
        for n, (name, _, operands) in enumerate(parts)
    ]
    return Block(start, tuple(decode(r) for r in raw))


@pytest.mark.parametrize(
    ("text", "idle", "for_helium", "helium_waits"),
    [
        # a vector holds its pipe for two cycles
        ("vldrb.u8 q0, [r0]\nvldrb.u8 q1, [r1]", 1, 1, 0),
        # pipes overlap
        ("vldrb.u8 q0, [r0]\nvadd.i8 q1, q2, q2", 0, 0, 0),
        # a loaded address is ready after two cycles
        ("ldr r0, [r1]\nvldrb.u8 q0, [r0]", 1, 0, 1),
        # a sum across lanes too
        ("vmlava.s8 r0, q0, q1\nadd r1, r0, r2", 1, 1, 0),
        ("ldr r0, [r1]\nadd r2, r0, r0", 1, 0, 0),
        # both words of a pair are sent, a divide once
        ("ldrd r0, r1, [r2]\nadd r3, r4, r5", 0, 0, 0),
        ("sdiv r0, r1, r2", 6, 0, 0),
    ],
)
def test_waits_by_hand(text: str, idle: int, for_helium: int, helium_waits: int) -> None:
    found = pass_through([prepare(i) for i in line(text).instructions], M55)
    assert (found.idle, found.vector_idle, found.vector_waits) == (
        idle * CYCLE,
        for_helium * CYCLE,
        helium_waits * CYCLE,
    )
    assert found.idle <= sum(found.ticks)


def test_a_loop_waits_for_its_first_end_and_its_vectors() -> None:
    # DLS, then three times two loads and LE: the first goes back (a cycle and a refill of two), the second is saved, the last falls through
    lead = line("dls lr, r0\nvldrb.u8 q0, [r0]\nvldrb.u8 q1, [r1]\nle lr, #0x104")
    loop = line("vldrb.u8 q0, [r0]\nvldrb.u8 q1, [r1]\nle lr, #0x104", 0x104)
    after = line("bx lr", loop.end)
    edges = [(0, 0, 0x100, 1), (0, 0x100, 0x104, 1), (0, 0x104, 0x104, 1), (0, 0x104, loop.end, 1)]
    blocks = {b.start: b for b in (lead, loop, after)}
    timed = time_execution(stored(board("cortex-m55"), mhz=100, blocks=blocks, edges=edges, layers=1))
    region = timed.regions[0]
    # every load but the first finds its pipe held, those behind an LE too (its refill is not taken off that wait); refill 2
    assert region.idle == Idle(cycles=5 + 2, vector_cycles=5, vector_waits=0)
    # DLS, six loads, two LEs that are not saved, BX
    assert region.stack.cycles == 7 + (1 + 6 + 2 + 1)


def test_cores_without_helium_have_none() -> None:
    blocks = {0x100: line("bx lr")}
    timed = time_execution(stored(board("cortex-m4"), mhz=100, blocks=blocks, edges=[(0, 0, 0x100, 1)], layers=1))
    assert timed.regions[0].idle is None
