"""The memory systems behind two runs: what a miss costs in each and in their mixtures, and in what they differ.

Caches and figures are told apart: *caches* are geometry, policy and what they serve; *figures* are what the memories themselves
take at the clock (wait states, bus ratio, width of a read, prefetch; line fills, write-backs). All are the descriptions' own, with
what was set for a run. Where the catalogue does not describe what a run was made with, costs are taken from the record, and board
and clock tell what may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from engine.catalog.access_waits import front_of
from engine.catalog.board import Board, MemoryKind
from engine.catalog.flash import Cache
from engine.explain.compare_traffic import MissCost, Path, Store, Use
from engine.explain.hardware import Hardware
from engine.records.comparable import Choice, choices_that_differ
from engine.records.run import PlacementUsed, RunRecord
from engine.timing.memory import Counted, MemoryCost, counted, memory_cost
from engine.timing.table import CYCLE, End

ZERO = Fraction(0)

Costs = Mapping[str, MissCost]
"""By memory."""


@dataclass(frozen=True)
class Machine:
    """The described board of one run at its clock."""

    board: Board
    clock_mhz: float
    placement: PlacementUsed

    def cost(self, caches: Board) -> MemoryCost:
        """What events would cost behind the caches of another board."""
        theirs = {"icache": caches.flash.icache, "dcache": caches.flash.dcache, "unified": caches.flash.unified}
        flash = self.board.flash.model_copy(update=theirs)
        return memory_cost(self.board.model_copy(update={"flash": flash}), self.clock_mhz, End.VALUE)

    def miss_costs(self, caches: Board) -> Costs:
        """What misses would cost behind the caches of another board; where nothing is in front of a memory, every access is one."""
        cost = self.cost(caches)
        missed = ((cost.fetch_miss, cost.fetch_line), (cost.read_miss, cost.read), (cost.write_miss, cost.write))
        columns = (*(np.where(miss, miss, each) for miss, each in missed), cost.write_back)
        rows = zip(*([Fraction(int(ticks), CYCLE) for ticks in column] for column in columns), strict=True)
        return {m.name: row for m, row in zip(self.board.memories, rows, strict=True)}

    def figures(self, name: str) -> Hashable:
        """What a memory takes at the clock, whatever is in front of it."""
        memory, flash = self.board.memory(name), self.board.flash
        if memory.kind is MemoryKind.FLASH:
            step, extra = flash.step(self.clock_mhz), flash.miss_extra_cycles
            late = step.wait_states * step.bus_ratio, step.bus_ratio, extra.value if extra else 0
            return (*late, flash.width_bytes.value, flash.prefetch)
        return frozenset((key, figure.value) for key, figure in memory.figures() if figure.value)

    def caches(self, path: Path, placement: PlacementUsed) -> Hashable:
        """What is in front of the parts of an image on a path."""
        flash = self.board.flash
        fronts = {part: front_of(self.board.memory(name), flash) for part, name in placement}
        data = flash.unified, *(_geometry(front.data) for front in fronts.values())
        if path is Path.DATA:
            return data
        return _geometry(fronts["code"].fetch), data if flash.unified else ()

    def lines(self, path: Path, name: str) -> int:
        """Bytes that one counted miss brings: where a description leaves a line's length open, the width of a read decides it."""
        counted = self._counted
        column = counted.refill if path is Path.FETCH else counted.read
        return int(column[[m.name for m in self.board.memories].index(name)])

    @cached_property
    def _counted(self) -> Counted:
        return counted(self.board)

    def each_access(self, path: Path, name: str) -> Hashable:
        """Ticks of every access to a memory, hit or not."""
        cost, at = self.cost(self.board), [m.name for m in self.board.memories].index(name)
        columns = (cost.fetch_line,) if path is Path.FETCH else (cost.read, cost.write)
        return tuple(int(column[at]) for column in columns)


def _geometry(cache: Cache | None) -> Hashable:
    return None if cache is None else (cache.bytes, cache.line_bytes, cache.ways, cache.replacement, cache.policy)


@dataclass(frozen=True)
class StorePair:
    """A store on a path, and what differs there between the two runs: caches in front, figures, lines, what every access takes.

    ``lines``: how much one miss brings, though nobody described other caches.
    """

    path: Path
    store: Store
    caches: bool
    figures: bool
    lines: bool
    each_access: bool


@dataclass(frozen=True)
class MemoryPair:
    """The memory systems of runs A and B. ``costs[i][j]``: of misses with the caches of i and the figures of j."""

    stores: tuple[StorePair, ...]
    costs: tuple[tuple[Costs, Costs], tuple[Costs, Costs]]


def memory_pair(
    runs: tuple[RunRecord, RunRecord],
    hardware: tuple[Hardware, Hardware],
    uses: tuple[Sequence[Use], Sequence[Use]],
    stores: Mapping[Path, Sequence[Store]],
    *,
    by_memory: bool,
) -> MemoryPair:
    """Describe a pair; ``uses`` hold the traffic of all regions of each run, ``stores`` its memories.

    Without ``by_memory`` misses of RAM are not counted, so what no miss explains may be theirs.
    """
    one, two = (_machine(r, h, u) for r, h, u in zip(runs, hardware, uses, strict=True))
    if one is None or two is None:
        return _from_records(runs, uses, stores)
    machines, same_board = (one, two), runs[0].board == runs[1].board

    def differ(of: Callable[[Machine, str], Hashable], names: tuple[Iterable[str], Iterable[str]]) -> bool:
        if same_board:
            return any(of(one, n) != of(two, n) for n in {*names[0], *names[1]})
        return {of(one, n) for n in names[0]} != {of(two, n) for n in names[1]}

    found = []
    for path, own in stores.items():
        placements = [(m.placement, m.placement) for m in machines] if same_board else [(one.placement, two.placement)]
        caches = any(one.caches(path, p) != two.caches(path, q) for p, q in placements)
        for s in own:
            lines = not caches and differ(lambda m, name, path=path: m.lines(path, name), s.names)  # type: ignore[misc]
            each = not by_memory or differ(lambda m, name, path=path: m.each_access(path, name), s.names)  # type: ignore[misc]
            found.append(StorePair(path, s, caches, differ(Machine.figures, s.names), lines, each))
    behind_one, behind_two = ((one.miss_costs(m.board), two.miss_costs(m.board)) for m in machines)
    return MemoryPair(tuple(found), (behind_one, behind_two))


def _machine(record: RunRecord, hardware: Hardware, uses: Sequence[Use]) -> Machine | None:
    """None unless the board is described, with all its memories that the run used and at the run's clock."""
    board = hardware.board
    if board is None or record.clock_mhz > board.flash.ladder[-1].up_to_mhz:
        return None
    used = {t.memory for use in uses for traffic in use.values() for t in traffic} | {n for _, n in record.placement}
    return Machine(board, record.clock_mhz, record.placement) if used <= {m.name for m in board.memories} else None


def _from_records(
    runs: tuple[RunRecord, RunRecord],
    uses: tuple[Sequence[Use], Sequence[Use]],
    stores: Mapping[Path, Sequence[Store]],
) -> MemoryPair:
    choices = choices_that_differ(*runs)
    caches, figures = Choice.BOARD in choices, bool(choices & {Choice.BOARD, Choice.CLOCK})
    pairs = (
        StorePair(path, s, caches, figures, lines=False, each_access=figures)
        for path, own in stores.items()
        for s in own
    )
    fetch, data = ([_observed(run, path) for run in uses] for path in (Path.FETCH, Path.DATA))
    # a memory that nobody missed in is as the cheapest
    other_fetch, other_data = (min((c for run in seen for c in run.values()), default=ZERO) for seen in (fetch, data))

    def costs(run: int) -> Costs:
        names = {t.memory for use in uses[run] for traffic in use.values() for t in traffic}
        each = {n: (fetch[run].get(n, other_fetch), data[run].get(n, other_data)) for n in names}
        return {n: (a_fetch, a_read, a_read, ZERO) for n, (a_fetch, a_read) in each.items()}

    one, two = costs(0), costs(1)
    return MemoryPair(tuple(pairs), ((one, two), (one, two)))


def _observed(run: Sequence[Use], path: Path) -> dict[str, Fraction]:
    """What a miss costs by memory, judged by the regions: at least for data, at most for fetches, which a prefetch hides in part."""
    seen: dict[str, list[Fraction]] = {}
    for t in (t for use in run for t in use[path] if t.misses):
        seen.setdefault(t.memory, []).append(Fraction(t.stalls, t.misses))
    return {memory: max(each) if path is Path.FETCH else min(each) for memory, each in seen.items()}
