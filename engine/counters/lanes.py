"""Lanes and beats of Helium instructions that a predicate leaves out: from what the loads and stores beside them moved.

No emulator tells the predicate (VPR, or the count of a tail-predicated loop), but a vector load or store moves only the lanes that take part, so
its bytes show the predicate in every one of its executions. What a transfer shows holds for each instruction of its straight line under
the same predicate: no write to VPR between them, the same tail-predicated loop, the same side of the VPT block. Where there is no such
transfer, all lanes count as taking part, and are counted as unknown beside.

A beat is 32 bits of a vector. Lanes of VCTP and of a tail-predicated loop take part from the first on, so their number says which beats
do nothing; those of a comparison may lie anywhere, so beats are then known only where all or none take part. A tail leaves lanes out in
the last iteration alone: that is checked against how often the loop was left.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.counters.mve import BYTES
from engine.counters.registers import VPR
from engine.counters.types import Block, Instruction
from engine.errors import CheckFailedError
from engine.targets.image import Image
from engine.targets.types import LaneProfile

BEATS = 4
BEAT_BYTES = BYTES // BEATS
_GENERAL = (1 << 16) - 1
_WHOLE = re.compile(r"^(v(ld|st)[24]|vmov\b.*\[)")  # never predicated: interleaved transfers, moves of single lanes
_COPIES = ("mov", "sxth", "uxth")  # of a predicate in a general register: it has 16 bits


@dataclass(frozen=True)
class Predicate:
    """What chooses the lanes of an instruction, to be compared within one straight line.

    ``tail``: start of the tail-predicated loop it lies in, -1 for none. ``value``: which of the values of VPR in this line, -1 outside
    VPT blocks; ``side``: "t" or "e". ``run``: the lanes that take part are the first or the last ones, without gaps.
    """

    tail: int
    value: int
    side: str
    run: bool


@dataclass(frozen=True)
class _Value:
    """A value of VPR: its number in this line, and whether its lanes are the first ones (VCTP), the last ones (inverted), or any."""

    number: int
    first: bool = False
    last: bool = False


@dataclass
class LaneUse:
    """Of one region: lanes of integer vector multiplies, and beats of all Helium instructions; see ``records.counters``."""

    lanes: int = 0
    active: int = 0
    unknown: int = 0
    beats: int = 0
    masked_beats: int = 0
    unknown_beats: int = 0


Entered = Mapping[int, Mapping[int, tuple[Block, int]]]
"""By region and start address: every block and how often it was entered."""

Moved = Mapping[int, int]
"""Executions of one transfer by the bytes of its vector register that took part."""


def predicates(block: Block, tails: tuple[tuple[int, int], ...]) -> tuple[Predicate | None, ...]:
    """The predicate of every instruction of a straight line, None where there is none; ``tails``: see ``Image.tail_loops``."""
    value = _Value(0)
    made = 1
    copies: dict[int, _Value] = {}  # by general register, as a mask
    found: list[Predicate | None] = []
    for i in block.instructions:
        found.append(_predicate(i, value, tails))
        copied = _copied(i, value, copies)
        for register in [r for r in copies if r & i.writes]:
            del copies[register]
        if copied is not None and (kept := i.writes & _GENERAL):
            copies[kept] = copied
        if i.writes & VPR:
            if i.mnemonic == "vmsr" and copied is not None:
                value = copied
            else:
                value = replace(_written(i, value), number=made)
                made += 1
    return tuple(found)


def _predicate(i: Instruction, value: _Value, tails: tuple[tuple[int, int], ...]) -> Predicate | None:
    if i.vector is None or not i.vector.predicated or _WHOLE.match(f"{i.mnemonic} {i.operands}"):
        return None
    tail = next((start for start, end in tails if start <= i.address < end), -1)
    if not i.vector.vpt:
        return Predicate(tail, -1, "", run=True)
    first, last = (value.first, value.last) if i.vector.vpt == "t" else (value.last, value.first)
    return Predicate(tail, value.number, i.vector.vpt, run=first or (last and tail < 0))


def _copied(i: Instruction, value: _Value, copies: Mapping[int, _Value]) -> _Value | None:
    """The value of VPR that an instruction hands on, None if it does something else."""
    if i.condition:
        return None
    if i.mnemonic == "vmrs":
        return value if i.reads & VPR else None
    return copies.get(i.reads) if i.mnemonic in (*_COPIES, "vmsr") else None


def _written(i: Instruction, before: _Value) -> _Value:
    """What an instruction makes of VPR, as far as it is known; the number is another's."""
    plain = i.vector is not None and not i.vector.predicated
    if plain and i.mnemonic.startswith("vctp"):
        return _Value(-1, first=True)
    if plain and i.mnemonic == "vpnot":
        return _Value(-1, first=before.last, last=before.first)
    return _Value(-1)


class _Region:
    """One region's predicated instructions: how often each was executed, and which transfers show its predicate in all lines it lies in."""

    def __init__(self, tails: tuple[tuple[int, int], ...]) -> None:
        self._tails = tails
        self.executed: dict[int, int] = defaultdict(int)
        self.instructions: dict[int, Instruction] = {}
        self.run: dict[int, bool] = {}
        self.witnesses: dict[int, set[int]] = {}

    def add(self, block: Block, count: int, known: tuple[Predicate | None, ...]) -> None:
        shown: dict[Predicate, set[int]] = defaultdict(set)
        for i, predicate in zip(block.instructions, known, strict=True):
            if predicate is not None and (i.load_bytes or i.store_bytes):
                shown[predicate].add(i.address)
        for i, predicate in zip(block.instructions, known, strict=True):
            self.executed[i.address] += count
            if predicate is None:
                continue
            self.instructions[i.address] = i
            self.run[i.address] = self.run.get(i.address, True) and predicate.run
            here = shown[predicate]
            self.witnesses[i.address] = self.witnesses.get(i.address, here) & here


def count_lanes(
    image: Image, entered: Entered, left: Mapping[tuple[int, int], int], lanes: LaneProfile | None
) -> dict[int, LaneUse]:
    """Lane use by region; ``left``: by region and address of a LETP, how often its loop ended there.

    ``lanes`` is None where the target cannot tell: then all that is predicated is unknown. Raises CheckFailedError where a
    tail-predicated loop left lanes out more often than it was left.
    """
    lines: dict[int, tuple[Predicate | None, ...]] = {}
    moved = _moved(lanes)
    found = {}
    for region, blocks in entered.items():
        known = _Region(image.tail_loops)
        use = found[region] = LaneUse()
        for start, (block, count) in blocks.items():
            if start not in lines:
                lines[start] = predicates(block, image.tail_loops)
            known.add(block, count, lines[start])
            for i, predicate in zip(block.instructions, lines[start], strict=True):
                if i.vector is not None:
                    use.beats += BEATS * count
                    use.lanes += i.lanes * count
                    use.active += i.lanes * count if predicate is None else 0
        shown = {
            a: _of_register(known.instructions[a], by)
            for a, by in moved.get(region, {}).items()
            if a in known.instructions
        }
        _check_tails(image, known, shown, {end: count for (at, end), count in left.items() if at == region})
        for address, i in known.instructions.items():
            _add(use, known, i, _witness(known, i, shown), known.executed[address])
    return found


def _moved(lanes: LaneProfile | None) -> dict[int, dict[int, dict[int, int]]]:
    """Executions by region, address and bytes moved."""
    found: dict[int, dict[int, dict[int, int]]] = {}
    if lanes is not None:
        columns = (lanes.region, lanes.address, lanes.moved, lanes.count)
        for region, address, moved, count in zip(*(c.tolist() for c in columns), strict=True):
            found.setdefault(region, {}).setdefault(address, {})[moved] = count
    return found


def _of_register(i: Instruction, by_bytes: Moved) -> dict[int, int]:
    """The same by bytes of the vector register: a narrow element in memory fills a wider lane."""
    full = i.load_bytes or i.store_bytes
    return {moved * BYTES // full: count for moved, count in by_bytes.items()}


def _lane_bytes(i: Instruction) -> int:
    """Bytes of a lane: of a widening multiply, those of its result."""
    assert i.vector is not None
    return BYTES // (i.lanes or i.vector.elements)


def _witness(known: _Region, i: Instruction, shown: Mapping[int, Moved]) -> Moved | None:
    """What shows the predicate of an instruction in every execution, None if nothing does."""
    width = _lane_bytes(i)
    for address in sorted(known.witnesses[i.address], key=lambda a: (a != i.address, a)):
        of = known.instructions[address]
        by = shown.get(address)
        # a lane that is left out in part shows only to one as wide, unless lanes are left out from one end
        fits = _lane_bytes(of) == width or (known.run[i.address] and _lane_bytes(of) < width)
        if by is not None and fits and sum(by.values()) == known.executed[i.address]:
            return by
    return None


def _add(use: LaneUse, known: _Region, i: Instruction, by: Moved | None, executed: int) -> None:
    if by is None:
        use.active += i.lanes * executed
        use.unknown += i.lanes * executed
        use.unknown_beats += BEATS * executed
        return
    for taking, count in by.items():
        use.active += count * -(-i.lanes * taking // BYTES)
        if known.run[i.address] or taking in (0, BYTES):
            use.masked_beats += count * (BEATS - -(-taking // BEAT_BYTES))
        else:
            use.unknown_beats += count * BEATS


def _check_tails(image: Image, known: _Region, shown: Mapping[int, Moved], left: Mapping[int, int]) -> None:
    """A loop's last iteration alone leaves lanes out: as often, at most, as its LETP went on instead of back (``left``)."""
    for start, end in image.tail_loops:
        if any(image.instructions[a].ends_block for a in image.instructions if start <= a < end):
            continue  # it may also be left from its middle
        for address, by in shown.items():
            i = known.instructions[address]
            if start <= address < end and i.vector and not i.vector.vpt:
                partial = sum(count for taking, count in by.items() if taking < BYTES)
                if partial > left.get(end, 0):
                    raise CheckFailedError(
                        f"{image.describe(address)} left lanes out {partial} times, but its loop ended {left.get(end, 0)} times",
                        hint="the emulator shows other lanes than take part: report this with the ELF",
                    )
