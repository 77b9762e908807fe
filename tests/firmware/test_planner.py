from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.firmware.planner import ALIGNMENT, Buffer, aligned, plan


@st.composite
def buffers(draw: st.DrawFn) -> list[Buffer]:
    def one() -> Buffer:
        first = draw(st.integers(0, 12))
        return Buffer(draw(st.integers(1, 500)), first, first + draw(st.integers(0, 6)))

    return [one() for _ in range(draw(st.integers(0, 14)))]


def alive_at_once(found: list[Buffer]) -> int:
    return max((sum(b.bytes for b in found if b.first <= t <= b.last) for t in range(20)), default=0)


@given(buffers())
def test_buffers_alive_together_never_overlap_and_all_lie_inside(found: list[Buffer]) -> None:
    result = plan(found)
    spans = [(offset, offset + b.bytes, b) for offset, b in zip(result.offsets, found, strict=True)]
    for start, end, _ in spans:
        assert start % ALIGNMENT == 0
        assert 0 <= start < end <= result.bytes
    for (start1, end1, b1), (start2, end2, b2) in itertools.combinations(spans, 2):
        if b1.first <= b2.last and b2.first <= b1.last:
            assert end1 <= start2 or end2 <= start1


@given(buffers())
def test_size_lies_between_the_lower_bound_and_no_sharing(found: list[Buffer]) -> None:
    result = plan(found)
    assert result.lower_bound_bytes == alive_at_once(found)
    assert result.lower_bound_bytes <= result.bytes <= sum(aligned(b.bytes) for b in found)


@given(buffers())
def test_no_worse_than_placing_largest_first_one_by_one(found: list[Buffer]) -> None:
    placed: list[tuple[int, Buffer]] = []
    for b in sorted(found, key=lambda b: (-b.bytes, b.first)):  # ties as the planner breaks them
        candidates = [0] + [o + aligned(p.bytes) for o, p in placed]
        free = (
            c
            for c in sorted(candidates)
            if all(
                p.last < b.first or b.last < p.first or c + aligned(b.bytes) <= o or o + aligned(p.bytes) <= c
                for o, p in placed
            )
        )
        placed.append((next(free), b))
    assert plan(found).bytes <= max((o + aligned(b.bytes) for o, b in placed), default=0)


@given(buffers())
def test_the_same_buffers_are_placed_the_same(found: list[Buffer]) -> None:
    assert plan(found) == plan(list(found))


@pytest.mark.parametrize(
    ("found", "size"),
    [
        ([Buffer(100, 0, 1), Buffer(50, 1, 2), Buffer(100, 2, 3)], 176),
        # A hole between two buffers that stay is used.
        ([Buffer(64, 0, 1), Buffer(32, 0, 4), Buffer(64, 2, 4)], 96),
        ([], 0),
    ],
)
def test_known_plans(found: list[Buffer], size: int) -> None:
    assert plan(found).bytes == size
