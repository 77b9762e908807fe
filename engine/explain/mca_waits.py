"""llvm-mca's side of a comparison: which constraint of its in-order pipeline made each instruction wait.

A slot, the operands, a unit, and that no instruction writes before an older one: what its issue stage checks, recomputed from
the issue cycles and latencies it prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.counters.types import Block
from engine.explain.mca import McaBlock
from engine.explain.mca_rules import Claim, Rule


@dataclass(frozen=True, order=True)
class _Place:
    """An instruction in one iteration."""

    iteration: int
    at: int


class McaWaits:
    """``cycles`` from the issue of the instruction before to its own, per instruction; ``claims``: what made it wait beyond a free
    slot. Means over the iterations.
    """

    def __init__(self, block: Block, seen: McaBlock, width: int) -> None:
        self._instructions, self._seen, self._width = block.instructions, seen, width
        rounds = len(seen.issued) - 1
        size = len(block.instructions)
        self.cycles = [0.0] * size
        spent: list[dict[tuple[Rule, int], float]] = [{} for _ in range(size)]
        for iteration in range(1, rounds + 1):
            for at in range(size):
                before = self._before(iteration, at)
                if seen.instructions[at].skipped or not before:
                    continue
                since = self._issued(_Place(iteration, at)) - self._issued(before[0])
                self.cycles[at] += since / rounds
                for rule, other, cycles in self._waits(iteration, at, before, since):
                    spent[at][rule, other] = spent[at].get((rule, other), 0.0) + cycles / rounds
        self.claims = [[Claim(rule, other, cycles) for (rule, other), cycles in each.items()] for each in spent]

    def _issued(self, place: _Place) -> int:
        return self._seen.issued[place.iteration][place.at]

    def _before(self, iteration: int, at: int) -> list[_Place]:
        """The instructions in front of one, nearest first, back to the start of the iteration before."""
        places = [_Place(iteration, n) for n in range(at - 1, -1, -1)]
        places += [_Place(iteration - 1, n) for n in range(len(self._instructions) - 1, -1, -1)]
        return [p for p in places if not self._seen.instructions[p.at].skipped]

    def _waits(
        self, iteration: int, at: int, before: Sequence[_Place], since: int
    ) -> list[tuple[Rule, int, int]]:  # fmt: skip
        """What holds an instruction back beyond a free slot, each with the cycles that those before it do not cover."""
        previous = self._issued(before[0])
        together = sum(self._issued(p) == previous for p in before)
        covered = 0 if together < self._width else 1
        made = []
        for rule, other, bound in self._bounds(iteration, at, before):
            reach = min(bound, since)
            if reach > covered:
                made.append((rule, other, reach - covered))
                covered = reach
        return made

    def _bounds(self, iteration: int, at: int, before: Sequence[_Place]) -> list[tuple[Rule, int, int]]:
        """The constraints on an issue: no earlier than so many cycles behind the instruction before."""
        own, behind, last = self._seen.instructions[at], self._seen.instructions[before[0].at], before[0].at
        bounds = []
        for place, ready in self._operands(before, at):
            rule = Rule.MCA_NEXT_ITERATION if place.iteration < iteration else Rule.MCA_LATENCY
            bounds.append((rule, place.at, ready - self._issued(before[0])))
        # flags beside a result, and updated base registers, are written at once
        first_write = own.latency if self._instructions[at].writes.bit_count() <= 1 else 0
        bounds.append((Rule.MCA_WRITE_ORDER, last, behind.latency - first_write))
        if own.throughput >= 1 and behind.throughput >= 1 and own.units & behind.units:
            bounds.append((Rule.MCA_UNIT, last, 1))
        if self._width > 1:
            # the issue stage checks nothing else: what is left is a rule of grouping, which llvm-mca does not print
            bounds.append((Rule.MCA_GROUP, last, 1))
        if before[0].iteration < iteration:
            return [(Rule.MCA_NEXT_ITERATION, other, bound) for _, other, bound in bounds]
        return bounds

    def _operands(self, before: Sequence[_Place], at: int) -> list[tuple[_Place, int]]:
        """Who wrote the operands, and the cycle they may be read in at the latest; the last to be ready first."""
        reads = self._instructions[at].reads
        found = []
        for place in before:
            if written := self._instructions[place.at].writes & reads:
                reads &= ~written
                ready = self._issued(place) + self._seen.instructions[place.at].latency
                found.append((place, ready + self._seen.instructions[at].early))
        return sorted(found, key=lambda x: -x[1])
