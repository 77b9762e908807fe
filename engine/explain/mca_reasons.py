"""Why our static cost of a block and llvm-mca's differ, instruction by instruction, each reason from a rule that both tools show.

Ours: what the pipeline model charges an instruction alone, behind its neighbour, and with its operands. llvm-mca's: what its
issue stage waited for. A difference that no rule accounts for stays unexplained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.counters.types import Block
from engine.explain.hotspots import instruction_ticks
from engine.explain.mca import McaBlock
from engine.explain.mca_rules import Claim, Rule
from engine.explain.mca_waits import McaWaits
from engine.timing.classes import SINGLE_TRANSFERS, Operation, Unit, prepare
from engine.timing.static_cost import operations_ticks
from engine.timing.table import CYCLE, CoreTicks

_MULTIPLE = frozenset({Unit.LOAD_MULTIPLE, Unit.STORE_MULTIPLE})
_DUST = 1e-9
"""Rounding of means."""


@dataclass(frozen=True)
class Difference:
    """Part of one instruction's difference: ``cycles`` of ours more than llvm-mca's (negative: llvm-mca's more).

    ``other`` is the instruction it waits for or stands behind, if the rule has one. Both are positions in the block.
    """

    rule: Rule
    at: int
    other: int | None
    cycles: float


@dataclass(frozen=True)
class Comparison:
    """A block's static costs, instruction by instruction (cycles), and what accounts for the differences.

    The differences sum to ours less theirs; ``Rule.UNEXPLAINED`` stands where no rule accounts for them.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    differences: tuple[Difference, ...]


def compare_block(block: Block, seen: McaBlock, width: int, table: CoreTicks) -> Comparison:
    """Split the difference of a block that llvm-mca has an answer for. Branch refill is no part of it."""
    ours = [sum(ticks) / CYCLE for ticks in instruction_ticks(block, table)]
    waits = McaWaits(block, seen, width)
    differences = [a - b for a, b in zip(ours, waits.cycles, strict=True)]
    left, cancelled = _settled(differences, width)
    operations = [prepare(i) for i in block.instructions]
    found: list[Difference] = []
    for last, cycles in enumerate(left):
        rest, sign = abs(cycles), 1 if cycles > 0 else -1
        for at in _run(last, cancelled, width) if rest > _DUST else ():
            if cycles < 0:
                claims = waits.claims[at] + _pairing(at, ours[at], width)
            elif seen.instructions[at].skipped:
                claims = [Claim(Rule.MCA_SKIPPED, None, ours[at])]
            else:
                claims = _our_claims(block, operations, at, table, waits.cycles[at])
            for rule, other, most in claims:
                taken = min(rest, most, abs(differences[at]))
                if taken > _DUST:
                    found.append(Difference(rule, at, other, sign * taken))
                    rest -= taken
        if rest > _DUST:
            found.append(Difference(Rule.UNEXPLAINED, last, None, sign * rest))
    return Comparison(tuple(ours), tuple(waits.cycles), tuple(found))


def _settled(differences: Sequence[float], width: int) -> tuple[list[float], dict[int, int]]:
    """Differences without those that cancel within an issue group: the same cycle, charged to a neighbour.

    Also which instruction cancelled which one before it.
    """
    left, cancelled = list(differences), {}
    for at in range(len(left)):
        for behind in range(at - 1, max(-1, at - 1 - width), -1):
            if left[behind] * left[at] < 0:
                taken = min(abs(left[behind]), abs(left[at]))
                left[at] += taken if left[at] < 0 else -taken
                left[behind] += taken if left[behind] < 0 else -taken
                cancelled[at] = behind
    return left, cancelled


def _run(last: int, cancelled: dict[int, int], width: int) -> Iterator[int]:
    """The instructions one difference may come from, nearest first: two cores that issue pairs stay out of step from where one of
    them could not pair, and what is left over is at the end of the alternating differences.
    """
    at: int | None = last
    while at is not None:
        yield at
        at = next((cancelled[n] for n in range(at - 1, at - 2 - width, -1) if n in cancelled), None)


def _pairing(at: int, ours: float, width: int) -> list[Claim]:
    return [Claim(Rule.PAIRED, at - 1, 1 - ours)] if width == 1 and at and ours < 1 else []


def _our_claims(block: Block, operations: Sequence[Operation], at: int, table: CoreTicks, theirs: float) -> list[Claim]:
    """What our model charges an instruction beyond a cycle: alone, behind its neighbour, with its operands."""
    op = operations[at]
    alone = _cost([_bare(op)], table)
    if op.unit in _MULTIPLE:
        rule = Rule.PER_REGISTER
    else:
        rule = Rule.DATA_PHASE if op.unit in SINGLE_TRANSFERS else Rule.ISSUE_CYCLES
    claims: list[Claim] = [Claim(rule, None, alone - 1)]
    if not at:
        return claims
    before = operations[at - 1]
    depends = block.instructions[at - 1].writes & block.instructions[at].reads
    pair = [_bare(before), _bare(op)] if depends else [before, op]
    beside = _cost(pair, table) - _cost(pair[:1], table)
    if table.dual or table.pairs_16:
        # a pair saves no more than the one cycle
        claims.append(Claim(Rule.NOT_PAIRED, at - 1, min(beside, 1 - theirs)))
    else:
        claims.append(Claim(Rule.NEIGHBOUR, at - 1, beside - alone))
    lead = operations[:at]
    whole = _cost([*lead, op], table)
    claims.append(Claim(Rule.OPERAND_WAIT, _producer(block, at), whole - _cost([*lead, _bare(op)], table)))
    claims.append(Claim(Rule.FPU_BUSY, None, whole - _cost([*lead, replace(op, needs_fpu=False)], table)))
    aligned = replace(op, wide_unaligned=False)
    claims.append(Claim(Rule.UNALIGNED_RUN, None, whole - _cost([*lead, aligned], table)))
    return claims


def _cost(operations: Sequence[Operation], table: CoreTicks) -> float:
    return sum(operations_ticks(operations, table)) / CYCLE


def _bare(op: Operation) -> Operation:
    """The operation with all operands ready."""
    return replace(op, address_bits=(), shifted_bits=(), accumulator_bits=(), other_bits=())


def _producer(block: Block, at: int) -> int | None:
    reads = block.instructions[at].reads
    return next((n for n in range(at - 1, -1, -1) if block.instructions[n].writes & reads), None)
