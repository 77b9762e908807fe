"""Pairs of a dual-issue core that span two blocks, by hand."""

from __future__ import annotations

import itertools

import pytest

from engine.catalog.load import load_core
from engine.counters.types import Block
from engine.timing.pipeline import edge_ticks, passes_of, prepare_work
from engine.timing.table import CYCLE, End, core_ticks
from tests.timing.asm import add, b, block, bne, ldrd, mla
from tests.timing.test_timing import profile

M7 = core_ticks(load_core("cortex-m7"), End.VALUE)

Edges = list[tuple[int, int, int, int]]


def cycles(blocks: tuple[Block, ...], edges: Edges, core: str = "cortex-m7") -> list[float]:
    """Cycles of one traversal of each edge, sorted by region, source and target."""
    work = prepare_work({x.start: x for x in blocks}, profile(edges), 1)
    table = core_ticks(load_core(core), End.VALUE)
    return [ticks / CYCLE for ticks in edge_ticks(work, table, passes_of(work, table)).sum(axis=1).tolist()]


def chain(*starts_with: int) -> tuple[Block, ...]:
    """Blocks of that many independent ADDs, one behind the other."""
    blocks: list[Block] = []
    register, at = 0, 0x100
    for count in starts_with:
        blocks.append(block(at, *(add(register + n, 10, 11) for n in range(count))))
        register, at = register + count, blocks[-1].end
    return tuple(blocks)


def falls(blocks: tuple[Block, ...], count: int = 4) -> Edges:
    starts = [0, *(x.start for x in blocks)]
    return [(0, a, z, count) for a, z in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    ("lengths", "each"),
    [
        ((1, 1, 1, 1), [1, 0, 1, 0]),  # who has a partner takes no second one
        (
            (1, 2, 1),
            [1, 1, 0],
        ),  # the second block pairs its first with the first block's, its last with the third block's
        ((2, 2), [1, 1]),
        ((3, 3), [2, 1]),
    ],
)
def test_pairs_run_on_from_block_to_block(lengths: tuple[int, ...], each: list[int]) -> None:
    blocks = chain(*lengths)
    assert cycles(blocks, falls(blocks)) == each


def test_a_single_issue_core_pairs_nothing() -> None:
    blocks = chain(1, 1, 1)
    assert cycles(blocks, falls(blocks), "cortex-m4") == [1, 1, 1]


def test_a_branch_pairs_with_what_follows_it_only_where_it_is_not_taken() -> None:
    first = block(0x100, ldrd(0, 1, 10), bne(0x200))
    behind, away = block(first.end, add(2, 10, 11)), block(0x200, add(2, 10, 11))
    edges = [(0, 0, first.start, 2), (0, first.start, behind.start, 1), (0, first.start, away.start, 1)]
    assert cycles((first, behind, away), edges) == [2, 0, 1]


def test_operands_of_the_block_before_keep_a_pair_apart() -> None:
    needs = (block(0x100, add(0, 10, 11)), block(0x104, add(1, 0, 11)))
    assert cycles(needs, falls(needs)) == [1, 1]
    multiplies = (block(0x100, mla(0, 10, 11, 12)), block(0x104, mla(1, 10, 11, 12)))
    assert cycles(multiplies, falls(multiplies)) == [1, 1]


def test_of_a_block_that_is_entered_in_two_ways_the_mean_goes_on() -> None:
    # one in four executions of the middle block falls in from the first, and issues its ADD beside the first's: then it has a
    # partner already when control falls on into the last block; in three of four it is free
    first, middle, last = chain(1, 1, 1)
    outside = block(0x200, b(middle.start))
    edges = [
        (0, 0, first.start, 1), (0, 0, outside.start, 3), (0, first.start, middle.start, 1),
        (0, outside.start, middle.start, 3), (0, middle.start, last.start, 4),
    ]  # fmt: skip
    found = dict(zip(sorted(edges), cycles((first, middle, last, outside), edges), strict=True))
    assert found[0, first.start, middle.start, 1] == 0
    assert found[0, outside.start, middle.start, 3] == 1
    assert found[0, middle.start, last.start, 4] == 0.25
