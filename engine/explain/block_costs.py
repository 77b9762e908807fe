"""The pipeline cycles of a run, block by block: what hot spots and flame graphs are made of.

Exact: executions of every block, its cost behind the blocks it was entered from, and the refill of every taken edge; together they are the pipeline part of
a region's cycle stack, to the tick. Stalls of instruction fetch and data come from line-granular simulations of a whole region
and are known per region only: they stay with the region and are never spread over its blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.counters.types import Block
from engine.errors import CheckFailedError
from engine.explain.source_lines import SourceLine, SourceLines
from engine.firmware.types import GLUE
from engine.records.cause import Cause
from engine.records.run import Stack
from engine.targets.image import Image, Symbol
from engine.targets.types import Profile
from engine.timing.branches import branch_facts, refill_ticks
from engine.timing.pipeline import edge_ticks, passes_of
from engine.timing.stored import StoredRun
from engine.timing.table import CAUSES, COLUMN, CYCLE, CoreTicks, End, core_ticks
from engine.timing.timing import time_execution

STALLS = (Cause.INSTRUCTION_FETCH, Cause.DATA_READ, Cause.DATA_WRITE)
"""Causes that are known per region, not per block."""

UNKNOWN = "[no symbol]"
"""Name of code that belongs to no function."""


@dataclass(frozen=True)
class BlockCost:
    """A basic block in one region. Ticks are 1/1000 cycle.

    Of all executions together: ``ticks`` by cause (order of ``timing.table.CAUSES``), without refill, each execution behind the block
    it was entered from; ``refill_ticks``: branch refill and mispredictions of the edges that leave the block within the region.
    """

    block: Block
    count: int
    ticks: tuple[int, ...]
    refill_ticks: int

    @property
    def start(self) -> int:
        """Address of the first instruction."""
        return self.block.start

    @property
    def total_ticks(self) -> int:
        """Pipeline ticks of all executions, refill included."""
        return sum(self.ticks) + self.refill_ticks


@dataclass(frozen=True)
class RegionCost:
    """A layer (or the glue) block by block, in the order of addresses; ``stack`` is its warm cycle stack.

    ``entry_refill_ticks``: refill of edges that come from blocks of other regions (the timing model charges a taken branch
    where control arrives, so the return of the layer's begin marker is the layer's).
    ``caller_of``: function entry address to the entry of the one function it is reached from, see ``call_chain``.
    """

    index: int
    name: str
    stack: Stack
    blocks: tuple[BlockCost, ...]
    entry_refill_ticks: int
    caller_of: Mapping[int, int]

    @property
    def pipeline_ticks(self) -> int:
        """Ticks of the region without stalls: blocks and entry refill."""
        return sum(b.total_ticks for b in self.blocks) + self.entry_refill_ticks


class CodeMap:
    """Names for addresses of one ELF: functions from its symbols, source lines from its line table (read when first asked)."""

    def __init__(self, image: Image) -> None:
        self.image = image

    @cached_property
    def _lines(self) -> SourceLines:
        return SourceLines(self.image.path)

    def function(self, address: int) -> Symbol | None:
        """The function around an address."""
        return self.image.function_at(address)

    def function_name(self, address: int) -> str:
        """Its name, or ``UNKNOWN``."""
        found = self.function(address)
        return found.name if found else UNKNOWN

    def line(self, address: int) -> SourceLine | None:
        """The source line of one instruction."""
        return self._lines.at(address)

    def line_of(self, block: Block) -> SourceLine | None:
        """The source line of the first instruction of a block that has one."""
        return next((found for i in block.instructions if (found := self.line(i.address))), None)


@dataclass(frozen=True)
class RunProfile:
    """A run block by block: ``regions`` are the layers in order, the glue last."""

    model: str
    regions: tuple[RegionCost, ...]
    table: CoreTicks
    code: CodeMap

    def call_chain(self, region: RegionCost, address: int) -> tuple[str, ...]:
        """Names of the functions from the outermost to the one around an address, as far as they are certain.

        A profile counts edges between blocks, not stacks. A function that was entered from exactly one other function of its
        region is shown below it (a function that calls itself, once); one that several functions enter, or that is part of a
        longer cycle of calls, starts a chain of its own: its stack is then layer, function. A tail call counts as a call.
        Cycles are always those of the function itself.
        """
        found = self.code.function(address)
        if found is None:
            return (UNKNOWN,)
        chain, at, seen = [found.name], found.address, {found.address}
        while (caller := region.caller_of.get(at)) is not None:
            if caller in seen:
                return (found.name,)
            seen.add(caller)
            chain.append(self.code.function_name(caller))
            at = caller
        return tuple(reversed(chain))


def profile_of(run: StoredRun, image: Image | None = None) -> RunProfile:
    """Cost every block of a stored run, region by region; ``image`` spares reading the ELF a second time.

    Raises CheckFailedError if the blocks do not sum to the cycle stacks.
    """
    timed = time_execution(run)
    table = core_ticks(run.core, End.VALUE)
    code = CodeMap(image or Image(run.firmware.elf))
    names = [x.name for x in run.firmware.layers] + [GLUE]
    costs, entries = _costs(run, table)
    callers = _callers(run.execution.profile, code, run.regions)
    regions = tuple(
        RegionCost(i, name, timed.regions[i].stack, costs[i], entries[i], callers[i]) for i, name in enumerate(names)
    )
    for region in regions:
        _check(region)
    return RunProfile(run.firmware.model, regions, table, code)


def _costs(run: StoredRun, table: CoreTicks) -> tuple[list[tuple[BlockCost, ...]], list[int]]:
    """Blocks per region, and per region the refill that no block of its own causes."""
    blocks, profile, regions = run.blocks, run.execution.profile, run.regions
    work = run.work()
    each = edge_ticks(work, table, passes_of(work, table))
    key = (profile.region.astype(np.int64) << 32) | profile.dst.astype(np.int64)
    entered, group = np.unique(key, return_inverse=True)
    counts, ticks = np.zeros(len(entered), np.int64), np.zeros((len(entered), len(CAUSES)), np.int64)
    np.add.at(counts, group, profile.count)
    np.add.at(ticks, group, each * profile.count[:, None])
    refills = _refills(blocks, profile, table, regions)
    costs: list[list[BlockCost]] = [[] for _ in range(regions)]
    for where, count, spent in zip(entered.tolist(), counts.tolist(), ticks.tolist(), strict=True):
        region, start = where >> 32, where & 0xFFFFFFFF
        costs[region].append(BlockCost(blocks[start], count, tuple(spent), refills[region].pop(start, 0)))
    return [tuple(c) for c in costs], [sum(left.values()) for left in refills]


def _refills(blocks: Mapping[int, Block], profile: Profile, table: CoreTicks, regions: int) -> list[dict[int, int]]:
    """Per region: start of the block that an edge leaves to the refill ticks of those edges."""
    key = (profile.region.astype(np.int64) << 32) | profile.src.astype(np.int64)
    sources, group = np.unique(key, return_inverse=True)
    # the timing model sums per region: with a region per source block it gives the same ticks, block by block
    per_block = Profile(group.astype(np.int32), profile.src, profile.dst, profile.count)
    spent = refill_ticks(per_block, branch_facts(profile, blocks), len(sources), table, within=profile.region)
    refills: list[dict[int, int]] = [{} for _ in range(regions)]
    for source, ticks in zip(sources.tolist(), spent.tolist(), strict=True):
        refills[source >> 32][source & 0xFFFFFFFF] = ticks
    return refills


def _callers(profile: Profile, code: CodeMap, regions: int) -> list[dict[int, int]]:
    """Per region: entry of a function to the entry of the only function it was entered from."""
    found: list[dict[int, set[int]]] = [{} for _ in range(regions)]
    for region, src, dst in zip(profile.region.tolist(), profile.src.tolist(), profile.dst.tolist(), strict=True):
        callee, caller = code.function(dst), code.function(src) if src else None
        if callee and caller and callee.address == dst and caller.address != callee.address:
            found[region].setdefault(dst, set()).add(caller.address)
    return [{callee: min(who) for callee, who in region.items() if len(who) == 1} for region in found]


def _check(region: RegionCost) -> None:
    """Stacks are whole cycles, blocks are ticks: they may differ by less than a cycle per cause."""
    ticks = [sum(b.ticks[column] for b in region.blocks) for column in range(len(CAUSES))]
    ticks[COLUMN[Cause.BRANCH_REFILL]] += region.entry_refill_ticks + sum(b.refill_ticks for b in region.blocks)
    for cause in CAUSES:
        if cause not in STALLS and abs(region.stack.of(cause) * CYCLE - ticks[COLUMN[cause]]) >= CYCLE:
            raise CheckFailedError(
                f"{region.name}: the blocks sum to {ticks[COLUMN[cause]] / CYCLE:g} cycles of {cause.label}, the timing "
                f"model says {region.stack.of(cause)}",
                hint="the block costs and the timing model disagree: please report this",
            )
